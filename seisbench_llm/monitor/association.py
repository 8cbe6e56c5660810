"""Association and location of events with PyOcto."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from numbers import Integral

import numpy as np
import obspy
import pandas as pd

from ..export.quakeml import identifier
from ..export.tables import (
    ARRIVAL_TYPES,
    EVENT_TYPES,
    empty,
    picks_to_dataframe,
    timestamp,
    typed,
)
from ..extras import install_command
from ..stations import Station, Stations
from .hypocentre import NETWORK, locate, make_locator
from .location import distance_azimuth
from .posterior import ErrorModel
from .sites import Sites, first_places, one_instrument
from .slices import MICRO, Candidate, Member, Slices, settled, window_of, without_twins
from .tables import key_of
from .velocity import VelocityModel

MIN_STATIONS = 3


# Arguments of pyocto.OctoAssociator for networks of a few stations. One thread makes runs
# reproducible.
DEFAULTS = {
    "zlim": (0.0, 30.0),
    "n_picks": 6,
    "n_p_picks": 2,
    "n_s_picks": 2,
    "n_p_and_s_picks": 2,
    "pick_match_tolerance": 1.0,
    "min_node_size_location": 1.5,
    "n_threads": 1,
    # As PyOcto has it. Seams between slices need it, too.
    "max_pick_overlap": 4,
    # As PyOcto has it, but only for events that are near each other, see slices.without_twins.
    "min_interevent_time": 3.0,
}


def import_pyocto():
    """Import PyOcto. The error message says how to install it."""
    try:
        import pyocto
    except ImportError as error:
        raise ImportError(
            f"Association over several stations needs PyOcto: {install_command('monitor')}, "
            "or associate=False."
        ) from error
    return pyocto


def associate(
    picks: Sequence,
    stations: Stations,
    vp: float = 6.0,
    vp_vs: float = 1.73,
    velocity_model=None,
    margin_km: float = 50.0,
    layers=None,
    errors: ErrorModel | None = None,
    **kwargs,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    Associate the picks of several stations to events with PyOcto (Muenchmeyer 2024,
    doi:10.26443/seismica.v3i1.1130), and locate each event again.

    If several instruments of a station have picks less than 1 s apart, only the most probable pick
    is used. Locations are posteriors in a layered medium, see
    :py:mod:`seisbench_llm.monitor.posterior`. A wrong pick loses its weight. Uncertainties contain
    errors of the picks (``time_uncertainty``) and of the medium. A depth that the picks do not
    resolve is nan. PyOcto's ``min_interevent_time`` holds for events less than 50 km apart only.

    :param picks: Picks of SeisBench.
    :param vp: P velocity of the homogeneous medium for the association, in km/s.
    :param vp_vs: Ratio of the P and S velocities, also for layers without vs.
    :param velocity_model: A model of PyOcto for the association, such as
        ``pyocto.VelocityModel1D``, instead of the homogeneous medium.
    :param margin_km: Distance beyond the stations up to which events are searched.
    :param layers: Medium of the locations: a :py:class:`~seisbench_llm.monitor.VelocityModel`, a
        table or a CSV file with depth_km, vp and vs. The default is continental crust.
    :param errors: Errors of the medium and the picks.
    :param kwargs: Arguments of ``pyocto.OctoAssociator`` that differ from ``DEFAULTS``.
    :return: Events in order of time, and arrivals with the index of each event's picks. Both are
        empty, with all columns, if fewer than three stations with picks have coordinates.
    """
    frame = picks_to_dataframe(picks).sort_values(["time", "trace_id", "phase"], kind="stable")
    table = Sites(stations).prepare(frame)
    places = first_places(table)
    if len(places) < MIN_STATIONS:
        return empty(EVENT_TYPES), empty(ARRIVAL_TYPES)
    associator = Associator(places, vp, vp_vs, velocity_model, margin_km, layers, errors, **kwargs)
    numbers = associator.slices.needed(int(table["us"].iloc[0]), int(table["us"].iloc[-1]))
    found = associator.find(numbers, lambda start, stop: window_of(table, start, stop))
    return associator.locate(candidate for of_slice in found for candidate in of_slice)


def _check(vp: float, vp_vs: float, margin_km: float, counts: Mapping) -> None:
    """PyOcto finds nothing, or fails without a name, with other values."""
    if not (0 < vp < np.inf and 1 < vp_vs < np.inf and 0 <= margin_km < np.inf):
        raise ValueError(
            f"vp={vp}, vp_vs={vp_vs} and margin_km={margin_km} are not possible: vp must be above "
            f"0, vp_vs above 1, and margin_km at least 0."
        )
    for name in ("n_picks", "n_p_picks", "n_s_picks", "n_p_and_s_picks"):
        if not (isinstance(value := counts.get(name, 0), Integral) and value >= 0):
            raise ValueError(f"{name}={value!r} is not possible: it must be an integer from 0.")


class Associator:
    """
    Association and location for one network, slice by slice.

    The parameters are those of :py:func:`associate`.

    :param places: NET.STA -> coordinates. They determine where events are searched.
    :raises ImportError: If PyOcto is not installed.
    :raises ValueError: If PyOcto's slices are to be changed.
    """

    def __init__(
        self,
        places: Mapping[str, Station],
        vp: float = 6.0,
        vp_vs: float = 1.73,
        velocity_model=None,
        margin_km: float = 50.0,
        layers=None,
        errors: ErrorModel | None = None,
        **kwargs,
    ):
        pyocto = import_pyocto()
        if "time_slicing" in kwargs:
            raise ValueError("time_slicing cannot be set: slices lie on a grid of times.")
        _check(vp, vp_vs, margin_km, kwargs)
        self.margin_km = margin_km
        self._model = velocity_model or pyocto.VelocityModel0D(vp, vp / vp_vs, tolerance=1.0)
        table = _table(places)
        self._crs = pyocto.OctoAssociator.get_crs(table)
        self._projection = pyocto.OctoAssociator(
            (0, 0), (0, 0), (0, 0), self._model, 0, crs=self._crs, n_threads=1
        )
        table = self._projection.transform_stations(table)
        limits = {
            f"{axis}lim": (
                float(table[axis].min()) - margin_km,
                float(table[axis].max()) + margin_km,
            )
            for axis in "xy"
        }
        extent = float(np.hypot(*(np.ptp(table[axis]) + margin_km for axis in "xy")))
        settings = {**DEFAULTS, **limits, "time_before": extent / vp * vp_vs, **kwargs}
        self.slices = Slices(settings["time_before"])
        # One slice of PyOcto holds the window, so that its own slices do not cut it.
        settings["time_slicing"] = self.slices.span + settings["time_before"]
        self.settings = settings
        try:
            self._associator = pyocto.OctoAssociator(
                velocity_model=self._model,
                crs=self._crs,
                **{**settings, "min_interevent_time": 0.0},
            )
        except TypeError as error:
            given = ", ".join(f"{name}={value!r}" for name, value in kwargs.items())
            raise ValueError(f"PyOcto does not take {given}.") from error
        self._locator = make_locator(
            VelocityModel.read(layers, vp_vs), list(places.values()), errors, settings["zlim"][1]
        )

    def find(
        self, numbers: range, picks_between: Callable[[int, int], pd.DataFrame]
    ) -> Iterator[list[Candidate]]:
        """
        Events of consecutive slices before they are located.

        :param numbers: Numbers of the slices.
        :param picks_between: Function that returns the picks from a start to before a stop, which
            are microseconds since 1970, as a table of
            :py:meth:`seisbench_llm.monitor.sites.Sites.prepare`.
        """

        def candidates(number: int) -> list[Candidate]:
            return self._candidates(number, picks_between(*self.slices.window(number)))

        return settled(numbers, candidates, self.slices, self.settings)

    def _candidates(self, number: int, picks: pd.DataFrame) -> list[Candidate]:
        """Events that PyOcto finds in the window of a slice, in it or near its seams."""
        # PyOcto fails without picks.
        least = max(self.settings["n_picks"], 1)
        # Most windows have so few that even the search for further instruments takes longer.
        if len(picks) < least:
            return []
        picks = one_instrument(picks)
        if len(picks) < least:
            return []
        start = self.slices.window(number)[0]
        stations = self._projection.transform_stations(_table(first_places(picks)))
        frame = pd.DataFrame(
            {
                "station": picks["station"].to_numpy(),
                "phase": picks["phase"].to_numpy(),
                "time": (picks["us"].to_numpy() - start) / MICRO,
            }
        )
        events, assignments = self._associator.associate(frame, stations)
        if not len(events):
            return []
        groups = dict(iter(assignments.groupby("event_idx")["pick_idx"]))
        found = []
        for event in self._associator.transform_events(events).itertuples():
            us = start + round(event.time * MICRO)
            if self.slices.holds(number, us):
                members = picks.iloc[np.sort(groups[event.idx].to_numpy())]
                edge = _at_edge(event, self.settings)
                found.append(
                    Candidate(us, event.latitude, event.longitude, edge, _members(members))
                )
        return without_twins(found, self.settings)

    def locate(self, candidates: Iterable[Candidate]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """
        Located events in order of time, and their arrivals.

        :return: Columns of ``EVENT_TYPES`` and ``ARRIVAL_TYPES``. The picks of arrivals are the
            index of the table of picks.
        """
        located = [self._locate(candidate) for candidate in candidates]
        located.sort(key=lambda entry: (entry[0]["time"], entry[0]["event_id"]))
        arrivals = [(row["event_id"], *member) for row, members in located for member in members]
        return typed([row for row, _ in located], EVENT_TYPES), typed(arrivals, ARRIVAL_TYPES)

    def _locate(self, event: Candidate) -> tuple[dict, list]:
        """
        Row of an event, and index, distance, azimuth, residual and weight of each of its picks.
        """
        picks, start = event.picks, event.picks[0].us
        # A station is at one place, even if it has instruments at several ones.
        places = {pick.station: pick.place for pick in reversed(picks)}
        row, found = locate(
            self._locator,
            [places[pick.station] for pick in picks],
            [pick.phase for pick in picks],
            # Relative times keep more digits than seconds since 1970.
            [(pick.us - start) / MICRO for pick in picks],
            [pick.uncertainty for pick in picks],
            near=(event.latitude, event.longitude),
            margin_km=self.margin_km,
        )
        keys = sorted(key_of(pick.trace_id, pick.phase, pick.us * 1000) for pick in picks)
        row |= {
            "event_id": identifier("PyOcto", *keys),
            "time": timestamp(obspy.UTCDateTime(ns=start * 1000) + row["time"]),
            "picks": len(picks),
            "stations": len(places),
            "method": NETWORK,
            "at_edge": bool(row["at_edge"] or event.at_edge),
        }
        members = [
            (
                pick.row,
                *distance_azimuth(places[pick.station], row["latitude"], row["longitude"]),
                float(residual),
                float(weight),
            )
            for pick, residual, weight in zip(picks, found.residuals, found.weights, strict=True)
        ]
        return row, members


def _table(places: Mapping[str, Station]) -> pd.DataFrame:
    """Stations as PyOcto has them, in order of their names."""
    return pd.DataFrame(
        {"id": name, "latitude": s.latitude, "longitude": s.longitude, "elevation": s.elevation}
        for name, s in sorted(places.items())
    )


def _members(picks: pd.DataFrame) -> tuple[Member, ...]:
    columns = ["trace_id", "phase", "us", "uncertainty", "station", "place"]
    rows = zip(picks.index, *(picks[column] for column in columns), strict=True)
    return tuple(Member(int(row), *rest) for row, *rest in rows)


def _at_edge(event, settings: dict) -> bool:
    """
    Whether the best location is at a limit of the search, other than the surface. Most of these
    are not real events.
    """
    sides = [limit for axis in "xyz" for limit in _sides(event, axis, settings)]
    return min(sides) < settings["min_node_size_location"]


def _sides(event, axis: str, settings: dict) -> list[float]:
    low, high = settings[f"{axis}lim"]
    value = getattr(event, axis)
    return [high - value] if axis == "z" else [value - low, high - value]
