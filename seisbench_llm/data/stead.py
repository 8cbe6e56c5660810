"""Distance and back-azimuth from coordinates, for STEAD and for any SeisBench data set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import seisbench
import seisbench.data
from obspy.geodetics import gps2dist_azimuth

from .metadata import COLUMNS, SOURCE_COORDINATES, STATION_COORDINATES, first_column

COORDINATES = (*SOURCE_COORDINATES, *STATION_COORDINATES)
DISTANCE, BACK_AZIMUTH = COLUMNS["distance"][0], COLUMNS["back_azimuth"][0]


@dataclass(frozen=True)
class GeometryReport:
    """
    Comparison of published distances and back-azimuths with those from coordinates.

    :param rows: Number of rows.
    :param located: Number of rows with coordinates of source and station. Other rows are not
        changed.
    :param distances: Number of located rows with a published distance.
    :param wrong_distances: Number of these rows that are off by more than the tolerance.
    :param worst_distance: Largest difference in km.
    :param back_azimuths: Number of located rows with a published back-azimuth, except those whose
        source and station are too close for a direction.
    :param wrong_back_azimuths: Number of these rows that are off by more than the tolerance.
    :param azimuths: Number of wrong rows whose value is the azimuth from the source.
    :param examples: Names of the first few traces with a wrong back-azimuth.
    """

    rows: int
    located: int
    distances: int
    wrong_distances: int
    worst_distance: float
    back_azimuths: int
    wrong_back_azimuths: int
    azimuths: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.located} of {self.rows} rows have coordinates. Distance: "
            f"{self.wrong_distances} of {self.distances} published values disagree, by up to "
            f"{self.worst_distance:.1f} km. Back-azimuth: {self.wrong_back_azimuths} of "
            f"{self.back_azimuths} disagree; {self.azimuths} of them are the azimuth."
        )


def complete_geometry(
    metadata: pd.DataFrame,
    distance_tolerance: float = 1.0,
    angle_tolerance: float = 2.0,
    nearest: float = 1.0,
) -> GeometryReport:
    """
    Compute distance and back-azimuth from coordinates in place, and compare them with published
    values.

    It writes ``path_ep_distance_km`` and ``path_back_azimuth_deg`` for every row with coordinates
    (WGS84 ellipsoid, :py:func:`obspy.geodetics.gps2dist_azimuth`; 10 s for a million rows).
    Published values are kept in columns with the ending ``_published``. A second call compares with
    those. Rows without coordinates keep their values.

    :param metadata: Metadata of any data set in SeisBench's format.
    :param distance_tolerance: Distances that differ by more km than this disagree. In addition, 1 %
        of the distance is allowed, because many catalogues use a sphere.
    :param angle_tolerance: Back-azimuths that differ by more degrees than this disagree.
    :param nearest: Distance in km below which directions are not compared.
    :return: Numbers of values that agree and disagree.
    :raises ValueError: If a column with coordinates is missing.
    """
    missing = [name for name in COORDINATES if name not in metadata.columns]
    if missing:
        raise ValueError(f"Distance and back-azimuth need the columns {', '.join(missing)}.")
    points = metadata[list(COORDINATES)].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    located = np.isfinite(points).all(axis=1) & (np.abs(points[:, [0, 2]]) <= 90).all(axis=1)
    geometry = np.full((len(points), 3), np.nan)
    for row in np.flatnonzero(located):
        geometry[row] = gps2dist_azimuth(*points[row])
    distance, azimuth, back_azimuth = geometry[:, 0] / 1000, geometry[:, 1], geometry[:, 2]

    published_distance = _published(metadata, COLUMNS["distance"])
    published_angle = _published(metadata, COLUMNS["back_azimuth"])
    metadata[DISTANCE] = np.where(located, distance, published_distance)
    metadata[BACK_AZIMUTH] = np.where(located, back_azimuth % 360, published_angle)

    off = np.abs(published_distance - distance)
    comparable = np.isfinite(published_angle) & (distance >= nearest)
    wrong = comparable & (_angle(published_angle, back_azimuth) > angle_tolerance)
    azimuths = wrong & (_angle(published_angle, azimuth) <= angle_tolerance)
    names = metadata["trace_name"] if "trace_name" in metadata else metadata.index.to_series()
    return GeometryReport(
        rows=len(metadata),
        located=int(located.sum()),
        distances=int(np.isfinite(off).sum()),
        wrong_distances=int((off > distance_tolerance + 0.01 * distance).sum()),
        worst_distance=float(np.nanmax(off, initial=0.0)),
        back_azimuths=int(comparable.sum()),
        wrong_back_azimuths=int(wrong.sum()),
        azimuths=int(azimuths.sum()),
        examples=tuple(str(name) for name in names[wrong].head(5)),
    )


class STEAD(seisbench.data.STEAD):
    """
    :py:class:`seisbench.data.STEAD` with distance and back-azimuth from coordinates.

    Some of the published back-azimuths are azimuths, and SeisBench's copy has no
    ``path_ep_distance_km``. Data, cache and arguments are SeisBench's; see
    :py:func:`complete_geometry` for the columns, which works on other data sets as well:

    .. code:: python

        report = complete_geometry(dataset.metadata)
        dataset.metadata_cache = dataset.metadata_cache  # if it was filled before

    :param kwargs: Passed to :py:class:`seisbench.data.STEAD`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.geometry_report = complete_geometry(self.metadata)
        # The lookup table was filled before the metadata were complete.
        self.metadata_cache = self.metadata_cache
        faults = self.geometry_report.wrong_distances + self.geometry_report.wrong_back_azimuths
        log = seisbench.logger.warning if faults else seisbench.logger.info
        log(f"STEAD: {self.geometry_report}")


def _published(metadata: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """Published values. The first call keeps them in a column of their own."""
    kept = f"{names[0]}_published"
    if kept not in metadata.columns:
        column = first_column(metadata.columns, *names)
        metadata[kept] = np.nan if column is None else pd.to_numeric(metadata[column], "coerce")
    return metadata[kept].to_numpy(float)


def _angle(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angle between two directions, 0 to 180 degrees."""
    return np.abs((first - second + 180) % 360 - 180)
