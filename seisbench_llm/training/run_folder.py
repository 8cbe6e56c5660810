"""Folder of a training run: configuration, versions, split, logs, checkpoints, figures."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shutil
from pathlib import Path

import pandas as pd
import yaml

from ..atomic import PARTIAL, remove_leftovers, replacing
from .checkpoints import LAST

PACKAGES = (
    *("seisbench_llm", "seisbench", "torch", "lightning", "peft", "transformers", "obspy"),
    *("numpy", "pandas", "scipy"),
)

# Options about the length and the machine of a run. They may differ between starts, because they do
# not change what is learnt.
MAY_DIFFER_ON_RESUME = {
    "trainer": {"max_epochs", "max_steps", "max_time", "enable_progress_bar", "accelerator"},
    "data": {"num_workers"},
    "checkpoint": {"every_n_train_steps"},
}

# More entries than any configuration has. A few lines of YAML may stand for a billion entries.
MOST_YAML_ENTRIES = 100_000

# Everything that a run writes, and therefore everything that --overwrite removes.
_CONTENTS = (
    *("config.yaml", "versions.json", "split_*.csv.gz", "metrics.csv", "metrics.json"),
    *("logs", "tensorboard", "checkpoints", f"{PARTIAL}*"),
)


class RunFolder:
    """
    Files of a run, which the next start of the run finds.

    :param path: The folder. It may not exist yet.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.config, self.checkpoints = self.path / "config.yaml", self.path / "checkpoints"

    @property
    def last(self) -> Path | None:
        """The checkpoint to continue from, None if there is none yet."""
        last = self.checkpoints / LAST
        return last if last.is_file() else None

    def read_config(self) -> dict:
        """
        The options of the run.

        :raises ValueError: If ``config.yaml`` was not written by a run.
        """
        config = read_yaml(self.config)
        parts = ("model", "data", "trainer")
        if not isinstance(config, dict) or not all(isinstance(config.get(p), dict) for p in parts):
            raise ValueError(
                f"{self.config} is not the configuration of a run of fit, which has the parts "
                f"{', '.join(parts)}."
            )
        return config

    def read_metrics(self) -> dict:
        """
        Content of ``metrics.json`` of a finished run, empty if the run is not finished.

        :raises ValueError: If the file is damaged. The message has its name.
        """
        file = self.path / "metrics.json"
        if not file.is_file():
            return {}
        try:
            metrics = json.loads(file.read_text())
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{file} cannot be read: {_first_line(error)}") from None
        if not isinstance(metrics, dict):
            raise ValueError(f"{file} has no metrics by name.")
        return metrics

    def clear(self) -> None:
        """
        Remove an earlier run. Other files are kept.

        :raises ValueError: If the folder is not empty but has no run.
        """
        if not self.path.is_dir() or not any(self.path.iterdir()):
            return
        if not self.config.is_file():
            raise ValueError(f"{self.path} has no run (config.yaml), so nothing is overwritten.")
        self.read_config()
        for item in (item for name in _CONTENTS for item in self.path.glob(name)):
            if item.is_dir() and not item.is_symlink():
                shutil.rmtree(item)
            else:
                item.unlink()

    def check_config(self, config: dict) -> None:
        """
        Check that an existing run has the same options, except for those that may differ.

        :raises ValueError: If options differ. The message names them.
        """
        if not self.config.is_file():
            return
        changed = _differences(self.read_config(), config)
        if changed:
            raise ValueError(
                f"{self.path} holds a run with another configuration ({'; '.join(changed)}). "
                f"Use another --run, or --overwrite=true."
            )

    def write_config(self, config: dict) -> None:
        """Write ``config.yaml`` and ``versions.json``."""
        # Leftovers of killed starts.
        remove_leftovers([self.path, self.checkpoints])
        with replacing(self.config) as partial:
            partial.write_text(yaml.safe_dump(config, sort_keys=False))
        self.write_json("versions.json", versions())

    def write_json(self, name: str, content: dict) -> None:
        with replacing(self.path / name) as partial:
            partial.write_text(f"{json.dumps(content, indent=2)}\n")


def read_yaml(file: Path):
    """
    Content of a YAML file. Nothing in it is executed.

    :raises ValueError: If the file is not YAML or grows too large. The message has its name.
    """
    try:
        content = yaml.safe_load(file.read_text())
        if _size(content, {}) > MOST_YAML_ENTRIES:
            raise ValueError(f"its aliases make it more than {MOST_YAML_ENTRIES} entries")
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{file} cannot be read: {_first_line(error)}") from None
    return content


def _size(content, known: dict[int, int]) -> int:
    """Number of entries. Those of an alias count each time that it is used."""
    if not isinstance(content, dict | list):
        return 1
    if id(content) not in known:
        # An alias may refer to its own container.
        known[id(content)] = MOST_YAML_ENTRIES
        parts = content.values() if isinstance(content, dict) else content
        known[id(content)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(content)]


def logged_metrics(folder: Path) -> pd.DataFrame:
    """
    Logged values of a run, one row per step, empty if nothing is logged yet.

    Steps that were repeated after an interruption occur once.

    :param folder: Run folder.
    """
    starts = sorted(folder.glob("logs/version_*"), key=lambda path: int(path.name[8:]))
    files = [path / "metrics.csv" for path in starts]
    # A start that was killed at once leaves an empty file.
    parts = [pd.read_csv(file) for file in files if file.is_file() and file.stat().st_size]
    if not parts:
        return pd.DataFrame({"step": []})
    # A step has several rows: learning rate, training loss, validation. The order of their columns
    # is that in which a start has logged them first, and a start may end early.
    table = pd.concat(parts).groupby("step").last()
    return table.sort_index(axis="columns").reset_index()


def versions() -> dict[str, str]:
    """Versions of packages on which a result may depend."""
    installed = {name: importlib.metadata.version(name) for name in PACKAGES if _installed(name)}
    return {"python": platform.python_version(), "platform": platform.platform(), **installed}


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _differences(old: dict, new: dict, path: str = "") -> list[str]:
    """Differences of two configurations as text, without options that may differ."""
    differences = []
    for key in sorted({*old, *new}):
        may = key in MAY_DIFFER_ON_RESUME.get(path, ())
        if may or (not path and key in ("overwrite", "run", "config")):
            continue
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            differences += _differences(a, b, f"{path}.{key}" if path else key)
        elif a != b:
            differences.append(
                f"{path}.{key} was {a}, is {b}" if path else f"{key} was {a}, is {b}"
            )
    return differences


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
