"""Small files that become large when they are read, and files that would run."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import torch

# Tests lower the size below which nothing is too large to that.
ENOUGH = 2**20

_LARGE = bytes(8 * ENOUGH)


def _beside(suffix: str, compress: Callable[[Path], object]) -> Callable[[Path], Path]:
    def bomb(file: Path) -> Path:
        target = file.with_name(f"bomb{suffix}")
        compress(target)
        return target

    return bomb


def _zip(target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("large", _LARGE)


def _tar(target: Path) -> None:
    with tarfile.open(target, "w:gz", compresslevel=1) as archive:
        member = tarfile.TarInfo("../../large")
        member.size = len(_LARGE)
        archive.addfile(member, io.BytesIO(_LARGE))


def _deflated(file: Path) -> Path:
    """A PyTorch file whose tensors are compressed."""
    content = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    file.write_bytes(content.getvalue())
    return file


def _entities(file: Path) -> Path:
    """A billion laughs in the first text of an XML file."""
    names = [f"l{i}" for i in range(12)]
    entities = "".join(
        f'<!ENTITY {name} "{f"&{below};" * 10}">' for below, name in itertools.pairwise(names)
    )
    text = file.read_text()
    head, root = text.split("?>", 1)
    tag = root.strip().lstrip("<").split()[0].split(">")[0]
    where = root.index("<", root.index(">")) if "<" in root else 0
    doctype = f'<!DOCTYPE {tag} [<!ENTITY l0 "laugh">{entities}]>'
    inside = root[:where] + f"<!-- -->&{names[-1]};" + root[where:]
    file.write_text(f"{head}?>{doctype}{inside}")
    return file


def _aliases(file: Path) -> Path:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for i in range(1, 12):
        lines.append(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]")
    file.write_text("\n".join([*lines, "model: {x: *a11}", "data: {}", "trainer: {}"]))
    return file


def _deep(file: Path) -> Path:
    file.write_text('{"a": ' + "[" * 200_000 + "]" * 200_000 + "}")
    return file


def _rows(file: Path) -> Path:
    """Many rows in few bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetWriter(file, pa.schema([("time", pa.int64())]), compression="zstd") as writer:
        writer.write_table(pa.table({"time": np.zeros(2**20, np.int64)}))
    return file


def _npz(file: Path) -> Path:
    with open(file, "wb") as output:
        np.savez_compressed(output, np.zeros(2**20, np.uint8))
    return file


def _hdf5(file: Path) -> Path:
    """A block that claims to have 80 GB, of which nothing was ever written."""
    with h5py.File(file, "r+") as content:
        for name, block in list(content["data"].items()):
            del content["data"][name]
            shape = (*block.shape[:-1], 10**10 // block.shape[0])
            content["data"].create_dataset(name, shape, "f8", chunks=True)
    metadata = file.with_name("metadata.csv")
    table = pd.read_csv(metadata)
    names = table["trace_name"].str.partition("$")[0]
    table["trace_name"] = [f"{name}${i},:3,:" for i, name in enumerate(names)]
    table.to_csv(metadata, index=False)
    return file


BOMBS = {
    "gz": _beside(".gz", lambda f: f.write_bytes(gzip.compress(_LARGE, 1))),
    "bz2": _beside(".bz2", lambda f: f.write_bytes(bz2.compress(_LARGE, 1))),
    "zip": _beside(".zip", _zip),
    "tar": _beside(".tar.gz", _tar),
    "gz of itself": lambda f: f.write_bytes(gzip.compress(_LARGE, 1)) and f,
    "entities": _entities,
    "aliases": _aliases,
    "deep": _deep,
    "deflated": _deflated,
    "rows": _rows,
    "npz": _npz,
    "hdf5": _hdf5,
}


# What would run if it were read without care: it makes a file.


class _Evil:
    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return open, (str(self.mark), "w")


def _pickle_of_a_stream(mark: Path) -> bytes:
    # ObsPy looks for its name in the first bytes.
    return b"S'obspy.core.stream'\n0" + pickle.dumps(_Evil(mark), 0)


def _torch(mark: Path) -> bytes:
    buffer = io.BytesIO()
    torch.save({"state_dict": _Evil(mark)}, buffer)
    return buffer.getvalue()


def _npy(mark: Path) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, np.array([_Evil(mark)], dtype=object))
    return buffer.getvalue()


EVIL = {
    "pickle": lambda mark: pickle.dumps(_Evil(mark)),
    "pickle of a stream": _pickle_of_a_stream,
    "compressed pickle of a stream": lambda mark: gzip.compress(_pickle_of_a_stream(mark)),
    "PyTorch": _torch,
    "NumPy": _npy,
    "YAML": lambda mark: f"model: !!python/object/apply:open ['{mark}', 'w']".encode(),
    "formula": lambda mark: f"=__import__('os').mkdir({str(mark)!r})".encode(),
}
