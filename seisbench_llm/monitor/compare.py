"""Comparison of two catalogues: events in both, events in one only, and their differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import obspy
import pandas as pd
from obspy.geodetics import gps2dist_azimuth
from scipy.optimize import linear_sum_assignment

from ..export.tables import EVENT_TYPES, events_to_dataframe, typed
from ..export.times import timestamp

# Name of a difference -> unit.
UNITS = {"time": "s", "distance_km": "km", "depth_km": "km", "magnitude": ""}
_COMPARED = {n: EVENT_TYPES[n] for n in ("time", "latitude", "longitude", "depth_km", "magnitude")}
# Smallest number of magnitudes for a magnitude of completeness, and width of the bins.
FEWEST_MAGNITUDES, BIN = 50, 0.1
# Cost of a pair that is not allowed.
_NEVER = 1e6


@dataclass(repr=False)
class Comparison:
    """
    Common and different events of two catalogues.

    :param matched: One row per event in both catalogues. Times, epicentres, depths (km) and
        magnitudes end in ``_ours`` and ``_theirs``. ``time`` (s), ``depth_km`` and ``magnitude``
        are differences, ours minus theirs. ``distance_km`` is the distance of the epicentres.
    :param missed: Events that only their catalogue has.
    :param new: Events that only our catalogue has.
    :param completeness: Magnitudes of completeness of ours and of theirs, nan if a catalogue has
        too few magnitudes.
    """

    matched: pd.DataFrame
    missed: pd.DataFrame
    new: pd.DataFrame
    completeness: tuple[float, float]

    def __repr__(self) -> str:
        """Counts in one line."""
        counts = f"matched={len(self.matched)}, missed={len(self.missed)}, new={len(self.new)}"
        return f"Comparison({counts})"

    def summary(self) -> dict:
        """
        Counts, magnitudes of completeness, and for each difference its median and the median and
        90th percentile of its absolute value.
        """
        found: dict = {
            "matched": len(self.matched),
            "missed": len(self.missed),
            "new": len(self.new),
            "completeness_ours": _known(self.completeness[0]),
            "completeness_theirs": _known(self.completeness[1]),
        }
        for name in UNITS:
            values = self.matched[name].dropna()
            sizes = values.abs()
            found[name] = {
                "count": len(values),
                "median": _known(values.median()),
                "median_size": _known(sizes.median()),
                "p90_size": _known(sizes.quantile(0.9)),
            }
        return found


def compare(
    ours: obspy.Catalog | pd.DataFrame,
    theirs: obspy.Catalog | pd.DataFrame,
    seconds: float = 5.0,
    km: float = 50.0,
) -> Comparison:
    """
    Match the events of two catalogues, each with at most one other event.

    The number of pairs is as large as possible. Among such matchings, the one with the smallest
    sum of differences is chosen. Differences in time and distance are divided by their limits.

    :param ours: Catalogue, or a table of events, for example of
        :py:func:`seisbench_llm.export.read_events`.
    :param theirs: Catalogue or table to compare with.
    :param seconds: Largest difference between the origin times of a pair in s.
    :param km: Largest distance between the epicentres of a pair in km.
    :raises ValueError: If a limit is not above 0.
    """
    if not (0 < seconds < np.inf and 0 < km < np.inf):
        raise ValueError(f"seconds={seconds} and km={km} are not possible: both must be above 0.")
    first, second = events_of(ours), events_of(theirs)
    pairs = _pairs(first, second, seconds, km)
    a, b = first.iloc[[i for i, _, _ in pairs]], second.iloc[[j for _, j, _ in pairs]]
    matched = pd.concat(
        [
            a.add_suffix("_ours").reset_index(drop=True),
            b.add_suffix("_theirs").reset_index(drop=True),
        ],
        axis=1,
    )
    matched["time"] = (matched["time_ours"] - matched["time_theirs"]).dt.total_seconds()
    matched["distance_km"] = [distance for _, _, distance in pairs]
    for name in ("depth_km", "magnitude"):
        matched[name] = matched[f"{name}_ours"] - matched[f"{name}_theirs"]
    return Comparison(
        matched.astype({"distance_km": float}),
        second.drop(b.index).reset_index(drop=True),
        first.drop(a.index).reset_index(drop=True),
        (completeness(first["magnitude"]), completeness(second["magnitude"])),
    )


def events_of(catalog: obspy.Catalog | pd.DataFrame) -> pd.DataFrame:
    """
    Time, epicentre, depth in km and magnitude of the events with an origin, sorted by time.

    The preferred origin and magnitude are used, or the first if none is preferred.

    :param catalog: Catalogue, or a table of events.
    """
    if isinstance(catalog, pd.DataFrame):
        table = events_to_dataframe(catalog).reindex(columns=list(_COMPARED))
        table = table.dropna(subset=["time", "latitude", "longitude"])
        return table.astype(_COMPARED).sort_values("time", ignore_index=True)
    rows = []
    for event in catalog:
        origin = event.preferred_origin() or next(iter(event.origins), None)
        if origin is None or origin.time is None or None in (origin.latitude, origin.longitude):
            continue
        size = event.preferred_magnitude() or next(iter(event.magnitudes), None)
        depth = np.nan if origin.depth is None else origin.depth / 1e3
        magnitude = np.nan if size is None or size.mag is None else float(size.mag)
        time = timestamp(origin.time)
        rows.append((time, origin.latitude, origin.longitude, depth, magnitude))
    return typed(rows, _COMPARED).sort_values("time", ignore_index=True)


def completeness(magnitudes: pd.Series) -> float:
    """
    Magnitude of completeness by maximum curvature, plus 0.2 (Woessner and Wiemer 2005).

    :return: Magnitude, nan for fewer than ``FEWEST_MAGNITUDES`` magnitudes.
    """
    known = magnitudes.dropna()
    if len(known) < FEWEST_MAGNITUDES:
        return np.nan
    bins = np.round(known / BIN).astype(int)
    counts = bins.value_counts().sort_index()
    return float(counts.idxmax() * BIN + 0.2)


def _pairs(
    first: pd.DataFrame, second: pd.DataFrame, seconds: float, km: float
) -> list[tuple[int, int, float]]:
    """Row numbers in both tables and distance in km of each pair."""
    ours = first["time"].map(pd.Timestamp.timestamp).to_numpy(float)
    theirs = second["time"].map(pd.Timestamp.timestamp).to_numpy(float)
    near: dict[tuple[int, int], tuple[float, float]] = {}
    begins = (
        np.searchsorted(theirs, ours - seconds),
        np.searchsorted(theirs, ours + seconds, "right"),
    )
    for i, (begin, stop) in enumerate(zip(*begins, strict=True)):
        for j in range(begin, stop):
            a, b = first.iloc[i], second.iloc[j]
            metres = gps2dist_azimuth(a.latitude, a.longitude, b.latitude, b.longitude)[0]
            if metres <= km * 1e3:
                cost = abs(ours[i] - theirs[j]) / seconds + metres / 1e3 / km
                near[i, j] = cost, metres / 1e3
    pairs = []
    for rows, columns in _groups(near):
        costs = np.full((len(rows), len(columns)), _NEVER)
        for y, i in enumerate(rows):
            for x, j in enumerate(columns):
                if (i, j) in near:
                    costs[y, x] = near[i, j][0]
        for y, x in zip(*linear_sum_assignment(costs), strict=True):
            if costs[y, x] < _NEVER:
                pairs.append((rows[y], columns[x], near[rows[y], columns[x]][1]))
    return sorted(pairs)


def _groups(near) -> list[tuple[list[int], list[int]]]:
    """
    Groups of events that may be matched with each other. With groups, a long catalogue needs no
    large matrix.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not near:
        return []
    rows, columns = np.array(list(near)).T
    shift = rows.max() + 1
    size = shift + columns.max() + 1
    graph = coo_array((np.ones(len(rows)), (rows, columns + shift)), shape=(size, size))
    labels = connected_components(graph, directed=False)[1]
    groups: dict[int, tuple[set, set]] = {}
    for i, j in near:
        group = groups.setdefault(int(labels[i]), (set(), set()))
        group[0].add(i)
        group[1].add(j)
    return [(sorted(a), sorted(b)) for a, b in groups.values()]


def _known(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
