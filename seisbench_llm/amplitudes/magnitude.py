"""Local magnitudes: scales, station corrections, and means over the stations of an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

# Standard deviation of a station's ML around the ML of the event: the value for one or two
# stations, and the smallest value for more. Stations differ in radiation and in the ground below.
ONE_STATION, LEAST = 0.3, 0.1

# Standard error that all stations of an event share: of the scale in a region, of instruments and
# ground that are alike, and of the catalogue's magnitude. It was chosen on OpenEEW's events in
# Mexico, so that about 68 % of them are within one error (benchmarks/quality/magnitudes.py).
COMMON = 0.3

# Standard error of the ML of one station.
STATION_ERROR = float(np.hypot(ONE_STATION, COMMON))

# Depth of a sensor in m from which it has the correction of a borehole: a quarter of the wavelength
# of S at 2.5 Hz and 1 km/s.
BOREHOLE_M = 100.0


@dataclass(frozen=True)
class Scale:
    """
    ML = log10(A) + a log10(R) + b R + c + d exp(-R / e).

    A is the largest Wood-Anderson amplitude in nm at a gain of 1. R is the hypocentral distance in
    km.

    :param source: Publication of the scale.
    """

    a: float
    b: float
    c: float
    source: str
    d: float = 0.0
    e: float = 1.0


SCALES = {
    "iaspei": Scale(1.11, 0.00189, -2.09, "IASPEI 2013, after Hutton and Boore 1987"),
    "norway": Scale(0.91, 0.00087, -1.67, "Alsaker and others 1991"),
    "uk": Scale(0.95, 0.00183, -1.76, "Ottemoeller and Sargeant 2013"),
    "near": Scale(1.11, 0.00189, -2.09, "Luckett and others 2019", -1.16, 5.0),
}


def local_magnitude(amplitude_nm, distance_km, scale: str | Scale = "iaspei"):
    """
    Local magnitude of an amplitude at a distance.

    >>> round(float(local_magnitude(480.8, 100.0)), 2)
    3.0

    :param amplitude_nm: Largest amplitude on one horizontal component of a Wood-Anderson
        seismometer (0.8 s, damping 0.7) in nm, at a gain of 1.
    :param distance_km: Hypocentral distance in km.
    :param scale: Name in ``SCALES``, or a scale.
    :return: ML, nan where amplitude or distance is not above zero.
    :raises ValueError: If the scale is unknown. The message lists the known scales.
    """
    if not isinstance(scale, Scale):
        if scale not in SCALES:
            raise ValueError(
                f"Unknown magnitude scale '{scale}'. Known scales: {', '.join(SCALES)}."
            )
        scale = SCALES[scale]
    amplitude, distance = (np.asarray(v, dtype=float) for v in (amplitude_nm, distance_km))
    known = (amplitude > 0) & (distance > 0)
    amplitude, distance = np.where(known, amplitude, 1.0), np.where(known, distance, 1.0)
    value = np.log10(amplitude) + scale.a * np.log10(distance) + scale.b * distance + scale.c
    value = value + scale.d * np.exp(-distance / scale.e)
    return np.where(known, value, np.nan)


def read_corrections(path: str | Path | None) -> dict[str, float]:
    """
    Read station corrections, which are added to the magnitudes of a station.

    :param path: CSV with the columns id (NET.STA) and correction, or None for no corrections.
    :return: NET.STA -> correction.
    :raises FileNotFoundError: If the file does not exist.
    :raises ValueError: If the table is not valid. The message names the file.
    """
    if path is None:
        return {}
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path} with station corrections.")
    try:
        table = pd.read_csv(
            path,
            dtype={"id": str},
            index_col=False,
            skipinitialspace=True,
            keep_default_na=False,
        )
        values = pd.to_numeric(table["correction"])
        names = [".".join(name.split(".")[:2]) for name in table["id"]]
    except Exception as error:
        raise ValueError(
            f"{path} is not a table of station corrections with the columns id (NET.STA) and "
            f"correction: {error}"
        ) from error
    found: dict[str, float] = {}
    for name, value in zip(names, map(float, values), strict=True):
        if not np.isfinite(value) or abs(value) > 3:
            raise ValueError(f"{path}: the correction of {name} cannot be {value}.")
        if found.setdefault(name, value) != value:
            raise ValueError(f"{path} has two corrections of {name}: {found[name]} and {value}.")
    return found


def borehole_correction(depth_m: float) -> float:
    """
    Correction of the ML of a sensor in a borehole, which is added.

    Scales of ML are for sensors at the surface, where the reflection doubles the amplitude. From a
    quarter of a wavelength below it, the upgoing wave is alone (Shearer and Orcutt 1987). Layers
    above the sensor amplify it further: at 62 boreholes in Taiwan, amplitudes at the surface are
    1.1 to 6.1 times larger (Lai and others 2022).

    :param depth_m: Depth below the ground in m, nan if unknown.
    :return: log10 2 from ``BOREHOLE_M`` on, else 0.
    """
    return float(np.log10(2)) if depth_m >= BOREHOLE_M else 0.0


def event_magnitude(values) -> tuple[float, float]:
    """
    Median of the stations' magnitudes, and its standard error.

    The spread of the stations is 1.4826 times the median absolute deviation, but at least
    ``LEAST``. For one or two stations it is ``ONE_STATION``. More stations reduce its part of the
    error, but not ``COMMON``, the error that all stations share.

    :param values: ML of each station.
    :return: Median and standard error, nan without values.
    """
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    if not len(values):
        return np.nan, np.nan
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    spread = ONE_STATION if len(values) < 3 else max(spread, LEAST)
    # The error of a median is larger than that of a mean by the square root of pi / 2.
    own = spread * np.sqrt((np.pi / 2 if len(values) > 2 else 1) / len(values))
    return middle, float(np.hypot(own, COMMON))


def fuse(estimates: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    """
    Mean of several estimates of one magnitude, weighted by their variances.

    :param estimates: Name -> value and standard error. Unknown estimates have no weight.
    :return: Mean and standard error, nan without estimates.
    """
    known = [(v, s) for v, s in estimates.values() if np.isfinite([v, s]).all() and s > 0]
    if not known:
        return np.nan, np.nan
    values, errors = np.array(known).T
    weights = errors**-2
    return float(weights @ values / weights.sum()), float(weights.sum() ** -0.5)
