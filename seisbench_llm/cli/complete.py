"""What a shell completes: names of weights and configurations, without loading PyTorch."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_CACHE = ("models", "v3", "seismollm")


def weight_names(incomplete: str) -> list[str]:
    """
    Names of packaged and cached weights.

    :param incomplete: What they begin with.
    """
    root = Path(os.environ.get("SEISBENCH_CACHE_ROOT", Path.home() / ".seisbench"))
    files = [*(_PACKAGE / "pretrained").glob("*.json"), *root.joinpath(*_CACHE).glob("*.json*")]
    names = {file.name.partition(".json")[0] for file in files}
    return sorted(name for name in names if name.startswith(incomplete))


def family_names(incomplete: str) -> list[str]:
    """
    Names of families of weights, such as ``compact`` of ``compact_picking``.

    :param incomplete: What they begin with.
    """
    pickers = [name for name in weight_names(incomplete) if name.endswith("_picking")]
    return [name.removesuffix("_picking") for name in pickers]


def config_names(incomplete: str) -> list[str]:
    """
    Names of packaged configurations of ``fit``.

    :param incomplete: What they begin with.
    """
    files = (_PACKAGE / "training" / "configs").glob("*.yaml")
    return sorted(file.stem for file in files if file.name.startswith(incomplete))
