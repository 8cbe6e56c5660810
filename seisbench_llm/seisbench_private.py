"""
Private names of SeisBench that this package uses, except those that every SeisBench model defines.

A new version of SeisBench may change any of them, so look here first. docs/project/upstream.md says
what change in SeisBench would make each of them superfluous. A model itself defines
``_annotate_args``, as SeisBench requires.
"""

from __future__ import annotations

from pathlib import Path

from seisbench.models import WaveformModel

# Arguments of annotate and classify that every SeisBench model has: name -> (documentation,
# default).
SHARED_ARGUMENTS: dict[str, tuple] = WaveformModel._annotate_args


def annotate_arguments(model: WaveformModel | type[WaveformModel]) -> dict[str, tuple]:
    """Argument of ``annotate`` and ``classify`` -> (documentation, default)."""
    return model._annotate_args


def stacking_methods(model: WaveformModel) -> set[str]:
    """Names of the methods that stack overlapping windows."""
    return model._stack_options


def weights_metadata(model: WaveformModel) -> dict:
    """Content of the JSON file that a model was loaded from; empty for an untrained model."""
    return model._weights_metadata or {}


def set_weights_metadata(model: WaveformModel, metadata: dict) -> None:
    """Set docstring, version and default arguments from the content of a weight's JSON file."""
    model._weights_metadata = metadata
    model._parse_metadata()


def check_seisbench_version(metadata: dict) -> None:
    """:raises ValueError: If a weight needs a newer SeisBench."""
    WaveformModel._check_version_requirement(metadata)


def cache_folder(cls: type[WaveformModel]) -> Path:
    """Folder of a model's weights in SeisBench's cache. It may not exist."""
    return cls._model_path()


def cached_versions(cls: type[WaveformModel], name: str) -> list[str]:
    """
    Versions of a weight in SeisBench's cache.

    Both files have to be there: a download that was killed leaves one of them, or ``*.partial``.
    """
    folder = cache_folder(cls)
    files = {file.name for file in folder.iterdir()} if folder.is_dir() else set()
    files = {file for file in files if not file.endswith(".partial")}
    versions = cls._get_versions_from_files(name, files)
    return [
        v for v in versions if files & {f"{name}.{kind}.v{v}" for kind in ("pt", "safetensors")}
    ]


def cached_names(cls: type[WaveformModel]) -> set[str]:
    """Names of the weights in SeisBench's cache."""
    folder = cache_folder(cls)
    files = folder.iterdir() if folder.is_dir() else []
    return {cls._parse_weight_filename(file)[0] for file in files} - {None}
