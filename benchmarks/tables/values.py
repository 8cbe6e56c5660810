"""Figures within sentences, by name."""

from __future__ import annotations

from collections.abc import Callable

from .markdown import packaged, results
from .unseen import current


def _picker(column: str, level: str = "at 0.3", name: str | None = None) -> str:
    found = results("unseen_regions")["pickers"][name or current()]
    return f"{found[column][level]['all']:.2f}"


def _clear(key: str) -> str:
    everything = results("clear_p")["pickers"][current()]["clear P"]["unseen regions"]["all"]
    return str(everything[key])


def _picks(phase: str) -> str:
    found = results("unseen_regions")["pickers"][current()]
    return str(found[f"{phase}@0.5"]["picks"]["all"])


def _annotate(*keys: str):
    found = results("annotate")
    for key in keys:
        found = found[key]
    return found


VALUES: dict[str, Callable[[], str]] = {
    "picks-p": lambda: _picks("P"),
    "picks-s": lambda: _picks("S"),
    "f1-p": lambda: _picker("P@0.5"),
    "f1-s": lambda: _picker("S@0.5"),
    "f1-p-exact": lambda: _picker("P@0.1"),
    "f1-s-exact": lambda: _picker("S@0.1"),
    "phasenet-p": lambda: _picker("P@0.5", name="phasenet/volpick"),
    "phasenet-s": lambda: _picker("S@0.5", name="phasenet/volpick"),
    "phasenet-p-exact": lambda: _picker("P@0.1", name="phasenet/volpick"),
    "phasenet-s-exact": lambda: _picker("S@0.1", name="phasenet/volpick"),
    "clear-p-records": lambda: _clear("records"),
    "fused-difference": lambda: (
        f"{_annotate('forward', 'packaged, fused', 'largest difference'):.0e}"
    ),
    "precision-picks": lambda: f"{_annotate('precision', 'picks'):,}",
    "precision-same": lambda: f"{100 * _annotate('precision', 'float32 also in bfloat16'):.1f} %",
    "tasks-rate": lambda: str(
        _annotate("tasks", "P picks per station and hour at which five cost 1.5 times one")
    ),
    "tasks-picks": lambda: str(_annotate("tasks", "P picks per station and hour")),
    "tasks-ratio": lambda: f"{_annotate('tasks', 'five', 'times picks')[0]:.1f}",
    "archive-overhead": lambda: (
        f"{results('archive')['simulated']['overhead_seconds_per_task_and_worker']:.2f}"
    ),
    "picker-version": lambda: packaged("picking")["version"],
}
