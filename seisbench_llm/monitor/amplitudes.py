"""Amplitudes and local magnitudes of a monitor's picks and events, and their QuakeML elements."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import obspy
import pandas as pd
from obspy.core.event import Amplitude, Magnitude, StationMagnitude, StationMagnitudeContribution

from ..amplitudes import measure
from ..amplitudes.event import station_magnitudes, with_local_magnitudes
from ..amplitudes.magnitude import SCALES, STATION_ERROR
from ..export.quakeml import (
    build_comments,
    creation_info,
    finite,
    identifier,
    quantity_error,
    resource_id,
    waveform_id,
)
from ..stations import Stations
from ..streams.skipped import SkippedList

# Smallest standard error of the models' magnitudes if there are amplitudes as well. It is the mean
# absolute error of the models in regions that no weight was trained on (benchmarks/results). Their
# spreads do not contain this error. With it, the models hardly count beside an amplitude.
MODELS_ERROR = 2.0

WOOD_ANDERSON = "wood_anderson"


def with_amplitudes(
    stream: obspy.Stream,
    picks,
    stations: Stations | None,
    events: pd.DataFrame,
    arrivals: pd.DataFrame,
    scale: str = "iaspei",
    corrections: Mapping[str, float] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, SkippedList]:
    """
    Measure amplitudes and magnitudes. Picks get an attribute ``amplitude`` (m/s).

    :param stream: Waveforms as recorded, not rotated, because a response belongs to a channel.
    :return: Events with ML, amplitudes, ML of each S pick, and traces that were not converted.
    """
    skipped = SkippedList()
    table = measure(stream, picks, stations, skipped)
    if skipped:
        skipped.warn()
    for row in table.itertuples():
        if np.isfinite(row.velocity_m_s) and not row.clipped:
            picks[row.pick].amplitude = row.velocity_m_s
    events, magnitudes = with_ml(events, table, arrivals, scale, corrections, stations)
    return events, table, magnitudes, skipped


def with_ml(
    events: pd.DataFrame,
    amplitudes: pd.DataFrame,
    arrivals: pd.DataFrame,
    scale: str = "iaspei",
    corrections: Mapping[str, float] | None = None,
    stations: Stations | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    Events with ML, fused with the models' magnitudes, and ML of each S pick.

    :param amplitudes: Table of :py:func:`seisbench_llm.amplitudes.measure`.
    :param stations: Stations, for sensors in boreholes.
    """
    depths = dict(zip(events["event_id"], events["depth_km"], strict=True))
    magnitudes = station_magnitudes(amplitudes, arrivals, depths, scale, corrections, stations)
    return with_local_magnitudes(events, magnitudes, MODELS_ERROR), magnitudes


def add_to_event(event, located: Mapping, picks: list, result) -> None:
    """
    Add amplitudes, station magnitudes, ML and the fused magnitude to a located event.

    :param event: Event of ObsPy, changed in place.
    :param located: Row of the event in the table of events.
    :param picks: ObsPy picks of the result.
    :param result: Results of a monitor.
    """
    own = result.station_magnitudes[result.station_magnitudes["event_id"] == located["event_id"]]
    amplitudes = result.amplitudes.set_index("pick")
    origin = event.preferred_origin_id
    stations = []
    for row in own.itertuples():
        found, name = (
            amplitudes.loc[row.pick],
            identifier(located["event_id"], row.pick, row.trace_id),
        )
        amplitude = Amplitude(
            resource_id=resource_id("amplitude", name),
            generic_amplitude=found["wood_anderson_nm"] / 1e9,
            type="AML",
            category="point",
            unit="m",
            snr=finite(found["snr"]),
            pick_id=picks[row.pick].resource_id.id,
            waveform_id=waveform_id(row.trace_id),
            magnitude_hint="ML",
            method_id=resource_id(WOOD_ANDERSON),
            evaluation_mode="automatic",
            creation_info=creation_info(),
        )
        event.amplitudes.append(amplitude)
        stations.append(
            StationMagnitude(
                resource_id=resource_id("stationmagnitude", WOOD_ANDERSON, name),
                origin_id=origin,
                mag=row.ml,
                mag_errors=quantity_error(STATION_ERROR),
                station_magnitude_type="ML",
                amplitude_id=amplitude.resource_id.id,
                method_id=resource_id(WOOD_ANDERSON),
                waveform_id=waveform_id(row.trace_id),
                creation_info=creation_info(),
            )
        )
    if not stations:
        return
    event.station_magnitudes += stations
    shared = {
        "magnitude_type": "ML",
        "origin_id": origin,
        "evaluation_mode": "automatic",
        "creation_info": creation_info(),
    }
    local = Magnitude(
        resource_id=resource_id("magnitude", WOOD_ANDERSON, located["event_id"]),
        mag=located["ml"],
        mag_errors=quantity_error(located["ml_spread"]),
        method_id=resource_id(WOOD_ANDERSON),
        station_count=int(located["ml_stations"]),
        comments=build_comments(
            f"magnitude_{WOOD_ANDERSON}_{located['event_id']}",
            [
                "median of the stations' magnitudes from Wood-Anderson amplitudes at S; scale "
                f"{result.magnitude_scale}: {SCALES[result.magnitude_scale].source}"
            ],
        ),
        station_magnitude_contributions=[
            StationMagnitudeContribution(
                station_magnitude_id=one.resource_id.id, residual=one.mag - located["ml"]
            )
            for one in stations
        ],
        **shared,
    )
    event.magnitudes.append(local)
    event.preferred_magnitude_id = local.resource_id.id
    if not np.isfinite(located["model_magnitude"]):
        return
    name = f"fused_{located['event_id']}"
    fused = Magnitude(
        resource_id=resource_id("magnitude", name),
        mag=located["magnitude"],
        mag_errors=quantity_error(located["magnitude_spread"]),
        method_id=resource_id("fused"),
        station_count=int(located["magnitude_stations"]),
        comments=build_comments(
            f"magnitude_{name}", ["amplitudes and models, weighted by their variances"]
        ),
        **shared,
    )
    event.magnitudes.append(fused)
    event.preferred_magnitude_id = fused.resource_id.id
