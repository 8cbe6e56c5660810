"""Tables of stations: coordinates and, if known, directions and gains of channels."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import obspy
import pandas as pd
from obspy.signal.util import util_geo_km

from ..trace_ids import TraceId, codes_of, location_of

# Columns that hold text, and columns that hold numbers.
TEXTS = ("id", "network", "station", "location", "channel", "units")
NUMBERS = ("latitude", "longitude", "elevation", "depth", "azimuth", "dip", "gain")

# No station is higher above the sea, or deeper below it. Tables in mm are.
HIGHEST_M = 12_000

# Units of ground motion that a gain may refer to, with the names of StationXML.
UNITS = {"M": "M", "M/S": "M/S", "M/S**2": "M/S**2", "M/S2": "M/S**2", "M/S^2": "M/S**2"}


@dataclass(frozen=True)
class Station:
    """Coordinates of a sensor: degrees, degrees, metres above sea level."""

    latitude: float
    longitude: float
    elevation: float = 0.0


def check_table(table: pd.DataFrame) -> pd.DataFrame:
    """
    Check a table of stations or channels.

    ========= ======== =================================================================
    column    unit     content
    ========= ======== =================================================================
    id                 NET.STA, NET.STA.LOC or NET.STA.LOC.CHA; or columns network,
                       station and, optionally, location and channel
    latitude  degrees
    longitude degrees
    elevation m        optional, of the sensor, 0 where it is empty
    depth     m        optional: depth of the sensor below the ground, for boreholes
    azimuth   degrees  optional: direction of a channel from north
    dip       degrees  optional: its dip, -90 is up
    gain      counts   optional: counts per unit of ground motion, at all frequencies
    units              optional: unit of ground motion, M, M/S (default) or M/S**2
    ========= ======== =================================================================

    :param table: Table with these columns. An empty location stands for all locations.
    :return: Table with the columns id, latitude, longitude, elevation and the optional ones of the
        input. It has one row per id, and numbers are floats.
    :raises ValueError: If a column is missing, if coordinates are impossible, or if an id occurs
        twice with different entries. The message has the id.
    """
    frame = table.reset_index(drop=True).copy()
    if "id" not in frame and {"network", "station"} <= set(frame):
        location = frame["location"].fillna("").astype(str) if "location" in frame else ""
        frame["id"] = frame["network"].astype(str) + "." + frame["station"].astype(str)
        frame["id"] += "." + location
        if "channel" in frame:
            channel = frame["channel"].fillna("").astype(str)
            frame["id"] += ("." + channel).where(channel != "", "")
    missing = [name for name in ("id", "latitude", "longitude") if name not in frame]
    if missing:
        raise ValueError(
            f"The station table has no column {', '.join(missing)}; it needs id (NET.STA or "
            f"NET.STA.LOC), latitude, longitude and, in metres, elevation."
        )
    if frame["id"].isna().any():
        raise ValueError(f"Row {frame['id'].isna().idxmax()} of the station table has no id.")
    # Blanks beside codes, and FDSN's notation of an empty location.
    frame["id"] = [
        re.sub(r"\.--(?=\.|$)", ".", re.sub(r"\s*(^|\.|$)\s*", r"\1", str(name)))
        for name in frame["id"]
    ]
    if "elevation" not in frame:
        frame["elevation"] = 0.0
    for column in set(NUMBERS) & set(frame):
        frame[column] = _numbers(frame[column], frame["id"])
    frame["elevation"] = frame["elevation"].where(np.isfinite(frame["elevation"]), 0.0)
    if "units" in frame:
        frame["units"] = [_unit(*entry) for entry in zip(frame["id"], frame["units"], strict=True)]
    optional = [c for c in ("depth", "azimuth", "dip", "gain", "units") if c in frame]
    known: dict[tuple, tuple] = {}
    for row in frame.to_dict("records"):
        place = Station(row["latitude"], row["longitude"], row["elevation"])
        known_place = abs(place.latitude) <= 90 and abs(place.longitude) <= 360
        if not (known_place and abs(place.elevation) <= HIGHEST_M):
            raise ValueError(f"Station {row['id']} has impossible coordinates: {place}.")
        if row.get("depth", 0.0) < 0 or row.get("depth", 0.0) > HIGHEST_M:
            raise ValueError(
                f"Station {row['id']} has the depth {row['depth']:g} m; it counts from the ground."
            )
        before = known.setdefault(split_id(row["id"]), (place, [str(row[c]) for c in optional]))
        if before[0] != place:
            raise ValueError(f"Station {row['id']} occurs twice, at different places.")
        if before[1] != [str(row[c]) for c in optional]:
            raise ValueError(
                f"Channel {row['id']} occurs twice, with different {', '.join(optional)}."
            )
    columns = ["id", "latitude", "longitude", "elevation", *optional]
    return frame[columns].drop_duplicates("id", ignore_index=True)


def split_id(name: str) -> TraceId:
    """
    Split NET.STA, NET.STA.LOC or NET.STA.LOC.CHA into codes.

    :raises ValueError: If the id has another form.
    """
    trace_id = codes_of(name)
    if name.count(".") > 3 or not trace_id.station:
        raise ValueError(
            f"Station id '{name}' is neither NET.STA nor NET.STA.LOC nor NET.STA.LOC.CHA."
        )
    return trace_id


def _unit(name: str, text) -> str:
    text = "" if pd.isna(text) else str(text).strip().upper()
    if text and text not in UNITS:
        known = ", ".join(dict.fromkeys(UNITS.values()))
        raise ValueError(f"Station {name} has the units '{text}'; gains are per {known}.")
    return UNITS.get(text, "M/S")


def _numbers(values: pd.Series, ids: pd.Series) -> pd.Series:
    """A column as floats, with nan for empty entries."""
    text = values.where(values.astype(str).str.strip() != "")
    numbers = pd.to_numeric(text, errors="coerce")
    wrong = text.notna() & numbers.isna()
    if wrong.any():
        first = wrong.idxmax()
        raise ValueError(
            f"Station {ids[first]} has the {values.name} '{values[first]}', which is not a number."
        )
    return numbers.astype(float)


def stations_to_dataframe(stations) -> pd.DataFrame:
    """
    Coordinates of stations in the format of PyOcto and GaMMA.

    :param stations: Stations, an inventory, or a table as for :py:func:`check_table`.
    :return: Columns id, longitude, latitude, elevation (m), and x(km), y(km), z(km; down, as
        in GaMMA) east and north of the stations' mean. A station has one row per location.
    :raises ValueError: If there are no stations, or if the table is invalid.
    """
    if isinstance(stations, pd.DataFrame):
        frame = check_table(stations)
        # Channels of one location have the same place.
        frame["id"] = frame["id"].map(location_of)
        frame = frame.drop_duplicates("id", ignore_index=True)
    else:
        frame = _table_of(stations)
    frame = frame[["id", "longitude", "latitude", "elevation"]]
    if frame.empty:
        raise ValueError("There are no stations.")
    first = frame["longitude"].iloc[0]
    # Longitudes count from the first station, so that the date line does not split a network.
    east = (frame["longitude"] - first + 180) % 360 - 180
    centre = east.mean(), frame["latitude"].mean()
    local = [util_geo_km(*centre, *at) for at in zip(east, frame["latitude"], strict=True)]
    return frame.assign(
        **{
            "x(km)": [x for x, _ in local],
            "y(km)": [y for _, y in local],
            "z(km)": (-frame["elevation"] / 1000).to_numpy(),
        }
    )


def _table_of(stations) -> pd.DataFrame:
    """Table of an inventory or of Stations. The last epoch of a station counts."""
    rows = {}
    if isinstance(stations, obspy.Inventory):
        for network in stations:
            for station in network:
                for location in {channel.location_code or "" for channel in station} | {""}:
                    name = f"{network.code}.{station.code}.{location}"
                    rows[name] = (name, station.latitude, station.longitude, station.elevation)
    else:
        for station, channels in stations.channels.items():
            for channel in channels:
                name = f"{station}.{channel.location or ''}"
                place = channel.place
                rows[name] = (name, place.latitude, place.longitude, place.elevation)
    columns = ["id", "latitude", "longitude", "elevation"]
    return check_table(pd.DataFrame([rows[name] for name in sorted(rows)], columns=columns))
