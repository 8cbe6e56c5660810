"""Local magnitudes of located events from the amplitudes at their S picks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..export.origins import utc
from ..stations import Stations
from ..trace_ids import station_of
from .magnitude import Scale, borehole_correction, event_magnitude, fuse, local_magnitude

# What the magnitude of an event is made of, by whether there are amplitudes and models' estimates.
SOURCES = {
    (True, True): "amplitudes and models",
    (True, False): "amplitudes",
    (False, True): "models",
}

# Smallest signal-to-noise ratio of an amplitude that is used.
LEAST_SNR = 3.0


def station_magnitudes(
    amplitudes: pd.DataFrame,
    arrivals: pd.DataFrame,
    depths: Mapping[str, float],
    scale: str | Scale = "iaspei",
    corrections: Mapping[str, float] | None = None,
    stations: Stations | None = None,
) -> pd.DataFrame:
    """
    ML of each S pick that belongs to an event.

    :param amplitudes: Table of :py:func:`seisbench_llm.amplitudes.measure`.
    :param arrivals: Picks of each event, with distance_km.
    :param depths: Event -> depth in km. nan counts as 0.
    :param scale: See :py:func:`local_magnitude`.
    :param corrections: NET.STA -> station correction, which is added to ML.
    :param stations: Stations with the depths of their sensors. Those in boreholes that have no
        station correction get that of :py:func:`~.magnitude.borehole_correction`.
    :return: Table with the columns event_id, pick, trace_id, ml.
    """
    used = amplitudes[(amplitudes["phase"] == "S") & (amplitudes["wood_anderson_nm"] > 0)]
    used = used[~(used["snr"] < LEAST_SNR)]
    table = arrivals.merge(used, on="pick")
    depth = table["event_id"].map(dict(depths)).fillna(0.0).astype(float)
    distance = np.hypot(table["distance_km"], depth)
    values = local_magnitude(table["wood_anderson_nm"], distance, scale)
    added = [
        _correction(name, time, corrections or {}, stations)
        for name, time in zip(table["trace_id"], table["time"], strict=True)
    ]
    return table.assign(ml=np.asarray(values, dtype=float) + np.asarray(added, dtype=float))[
        ["event_id", "pick", "trace_id", "ml"]
    ]


def _correction(
    trace_id: str, time: pd.Timestamp, corrections: Mapping[str, float], stations: Stations | None
) -> float:
    known = corrections.get(station_of(trace_id))
    if known is not None or stations is None:
        return known or 0.0
    return borehole_correction(stations.depth(trace_id, utc(time)))


def with_local_magnitudes(
    events: pd.DataFrame, stations: pd.DataFrame, least_error: float = 0.0
) -> pd.DataFrame:
    """
    Events with ML, and with the weighted mean of ML and the models' estimate as magnitude.

    :param events: Table of events with magnitude, magnitude_spread and magnitude_stations of the
        models. They become model_magnitude and so on, and magnitude_source says what the magnitude
        is made of.
    :param stations: Table of :py:func:`station_magnitudes`.
    :param least_error: Smallest standard error of the models' estimate.
    """
    groups = {
        # A station with two instruments counts once.
        name: event_magnitude(
            group.groupby(group["trace_id"].map(station_of))["ml"].median().to_numpy()
        )
        for name, group in stations.groupby("event_id")
    }
    unknown = (np.nan, np.nan)
    found = [groups.get(name, unknown) for name in events["event_id"]]
    counts = stations.groupby("event_id")["trace_id"].agg(lambda ids: ids.map(station_of).nunique())
    ml, spread = (np.array([pair[i] for pair in found], dtype=float) for i in (0, 1))
    estimates, errors = events["magnitude"].to_numpy(), events["magnitude_spread"].to_numpy()
    of_models = events["magnitude_stations"].to_numpy()
    measured = events["event_id"].map(counts).fillna(0).astype("int64")
    pairs = zip(np.isfinite(ml), np.isfinite(estimates), strict=True)
    sources = [SOURCES.get((bool(a), bool(b))) for a, b in pairs]
    fused = [
        fuse({"amplitudes": (a, b), "models": (c, np.fmax(d, least_error))})
        if np.isfinite(a)
        else (c, d)
        for a, b, c, d in zip(ml, spread, estimates, errors, strict=True)
    ]
    return events.assign(
        magnitude=np.array([value for value, _ in fused], dtype=float),
        magnitude_spread=np.array([error for _, error in fused], dtype=float),
        magnitude_stations=np.maximum(of_models, measured),
        magnitude_source=pd.Series(sources, dtype=object, index=events.index),
        ml=ml,
        ml_spread=spread,
        ml_stations=measured,
        model_magnitude=estimates,
        model_magnitude_spread=errors,
        model_magnitude_stations=of_models,
    )
