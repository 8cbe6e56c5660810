"""Sources of weights (packaged, cached, remote, Hugging Face, a path) and their records."""

from __future__ import annotations

import glob
import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from urllib.parse import urlparse

import safetensors.torch
import seisbench
import torch
from filelock import FileLock
from packaging.version import InvalidVersion
from packaging.version import parse as parse_version

from . import seisbench_private
from .atomic import replacing
from .extras import install_command
from .weight_files import (
    Uninitialised,
    WeightsError,
    load_tensor,
    make_cache_folder,
    one_line,
    read_metadata,
    read_tensors,
    sha256,
    write_torch,
)

# Suffix of a cached file that is being downloaded again.
_BEFORE = ".before"

PACKAGED = Path(__file__).parent / "pretrained"


# Oldest SeisBench that reads our files. It is not the installed version, because users may have an
# older one.
SEISBENCH_REQUIREMENT = "0.12"


@dataclass(frozen=True)
class WeightRecord:
    """
    What one should know about a weight before relying on it.

    :param name: Name for ``from_pretrained``.
    :param task: Task that it was trained for.
    :param version: Version string.
    :param sampling_rate: Hz.
    :param window: Window length in seconds.
    :param data: Data that it was trained on.
    :param licence: Licence of the weight.
    :param language_model: Language model that its backbone started from, None for random weights.
    :param figures: Measured figures and how they were measured.
    :param limits: Where it should not be trusted.
    :param source: Origin of the file from which it was converted, if it was.
    """

    name: str
    task: str
    version: str
    sampling_rate: float
    window: float
    data: str = ""
    licence: str = ""
    language_model: str | None = None
    figures: dict = field(default_factory=dict)
    limits: str = ""
    source: str = ""

    @classmethod
    def from_dict(cls, entries: dict) -> WeightRecord:
        """Build a record. Entries that a later version has added are left out."""
        known = {f.name for f in fields(cls)}
        return cls(**{key: value for key, value in entries.items() if key in known})


def record_of(model) -> WeightRecord | None:
    """See :py:attr:`seisbench_llm.SeisMoLLM.record`."""
    entries = seisbench_private.weights_metadata(model).get("record")
    return WeightRecord.from_dict(entries) if entries else None


def packaged_names() -> list[str]:
    """Names of the weights that come with this package."""
    return sorted(path.stem for path in PACKAGED.glob("*.json"))


def load_packaged_or_path(cls, name: str, version_str: str, refetch: bool):
    """
    Load a model from packaged weights, from a path, or from Hugging Face.

    :param refetch: If true, packaged weights are not used.
    :return: The model, or None if SeisBench has to find the weight.
    :raises WeightsError: If there are no weights under the path or id, or if they are damaged.
    """
    if name in packaged_names() and not refetch:
        model = load(cls, PACKAGED / name)
        if version_str in ("latest", model.weights_version):
            return model
    if not name:
        raise WeightsError("The name of the weight is empty. See 'weights list' for names.")
    # A name such as "." is that of a folder.
    if "/" in name or not Path(name).name or Path(f"{name}.json").is_file():
        return _load_path_or_hub(cls, name, version_str)
    return None


def check_available(cls, name: str, version_str: str, refetch: bool) -> bool:
    """
    Whether weights have to be downloaded because they are not cached.

    :raises WeightsError: If they have to be downloaded and the repository cannot be reached.
    """
    cached = seisbench_private.cached_versions(cls, name)
    if not refetch and (version_str in cached or (cached and version_str == "latest")):
        return False
    if not reachable(seisbench.remote_model_root):
        raise WeightsError(
            f"Weights '{name}' (version {version_str}) are neither packaged nor cached, and "
            f"SeisBench's repository cannot be reached. Available without a connection: "
            f"{', '.join(list_local(cls)) or 'none'}."
        )
    return True


@contextmanager
def downloading(cls, name: str, version_str: str, again: bool) -> Iterator[None]:
    """
    Let SeisBench download a weight into its cache, one process at a time.

    Incomplete downloads of killed processes are removed. SeisBench would wait for them, or give up.

    :param again: Whether to download a cached file again. If that fails, the cached file is kept.
    """
    folder = seisbench_private.cache_folder(cls)
    make_cache_folder(folder)
    with FileLock(folder / f".{name}.lock"):
        for half in folder.glob(f"{glob.escape(name)}.*.partial"):
            half.unlink()
        for before in folder.glob(f"{glob.escape(name)}.*{_BEFORE}"):
            _restore(before)
        if version_str == "latest":
            version_str = (sort_versions(seisbench_private.cached_versions(cls, name)) or [""])[-1]
        aside = []
        for kind in ("pt", "json") if again else ():
            file = folder / f"{name}.{kind}.v{version_str}"
            if file.is_file():
                aside.append(file.rename(file.with_name(file.name + _BEFORE)))
        try:
            yield
        finally:
            for before in aside:
                _restore(before)


def _restore(before: Path) -> None:
    """Restore the name of a file that was set aside, unless there is a new file."""
    file = before.with_name(before.name.removesuffix(_BEFORE))
    if file.is_file():
        before.unlink()
    else:
        before.rename(file)


def not_found(cls, name: str, version_str: str, error: Exception) -> WeightsError:
    """The error for weights that SeisBench does not find."""
    return WeightsError(
        f"There are no weights '{name}' (version {version_str}): {error} Known weights: "
        f"{', '.join(cls.list_pretrained())}. Weights on Hugging Face are named org/name."
    )


def _load_path_or_hub(cls, name: str, version_str: str):
    version = None if version_str == "latest" else version_str
    path = Path(name)
    if path.is_dir():
        return load(cls, path / "weights", version)
    if list(path.parent.glob(f"{path.name}.json*")):
        if version is None and not path.with_name(path.name + ".json").is_file():
            found = path.parent.glob(f"{path.name}.json.v*")
            versions = sort_versions(p.name.rpartition(".json.v")[2] for p in found)
            if not versions:
                raise WeightsError(f"There is no weight file {name}.json.")
            version = versions[-1]
        return load(cls, path, version)
    if name.count("/") != 1 or name.startswith((".", "/")):
        raise WeightsError(f"There is no weight file {name}.json.")

    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise ImportError(
            f"'{name}' is not a local path, and weights from Hugging Face need huggingface_hub: "
            f"{install_command('language')}."
        ) from error

    wanted = ["weights.json", "weights.safetensors"]
    try:
        folder = snapshot_download(name, allow_patterns=wanted, local_files_only=True)
    except LocalEntryNotFoundError:
        try:
            folder = snapshot_download(name, revision=version, allow_patterns=wanted)
        except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
            raise WeightsError(
                f"'{name}' is neither a local path nor a Hugging Face repository that is cached or "
                f"could be reached: {error}"
            ) from error
    return load(cls, Path(folder) / "weights")


def local_versions(cls, name: str) -> set[str]:
    """Versions of a weight that are packaged or cached."""
    versions = set(seisbench_private.cached_versions(cls, name))
    if name in packaged_names():
        versions.add(read_metadata(PACKAGED / f"{name}.json").get("version", "1"))
    return versions


def list_local(cls) -> list[str]:
    """Names of packaged and cached weights."""
    return sorted(seisbench_private.cached_names(cls) | set(packaged_names()))


def local_descriptions(cls) -> dict[str, str | None]:
    """
    Name -> description of packaged and cached weights. For cached ones, the newest version counts.
    """
    return {name: read.get("docstring") for name, (read, _) in local_metadata(cls).items()}


def local_metadata(cls) -> dict[str, tuple[dict, int]]:
    """
    Name -> metadata and number of bytes of packaged and cached weights.

    Of cached ones, the newest version counts. The metadata of damaged files are empty.
    """
    found = {}
    for name in sorted(seisbench_private.cached_names(cls)):
        versions = sort_versions(seisbench_private.cached_versions(cls, name))
        suffix = f".v{versions[-1]}" if versions else ""
        folder = seisbench_private.cache_folder(cls)
        try:
            metadata = read_metadata(folder / f"{name}.json{suffix}")
        except WeightsError:
            metadata = {}
        file = folder / f"{name}.pt{suffix}"
        found[name] = metadata, file.stat().st_size if file.is_file() else 0
    for name in packaged_names():
        file = PACKAGED / f"{name}.safetensors"
        found[name] = read_metadata(PACKAGED / f"{name}.json"), file.stat().st_size
    return found


def sort_versions(versions: Iterable[str]) -> list[str]:
    """Versions in ascending order. Strings that are not versions are left out."""
    parsed = {}
    for text in versions:
        with suppress(InvalidVersion):
            parsed[text] = parse_version(text)
    return sorted(parsed, key=parsed.get)


def repository_answers(warn: bool = True) -> bool:
    """Whether SeisBench's repository can be reached."""
    reached = reachable(seisbench.remote_model_root)
    if warn and not reached:
        seisbench.logger.warning(
            "SeisBench's repository cannot be reached: only packaged and cached weights are listed."
        )
    return reached


def reachable(url: str, timeout: float = 3.0) -> bool:
    """Whether a connection to the server can be opened."""
    parts = urlparse(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 443)
    try:
        with socket.create_connection((parts.hostname, port), timeout=timeout):
            return True
    except OSError:
        return False


def load(cls, path, version_str: str | None = None):
    """
    Build a model from a JSON file and the safetensors or PyTorch file beside it.

    :param path: Path without suffix.
    :param version_str: Version in the file names, such as ``2`` in ``path.json.v2``.
    :raises WeightsError: If a file is missing, changed, damaged, or belongs to another task.
    """
    path = Path(path)
    suffix = "" if version_str is None else f".v{version_str}"
    path_json = path.with_name(f"{path.name}.json{suffix}")
    if not path_json.is_file():
        raise WeightsError(f"There is no weight file {path_json}.")
    candidates = [path.with_name(f"{path.name}.{kind}{suffix}") for kind in ("safetensors", "pt")]
    weight_file = next((file for file in candidates if file.is_file()), None)
    if weight_file is None:
        raise WeightsError(f"{path_json} has no {candidates[0].name} or {candidates[1].name}.")

    metadata = read_metadata(path_json)
    if metadata.get("sha256") not in (None, sha256(weight_file)):
        raise WeightsError(
            f"{weight_file} is not the file that {path_json.name} describes (SHA-256 differs). "
            f"Download it again."
        )
    model = _build(cls, metadata, path_json)
    state = {
        name: load_tensor(value, f"{weight_file}: '{name}'")
        for name, value in read_tensors(weight_file).items()
    }
    try:
        model.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise WeightsError(
            f"{weight_file} does not fit its own description: {one_line(error)}"
        ) from error
    return model.eval()


def _build(cls, metadata: dict, path: Path):
    """The model that a weight's JSON file describes. Its tensors are not initialised."""
    arguments = metadata.get("model_args", {})
    if arguments.get("backbone") is not None and not arguments.get("backbone_config"):
        raise WeightsError(f"{path} names a language model without its shape, backbone_config.")
    picker = metadata.get("default_args", {}).get("s_picker")
    if picker is not None and (not isinstance(picker, str) or "/" in picker):
        # It is a path, or a repository that would be downloaded from.
        raise WeightsError(f"{path} names the picker {picker!r}, which is not a plain name.")
    try:
        seisbench_private.check_seisbench_version(metadata)
        with Uninitialised():
            model = cls(**{**arguments, "pretrained": False})
        seisbench_private.set_weights_metadata(model, metadata)
        record_of(model)
    except Exception as error:
        # A wrong entry may raise an error of any kind.
        raise WeightsError(
            f"{path} does not describe a {cls.__name__}: {one_line(error)}"
        ) from error
    return model


def save(
    model,
    state: dict[str, torch.Tensor],
    path,
    weights_docstring: str = "",
    version_str: str | None = None,
    record: WeightRecord | None = None,
    half: bool | None = None,
) -> None:
    """
    See :py:meth:`seisbench_llm.SeisMoLLM.save`.

    :param state: State dict to write. Adapters have to be folded in.
    """
    path = Path(path)
    suffix = "" if version_str is None else f".v{version_str}"
    state = {name: value.cpu() for name, value in state.items()}
    kind = "pt" if half is None else "safetensors"
    old = seisbench_private.weights_metadata(model)
    record = record or record_of(model)
    metadata = {
        "docstring": weights_docstring or old.get("docstring", ""),
        "model_args": model.get_model_args(),
        "seisbench_requirement": SEISBENCH_REQUIREMENT,
        "default_args": model.default_args,
        "version": version_str or (record and record.version) or old.get("version", "1"),
        "sha256": None,
        "record": asdict(record) if record else None,
    }
    with (
        # The JSON file is written last and atomically. Without it, or with another checksum, a
        # weight is not valid.
        replacing(path.with_name(f"{path.name}.json{suffix}")) as description,
        replacing(path.with_name(f"{path.name}.{kind}{suffix}")) as weight_file,
    ):
        if half is None:
            write_torch(state, weight_file)
        else:
            if half:
                state = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
            # safetensors' save_file is not used, because it makes files that only their owner can
            # read.
            weight_file.write_bytes(
                safetensors.torch.save({k: v.contiguous() for k, v in state.items()})
            )
        metadata["sha256"] = sha256(weight_file)
        description.write_text(json.dumps(metadata, indent=2) + "\n")
