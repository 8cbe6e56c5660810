"""Coordinates of stations, from inventories and tables."""

from __future__ import annotations

import glob
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import seisbench
from obspy.signal.util import util_geo_km

ALWAYS = obspy.UTCDateTime(1, 1, 1), obspy.UTCDateTime(9999, 1, 1)


@dataclass(frozen=True)
class Station:
    """Place of a sensor: degrees, degrees, metres above sea level."""

    latitude: float
    longitude: float
    elevation: float = 0.0


@dataclass
class Stations:
    """
    Coordinates of stations at a time.

    :param epochs: NET.STA -> list of (location code or None for all, start, end, Station).
    """

    epochs: dict[str, list] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def read(cls, source: obspy.Inventory | pd.DataFrame | Stations) -> Stations:
        """
        Coordinates from what users have.

        :param source: An ObsPy inventory (stations or channels), or a DataFrame with the columns
            id (NET.STA or NET.STA.LOC), latitude, longitude and, optionally, elevation in metres,
            as PyOcto has it.
        :raises ValueError: If columns are missing, or coordinates are impossible or ambiguous.
        :raises TypeError: If it is neither.
        """
        if isinstance(source, Stations):
            return source
        stations = cls()
        if isinstance(source, obspy.Inventory):
            stations._read_inventory(source)
        elif isinstance(source, pd.DataFrame):
            stations._read_table(source)
        else:
            raise TypeError(
                f"Station coordinates come as obspy.Inventory or DataFrame, not "
                f"{type(source).__name__}."
            )
        return stations

    def _read_inventory(self, inventory: obspy.Inventory) -> None:
        for network in inventory:
            for station in network:
                for place, location in [(station, None), *((c, c.location_code) for c in station)]:
                    self.epochs[f"{network.code}.{station.code}"].append(
                        (
                            location,
                            place.start_date or ALWAYS[0],
                            place.end_date or ALWAYS[1],
                            Station(place.latitude, place.longitude, place.elevation or 0.0),
                        )
                    )

    def _read_table(self, table: pd.DataFrame) -> None:
        for row in check_table(table).itertuples():
            network, station, location = _codes(row.id)
            place = Station(row.latitude, row.longitude, row.elevation)
            self.epochs[f"{network}.{station}"].append((location or None, *ALWAYS, place))

    def find(self, trace_id: str, time: obspy.UTCDateTime) -> Station | None:
        """
        Place of a station: of the location code if known, else the station's, else any of it.

        :param trace_id: NET.STA.LOC, with or without more.
        :return: None if the station, or its epoch, is not known.
        """
        network, station, location, *_ = [*trace_id.split("."), "", ""]
        active = [
            (code, place)
            for code, start, end, place in self.epochs.get(f"{network}.{station}", [])
            if start <= time <= end
        ]
        for wanted in (location, None):
            for code, place in active:
                if code == wanted:
                    return place
        return active[0][1] if active else None


def check_table(table: pd.DataFrame) -> pd.DataFrame:
    """
    A table of stations with the columns id, latitude, longitude and elevation, and no others.

    :param table: With id (NET.STA or NET.STA.LOC) or network, station and, optionally, location;
        latitude, longitude (degrees) and, optionally, elevation (m, 0 where it is empty).
    :return: One row per id, numbers as floats.
    :raises ValueError: If a column is missing, coordinates are impossible, or an id is there twice
        at different places, with the id.
    """
    frame = table.reset_index(drop=True).copy()
    if "id" not in frame and {"network", "station"} <= set(frame):
        location = frame["location"].fillna("") if "location" in frame else ""
        frame["id"] = frame["network"] + "." + frame["station"] + "." + location
    missing = [name for name in ("id", "latitude", "longitude") if name not in frame]
    if missing:
        raise ValueError(
            f"The station table has no column {', '.join(missing)}; it needs id (NET.STA or "
            f"NET.STA.LOC), latitude, longitude and, in metres, elevation."
        )
    frame["id"] = frame["id"].astype(str)
    if "elevation" not in frame:
        frame["elevation"] = 0.0
    for column in ("latitude", "longitude", "elevation"):
        frame[column] = _numbers(frame[column], frame["id"])
    frame["elevation"] = frame["elevation"].where(np.isfinite(frame["elevation"]), 0.0)
    known: dict[tuple, Station] = {}
    for row in frame.itertuples():
        place = Station(row.latitude, row.longitude, row.elevation)
        if not (abs(place.latitude) <= 90 and abs(place.longitude) <= 360):
            raise ValueError(f"Station {row.id} has no possible coordinates: {place}.")
        if known.setdefault(_codes(row.id), place) != place:
            raise ValueError(f"Station {row.id} is there twice, at different places.")
    columns = ["id", "latitude", "longitude", "elevation"]
    return frame[columns].drop_duplicates("id", ignore_index=True)


def _codes(name: str) -> tuple[str, str, str]:
    """Network, station and location of NET.STA or NET.STA.LOC."""
    network, _, rest = name.partition(".")
    station, _, location = rest.partition(".")
    if not station:
        raise ValueError(f"Station id '{name}' is neither NET.STA nor NET.STA.LOC.")
    return network, station, location


def _numbers(values: pd.Series, ids: pd.Series) -> pd.Series:
    """A column as floats; what is empty is nan."""
    text = values.where(values.astype(str).str.strip() != "")
    numbers = pd.to_numeric(text, errors="coerce")
    wrong = text.notna() & numbers.isna()
    if wrong.any():
        first = wrong.idxmax()
        raise ValueError(
            f"Station {ids[first]} has the {values.name} '{values[first]}', which is no number."
        )
    return numbers.astype(float)


def read_stations(path) -> obspy.Inventory | pd.DataFrame:
    """
    Station coordinates of a file: a CSV table, or whatever inventory ObsPy can read.

    :param path: A name that ends with ``.csv`` means a table, see :py:func:`check_table`.
    :raises FileNotFoundError: If there is no such file.
    :raises ValueError: If it is neither, or coordinates are impossible, with the file's name.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        if path.suffix.lower() != ".csv":
            return obspy.read_inventory(glob.escape(str(path)))
        # Codes are text: location 00 is no zero, and network NA is not a missing value.
        codes = ("id", "network", "station", "location")
        places = ("latitude", "longitude", "elevation")
        table = pd.read_csv(
            path,
            dtype=dict.fromkeys(codes, str),
            keep_default_na=False,
            na_values={name: ["", "nan", "NaN"] for name in places},
            skipinitialspace=True,
        )
    except Exception as error:
        # The readers raise whatever comes to them on a broken file.
        raise ValueError(f"{path} is no station file that can be read: {error}") from error
    try:
        return check_table(table)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def warn_of_missing(picks: Sequence, stations: Stations) -> None:
    """Name the stations with picks, but without coordinates."""
    missing = {
        pick.trace_id for pick in picks if stations.find(pick.trace_id, pick.peak_time) is None
    }
    if missing:
        seisbench.logger.warning(
            f"No coordinates at the time of the picks for {', '.join(sorted(missing))}: "
            f"these are not located."
        )


def stations_to_dataframe(stations: obspy.Inventory | pd.DataFrame) -> pd.DataFrame:
    """
    Coordinates of stations, as PyOcto and GaMMA take them.

    :param stations: Inventory, or a table as of :py:func:`check_table`.
    :return: Columns id, longitude, latitude, elevation (m), and x(km), y(km), z(km; down, as
        in GaMMA) east and north of the stations' mean. A station has one row per location.
    :raises ValueError: If there are no stations, or the table is none.
    """
    if not isinstance(stations, pd.DataFrame):
        stations = _table_of(stations)
    frame = check_table(stations)[["id", "longitude", "latitude", "elevation"]]
    if frame.empty:
        raise ValueError("There are no stations.")
    first = frame["longitude"].iloc[0]
    # Degrees from the first station, so that the date line does not tear a network apart.
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


def _table_of(inventory: obspy.Inventory) -> pd.DataFrame:
    """Table of an inventory; of a station with several epochs, the last."""
    rows = {}
    for network in inventory:
        for station in network:
            for location in {channel.location_code or "" for channel in station} | {""}:
                name = f"{network.code}.{station.code}.{location}"
                rows[name] = (name, station.latitude, station.longitude, station.elevation)
    columns = ["id", "latitude", "longitude", "elevation"]
    return pd.DataFrame([rows[name] for name in sorted(rows)], columns=columns)
