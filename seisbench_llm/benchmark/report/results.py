"""
Results of a folder of predictions, for the report: by target, with measures and their intervals.

Intervals come from a bootstrap over earthquakes of the test side. The threshold that was chosen on
dev stays fixed. All models are resampled alike, so that differences are paired.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ...evaluate.bootstrap import FEWEST_EVENTS
from ...evaluate.metrics import wrap
from .. import provenance
from ..estimate_targets import ANSWERS, FILES
from ..making import traces_of
from ..predictions import SETS
from ..scores import best_f1, identity, mcc_threshold
from .measures import (
    DETECTION,
    ESTIMATES,
    IDENTIFICATION,
    ONSETS,
    POLARITY,
    Columns,
    Measure,
    is_p,
    is_quake,
    is_up,
    ratio,
)

DRAWS = 300
# Columns that no measure looks at.
_NAMES = {"trace_name", "trace_idx", "trace_split", "full_phase_label"}
ROOTS = ("pred", "pred_cross", "pred_resampled", "pred_cross_resampled")


@dataclass
class Question:
    """
    One question of one target, such as detection on ETHZ, and what each model answers.

    :param target: Name of the target.
    :param name: Name of the question.
    :param measures: Its measures, the most telling first.
    :param tables: Model -> predictions of the test side, the same rows in the same order.
    :param thresholds: Model -> threshold of dev, nan where there is none.
    :param events: Number of the earthquake of each row.
    :param values: Model -> measure -> value.
    :param intervals: Model -> measure -> lower and upper limit.
    :param differences: Model -> first measure minus that of the best model, with limits.
    :param trivial: What an answer without any waveform reaches, in the first measure; nan if there
        is no such answer.
    """

    target: str
    name: str
    measures: list[Measure]
    tables: dict[str, pd.DataFrame]
    thresholds: dict[str, float]
    events: np.ndarray
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    intervals: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)
    differences: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    trivial: float = np.nan

    @property
    def ranking(self) -> list[str]:
        """Models from the best to the worst by the first measure."""
        first = self.measures[0]
        sign = -1 if first.higher_is_better else 1
        known = [m for m in self.tables if np.isfinite(self.values[m][first.key])]
        return sorted(known, key=lambda model: (sign * self.values[model][first.key], model))

    def measure(self, draws: int = DRAWS, seed: int = 0) -> None:
        """Compute values, intervals and differences."""
        drawn = _draw(self.events, draws, seed)
        samples = {}
        for model, table in self.tables.items():
            level = self.thresholds[model]
            # Much faster to draw from than a table.
            columns = {n: table[n].to_numpy() for n in table if n not in _NAMES}
            values = _values(self.measures, columns, level)
            self.values[model] = dict(zip((m.key for m in self.measures), values, strict=True))
            samples[model] = np.array(
                [
                    _values(self.measures, {n: v[rows] for n, v in columns.items()}, level)
                    for rows in drawn
                ]
            ).reshape(-1, len(self.measures))
            self.intervals[model] = {
                m.key: _limits(samples[model][:, i]) for i, m in enumerate(self.measures)
            }
        if not self.ranking:
            return
        best, key = self.ranking[0], self.measures[0].key
        for model in self.ranking:
            value = self.values[model][key] - self.values[best][key]
            limits = _limits(samples[model][:, 0] - samples[best][:, 0])
            self.differences[model] = (value, *limits)

    def as_good_as_best(self) -> list[str]:
        """Models that these records cannot tell from the best one."""
        return [
            m for m in self.ranking[1:] if self.differences[m][1] <= 0 <= self.differences[m][2]
        ]


@dataclass
class Results:
    """
    All of a folder.

    :param folder: The folder.
    :param questions: By target and name.
    :param runs: Folder of predictions -> its ``run.json``.
    """

    folder: Path
    questions: list[Question]
    runs: dict[str, dict]

    @property
    def models(self) -> list[str]:
        """All models, in order of their names."""
        return sorted({model for question in self.questions for model in question.tables})


def gather(folder: str | Path, draws: int = DRAWS) -> Results:
    """
    Read all predictions below a folder and measure them.

    :param folder: With ``targets/NAME`` and ``pred``, ``pred_cross`` and so on.
    :param draws: Of the bootstrap; 0 for no intervals.
    :raises FileNotFoundError: If there are no predictions.
    """
    folder, found, runs = Path(folder), {}, {}
    for root in ROOTS:
        for path in sorted((folder / root).glob("*/version_*")):
            names = identity(path, "cross" in root or "resampled" in root, "resampled" in root)
            # A model that was trained on the data set itself.
            target = names.get("target") or names["data"]
            model = f"{names['data']} {names['model']}"
            if "sampling_rate" in names:
                model += f" at {names['sampling_rate']} Hz"
            for file, run in provenance.read(path).items():
                runs[str((path / file).relative_to(folder))] = run
            for name in ("task1", "task23", *FILES.values()):
                files = [path / f"{side}_{name}.csv" for side in SETS]
                if all(file.is_file() for file in files):
                    tables = [pd.read_csv(file, dtype={"trace_name": str}) for file in files]
                    if len(tables[1]):
                        found.setdefault((target, name), {})[model] = tables
    if not found:
        raise FileNotFoundError(
            f"{folder} has no predictions: neither {', '.join(ROOTS[:-1])} nor {ROOTS[-1]} holds "
            f"CONFIG/version_N with files of dev and test."
        )
    questions = [
        question
        for (target, name), tables in sorted(found.items())
        for question in _questions(target, name, tables, traces_of(folder / "targets" / target))
    ]
    for question in questions:
        question.measure(draws)
    return Results(folder, questions, runs)


def _questions(target: str, name: str, tables: dict, traces: pd.DataFrame) -> list[Question]:
    dev = {model: sides[0] for model, sides in tables.items()}
    test = {model: sides[1] for model, sides in tables.items()}
    first = next(iter(test.values()))
    # A model of another set of targets cannot be compared window by window.
    same = [m for m, t in test.items() if list(t["trace_name"]) == list(first["trace_name"])]
    test = {model: test[model] for model in same}
    events = _events(first["trace_name"], traces)
    none = dict.fromkeys(test, np.nan)
    if name == "task1":
        quake = first["trace_type"] == "earthquake"
        if quake.nunique() < 2:
            return []
        levels = _levels(dev, test, is_quake, lambda t: t["score_detection"])
        return [Question(target, "Detection", DETECTION, test, levels, events)]
    if name == "task23":
        found = []
        known = {m: t for m, t in test.items() if np.isfinite(t["score_p_or_s"]).all()}
        if known and first["phase_label"].nunique() > 1:
            levels = {m: mcc_threshold(is_p(dev[m]), ratio(dev[m])) for m in known}
            found.append(Question(target, "P or S", IDENTIFICATION, known, levels, events))
        for phase in "PS":
            rows = (first["phase_label"] == phase).to_numpy()
            if rows.any():
                part = {m: t[rows].reset_index(drop=True) for m, t in test.items()}
                found.append(
                    Question(target, f"Onset of {phase}", ONSETS[phase], part, none, events[rows])
                )
        return found
    task = next(task for task, file in FILES.items() if file == name)
    title = task.replace("_", "-").capitalize()
    if task == "polarity":
        levels = _levels(dev, test, is_up, lambda t: t["score_up"])
        # What a probability means where dev has one polarity only.
        levels = {m: level if np.isfinite(level) else 0.5 for m, level in levels.items()}
        up = (first["polarity"] == "U").mean()
        question = Question(target, title, POLARITY, test, levels, events)
        question.trivial = max(up, 1 - up)
        return [question]
    question = Question(target, title, ESTIMATES[task], test, none, events)
    question.trivial = _trivial(task, next(iter(dev.values())), first)
    return [question]


def _levels(dev: dict, models, truth, score) -> dict[str, float]:
    """Thresholds of the best F1 on dev; nan where dev has one class only."""
    found = {}
    for model in models:
        known = truth(dev[model])
        both = len(known) and known.any() and not known.all()
        found[model] = best_f1(known, score(dev[model]))[3] if both else np.nan
    return found


def _trivial(task: str, dev: pd.DataFrame, test: pd.DataFrame) -> float:
    """Mean absolute error of the median of dev, for angles of its circular mean."""
    known, truth = dev[ANSWERS[task]].to_numpy(float), test[ANSWERS[task]].to_numpy(float)
    if not len(known):
        return np.nan
    if task == "back_azimuth":
        mean = np.angle(np.exp(1j * np.radians(known)).mean(), deg=True)
        return float(np.abs(wrap(truth - mean)).mean())
    return float(np.abs(truth - np.median(known)).mean())


def _events(names: pd.Series, traces: pd.DataFrame) -> np.ndarray:
    """Number of the earthquake of each row; a record of none is one of its own."""
    events = pd.Series(names.to_numpy())
    if "source_id" in traces:
        events = (
            events.map(traces["source_id"])
            .astype(object)
            .where(events.map(traces["source_id"]).notna(), "record " + events)
        )
    return pd.factorize(events)[0]


def _draw(events: np.ndarray, draws: int, seed: int) -> list[np.ndarray]:
    """Rows of earthquakes that are drawn with replacement, for each draw."""
    # Of some earthquakes no row may be left.
    numbers = np.unique(events)
    count = len(numbers)
    if count < FEWEST_EVENTS:
        return []
    order = np.argsort(events, kind="stable")
    members = np.split(order, np.searchsorted(events[order], numbers[1:]))
    rng = np.random.default_rng(seed)
    return [
        np.concatenate([members[event] for event in rng.integers(count, size=count)])
        for _ in range(draws)
    ]


def _values(measures: list[Measure], table: Columns, level: float) -> list[float]:
    values = []
    for measure in measures:
        try:
            values.append(float(measure.function(table, level)))
        except (ValueError, ZeroDivisionError):
            # A draw without earthquakes, or without noise.
            values.append(np.nan)
    return values


def _limits(sample: np.ndarray) -> tuple[float, float]:
    sample = sample[np.isfinite(sample)]
    if len(sample) < 20:
        return (np.nan, np.nan)
    low, high = np.quantile(sample, (0.025, 0.975))
    return float(low), float(high)
