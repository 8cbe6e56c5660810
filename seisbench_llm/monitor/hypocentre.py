"""Hypocentres of events at several stations, as columns of the table of events."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..export.origins import CONFIDENCE, COVARIANCE
from ..extras import install_command
from ..stations import Station
from .location import distance_azimuth, import_geod
from .posterior import ErrorModel, Locator, Observations, Posterior
from .velocity import VelocityModel

# Name of the method in tables and catalogues.
NETWORK = "network"

# Largest distance of the search from the associated location, in km.
FARTHEST_KM = 100.0

# A depth is resolved if its interval is narrower than this share of the interval without any pick.
RESOLVED = 0.5

# An event with more than this probability at a side or the bottom of the search is elsewhere, or is
# not a real event.
AT_EDGE = 0.05


def make_locator(
    model: VelocityModel,
    stations: Sequence[Station],
    errors: ErrorModel | None = None,
    deepest: float = 30.0,
) -> Locator:
    """
    Make a locator for a network.

    :param stations: Stations of the network. The median of their elevations is the upper limit of
        the search.
    :param deepest: Largest depth in km below sea level.
    """
    surface = -float(np.median([station.elevation for station in stations])) / 1e3
    return Locator(model, errors or ErrorModel(), (surface, max(deepest, surface + 1.0)))


def locate(
    locator: Locator,
    stations: Sequence[Station],
    phases: Sequence[str],
    times: Sequence[float],
    uncertainties: Sequence[float],
    near: tuple[float, float] | None = None,
    margin_km: float = 50.0,
) -> tuple[dict, Posterior]:
    """
    Locate one event.

    :param stations: Station of each pick.
    :param phases: Phase of each pick, P or S.
    :param times: Time of each pick in s.
    :param uncertainties: Uncertainty of each pick in s, nan if unknown.
    :param near: Latitude and longitude of a first guess. The default is the mean of the stations.
    :param margin_km: Distance beyond the stations up to which the event is searched, at most
        ``FARTHEST_KM`` from the guess.
    :return: Columns of the table of events, see docs/reference/tables.md, and the posterior in km
        east and north of the guess.
    """
    latitudes = np.array([station.latitude for station in stations])
    longitudes = np.array([station.longitude for station in stations])
    if near is None:
        east = (longitudes - longitudes[0] + 180) % 360 - 180
        near = float(latitudes.mean()), float(longitudes[0] + east.mean())
    project = _projection(*near)
    x, y = (np.asarray(v) / 1e3 for v in project(longitudes, latitudes))
    limits = [
        (
            max(float(v.min()) - margin_km, -FARTHEST_KM),
            min(float(v.max()) + margin_km, FARTHEST_KM),
        )
        for v in (x, y)
    ]
    picks = Observations(
        x,
        y,
        # Travel times are cached in steps of 50 m.
        np.array([round(station.elevation / 50) / 20 for station in stations]),
        np.asarray(phases, dtype=object),
        np.asarray(times, dtype=float),
        np.asarray(uncertainties, dtype=float),
    )
    found = locator.locate(picks, *limits)
    longitude, latitude = project(*(found.mean[:2] * 1e3), inverse=True)
    likeliest = project(*(found.likeliest[:2] * 1e3), inverse=True)
    major, minor, azimuth = found.region(CONFIDENCE)
    covariance = found.covariance
    columns = {
        "time": float(found.mean[3]),
        "time_uncertainty": float(np.sqrt(covariance[3, 3])),
        "latitude": float(latitude),
        "longitude": float(longitude),
        "map_latitude": float(likeliest[1]),
        "map_longitude": float(likeliest[0]),
        "map_depth_km": float(found.likeliest[2]),
        "uncertainty_km": major,
        "ellipse_major_km": major,
        "ellipse_minor_km": minor,
        "ellipse_azimuth": azimuth,
        "rms": float(np.sqrt(np.mean(found.residuals**2))),
        "at_edge": found.at_edge > AT_EDGE,
        **{f"cov_{name}": float(covariance[at]) for name, at in COVARIANCE.items()},
        **_depth(found, locator.limits),
        **network_of(stations, float(latitude), float(longitude)),
    }
    return columns, found


def _depth(found: Posterior, limits: tuple[float, float]) -> dict:
    """Depth and its interval. The depth is nan if the picks do not resolve it."""
    low, high, median = found.depths(CONFIDENCE)
    resolved = high - low < RESOLVED * CONFIDENCE * (limits[1] - limits[0])
    told = {"depth_km": median, "depth_uncertainty_km": float(np.sqrt(found.covariance[2, 2]))}
    return {
        "depth_low_km": low,
        "depth_high_km": high,
        "depth_resolved": bool(resolved),
        **(told if resolved else dict.fromkeys(told, np.nan)),
    }


def network_of(stations: Sequence[Station], latitude: float, longitude: float) -> dict:
    """Columns on the stations: azimuthal gap in degrees and distance of the nearest one in km."""
    places = {(s.latitude, s.longitude): s for s in stations}
    ways = [distance_azimuth(place, latitude, longitude) for place in places.values()]
    azimuths = np.sort([azimuth for _, azimuth in ways])
    return {
        "azimuthal_gap": float(np.diff([*azimuths, azimuths[0] + 360]).max()),
        "nearest_station_km": min(distance for distance, _ in ways),
    }


def _projection(latitude: float, longitude: float):
    """Azimuthal equidistant projection around a point, in metres east and north."""
    import_geod()
    try:
        from pyproj import Proj
    except ImportError as error:
        raise ImportError(f"Locations need pyproj: {install_command('monitor')}") from error
    return Proj(proj="aeqd", lat_0=latitude, lon_0=longitude, ellps="WGS84")
