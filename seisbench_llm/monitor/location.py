"""Single-station epicentres: from distance and back-azimuth, with their uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..export.origins import REGION
from ..export.quakeml import identifier
from ..export.tables import timestamp
from ..extras import install_command
from ..stations import Station
from .tables import pick_key

SINGLE_STATION = "single station"


def sp_distance(sp_time, vp: float = 6.0, vp_vs: float = 1.73):
    """
    Hypocentral distance in km from S minus P in s, d = t vp / (vp/vs - 1), in a uniform medium.

    >>> round(sp_distance(10.0), 1)
    82.2

    :param vp: Velocity of P in km/s.
    :param vp_vs: Its ratio to the velocity of S, above 1.
    """
    return sp_time * vp / (vp_vs - 1)


@dataclass(frozen=True)
class Epicenter:
    """
    Epicentre from one station, with the region that holds it with a probability of 68 %.

    :param latitude: Degrees.
    :param longitude: Degrees, -180 to 180.
    :param uncertainty_km: Largest distance from the epicentre to the edge of the region.
    :param major_km: Larger semi-axis of the ellipse that is nearest to the region.
    :param minor_km: Smaller one.
    :param azimuth: Azimuth of the larger one, 0 to 180 degrees.
    :param region: Longitude and latitude of the region's edge, shape (37, 2), closed; longitudes
        go on beyond 180 at the date line. None if the uncertainties are not known.
    """

    latitude: float
    longitude: float
    uncertainty_km: float = np.nan
    major_km: float = np.nan
    minor_km: float = np.nan
    azimuth: float = np.nan
    region: np.ndarray | None = None

    def to_wkt(self) -> str | None:
        """The region as well-known text, longitude before latitude."""
        if self.region is None:
            return None
        return f"POLYGON (({', '.join(f'{x:.4f} {y:.4f}' for x, y in self.region)}))"


def epicenter(
    station: Station,
    distance: float,
    back_azimuth: float,
    distance_error: float = np.nan,
    back_azimuth_error: float = np.nan,
) -> Epicenter:
    """
    Go from a station over a distance along a back-azimuth, on the WGS84 ellipsoid (Karney 2013).

    The region is an ellipse in distance and back-azimuth, with semi-axes of 1.52 standard
    deviations (68 % for independent normal errors), drawn on the map: a banana if the back-azimuth
    is uncertain, which the ellipse that QuakeML can hold only resembles.

    :param distance: Epicentral distance in km.
    :param back_azimuth: Degrees, from the station to the epicentre.
    :param distance_error: Standard deviation in km.
    :param back_azimuth_error: Standard deviation in degrees.
    """
    geod = import_geod()
    x, y, _ = geod.fwd(station.longitude, station.latitude, back_azimuth, distance * 1e3)
    if not np.isfinite([distance_error, back_azimuth_error]).all():
        return Epicenter(float(y), float(x))
    angle = np.linspace(0, 2 * np.pi, 37)
    width = min(REGION * back_azimuth_error, 180.0)
    distances = np.maximum(distance + REGION * distance_error * np.cos(angle), 0)
    directions = back_azimuth + width * np.sin(angle)
    sources = np.full(angle.size, station.longitude), np.full(angle.size, station.latitude)
    xs, ys, _ = geod.fwd(*sources, directions, distances * 1e3)
    _, _, away = geod.inv(np.full(angle.size, x), np.full(angle.size, y), xs, ys)
    # Closed exactly, and without a jump at the date line.
    xs = x + (np.asarray(xs) - x + 180) % 360 - 180
    region = np.stack([xs, ys], axis=-1)
    region[-1] = region[0]
    radial, across = REGION * distance_error, distance * np.sin(np.radians(min(width, 90.0)))
    direction = back_azimuth if radial >= across else back_azimuth + 90
    return Epicenter(
        float(y),
        float(x),
        float(np.max(away)) / 1e3,
        max(radial, across),
        min(radial, across),
        direction % 180,
        region,
    )


def distance_azimuth(station: Station, latitude: float, longitude: float) -> tuple[float, float]:
    """Distance in km and azimuth in degrees (0 to 360) from an epicentre to a station."""
    azimuth, _, metres = import_geod().inv(longitude, latitude, station.longitude, station.latitude)
    return metres / 1e3, azimuth % 360


def import_geod():
    """The WGS84 ellipsoid, or how to get what it needs."""
    try:
        from pyproj import Geod
    except ImportError as error:
        raise ImportError(f"Locations need pyproj: {install_command('monitor')}") from error
    return Geod(ellps="WGS84")


def single_station_event(p_pick, s_pick, place: Epicenter, vp_vs: float, error: float) -> dict:
    """
    Event of one station with a P and an S pick: its origin time, and the epicentre as it is.

    The origin time is the P time less (S - P) / (vp/vs - 1) (Wadati); the depth stays unknown.

    :param p_pick: P pick of SeisBench.
    :param s_pick: S pick that belongs to it.
    :param place: See :py:func:`epicenter`.
    :param error: Standard error of picks in s, nan if it is not known.
    :return: Row of a table of events, see :py:data:`seisbench_llm.export.tables.EVENT_TYPES`.
    """
    travel = (s_pick.peak_time - p_pick.peak_time) / (vp_vs - 1)
    return {
        "event_id": identifier(SINGLE_STATION, pick_key(p_pick), pick_key(s_pick)),
        "time": timestamp(p_pick.peak_time - travel),
        "time_uncertainty": error * np.hypot(vp_vs, 1) / (vp_vs - 1),
        "latitude": place.latitude,
        "longitude": place.longitude,
        "uncertainty_km": place.uncertainty_km,
        "ellipse_major_km": place.major_km,
        "ellipse_minor_km": place.minor_km,
        "ellipse_azimuth": place.azimuth,
        "depth_resolved": False,
        "picks": 2,
        "stations": 1,
        "method": SINGLE_STATION,
        "at_edge": False,
    }
