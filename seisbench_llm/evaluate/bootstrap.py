"""Cluster bootstrap over events for sums and quantiles of records."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from .metrics import wrap

FEWEST_EVENTS = 5
"""Below that many events there is no interval: a bootstrap of so few is far too narrow."""


@dataclass(frozen=True)
class Measures:
    """
    Quantities of a set of records in a form that can be resampled quickly.

    :param sums: Name -> one value per record. The values are summed.
    :param formulas: Name of a quantity -> function of the dictionary of sums, which takes numbers
        or arrays.
    :param quantiles: Name of a quantity -> one value per record (nan if the record does not count),
        and the probability.
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

        Whole events are drawn with replacement (cluster bootstrap, Davison & Hinkley 1997, section
        3.8), because records of one event share its errors.

        :param events: Event of each record, any integers.
        :param resamples: Number of draws. With 0 there are no intervals.
        :param seed: Any integer >= 0.
        :param level: Coverage of the interval.
        :return: Name -> value, lower and upper limit. They are nan if there are no data, and limits
            are nan if there are fewer than :py:data:`FEWEST_EVENTS` events.
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
            # Draws are processed in parts, because a matrix of all draws and events may not fit
            # into memory.
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
