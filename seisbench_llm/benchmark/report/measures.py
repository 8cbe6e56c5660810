"""Measures of the report's tables, of predictions as columns that can be drawn from quickly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...evaluate.metrics import wrap
from ..estimate_targets import ANSWERS
from ..scores import onset_differences

# Name -> values of a table of predictions.
Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Measure:
    """
    One figure of a table.

    :param key: Short name.
    :param title: Head of the column.
    :param unit: Unit, empty for shares.
    :param higher_is_better: None where neither is.
    :param function: Function of the test predictions and the threshold of dev; its rows may be
        drawn several times.
    """

    key: str
    title: str
    unit: str
    higher_is_better: bool | None
    function: Callable[[Columns, float], float]


def ratio(table: Columns) -> np.ndarray:
    """Probability of P over that of S, finite."""
    return np.clip(np.asarray(table["score_p_or_s"], float), -1e100, 1e100)


def auc(truth: np.ndarray, score: np.ndarray) -> float:
    """
    Area under the receiver operating characteristic: how often a positive has the higher score.

    :raises ZeroDivisionError: If there is only one class.
    """
    from scipy.stats import rankdata

    truth = np.asarray(truth, bool)
    positive, negative = int(truth.sum()), int((~truth).sum())
    if not positive or not negative:
        raise ZeroDivisionError
    ranks = rankdata(np.asarray(score, float))
    return (ranks[truth].sum() - positive * (positive + 1) / 2) / (positive * negative)


def _f1(truth: np.ndarray, found: np.ndarray) -> float:
    return 2 * (truth & found).sum() / (truth.sum() + found.sum())


def _mcc(truth: np.ndarray, found: np.ndarray) -> float:
    counts = [np.sum((truth == a) & (found == b)) for a in (True, False) for b in (True, False)]
    tp, fn, fp, tn = map(float, counts)
    below = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return (tp * tn - fp * fn) / below**0.5 if below else 0.0


def _is(column: str, value: str):
    return lambda table: np.asarray(table[column] == value)


def _of(truth, score, statistic):
    """A measure of the truth and the score, or of what is above the threshold."""
    if statistic is auc:
        return lambda table, level: auc(truth(table), score(table))

    def value(table, level):
        # Without a threshold nothing is decided.
        decided = np.asarray(score(table)) > level
        return statistic(truth(table), decided) if np.isfinite(level) else np.nan

    return value


# Whether a window holds an earthquake, a P, an upward first motion.
is_quake, is_p, is_up = (
    _is("trace_type", "earthquake"),
    _is("phase_label", "P"),
    _is("polarity", "U"),
)
DETECTION = [
    Measure("auc", "AUC", "", True, _of(is_quake, lambda t: t["score_detection"], auc)),
    Measure("f1", "F1", "", True, _of(is_quake, lambda t: t["score_detection"], _f1)),
]
IDENTIFICATION = [
    # First, as it needs no threshold: few windows of dev leave it open.
    Measure("auc", "AUC", "", True, _of(is_p, ratio, auc)),
    Measure("mcc", "MCC", "", True, _of(is_p, ratio, _mcc)),
    Measure("f1", "F1 of P", "", True, _of(is_p, ratio, _f1)),
]
POLARITY = [
    Measure(
        "accuracy",
        "Accuracy",
        "",
        True,
        _of(is_up, lambda t: t["score_up"], lambda a, b: (a == b).mean()),
    ),
    Measure("mcc", "MCC", "", True, _of(is_up, lambda t: t["score_up"], _mcc)),
    Measure("auc", "AUC", "", True, _of(is_up, lambda t: t["score_up"], auc)),
]


def _onset_measures(phase: str) -> list[Measure]:
    def of(statistic):
        return lambda table, level: statistic(np.asarray(onset_differences(table, phase), float))

    return [
        Measure("mae", "Mean absolute", "s", False, of(lambda d: np.abs(d).mean())),
        Measure("median", "Median absolute", "s", False, of(lambda d: np.median(np.abs(d)))),
        Measure("rms", "Root mean square", "s", False, of(lambda d: np.sqrt((d**2).mean()))),
        Measure("mean", "Mean", "s", None, of(np.mean)),
        Measure("near", "Within 0.1 s", "", True, of(lambda d: (np.abs(d) <= 0.1).mean())),
    ]


def _estimate_measures(task: str, unit: str) -> list[Measure]:
    column = ANSWERS[task]

    def of(statistic):
        def value(table, level):
            away = np.asarray(table[f"{column}_pred"] - table[column], float)
            return statistic(wrap(away) if task == "back_azimuth" else away)

        return value

    return [
        Measure("mae", "Mean absolute", unit, False, of(lambda d: np.abs(d).mean())),
        Measure("median", "Median absolute", unit, False, of(lambda d: np.median(np.abs(d)))),
        Measure("mean", "Mean", unit, None, of(np.mean)),
        Measure("std", "Standard deviation", unit, False, of(np.std)),
    ]


ONSETS = {phase: _onset_measures(phase) for phase in "PS"}
ESTIMATES = {
    task: _estimate_measures(task, unit)
    for task, unit in (("magnitude", "units"), ("distance", "km"), ("back_azimuth", "°"))
}
