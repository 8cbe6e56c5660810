"""Coordinates, directions of components, and responses of stations at a given time."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import seisbench
from obspy.core.inventory import InstrumentSensitivity
from obspy.core.inventory.response import Response

from ..trace_ids import TraceId, codes_of, split_channel
from .read import read_stations
from .table import Station, check_table, split_id

ALWAYS = obspy.UTCDateTime(1, 1, 1), obspy.UTCDateTime(9999, 1, 1)

# Azimuth and dip in degrees of components with a direction of their own (SEED manual, appendix A).
DIRECTIONS = {"Z": (0.0, -90.0), "N": (0.0, 0.0), "E": (90.0, 0.0)}


_DIGESTED = ("location", "code", "start", "end", "place", "azimuth", "dip")


@dataclass(frozen=True)
class Channel:
    """
    Metadata of a channel, or of all channels of a station, during an epoch.

    :param location: Location code, None for all.
    :param code: Channel code, empty for all.
    :param start: Beginning of the epoch.
    :param end: End of the epoch.
    :param place: Coordinates.
    :param azimuth: Azimuth in degrees from north, nan if unknown.
    :param dip: Dip in degrees down from horizontal (-90 is up), nan if unknown.
    :param response: ObsPy's response, None if unknown.
    :param depth: Depth of the sensor below the ground in m, nan if unknown.
    """

    location: str | None
    code: str
    start: obspy.UTCDateTime
    end: obspy.UTCDateTime
    place: Station
    azimuth: float = np.nan
    dip: float = np.nan
    response: Response | None = None
    depth: float = np.nan

    @property
    def direction(self) -> tuple[float, float] | None:
        """Azimuth and dip in degrees, None if unknown."""
        component = split_channel(self.code)[1]
        azimuth, dip = self.azimuth, self.dip
        if np.isfinite(dip) and abs(abs(dip) - 90) < 1e-6:
            return (0.0 if np.isnan(azimuth) else azimuth), dip
        if np.isnan(dip) and np.isfinite(azimuth) and component not in ("Z", "3"):
            dip = 0.0
        known = np.isfinite([azimuth, dip]).all()
        return (azimuth, dip) if known else DIRECTIONS.get(component)


@dataclass
class Stations:
    """
    Stations from any source.

    :param channels: NET.STA -> metadata of the station and its channels.
    """

    channels: dict[str, list[Channel]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def read(cls, source: obspy.Inventory | pd.DataFrame | Stations | str | Path) -> Stations:
        """
        Read stations from any source.

        :param source: An ObsPy inventory, a DataFrame with the columns of
            :py:func:`~seisbench_llm.stations.check_table`, or the name of a file or an FDSN
            service, see :py:func:`~seisbench_llm.stations.read_stations`.
        :raises ValueError: If columns are missing, or coordinates are impossible or ambiguous.
        :raises FileNotFoundError: If the file does not exist.
        :raises TypeError: If ``source`` is of another type.
        """
        if isinstance(source, Stations):
            return source
        if isinstance(source, str | Path):
            source = read_stations(source)
        stations = cls()
        if isinstance(source, obspy.Inventory):
            stations._read_inventory(source)
        elif isinstance(source, pd.DataFrame):
            stations._read_table(source)
        else:
            raise TypeError(
                f"Stations must be an obspy.Inventory, a DataFrame or a file, "
                f"not {type(source).__name__}."
            )
        return stations

    def _read_inventory(self, inventory: obspy.Inventory) -> None:
        for network in inventory:
            for station in network:
                entries = self.channels[f"{network.code}.{station.code}"]
                entries.append(Channel(None, "", *_epoch(station), _place(station)))
                for channel in station:
                    entries.append(
                        Channel(
                            channel.location_code,
                            channel.code,
                            *_epoch(channel),
                            _place(channel),
                            _number(channel.azimuth),
                            _number(channel.dip),
                            channel.response,
                            _number(channel.depth),
                        )
                    )

    def _read_table(self, table: pd.DataFrame) -> None:
        for row in check_table(table).to_dict("records"):
            network, station, location, channel = split_id(row["id"])
            place = Station(row["latitude"], row["longitude"], row["elevation"])
            self.channels[f"{network}.{station}"].append(
                Channel(
                    location or None,
                    channel,
                    *ALWAYS,
                    place,
                    row.get("azimuth", np.nan),
                    row.get("dip", np.nan),
                    _flat_response(row),
                    row.get("depth", np.nan),
                )
            )

    def find(self, trace_id: str, time: obspy.UTCDateTime) -> Station | None:
        """
        Coordinates of a station: of the location code if known, else of the station, else of any of
        its locations.

        :param trace_id: NET.STA.LOC, with or without more.
        :return: Coordinates, None if the station or its epoch is unknown.
        """
        network, station, location, code = codes_of(trace_id)
        active = list(self._active(f"{network}.{station}", time, time))
        # Two instruments of one location may be at different places, for example in a borehole and
        # above it.
        matching = [
            c for c in active if c.location == location and code and c.code.startswith(code)
        ]
        for wanted in (location, None):
            matching += [channel for channel in active if channel.location == wanted]
        return next((channel.place for channel in [*matching, *active]), None)

    def find_channels(
        self, trace_id: str, start: obspy.UTCDateTime, end: obspy.UTCDateTime
    ) -> list[Channel]:
        """
        Metadata of one channel from ``start`` to ``end``, sorted by time.

        :param trace_id: NET.STA.LOC.CHA.
        """
        wanted = TraceId.parse(trace_id)
        channels = [
            channel
            for channel in self._active(wanted.station_id, start, end)
            if channel.location in (wanted.location, None) and channel.code == wanted.channel
        ]
        return sorted(channels, key=lambda channel: channel.start)

    def response(self, trace_id: str, time: obspy.UTCDateTime) -> Response | None:
        """
        Response of a channel, None if unknown.

        :param trace_id: NET.STA.LOC.CHA.
        """
        responses = (channel.response for channel in self.find_channels(trace_id, time, time))
        return next((response for response in responses if _has_gain(response)), None)

    def depth(self, trace_id: str, time: obspy.UTCDateTime) -> float:
        """
        Depth of a sensor below the ground in m, nan if unknown.

        :param trace_id: NET.STA.LOC.CHA. A table may have the depth of a location or a station.
        """
        wanted = TraceId.parse(trace_id)
        for channel in self._active(wanted.station_id, time, time):
            of_it = channel.location in (wanted.location, None)
            if of_it and channel.code in (wanted.channel, "") and np.isfinite(channel.depth):
                return channel.depth
        return np.nan

    def digest(self) -> str:
        """SHA-256 of all metadata except the shape of responses."""
        rows = [
            (name, *(str(getattr(channel, f)) for f in _DIGESTED), _gain(channel.response))
            for name, channels in sorted(self.channels.items())
            for channel in channels
        ]
        return hashlib.sha256(json.dumps(sorted(rows)).encode()).hexdigest()

    def _active(
        self, station: str, start: obspy.UTCDateTime, end: obspy.UTCDateTime
    ) -> Iterator[Channel]:
        for channel in self.channels.get(station, []):
            if channel.start <= end and start <= channel.end:
                yield channel

    def __repr__(self) -> str:
        """Summary in one line."""
        entries = [channel for of_one in self.channels.values() for channel in of_one]
        ids = {(name, c.location, c.code) for name, e in self.channels.items() for c in e if c.code}
        gains = sum(_has_gain(channel.response) for channel in entries)
        return (
            f"Stations({len(self.channels)} stations, {len(ids)} channels, "
            f"{gains} epochs with a response)"
        )


def _epoch(entry) -> tuple[obspy.UTCDateTime, obspy.UTCDateTime]:
    return entry.start_date or ALWAYS[0], entry.end_date or ALWAYS[1]


def _place(entry) -> Station:
    return Station(float(entry.latitude), float(entry.longitude), float(entry.elevation or 0.0))


def _number(value) -> float:
    return np.nan if value is None else float(value)


def _gain(response: Response | None) -> str:
    sensitivity = None if response is None else response.instrument_sensitivity
    return "" if sensitivity is None else f"{sensitivity.value:.9g} {sensitivity.input_units}"


def _has_gain(response: Response | None) -> bool:
    if response is None:
        return False
    sensitivity = response.instrument_sensitivity
    return bool(response.response_stages or (sensitivity is not None and sensitivity.value))


def _flat_response(row: dict) -> Response | None:
    """Response of a table's gain, which is the same at all frequencies."""
    gain = row.get("gain", np.nan)
    if not np.isfinite(gain):
        return None
    sensitivity = InstrumentSensitivity(
        value=gain, frequency=1.0, input_units=row.get("units") or "M/S", output_units="COUNTS"
    )
    return Response(instrument_sensitivity=sensitivity)


def warn_of_missing(picks: Sequence, stations: Stations) -> None:
    """Warn of stations that have picks but no coordinates."""
    missing = {
        pick.trace_id for pick in picks if stations.find(pick.trace_id, pick.peak_time) is None
    }
    if missing:
        seisbench.logger.warning(
            f"No coordinates at the time of the picks for {', '.join(sorted(missing))}: "
            f"these are not located."
        )
