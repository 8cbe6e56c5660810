"""SeisBench's metadata columns of a record: source, station, path, trace and onsets."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import obspy
import pandas as pd
from obspy.geodetics import gps2dist_azimuth

from ...export.origins import utc
from ...stations import Stations
from ..metadata import phase_of, polarity_letter, probability_column
from .bulletin import Group, LeftOut, column_of
from .records import ORDER, Record

# Column of a table of events -> SeisBench's.
_SOURCE = {
    "latitude": "source_latitude_deg",
    "longitude": "source_longitude_deg",
    "depth_km": "source_depth_km",
    "magnitude": "source_magnitude",
    "magnitude_type": "source_magnitude_type",
    "magnitude_spread": "source_magnitude_uncertainty",
    "time_uncertainty": "source_origin_uncertainty_sec",
    "depth_uncertainty_km": "source_depth_uncertainty_km",
}


def source_columns(event: dict | None, name: str | None) -> dict:
    """
    Columns of the source.

    :param event: Row of a table of events, None if it is not known.
    :param name: Name of the event, None for picks without one.
    """
    columns: dict = {"source_id": name}
    if event is None:
        return columns
    columns["source_origin_time"] = str(utc(event["time"]))
    columns |= {ours: _known(event.get(theirs)) for theirs, ours in _SOURCE.items()}
    return columns


def _known(value):
    return None if value is None or pd.isna(value) else value


def station_columns(record: Record, stations: Stations | None) -> dict:
    """Columns of the station, with coordinates where they are known."""
    place = record.place
    columns = {
        "station_network_code": place.network,
        "station_code": place.station,
        "station_location_code": place.location,
        "trace_channel": place.instrument,
    }
    found = stations.find(str(place), record.start) if stations is not None else None
    if found is not None:
        columns["station_latitude_deg"] = found.latitude
        columns["station_longitude_deg"] = found.longitude
        columns["station_elevation_m"] = found.elevation
    return columns


def path_columns(columns: dict) -> dict:
    """
    Distance and azimuths between source and station on the WGS84 ellipsoid, by ObsPy.

    :param columns: Columns of the source and the station.
    :return: Nothing where the coordinates are not known.
    """
    names = [f"{kind}_{angle}_deg" for kind in ("source", "station") for angle in _ANGLES]
    places = [columns.get(name) for name in names]
    if any(place is None or pd.isna(place) for place in places):
        return {}
    metres, azimuth, back_azimuth = gps2dist_azimuth(*places)
    path = {
        "path_ep_distance_km": round(metres / 1e3, 4),
        "path_azimuth_deg": round(azimuth, 3),
        "path_back_azimuth_deg": round(back_azimuth, 3),
    }
    depth = columns.get("source_depth_km")
    if depth is not None and not pd.isna(depth):
        down = depth + (columns.get("station_elevation_m") or 0.0) / 1e3
        path["path_hyp_distance_km"] = round(float(np.hypot(metres / 1e3, down)), 4)
    return path


_ANGLES = ("latitude", "longitude")


def trace_columns(record: Record) -> dict:
    """Columns of the trace, without onsets."""
    return {
        "trace_start_time": str(record.start),
        "trace_sampling_rate_hz": record.rate,
        "trace_npts": record.data.shape[1],
        "trace_component_order": ORDER,
        "trace_components_available": record.components,
        "trace_category": "earthquake",
    }


def onset_columns(record: Record, group: Group, others: Iterable[Group], left_out: LeftOut) -> dict:
    """
    Columns of the onsets, their uncertainties, probabilities and polarity.

    :param others: Other groups of the station. Their picks within the record are onsets of a second
        or further event, as ``trace_p2_arrival_sample``. Each of them has a record of its own.
    :param left_out: Gets the picks of the group that cannot be used.
    """
    columns: dict = {}
    for pick in group.picks:
        column = column_of(pick.phase)
        sample = record.sample_of(utc(pick.time))
        cause = record.defect_at(sample)
        if cause is None and column in columns:
            cause = "its event has an earlier pick of the same phase at the station"
        if cause is not None:
            left_out.add([pick], cause)
            continue
        columns |= _onset(column, sample, pick)
        letter = polarity_letter(pick.polarity)
        if letter and phase_of(column) == "P" and "trace_polarity" not in columns:
            columns["trace_polarity"] = letter
    if not columns:
        return {}
    number = 2
    for other in others:
        found = {}
        for pick in other.picks:
            sample = record.sample_of(utc(pick.time))
            column = column_of(pick.phase, number)
            if record.defect_at(sample) is None and column not in found:
                found |= _onset(column, sample, pick)
        columns |= found
        number += bool(found)
    return columns


def _onset(column: str, sample: float, pick) -> dict:
    columns = {column: sample}
    if not pd.isna(pick.probability):
        columns[probability_column(column)] = pick.probability
    if not pd.isna(pick.time_uncertainty):
        columns[column.replace("_arrival_sample", "_uncertainty_s")] = pick.time_uncertainty
    if getattr(pick, "status", None):
        columns[column.replace("_arrival_sample", "_status")] = pick.status
    return columns


def is_reversed(stations: Stations, record: Record, time: obspy.UTCDateTime) -> str | None:
    """
    Why counts of the vertical go down as the ground goes up, None if they do not.

    :param stations: Stations with the directions and responses of their channels.
    """
    code = f"{record.place.location_id}.{record.place.instrument}Z"
    for channel in stations.find_channels(code, time, time):
        if channel.dip == 90:
            return f"{code} has a dip of +90 degrees"
        sensitivity = channel.response and channel.response.instrument_sensitivity
        if sensitivity and sensitivity.value and sensitivity.value < 0:
            return f"{code} has a negative sensitivity"
    return None
