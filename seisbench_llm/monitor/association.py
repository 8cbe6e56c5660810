"""Association and location of events with PyOcto."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..export.formats import picks_to_pyocto
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
from ..streams.picks import separate
from ..trace_ids import station_of
from .hypocentre import NETWORK, locate, make_locator
from .location import distance_azimuth
from .posterior import ErrorModel
from .tables import pick_key
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
    resolve is nan.

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
    sites, used = _sites(picks, stations)
    if len(sites) < MIN_STATIONS:
        return empty(EVENT_TYPES), empty(ARRIVAL_TYPES)
    pyocto = import_pyocto()
    table = pd.DataFrame(
        {"id": name, "latitude": s.latitude, "longitude": s.longitude, "elevation": s.elevation}
        for name, s in sites.items()
    )
    model = velocity_model or pyocto.VelocityModel0D(vp, vp / vp_vs, tolerance=1.0)
    crs = pyocto.OctoAssociator.get_crs(table)
    projection = pyocto.OctoAssociator((0, 0), (0, 0), (0, 0), model, 0, crs=crs, n_threads=1)
    table = projection.transform_stations(table)
    limits = {
        f"{axis}lim": (float(table[axis].min()) - margin_km, float(table[axis].max()) + margin_km)
        for axis in "xy"
    }
    extent = float(np.hypot(*(np.ptp(table[axis]) + margin_km for axis in "xy")))
    settings = {**DEFAULTS, **limits, "time_before": extent / vp * vp_vs, **kwargs}
    associator = pyocto.OctoAssociator(velocity_model=model, crs=crs, **settings)
    frame = picks_to_pyocto(picks_to_dataframe(picks[index] for index in used))
    frame["station"] = frame["trace_id"].map(station_of)
    events, assignments = associator.associate(frame, table)
    if not len(events):
        return empty(EVENT_TYPES), empty(ARRIVAL_TYPES)
    events = associator.transform_events(events).sort_values("time")
    locator = make_locator(
        VelocityModel.read(layers, vp_vs),
        list(sites.values()),
        errors,
        settings["zlim"][1],
    )
    rows, arrivals = [], []
    for event in events.itertuples():
        assigned = assignments[assignments["event_idx"] == event.idx]
        indices = [used[i] for i in assigned["pick_idx"]]
        row, members = _located(event, [picks[i] for i in indices], sites, locator, margin_km)
        row["at_edge"] = bool(row["at_edge"] or _at_edge(event, settings))
        rows.append(row)
        arrivals += [
            (row["event_id"], index, *member)
            for index, member in zip(indices, members, strict=True)
        ]
    table = typed(rows, EVENT_TYPES)
    return table.sort_values("time", ignore_index=True), typed(arrivals, ARRIVAL_TYPES)


def _located(event, picks: Sequence, sites: dict, locator, margin_km: float) -> tuple[dict, list]:
    """Row of an event, and distance, azimuth, residual and weight of each of its picks."""
    names = [station_of(pick.trace_id) for pick in picks]
    start = picks[0].peak_time
    row, found = locate(
        locator,
        [sites[name] for name in names],
        [pick.phase for pick in picks],
        # Relative times keep more digits than seconds since 1970.
        [pick.peak_time - start for pick in picks],
        [_number(getattr(pick, "time_uncertainty", None)) for pick in picks],
        near=(event.latitude, event.longitude),
        margin_km=margin_km,
    )
    row |= {
        "event_id": identifier("PyOcto", *sorted(pick_key(pick) for pick in picks)),
        "time": timestamp(start + row["time"]),
        "picks": len(picks),
        "stations": len(set(names)),
        "method": NETWORK,
    }
    ways = [distance_azimuth(sites[n], row["latitude"], row["longitude"]) for n in names]
    members = [
        (*way, float(residual), float(weight))
        for way, residual, weight in zip(ways, found.residuals, found.weights, strict=True)
    ]
    return row, members


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _sites(picks: Sequence, stations: Stations) -> tuple[dict[str, Station], list[int]]:
    """Stations of the picks, and indices of the picks for PyOcto."""
    sites, groups, instruments = {}, defaultdict(list), defaultdict(set)
    for index, pick in enumerate(picks):
        name = station_of(pick.trace_id)
        place = sites.get(name) or stations.find(pick.trace_id, pick.peak_time)
        # PyOcto ends the process if the station of a pick is unknown.
        if place is not None and pick.phase in ("P", "S"):
            sites[name] = place
            groups[name, pick.phase].append(index)
            instruments[name].add(pick.trace_id)
    used = []
    for (name, _), indices in groups.items():
        if len(instruments[name]) > 1:
            kept = {id(pick) for pick in separate([picks[i] for i in indices], 1.0)}
            indices = [i for i in indices if id(picks[i]) in kept]
        used.extend(indices)
    return sites, sorted(used)


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
