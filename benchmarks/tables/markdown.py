"""What all tables share: files of results, Markdown, names, limits."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

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


def by_share(scores: pd.DataFrame, digits: int) -> str:
    """
    Mean and range over the seeds, by variant and share of the records.

    :param scores: One row per variant; columns are pairs of share and seed.
    """
    shares = sorted(scores.columns.unique("share"), reverse=True)
    rows = []
    for name, row in scores.iterrows():
        seeds = [row[share].dropna() for share in shares]
        cells = [with_limits(s.mean(), [s.min(), s.max()], digits) for s in seeds]
        rows.append([str(name), *cells])
    return markdown(["Variant", *(f"{share:.0%} of the records" for share in shares)], rows)


def digits_of(scores: pd.DataFrame) -> int:
    """Digits after the point: few for figures in kilometres or degrees."""
    return 3 if scores.abs().max().max() < 1.5 else 1
