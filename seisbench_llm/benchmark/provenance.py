"""Provenance of results: configuration, seed, versions, commit, checksums of what was read."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ..atomic import replacing
from ..weight_files import sha256

FILE = "run.json"
_PACKAGES = ("seisbench_llm", "seisbench", "torch", "numpy", "obspy", "lightning", "scikit-learn")


def provenance(config: dict, seed: int, files: dict[str, Path] | None = None, model=None) -> dict:
    """
    Everything that a reader needs to reproduce the numbers.

    :param config: The request, JSON-safe.
    :param seed: The seed.
    :param files: Name -> file whose SHA-256 to note, such as the metadata of the data set.
    :param model: PyTorch module. The SHA-256 of its weights is noted.
    """
    return {
        "config": config,
        "seed": seed,
        "versions": {"python": platform.python_version(), **_versions()},
        "commit": _commit(),
        "sha256": {
            **{name: sha256(file) for name, file in (files or {}).items()},
            **({"weights": weights_sum(model)} if model is not None else {}),
        },
    }


def write(folder: Path, content: dict, name: str = FILE) -> None:
    """Write ``run.json`` into a folder, or a file of another name."""
    with replacing(Path(folder) / name) as file:
        file.write_text(json.dumps(content, indent=2) + "\n")


def read(folder: Path) -> dict[str, dict]:
    """The contents of ``run.json`` and its like in a folder, by name of the file."""
    paths = sorted(Path(folder).glob("run*.json"))
    return {path.name: json.loads(path.read_text()) for path in paths}


def weights_sum(model: torch.nn.Module) -> str:
    """SHA-256 over names and values of a state dict."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _commit() -> str | None:
    """Commit of the running source, with a plus if files differ. None if it is not a clone."""
    folder = Path(__file__).parents[2]
    commands = (["rev-parse", "--show-toplevel", "HEAD"], ["status", "--porcelain", "-uno"])
    try:
        done = [
            subprocess.run(["git", "-C", folder, *c], capture_output=True, text=True, check=False)
            for c in commands
        ]
    except OSError:
        return None
    # An installed package may lie in the repository of another project.
    if done[0].returncode or Path(done[0].stdout.splitlines()[0]) != folder:
        return None
    return done[0].stdout.splitlines()[1] + ("+" if done[1].stdout.strip() else "")
