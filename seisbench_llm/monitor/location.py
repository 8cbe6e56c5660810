"""Single-station epicentres from distance and back-azimuth, with their uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..export.origins import REGION
from ..export.quakeml import identifier
from ..export.times import timestamp
from ..extras import install_command
from ..stations import Station
from .tables import pick_key

SINGLE_STATION = "single station"


def sp_distance(sp_time, vp: float = 6.0, vp_vs: float = 1.73):
    """
    Hypocentral distance in km from S minus P in s, d = t vp / (vp/vs - 1), in a uniform medium.

    >>> round(sp_distance(10.0), 1)
    82.2

    :param sp_time: S time minus P time in s.
    :param vp: P velocity in km/s.
    :param vp_vs: Ratio of the P and S velocities, above 1.
    """
    return sp_time * vp / (vp_vs - 1)


@dataclass(frozen=True)
class Epicenter:
    """
    Epicentre from one station, with the region that contains it with a probability of 68 %.

    :param latitude: Latitude in degrees.
    :param longitude: Longitude in degrees, -180 to 180.
    :param uncertainty_km: Largest distance from the epicentre to the edge of the region in km.
    :param major_km: Larger semi-axis in km of the ellipse that is nearest to the region.
    :param minor_km: Smaller semi-axis in km.
    :param azimuth: Azimuth of the larger semi-axis, 0 to 180 degrees.
    :param region: Longitude and latitude of the region's edge, shape (37, 2), closed. At the date
        line, longitudes continue beyond 180. None if the uncertainties are unknown.
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
    Epicentre at a distance and back-azimuth from a station, on the WGS84 ellipsoid (Karney 2013).

    The region is an ellipse in distance and back-azimuth with semi-axes of 1.52 standard
    deviations, which holds 68 % for independent normal errors. On the map it is banana-shaped if
    the back-azimuth is uncertain. QuakeML can only hold an ellipse, which approximates the region.

    :param station: Station.
    :param distance: Epicentral distance in km.
    :param back_azimuth: Direction from the station to the epicentre in degrees.
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
    # Avoid a jump at the date line, and close the region exactly.
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
    """The WGS84 ellipsoid. The error message says how to install pyproj."""
    try:
        from pyproj import Geod
    except ImportError as error:
        raise ImportError(f"Locations need pyproj: {install_command('monitor')}") from error
    return Geod(ellps="WGS84")


def single_station_event(p_pick, s_pick, place: Epicenter, vp_vs: float, error: float) -> dict:
    """
    Event of one station with a P and an S pick.

    The origin time is the P time minus (S - P) / (vp/vs - 1) (Wadati). The depth is unknown.

    :param p_pick: P pick of SeisBench.
    :param s_pick: S pick of the same event.
    :param place: Epicentre, see :py:func:`epicenter`.
    :param vp_vs: Ratio of the P and S velocities.
    :param error: Standard error of picks in s, nan if unknown.
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


@dataclass(frozen=True)
class StationPlace:
    """Station of a P pick, and the epicentre from the estimates at this pick."""

    station: Station
    distance: float = np.nan
    epicenter: Epicenter | None = None


def place_columns(place: StationPlace | None) -> dict:
    """Columns of the table of estimates that need coordinates."""
    if place is None:
        return {}
    columns = {
        "station_latitude": place.station.latitude,
        "station_longitude": place.station.longitude,
    }
    if place.epicenter is not None:
        columns |= {
            "latitude": place.epicenter.latitude,
            "longitude": place.epicenter.longitude,
            "uncertainty_km": place.epicenter.uncertainty_km,
            "uncertainty_region": place.epicenter.to_wkt(),
        }
    return columns
