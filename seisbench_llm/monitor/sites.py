"""Coordinates of the stations of picks, and tables of picks that can be associated."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter

import numpy as np
import obspy
import pandas as pd

from ..export.times import TIME
from ..stations import Station, Stations
from ..streams.picks import apart
from ..trace_ids import station_of

# Picks of one phase at several instruments of a station that are closer than this (s) are one.
SAME_ONSET = 1.0

NO_STATION = "not in the stations file"
NO_EPOCH = "in the stations file, but not at the time of the picks"
NO_PHASE = "neither P nor S"

# P, p, Pg, Pn, Pb and P*, also with the letter for an impulsive or emergent onset. Later phases,
# such as PmP and sP, do not match.
_FIRST = re.compile(r"[IEQ]?([PS])[GNB*]?\d*", re.IGNORECASE)


class Sites:
    """
    Coordinates of stations. Each epoch of a station is looked up once.

    :param stations: Stations from any source.
    """

    def __init__(self, stations: Stations):
        self._stations = stations
        self._bounds: dict[str, list[int]] = {}
        self._found: dict[tuple[str, int], Station | None] = {}

    def find(self, trace_id: str, time: int) -> Station | None:
        """
        Coordinates of a station as :py:meth:`seisbench_llm.stations.Stations.find` has them.

        :param time: Time in microseconds since 1970.
        """
        bounds = self._bounds_of(station_of(trace_id))
        index = bisect_left(bounds, time)
        if index < len(bounds) and bounds[index] == time:
            # The last moment of an epoch may be the first of the next one.
            return self._look_up(trace_id, time)
        key = trace_id, index
        if key not in self._found:
            self._found[key] = self._look_up(trace_id, time)
        return self._found[key]

    def _look_up(self, trace_id: str, time: int) -> Station | None:
        return self._stations.find(trace_id, obspy.UTCDateTime(ns=time * 1000))

    def _bounds_of(self, station: str) -> list[int]:
        if station not in self._bounds:
            channels = self._stations.channels.get(station, [])
            times = {edge.ns // 1000 for c in channels for edge in (c.start, c.end)}
            self._bounds[station] = sorted(times)
        return self._bounds[station]

    def prepare(
        self, frame: pd.DataFrame, skipped: dict[str, Counter] | None = None
    ) -> pd.DataFrame:
        """
        Picks of P and S that have coordinates.

        :param frame: Table of picks in order of time. Its index tells the picks apart.
        :param skipped: Cause -> number of skipped picks of each station, to which is added.
        :return: Table with the same index: ``trace_id``, ``phase`` (P or S), ``us`` (microseconds
            since 1970), ``probability``, ``uncertainty`` (s), ``station`` (NET.STA) and ``place``.
        """
        names = {name: station_of(name) for name in frame["trace_id"].unique()}
        us = frame["time"].astype(TIME).astype("int64").to_numpy()
        matches = {name: _FIRST.fullmatch(str(name)) for name in frame["phase"].unique()}
        waves = {name: match and match[1].upper() for name, match in matches.items()}
        phases = [waves[name] for name in frame["phase"]]
        places: list[Station | None] = []
        for trace_id, phase, time in zip(frame["trace_id"], phases, us, strict=True):
            place = self.find(trace_id, int(time)) if phase else None
            if place is None and skipped is not None:
                known = names[trace_id] in self._stations.channels
                cause = NO_EPOCH if known else NO_STATION
                cause = cause if phase else NO_PHASE
                skipped.setdefault(cause, Counter())[names[trace_id]] += 1
            places.append(place)
        table = pd.DataFrame(
            {
                "trace_id": frame["trace_id"].to_numpy(),
                "phase": np.array(phases, dtype=object),
                "us": us,
                "probability": frame["probability"].to_numpy(dtype=float),
                "uncertainty": frame["time_uncertainty"].to_numpy(dtype=float),
                "station": frame["trace_id"].map(names).to_numpy(),
                "place": pd.Series(places, dtype=object).to_numpy(),
            },
            index=frame.index,
        )
        return table[np.array([place is not None for place in places], dtype=bool)]


def first_places(picks: pd.DataFrame, known: dict[str, Station] | None = None) -> dict:
    """
    NET.STA -> coordinates at its first pick.

    :param picks: Table of :py:meth:`Sites.prepare`.
    :param known: Coordinates from earlier picks, which are kept.
    """
    first = picks.drop_duplicates("station")
    return {**dict(zip(first["station"], first["place"], strict=True)), **(known or {})}


def one_instrument(picks: pd.DataFrame) -> pd.DataFrame:
    """
    Picks without those of further instruments of a station at the same onset.

    The most probable one of each onset is kept.

    :param picks: Table of :py:meth:`Sites.prepare`.
    """
    many = picks.groupby("station")["trace_id"].nunique()
    many = set(many.index[many > 1])
    if not many:
        return picks
    kept = np.ones(len(picks), dtype=bool)
    concerned = np.flatnonzero(picks["station"].isin(many))
    of_both = picks.iloc[concerned].groupby(["station", "phase"]).indices
    for indices in of_both.values():
        own = concerned[indices]
        us, heights = picks["us"].to_numpy()[own], picks["probability"].to_numpy()[own]
        separation = round(SAME_ONSET * 1e9) - 1000
        kept[own] = apart((us - us[0]) * 1000, np.nan_to_num(heights), separation)
    return picks[kept]
