"""Intervals by a bootstrap over events and stations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

RESAMPLES = 1000


def record_weights(
    events: list[str],
    stations: list[str],
    regions: list[str],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> np.ndarray:
    """
    How often each record is drawn, shape (resamples, records).

    Within a region, events and stations are drawn independently, with replacement, and a record
    counts as the product of the two (pigeonhole bootstrap, Owen 2007, Annals of Applied Statistics
    1, 386-411): records share the errors of their event and those of their station. The limits that
    follow are rather too wide than too narrow. A single event or station of a region is not drawn
    again, as it says nothing of others.
    """
    rng, regions = np.random.default_rng(seed), np.asarray(regions, str)
    weights = np.ones((resamples, len(regions)), int)
    for names in (np.asarray(events, str), np.asarray(stations, str)):
        for region in np.unique(regions):
            rows = np.flatnonzero(regions == region)
            kinds, member = np.unique(names[rows], return_inverse=True)
            share = np.full(len(kinds), 1 / len(kinds))
            weights[:, rows] *= rng.multinomial(len(kinds), share, resamples)[:, member]
    return weights[weights.sum(axis=1) > 0]


def interval(
    weights: np.ndarray, statistic: Callable[[np.ndarray], float], digits: int = 3
) -> list[float]:
    """
    95 % limits of a statistic.

    :param weights: Of :py:func:`record_weights`.
    :param statistic: Function of the indices of the records that are drawn, repeated as drawn.
    """
    records = np.arange(weights.shape[1])
    values = [statistic(np.repeat(records, row)) for row in weights]
    return [round(float(q), digits) for q in np.nanquantile(values, (0.025, 0.975))]
