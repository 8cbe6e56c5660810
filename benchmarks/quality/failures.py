"""
Where do the packaged weights fail worst? The twelve worst held-out records of each task, plotted.

    python -m benchmarks.quality.failures --records RECORDS --data DATA

DATA is the folder that making/data.py wrote. Without names, all packaged weights are examined. The
script writes docs/figures/failures_TASK.png and benchmarks/results/failures.json, from which
making/tables.py makes the tables of docs/explanation/failures.md; tasks that are not examined stay.
What went wrong is for a human to say: benchmarks/tables/causes.json has a sentence for each record,
by task and key. Records are held out if their split is test or, as these are few, unused: their
station or their event is unknown to the training.

Worst is: for picking what the probabilities of missed and false picks add up to, threshold 0.3,
tolerance 0.5 s; for polarity the least probability of the right answer; for distance the error in
units of what is allowed (25 % or 5 km); else the error.
"""

from __future__ import annotations

import argparse
import json
import logging
import textwrap
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import obspy
import seisbench

from benchmarks.common.cases import real_cases, split_records
from benchmarks.common.estimating import errors_of, estimate
from benchmarks.common.matching import DEFAULT_THRESHOLD, NEAR_PICK_SECONDS, match, true_picks
from benchmarks.common.pickers import Picker
from benchmarks.common.records import SETS, AnalystRecord
from benchmarks.common.timing import RESULTS
from seisbench_llm import weights
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.weights import WeightsError

matplotlib.use("Agg")

PANELS = 12
TOLERANCE = 0.5
# What of a record is shown: components, seconds before and after P.
VIEWS = {
    "polarity": ("Z", 0.5, 0.7),
    "back_azimuth": ("ZNE", 1, 3),
    "magnitude": ("ZNE", 5, 55),
    "distance": ("ZNE", 5, 55),
}
COLOURS = {"P": "tab:red", "S": "tab:blue"}


@dataclass
class Panel:
    """
    What is shown of one record.

    :param key: Name of the record, the same in every run.
    :param marks: (phase, seconds from the start of the stream, probability or None if it is the
        analyst's).
    :param span: Seconds from the start of the stream that are shown.
    """

    score: float
    key: str
    place: str
    outcome: str
    stream: obspy.Stream
    components: str
    marks: list[tuple[str, float, float | None]]
    span: tuple[float, float]


def picking_panel(picker: Picker, record: AnalystRecord) -> Panel | None:
    """Misses and false picks of one record; None if there are none."""
    peaks = picker.peaks(record.stream)
    score, outcome, marks = 0.0, [], []
    for phase in "PS":
        truth = true_picks(record, phase)
        marks += [(phase, time, None) for time in truth]
        if not truth.size:
            continue
        found = peaks[phase][peaks[phase][:, 1] >= DEFAULT_THRESHOLD]
        marks += [(phase, time, value) for time, value in found]
        missed, false = match(found[:, 0], truth, TOLERANCE)
        for time in truth[missed]:
            near = np.abs(peaks[phase][:, 0] - time) <= TOLERANCE
            best = peaks[phase][near, 1].max(initial=0)
            score += 1 - best
            outcome.append(f"{phase} missed ({best:.2f})")
        for time, value in found[false]:
            score += value
            late = time - truth[np.abs(truth - time).argmin()]
            outcome.append(f"false {phase} ({value:.2f}, {late:+.1f} s)")
    if not outcome:
        return None
    times = [time for _, time, value in marks if value is None]
    span = (min(times) - NEAR_PICK_SECONDS, max(times) + NEAR_PICK_SECONDS)
    place = f"{record.dataset}, {record.station}"
    key = f"{record.dataset} {record.station} {record.event}"
    components = "".join(trace.stats.channel[-1] for trace in record.stream)
    return Panel(score, key, place, ", ".join(outcome), record.stream, components, marks, span)


def picking_panels(model: SeisMoLLM, folder: Path, data: Path) -> list[Panel]:
    found = [r for r, row in split_records(folder, data) if row["split"] in ("test", "unused")]
    found = [r for r in found if r.dataset in SETS[:3] and len(r.stream) and any(r.picks.values())]
    picker = Picker(model.name, [model])
    return [panel for panel in (picking_panel(picker, r) for r in found) if panel]


def estimate_panels(model: SeisMoLLM, folder: Path, data: Path) -> list[Panel]:
    task = model.task.name
    cases = real_cases(folder, data, task, ("test", "unused"))
    table = estimate(model, cases)
    error = np.abs(errors_of(task, table))
    if task == "distance":
        error = error / np.maximum(0.25 * table["truth"], 5).to_numpy()
    panels = []
    for case, row, score in zip(cases, table.itertuples(), error, strict=True):
        if not np.isfinite(score):
            continue
        start = min(trace.stats.starttime for trace in case.stream)
        onset = case.pick.peak_time - start
        components, before, after = VIEWS[task]
        outcome = f"{row.truth:.1f} {model.task.unit}, estimate {row.value:.1f} ± {row.spread:.1f}"
        if task == "polarity":
            letter = "up" if row.truth else "down"
            outcome = f"{letter}, probability of up {row.value:.2f}"
        place = f"{case.dataset}, {case.station}, P {case.snr:.0f} dB"
        span, marks = (onset - before, onset + after), [("P", onset, None)]
        key = f"{case.dataset} {case.station} {case.event}"
        panels.append(Panel(score, key, place, outcome, case.stream, components, marks, span))
    return panels


def draw(panels: list[Panel], title: str, out: Path) -> None:
    """One figure, 3 x 4 panels: Z above horizontals, above 1 Hz, each scaled to what is shown."""
    figure, axes = plt.subplots(3, 4, figsize=(20, 13), layout="constrained")
    for number, (ax, panel) in enumerate(zip(axes.flat, panels, strict=False), start=1):
        begin = min(trace.stats.starttime for trace in panel.stream)
        for level, name in enumerate(reversed(panel.components)):
            traces = panel.stream.select(component=name)
            for trace in traces:
                trace = trace.copy().detrend("constant")
                trace.filter("highpass", freq=1.0, corners=2)
                times = trace.times() + (trace.stats.starttime - begin)
                shown = (times >= panel.span[0]) & (times <= panel.span[1])
                z = trace.data[shown] / (np.abs(trace.data[shown]).max(initial=0) or 1)
                ax.plot(times[shown], 0.48 * z + level, "k", lw=0.5)
        ax.set_yticks(range(len(panel.components)), reversed(panel.components))
        for phase, time, value in panel.marks:
            if not panel.span[0] <= time <= panel.span[1]:
                continue
            colour = COLOURS[phase]
            if value is None:
                ax.axvline(time, color=colour, lw=1.5)
            else:
                ax.axvline(time, color=colour, lw=1.5, ls=":")
                # Above the panel's own frame, where no waveform is.
                top = len(panel.components) - 0.45
                ax.text(time, top, f"{phase} {value:.2f}", color=colour, fontsize=8, rotation=90)
        found = any(value is not None for *_, value in panel.marks)
        ax.set(xlim=panel.span, ylim=(-0.55, len(panel.components) + (0.1 if found else -0.45)))
        ax.set_title(f"{number}. {panel.place}\n{_wrapped(panel.outcome)}", fontsize=9)
        ax.set_xlabel("s", fontsize=8)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    figure.suptitle(title)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=75)
    plt.close(figure)


def _wrapped(text: str, width: int = 62) -> str:
    lines = textwrap.wrap(text, width)
    return "\n".join(lines[:2] + (["..."] if len(lines) > 2 else []))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("weights", nargs="*", help="names or paths; by default all packaged ones")
    parser.add_argument("--records", type=Path, required=True, help="folder of the real records")
    parser.add_argument("--data", type=Path, required=True, help="what making/data.py wrote")
    parser.add_argument("--figures", type=Path, default=Path("docs/figures"))
    parser.add_argument("--out", type=Path, default=RESULTS / "failures.json")
    args = parser.parse_args()
    seisbench.logger.setLevel(logging.ERROR)
    try:
        names = args.weights or weights.packaged_names()
        models = [SeisMoLLM.from_pretrained(name) for name in names]
    except WeightsError as error:
        parser.error(str(error))
    results = json.loads(args.out.read_text()) if args.out.is_file() else {}
    for model in models:
        task = model.task.name
        find = picking_panels if task == "picking" else estimate_panels
        panels = find(model, args.records, args.data)
        worst = sorted(panels, key=lambda panel: -panel.score)[:PANELS]
        figure = args.figures / f"failures_{task}.png"
        draw(worst, f"{task.replace('_', '-')}: the {len(worst)} worst of {len(panels)}", figure)
        results[task] = {
            "weight": f"{model.record.name} {model.weights_version}",
            "records": len(panels),
            "worst": [
                {"key": panel.key, "record": panel.place, "outcome": panel.outcome}
                for panel in worst
            ],
        }
    args.out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
