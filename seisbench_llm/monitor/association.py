"""Association and location of events with PyOcto."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import chi2

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
from .location import REGION, distance_azimuth
from .tables import pick_key

MIN_STATIONS = 3


# Of pyocto.OctoAssociator, for networks of a few stations; one thread, so that runs are the same.
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


# Picks are not better than this, in s, however small the residuals.
SMALLEST_RESIDUAL = 0.1


# Share of the travel time by which the medium is wrong: few picks fit any medium.
MODEL_ERROR = 0.05


def import_pyocto():
    """PyOcto, or how to get it."""
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
    **kwargs,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    Find events that explain the picks of several stations, and locate them, with PyOcto
    (Muenchmeyer 2024, doi:10.26443/seismica.v3i1.1130).

    Of picks at several instruments of a station that are less than 1 s apart, only the most
    probable one takes part. Uncertainties are those of picks (``SMALLEST_RESIDUAL``) and of
    travel times that the medium has wrong by ``MODEL_ERROR``, or larger if the residuals are
    (chi-square test, 5 %), carried through the travel times of straight rays (Geiger's
    linearised covariance); they do not hold wrong associations. A depth that the picks do not
    resolve is nan.

    :param picks: Picks of SeisBench.
    :param vp: Velocity of P in km/s, of the homogeneous default model and of the uncertainties.
    :param vp_vs: Its ratio to the velocity of S.
    :param velocity_model: A model of PyOcto, such as ``pyocto.VelocityModel1D``, to use instead.
    :param margin_km: How far beyond the stations events are searched.
    :param kwargs: Arguments of ``pyocto.OctoAssociator`` that differ from ``DEFAULTS``.
    :return: Events in the order of time, and arrivals with the index of each event's picks.
        Empty, with all columns, if fewer than three stations with picks have coordinates.
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
    table = table.set_index("id")
    rows, arrivals = [], []
    for event in events.itertuples():
        assigned = assignments[assignments["event_idx"] == event.idx]
        indices = [used[i] for i in assigned["pick_idx"]]
        names = [station_of(picks[i].trace_id) for i in indices]
        phases = np.array([picks[i].phase for i in indices])
        residuals = assigned["residual"].to_numpy()
        name = identifier("PyOcto", *sorted(pick_key(picks[i]) for i in indices))
        ways = [distance_azimuth(sites[n], event.latitude, event.longitude) for n in names]
        arrivals += [
            (name, index, *way, residual)
            for index, way, residual in zip(indices, ways, residuals, strict=True)
        ]
        azimuths = np.sort([azimuth for _, azimuth in ways])
        errors = _uncertainty(
            event,
            table.loc[names, ["x", "y", "z"]].to_numpy(),
            np.where(phases == "P", vp, vp / vp_vs),
            residuals,
            settings["min_node_size_location"],
        )
        rows.append(
            {
                "event_id": name,
                "time": timestamp(event.time),
                "latitude": event.latitude,
                "longitude": event.longitude,
                "picks": len(indices),
                "stations": len(set(names)),
                "rms": np.sqrt(np.mean(residuals**2)),
                "azimuthal_gap": np.diff([*azimuths, azimuths[0] + 360]).max(),
                "method": "PyOcto",
                "at_edge": _at_edge(event, settings),
                **errors,
                **_depth(event.depth, errors, np.ptp(settings["zlim"])),
            }
        )
    return typed(rows, EVENT_TYPES), typed(arrivals, ARRIVAL_TYPES)


def _depth(depth: float, errors: dict, extent: float) -> dict:
    """
    Depth and its uncertainty in km; nan unless the picks resolve it.

    They do if it is known better than to lie somewhere in the search: less than the standard
    deviation of a uniform distribution, which is the extent divided by the square root of 12.

    :param extent: Of the search, in km.
    """
    error = errors.get("depth_uncertainty_km", np.inf)
    if error < extent / np.sqrt(12):
        return {"depth_km": depth, "depth_uncertainty_km": error}
    return {"depth_km": np.nan, "depth_uncertainty_km": np.nan}


def _sites(picks: Sequence, stations: Stations) -> tuple[dict[str, Station], list[int]]:
    """Stations of the picks, and indices of the picks that PyOcto gets."""
    sites, groups, instruments = {}, defaultdict(list), defaultdict(set)
    for index, pick in enumerate(picks):
        name = station_of(pick.trace_id)
        place = sites.get(name) or stations.find(pick.trace_id, pick.peak_time)
        # PyOcto ends the process if a pick's station is not known.
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
    """Whether the best place is a limit of the search, bar the surface: most often no event."""
    sides = [limit for axis in "xyz" for limit in _sides(event, axis, settings)]
    return min(sides) < settings["min_node_size_location"]


def _sides(event, axis: str, settings: dict) -> list[float]:
    low, high = settings[f"{axis}lim"]
    value = getattr(event, axis)
    return [high - value] if axis == "z" else [value - low, high - value]


def _uncertainty(
    event, sites: np.ndarray, speeds: np.ndarray, residuals: np.ndarray, node: float = 0.0
) -> dict:
    """Ellipse (68 %) and standard deviations of depth and time; nothing if not resolved."""
    away = np.array([event.x, event.y, event.z]) - sites
    lengths = np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-3)
    matrix = np.hstack([away / lengths / speeds[:, None], np.ones((len(speeds), 1))])
    unknowns = matrix.shape[1]
    if len(speeds) <= unknowns or np.linalg.cond(matrix) > 1e6:
        return {}
    variance = SMALLEST_RESIDUAL**2 + (MODEL_ERROR * lengths[:, 0] / speeds) ** 2
    squares, freedom = np.sum(residuals**2 / variance), len(speeds) - unknowns
    # Few residuals are small or large by chance.
    if squares > chi2.ppf(0.95, freedom):
        variance = variance * squares / freedom
    solution = np.linalg.pinv(matrix)
    covariance = solution @ (variance[:, None] * solution.T)
    # PyOcto answers with the centre of a node: a uniform error.
    covariance[:3, :3] += np.eye(3) * node**2 / 12
    values, vectors = np.linalg.eigh(covariance[:2, :2])
    minor, major = REGION * np.sqrt(values)
    return {
        "time_uncertainty": np.sqrt(covariance[3, 3]),
        "depth_uncertainty_km": np.sqrt(covariance[2, 2]),
        "uncertainty_km": major,
        "ellipse_major_km": major,
        "ellipse_minor_km": minor,
        "ellipse_azimuth": np.degrees(np.arctan2(*vectors[:, 1])) % 180,
    }
