"""Sources of an archive's waveforms: SDS, a folder of files, FDSN web services, buckets (S3)."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from .fdsn import FDSN
from .files import SDS
from .folder import Folder
from .kept import Kept
from .s3 import S3


def open_source(archive: str, index=None, keep=None):
    """
    Open an archive.

    :param archive: A folder, which is taken for SDS if it looks like one; ``sds://FOLDER`` or
        ``folder://FOLDER`` to say so; ``fdsn://NAME`` with a name or address that ObsPy knows, or
        ``fdsn://eida-routing``, ``fdsn://earthscope-federator``; ``s3://BUCKET/PREFIX``, see
        :py:class:`seisbench_llm.archive.s3.S3`; ``python://MODULE:CLASS`` for a class of your own
        with the methods ``channels`` and ``get_waveforms`` of those here.
    :param index: Parquet file that keeps the headers of a folder's files.
    :param keep: Folder that keeps what is fetched from services and buckets, as an SDS archive.
    :raises ValueError: If there is no such kind of archive, or if nothing is fetched from it.
    :raises ArchiveLost: If the folder does not exist.
    """
    kind, separator, rest = str(archive).partition("://")
    if not separator:
        kind, rest = ("sds" if _looks_like_sds(Path(archive)) else "folder"), str(archive)
    if not rest:
        raise ValueError(f"'{archive}' does not say which folder, service, bucket or class.")
    if kind == "fdsn":
        return FDSN(rest) if keep is None else Kept(FDSN(rest), keep)
    if kind == "s3":
        return Kept(S3(rest), keep)
    if keep is not None:
        raise ValueError(
            f"Nothing is fetched from '{archive}'. Leave 'keep' out, or use fdsn:// or s3://."
        )
    if kind == "sds":
        return SDS(rest)
    if kind == "folder":
        return Folder(rest, index)
    if kind == "python":
        module, _, name = rest.partition(":")
        return getattr(importlib.import_module(module), name)()
    raise ValueError(
        f"'{archive}' is not an archive: use a folder, sds://, folder://, fdsn:// or s3://."
    )


def _looks_like_sds(root: Path) -> bool:
    return any(re.fullmatch(r".+\.[A-Z]", p.name) for p in root.glob("[12][0-9][0-9][0-9]/*/*/*.?"))
