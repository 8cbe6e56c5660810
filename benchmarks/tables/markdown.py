"""What all tables share: files of results, Markdown, names, limits."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.common.pickers import TEACHERS

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PRETRAINED = ROOT / "seisbench_llm" / "pretrained"
MEAN_OF_TEACHERS = (
    "mean of the annotations of phasenet/volpick, phasenet/jma, eqtransformer/volpick"
)


def results(name: str):
    """What a script has written."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def packaged(task: str) -> dict:
    """The description of a packaged weight."""
    return json.loads((PRETRAINED / f"compact_{task}.json").read_text())


def markdown(head: list[str], rows: list[list[str]], left: int = 1) -> str:
    """A table; the first columns, as many as ``left``, begin at the left, the others end right."""
    lines = [head, ["---"] * left + ["---:"] * (len(head) - left), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def named(name: str) -> str:
    """A picker as it is called in tables."""
    return MEAN_OF_TEACHERS if name == TEACHERS else f"`{name}`"


def with_limits(value: float, limits: list[float], digits: int = 2) -> str:
    """A figure and its limits."""
    low, high = limits
    return f"{value:.{digits}f} ({low:.{digits}f}, {high:.{digits}f})"
