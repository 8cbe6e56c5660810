"""
The checkpoints that the authors of SeisMoLLM have published, by name.

A file is downloaded once, at a pinned revision of its Hugging Face repository, or taken from where
a user has copied it. Its SHA-256 is noted at first use and compared from then on. The file is read
without executing anything in it, converted, and kept in SeisBench's cache as safetensors with a
record. Later calls need neither a network nor huggingface_hub.
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from seisbench.models import WaveformModel

from .. import seisbench_private, weights
from ..atomic import PARTIAL, replacing
from ..extras import install_command
from ..tasks import TASKS
from ..weight_files import WeightsError, make_cache_folder, one_line, sha256
from .checkpoints import load_checkpoint, window_of

CITATION = (
    "Wang, X., Liu, F., Su, R., Wang, Z., Fang, L., Zhou, L., Bai, L., & Ouyang, W. (2025). "
    "SeisMoLLM: Advancing Seismic Monitoring via Cross-modal Transfer with Pretrained Large "
    "Language Model. arXiv:2502.19960."
)
REPOSITORY = "Starry-Wang/SeisMoLLM"
REVISION = "e7dcb5bf78d380f123781663f75f1a0c1cb6a9c9"
FOLDER = "SeisMoLLM"
# Version of the converted weights.
VERSION = "1"

_DATA = {
    "stead": "STEAD",
    "ditinglight": "the light subset of DiTing",
    "ditingfull": "DiTing, all of it",
}
_FILES = {
    "dpk": ("ditingfull", "ditinglight", "stead"),
    "pmp": ("ditinglight",),
    "emg": ("ditinglight", "stead"),
    "dis": ("ditinglight", "stead"),
    "baz": ("ditinglight", "stead"),
}


@dataclass(frozen=True)
class PublishedCheckpoint:
    """
    One of the published files.

    :param task: Our name of the task.
    :param stem: Name of the file without its suffix, such as ``dpk_stead``.
    :param data: The data set that it was trained on, in words.
    """

    task: str
    stem: str
    data: str

    @property
    def name(self) -> str:
        """Name for ``from_pretrained``."""
        return f"seismollm_{self.stem}"

    @property
    def files(self) -> tuple[str, str]:
        """
        Possible names of the file in the repository. Some files were published without a suffix.
        """
        return f"{FOLDER}/{self.stem}.pth", f"{FOLDER}/{self.stem}"

    @property
    def description(self) -> str:
        """Description in one line."""
        return f"SeisMoLLM as published (Wang et al. 2025): {self.task}, trained on {self.data}"


CHECKPOINTS: dict[str, PublishedCheckpoint] = {
    checkpoint.name: checkpoint
    for checkpoint in (
        PublishedCheckpoint(spec.name, f"{spec.published}_{data}", _DATA[data])
        for spec in TASKS.values()
        for data in _FILES.get(spec.published, ())
    )
}


def load(
    cls: type[WaveformModel], name: str, version: str = "latest", refetch: bool = False
) -> WaveformModel:
    """
    Load a published model. It is converted at first use.

    :param name: One of :py:data:`CHECKPOINTS`.
    :param version: ``latest`` or :py:data:`VERSION`.
    :param refetch: If true, download the file again.
    :raises WeightsError: If the file cannot be downloaded; the message says which file to copy
        where. Also if the file differs from the one at first use, or is not such a model.
    """
    if version not in ("latest", VERSION):
        raise WeightsError(f"Weights '{name}' have only version {VERSION}, not {version}.")
    folder = seisbench_private.cache_folder(cls)
    if refetch or not (folder / f"{name}.json.v{VERSION}").is_file():
        make_cache_folder(folder)
        with FileLock(folder / f".{name}.lock"):
            # Another process may have converted it in the meantime.
            if refetch or not (folder / f"{name}.json.v{VERSION}").is_file():
                _convert(cls, CHECKPOINTS[name], folder, refetch)
    return weights.load(cls, folder / name, VERSION)


def checkpoint_file(cls: type[WaveformModel], name: str, refetch: bool = False) -> Path:
    """
    Path of the published file. It is downloaded if necessary and has to be the same as at first
    use.

    :param name: One of :py:data:`CHECKPOINTS`.
    :param refetch: If true, download the file again.
    :raises WeightsError: See :py:func:`load`.
    """
    folder = seisbench_private.cache_folder(cls)
    make_cache_folder(folder)
    return _checked_file(CHECKPOINTS[name], folder, refetch)[0]


def _convert(cls, checkpoint: PublishedCheckpoint, folder: Path, refetch: bool) -> None:
    """Write the converted weight into the cache atomically."""
    file, digest = _checked_file(checkpoint, folder, refetch)
    model = load_checkpoint(
        cls, file, checkpoint.task, merge_lora=True, **window_of(checkpoint.stem)
    )
    record = weights.WeightRecord(
        name=checkpoint.name,
        task=checkpoint.task,
        version=VERSION,
        sampling_rate=model.sampling_rate,
        window=model.in_samples / model.sampling_rate,
        data=f"{checkpoint.data}, by its authors (arXiv 2502.19960).",
        licence="Its authors publish the code under the MIT licence.",
        language_model="gpt2",
        limits="Split by rows, so that the records of one earthquake were on both sides of it. "
        "Detection is not trained.",
        source=f"{REPOSITORY}, revision {REVISION}, {checkpoint.files[0]}, SHA-256 {digest}",
    )
    with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=folder) as partial:
        path = Path(partial) / checkpoint.name
        model.save(path, checkpoint.description, VERSION, record, half=False)
        # The JSON file is written last. Without it the weight does not exist.
        for kind in ("safetensors", "json"):
            written = path.with_name(f"{path.name}.{kind}.v{VERSION}")
            os.replace(written, folder / written.name)


def _checked_file(checkpoint: PublishedCheckpoint, folder: Path, refetch: bool) -> tuple[Path, str]:
    """The file and its SHA-256, which has to be the same as at first use."""
    file = None if refetch else _copied(checkpoint, folder)
    if file is None:
        file = _download(checkpoint, folder, refetch)
    digest = sha256(file)
    # Hugging Face's cache names large files by the SHA-256 that the repository states.
    named = file.resolve().name
    if re.fullmatch(r"[0-9a-f]{64}", named) and named != digest:
        raise WeightsError(
            f"{file} is damaged: its SHA-256 is {digest}, in the repository it is {named}. "
            f"Download it again: seisbench-llm weights pull {checkpoint.name} --force"
        )
    _compare(checkpoint, folder, file, digest)
    return file, digest


def _compare(checkpoint: PublishedCheckpoint, folder: Path, file: Path, digest: str) -> None:
    """Compare with the SHA-256 at first use, or note it in the format of sha256sum."""
    ledger = folder / f"published-{REVISION[:12]}.sha256"
    with FileLock(f"{ledger}.lock"):
        lines = ledger.read_text().splitlines() if ledger.is_file() else []
        known = {name: old for old, _, name in (line.partition("  ") for line in lines)}
        if known.get(checkpoint.stem, digest) != digest:
            raise WeightsError(
                f"{file} is not the file that {checkpoint.name} was first made from: its "
                f"SHA-256 is {digest}, not {known[checkpoint.stem]}. If you trust the new one, "
                f"remove that line from {ledger}."
            )
        if checkpoint.stem not in known:
            with replacing(ledger) as partial:
                partial.write_text("\n".join([*lines, f"{digest}  {checkpoint.stem}"]) + "\n")


def _copied(checkpoint: PublishedCheckpoint, folder: Path) -> Path | None:
    """The file that a user has copied into the cache, or None."""
    names = [Path(file).name for file in checkpoint.files]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _download(checkpoint: PublishedCheckpoint, folder: Path, refetch: bool) -> Path:
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise ImportError(
            f"'{checkpoint.name}' comes from Hugging Face, which needs huggingface_hub: "
            f"{install_command('language')}. Or {_copy_by_hand(checkpoint, folder)}"
        ) from error

    def fetch(file: str, **kwargs) -> Path:
        return Path(hf_hub_download(REPOSITORY, file, revision=REVISION, **kwargs))

    problem: Exception | None = None
    for kwargs in [{"force_download": True}] if refetch else [{"local_files_only": True}, {}]:
        for file in checkpoint.files:
            try:
                return fetch(file, **kwargs)
            except LocalEntryNotFoundError as error:
                problem = error
                if not kwargs.get("local_files_only"):
                    # There is no answer at all, so the other name would not get one either.
                    break
            except (HfHubHTTPError, OSError, ValueError) as error:
                problem = error
    raise WeightsError(
        f"'{checkpoint.name}' is not cached, and cannot be downloaded from Hugging Face "
        f"({one_line(problem)[:120] if problem else 'no answer'}): "
        f"{_copy_by_hand(checkpoint, folder)}"
    ) from problem


def _copy_by_hand(checkpoint: PublishedCheckpoint, folder: Path) -> str:
    file = checkpoint.files[0]
    return (
        f"on a machine with a connection, download https://huggingface.co/{REPOSITORY}/resolve/"
        f"{REVISION}/{file} and copy it to {folder / Path(file).name}."
    )
