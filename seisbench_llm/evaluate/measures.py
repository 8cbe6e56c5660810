"""What is measured of predictions, and how sure one can be of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from .metrics import _hits, _inside, wrap

TOLERANCES = (0.1, 0.5)
"""Largest residuals of a hit in seconds: the published one, and one that forgives."""


MISS_COST = 1.0
"""What a missed pick counts in ``mae_capped``, in seconds, and the most that any pick can."""


FEWEST_EVENTS = 5
"""Below that many events there is no interval: a bootstrap of so few is far too narrow."""


CONFIDENCE_BINS = np.linspace(0.5, 1.0, 6)


BINS = {
    "distance": np.array([0, 20, 50, 100, 150, 200, 300, np.inf]),
    "magnitude": np.array([-np.inf, 1, 2, 3, 4, 5, np.inf]),
    "snr": np.array([-np.inf, 0, 10, 20, 30, 40, np.inf]),
}


UNITS = {"distance": "km", "magnitude": "", "snr": "dB", "confidence": ""}


# What a table by distance or magnitude shows.
_MAIN = {
    "picking": ("recall_0.1s", "recall_0.5s", "precision_0.1s", "mae_capped"),
    "polarity": ("accuracy", "undecided"),
    "magnitude": ("mae", "bias", "median_ae", "mae_trivial"),
    "distance": ("mae", "bias", "median_ae", "mae_trivial"),
    "back_azimuth": ("median_ae", "bias", "within_25deg", "opposite"),
}


@dataclass(frozen=True)
class Measures:
    """
    Quantities of a set of records, in a form that can be resampled quickly.

    :param sums: Name -> one value per record, to be added up.
    :param formulas: Name of a quantity -> function of the dictionary of sums, for numbers and
        arrays alike.
    :param quantiles: Name of a quantity -> one value per record, nan where the record does not
        count, and the probability.
    :param angles: Names of quantities in degrees that wrap around.
    """

    sums: dict[str, np.ndarray]
    formulas: dict[str, Callable[[dict], np.ndarray]]
    quantiles: dict[str, tuple[np.ndarray, float]] = field(default_factory=dict)
    angles: frozenset[str] = frozenset()

    def select(self, rows: np.ndarray, names: Iterable[str]) -> Measures:
        """Some quantities of some records."""
        return Measures(
            {name: values[rows] for name, values in self.sums.items()},
            {name: self.formulas[name] for name in names if name in self.formulas},
            {n: (v[rows], q) for n, (v, q) in self.quantiles.items() if n in names},
            self.angles,
        )

    def estimate(
        self, events: np.ndarray, resamples: int = 1000, seed: int = 0, level: float = 0.95
    ) -> dict[str, tuple[float, float, float]]:
        """
        Each quantity with a percentile interval from a bootstrap over events.

        Whole events are drawn with replacement (cluster bootstrap, Davison & Hinkley 1997,
        section 3.8), as records of one event share its errors.

        :param events: Event of each record, any integers.
        :param resamples: Number of draws; with 0 there are no intervals.
        :param seed: Any integer >= 0.
        :param level: Probability that the interval covers.
        :return: Name -> value, lower and upper limit, nan where there is nothing to estimate
            from or there are fewer than :py:data:`FEWEST_EVENTS` events.
        """
        names, events = [*self.formulas, *self.quantiles], np.unique(events, return_inverse=True)[1]
        count = int(events.max(initial=-1)) + 1
        per_event = np.stack(
            [np.bincount(events, v.astype(float), count) for v in self.sums.values()], axis=1
        )
        ordered = {name: _ordered(values, events) for name, (values, _) in self.quantiles.items()}
        values = self._evaluate(per_event, ordered, np.ones((1, count), dtype=np.int64))[0]
        limits = np.full((2, len(names)), np.nan)
        if resamples and count >= FEWEST_EVENTS:
            rng = np.random.default_rng(seed)
            draws = []
            # A matrix of all draws by all events need not fit into memory.
            for size in _pieces(resamples, max(1, 2_000_000 // count)):
                drawn = rng.integers(count, size=(size, count))
                weights = np.stack([np.bincount(row, minlength=count) for row in drawn])
                draws.append(self._evaluate(per_event, ordered, weights))
            draws = np.concatenate(draws)
            for i in np.flatnonzero(np.isfinite(draws).any(axis=0) & np.isfinite(values)):
                sample = draws[np.isfinite(draws[:, i]), i]
                if names[i] in self.angles:
                    sample = values[i] + wrap(sample - values[i])
                tails = (0.5 - level / 2, 0.5 + level / 2)
                limits[:, i] = np.quantile(sample, tails)
        return {
            name: (float(value), float(low), float(high))
            for name, value, low, high in zip(names, values, *limits, strict=True)
        }

    def _evaluate(self, per_event, ordered, weights) -> np.ndarray:
        """All quantities for each row of event weights, shape (rows, quantities)."""
        sums = dict(zip(self.sums, (weights @ per_event).T, strict=True))
        with np.errstate(divide="ignore", invalid="ignore"):
            columns = [formula(sums) for formula in self.formulas.values()]
        for name, (_, q) in self.quantiles.items():
            values, events = ordered[name]
            columns.append(np.array([_quantile(values, row[events], q) for row in weights]))
        return np.stack(columns, axis=1)


def _pieces(total: int, size: int) -> list[int]:
    return [size] * (total // size) + ([total % size] if total % size else [])


def _ordered(values: np.ndarray, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    return values[order], events[order]


def _quantile(ordered: np.ndarray, weights: np.ndarray, q: float) -> float:
    """``np.quantile(np.repeat(ordered, weights), q)`` without the repetition."""
    ends = np.cumsum(weights)
    if not len(ends) or not ends[-1]:
        return np.nan
    place = q * (ends[-1] - 1)
    first = int(place)
    low, high = np.searchsorted(ends, [first, min(first + 1, ends[-1] - 1)], side="right")
    return ordered[low] + (place - first) * (ordered[high] - ordered[low])


def measures(
    task: str, table: pd.DataFrame, in_samples: int, sampling_rate: float, threshold: float
) -> dict[str, Measures]:
    """
    The honest quantities of a task; see :py:class:`~seisbench_llm.evaluate.Evaluation`.

    :param table: Predictions as :py:func:`~seisbench_llm.evaluate.predict` returns them.
    :param in_samples: Window length in samples (picking).
    :param sampling_rate: Hz (picking).
    :param threshold: Confidence below which a polarity is undecided.
    :return: Phase -> quantities for picking, else the task -> quantities.
    """
    if task == "picking":
        return {phase: _picking(table, phase, in_samples, sampling_rate) for phase in "PS"}
    if task == "polarity":
        return {task: _polarity(table, threshold)}
    true, predicted = (table[name].to_numpy(float) for name in ("true", "predicted"))
    return {
        task: _angle(true, predicted) if task == "back_azimuth" else _scalar(task, true, predicted)
    }


def _ratio(numerator: str, denominator: str) -> Callable[[dict], np.ndarray]:
    return lambda sums: sums[numerator] / sums[denominator]


def _picking(table, phase: str, in_samples: int, rate: float) -> Measures:
    true = table[f"{phase.lower()}_true"].to_numpy(float)
    found = table[f"{phase.lower()}_predicted"].to_numpy(float)
    known = ~np.isnan(true)
    is_true, is_found = _inside(true, in_samples), known & _inside(found, in_samples)
    residual = np.where(is_true & is_found, (found - true) / rate, np.inf)
    sums = {
        "true": is_true,
        "found": is_found,
        "absent": known & ~is_true,
        "false": is_found & ~is_true,
        "cost": np.where(is_true, np.minimum(np.abs(residual), MISS_COST), 0),
    }
    formulas = {}
    for tolerance in TOLERANCES:
        name = f"{tolerance}s"
        hit = _hits(true, found, in_samples, rate, tolerance)
        sums[f"hit_{name}"] = hit
        sums[f"ae_{name}"] = np.where(hit, np.abs(residual), 0)
        sums[f"error_{name}"] = np.where(hit, residual, 0)
        formulas[f"precision_{name}"] = _ratio(f"hit_{name}", "found")
        formulas[f"recall_{name}"] = _ratio(f"hit_{name}", "true")
        formulas[f"f1_{name}"] = lambda s, k=f"hit_{name}": 2 * s[k] / (s["found"] + s["true"])
        formulas[f"mae_matched_{name}"] = _ratio(f"ae_{name}", f"hit_{name}")
        formulas[f"bias_matched_{name}"] = _ratio(f"error_{name}", f"hit_{name}")
    formulas["mae_capped"] = _ratio("cost", "true")
    formulas["false_picks"] = _ratio("false", "absent")
    return Measures(sums, formulas)


def _polarity(table, threshold: float) -> Measures:
    true_up = (table["true"] == "U").to_numpy()
    up, down = table["up"].to_numpy(float), table["down"].to_numpy(float)
    # On a tie up, as argmax does.
    said_up, decided = up >= down, np.maximum(up, down) >= threshold
    right = true_up == said_up
    majority = true_up if true_up.mean() >= 0.5 else ~true_up
    sums = {
        "all": np.ones(len(table)),
        "right": right,
        "decided": decided,
        "right_decided": right & decided,
        "undecided": ~decided,
        "majority": majority,
    }
    formulas = {
        "accuracy": _ratio("right", "all"),
        "accuracy_decided": _ratio("right_decided", "decided"),
        "undecided": _ratio("undecided", "all"),
        "accuracy_trivial": _ratio("majority", "all"),
    }
    for name, true, said in (("U", true_up, said_up), ("D", ~true_up, ~said_up)):
        sums.update({f"true_{name}": true, f"said_{name}": said, f"hit_{name}": true & said})
        formulas[f"precision_{name}"] = _ratio(f"hit_{name}", f"said_{name}")
        formulas[f"recall_{name}"] = _ratio(f"hit_{name}", f"true_{name}")
    return Measures(sums, formulas)


def _scalar(task: str, true: np.ndarray, predicted: np.ndarray) -> Measures:
    error, trivial = predicted - true, np.median(true)
    # About the mean, so that the sum of squares keeps its digits.
    centred = true - true.mean()
    sums = {
        "all": np.ones(len(true)),
        "ae": np.abs(error),
        "error": error,
        "square": np.square(error),
        "true": centred,
        "true_square": np.square(centred),
        "ae_trivial": np.abs(true - trivial),
    }
    if task == "distance":
        limits = {"within_25pct_or_5km": np.maximum(0.25 * true, 5.0)}
    else:
        limits = {"within_0.3": 0.3, "within_0.5": 0.5}
    sums.update({name: np.abs(error) <= limit for name, limit in limits.items()})
    formulas = {
        "mae": _ratio("ae", "all"),
        "bias": _ratio("error", "all"),
        "r2": lambda s: 1 - s["square"] / (s["true_square"] - np.square(s["true"]) / s["all"]),
        **{name: _ratio(name, "all") for name in limits},
        "mae_trivial": _ratio("ae_trivial", "all"),
    }
    return Measures(sums, formulas, {"median_ae": (sums["ae"], 0.5), "p90_ae": (sums["ae"], 0.9)})


def _angle(true: np.ndarray, predicted: np.ndarray) -> Measures:
    error = wrap(predicted - true)
    size = np.abs(error)
    sums = {
        "all": np.ones(len(true)),
        "ae": size,
        "cos": np.cos(np.radians(error)),
        "sin": np.sin(np.radians(error)),
        "within_25deg": size <= 25,
        "within_45deg": size <= 45,
        "opposite": size > 135,
    }

    def spread(s):
        length = np.hypot(s["cos"], s["sin"]) / s["all"]
        return np.degrees(np.sqrt(-2 * np.log(np.clip(length, np.finfo(float).tiny, 1))))

    formulas = {
        "mae": _ratio("ae", "all"),
        "bias": lambda s: np.degrees(np.arctan2(s["sin"], s["cos"])),
        "std": spread,
        **{n: _ratio(n, "all") for n in ("within_25deg", "within_45deg", "opposite")},
    }
    return Measures(sums, formulas, {"median_ae": (size, 0.5)}, frozenset({"bias"}))


def counts(task: str, measured: dict[str, Measures]) -> dict[str, dict[str, float]]:
    """Figures that stand beside the honest ones and need no interval."""
    if task == "picking":
        names = {"truths": "true", "picks": "found", "without": "absent"}
        return {
            phase: {new: int(found.sums[old].sum()) for new, old in names.items()}
            for phase, found in measured.items()
        }
    return {task: {"chance_median_ae": 90.0} if task == "back_azimuth" else {}}


def confusion(table: pd.DataFrame) -> pd.DataFrame:
    """Number of records by true (rows) and predicted (columns) polarity, U and D."""
    said = np.where(table["up"] >= table["down"], "U", "D")
    found = pd.crosstab(table["true"].to_numpy(), said, rownames=["true"], colnames=["predicted"])
    return found.reindex(index=["U", "D"], columns=["U", "D"], fill_value=0)


def breakdown(
    task: str,
    table: pd.DataFrame,
    measured: dict[str, Measures],
    events: np.ndarray,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, pd.DataFrame]:
    """
    The main quantities by distance, magnitude and, if known, signal-to-noise ratio.

    :param measured: What :py:func:`measures` returns.
    :param events: Event of each record, any integers.
    :return: ``distance``, ``magnitude``, ``snr`` and, for polarity, ``confidence`` -> one row per
        bin that has records (``low`` included, ``high`` excluded): phase (picking only), low,
        high, records, events, each quantity, and the limits of its interval.
    """
    found = {}
    columns = {name: (table[name].to_numpy(float), BINS[name]) for name in BINS if name in table}
    if task == "polarity":
        confidence = table[["up", "down"]].max(axis=1).to_numpy(float)
        # A probability of exactly one belongs to the last bin.
        columns["confidence"] = (np.minimum(confidence, 1 - 1e-9), CONFIDENCE_BINS)
    for name, (values, edges) in columns.items():
        rows = []
        for group, low, high in (
            (group, *pair) for group in measured for pair in zip(edges[:-1], edges[1:], strict=True)
        ):
            inside = np.flatnonzero((values >= low) & (values < high))
            if not len(inside):
                continue
            row = {"phase": group} if task == "picking" else {}
            row |= {"low": low, "high": high, "records": len(inside)}
            row["events"] = len(np.unique(events[inside]))
            if name == "confidence":
                row["mean_confidence"] = confidence[inside].mean()
            part = measured[group].select(inside, _MAIN[task])
            for key, limits in part.estimate(events[inside], resamples, seed).items():
                row |= dict(zip((key, f"{key}_low", f"{key}_high"), limits, strict=True))
            rows.append(row)
        if rows:
            found[name] = pd.DataFrame(rows)
    return found
