"""Figures within sentences, by name."""

from __future__ import annotations

from collections.abc import Callable

from seisbench_llm import SeisMoLLM

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


def _tuned(name: str) -> str:
    """How many times longer a published model takes as it comes than in the calling thread."""
    return f"{1 / _annotate('day', f'{name}, tuned', f'times {name}, stock')[0]:.2f}"


def _gib(mib: float) -> str:
    return f"{mib / 1024:.1f}"


def _day_gib(name: str) -> str:
    """What annotate needs beside a day of one station, in GiB."""
    return _gib(results("costs")["memory"][f"picking, {name}"]["day"])


def _failed(task: str, key: str = "records") -> str:
    return str(results("failures")[task][key])


def _small_spreads() -> str:
    """How many of the worst back-azimuths have a spread below 45 degrees."""
    worst = results("failures")["back_azimuth"]["worst"]
    return str(sum(float(row["outcome"].split("±")[1]) < 45 for row in worst))


def _weights_number(task: str) -> str:
    """Number of weights of a packaged network, in thousands."""
    model = SeisMoLLM.from_pretrained(f"compact_{task}")
    return f"{round(sum(p.numel() for p in model.parameters()) / 1000)},000"


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
    "day-ratio": lambda: f"{_annotate('day', 'packaged', 'times PhaseNet, stock')[0]:.1f}",
    "day-ratio-default": lambda: (
        f"{_annotate('day', 'packaged, default overlap', 'times PhaseNet, default overlap')[0]:.1f}"
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
    **{
        f"catalogue-{name}": lambda name=name, key=key: f"{results('catalogue')[key]:g}"
        for name, key in {
            "days": "days",
            "stations": "stations",
            "first": "seconds_per_day_first_half",
            "picks": "picks_per_day",
            "noise": "noise_picks_per_station_and_day",
            "true": "true_events",
            "events": "events",
            "false": "false_events",
            "left-out": "left_out_of_quality_D",
            "many": "events_with_10_picks",
            "many-found": "found_of_them",
            "seconds": "seconds_per_day_second_half",
            "memory": "memory_peak_MB",
        }.items()
    },
    "upstream-eqtransformer": lambda: _tuned("EQTransformer"),
    "upstream-phasenet": lambda: _tuned("PhaseNet"),
    "upstream-memory-phasenet": lambda: _day_gib("PhaseNet"),
    "upstream-memory-eqtransformer": lambda: _day_gib("EQTransformer"),
    "upstream-memory-here": lambda: _gib(
        results("memory")["memory"]["classify, 1 d"]["peak above it"]
    ),
    **{
        f"failures-{key}-{task.replace('_', '-')}": lambda task=task, key=key: _failed(task, key)
        for task in ("picking", "polarity", "magnitude", "distance", "back_azimuth")
        for key in ("records", "weight")
    },
    "failures-small-spreads": _small_spreads,
    "picker-parameters": lambda: _weights_number("picking"),
    "picker-version": lambda: packaged("picking")["version"],
}
