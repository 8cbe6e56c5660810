"""Local magnitudes: scales, station corrections, and the estimates of an event together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

# Standard deviation of a station's ML about the event's, where one station is all there is, and
# the least for several: radiation and ground below differ.
ONE_STATION, LEAST = 0.3, 0.1


@dataclass(frozen=True)
class Scale:
    """
    ML = log10(A) + a log10(R) + b R + c + d exp(-R / e).

    A is the largest Wood-Anderson amplitude in nm (gain 1), R the hypocentral distance in km.

    :param source: Where it was published.
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
    Local magnitude.

    >>> round(float(local_magnitude(480.8, 100.0)), 2)
    3.0

    :param amplitude_nm: Largest amplitude of a Wood-Anderson seismometer (0.8 s, damping 0.7) in
        nm at a gain of one; of one horizontal.
    :param distance_km: Hypocentral distance in km.
    :param scale: Name of ``SCALES``, or one.
    :return: nan where amplitude or distance is not above zero.
    :raises ValueError: If there is no such scale, with those that there are.
    """
    if not isinstance(scale, Scale):
        if scale not in SCALES:
            raise ValueError(
                f"There is no magnitude scale '{scale}'; there are {', '.join(SCALES)}."
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
    Station corrections, which are added to a station's magnitude.

    :param path: CSV with the columns id (NET.STA) and correction; None for none.
    :raises ValueError: If it is no such table, with its name.
    """
    if path is None:
        return {}
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path} of station corrections.")
    try:
        table = pd.read_csv(path, dtype={"id": str}, skipinitialspace=True, keep_default_na=False)
        values = pd.to_numeric(table["correction"])
        names = [".".join(name.split(".")[:2]) for name in table["id"]]
    except Exception as error:
        raise ValueError(
            f"{path} is no table of station corrections with id (NET.STA) and correction: {error}"
        ) from error
    for name, value in zip(names, values, strict=True):
        if not np.isfinite(value) or abs(value) > 3:
            raise ValueError(f"{path}: the correction of {name} cannot be {value}.")
    return dict(zip(names, map(float, values), strict=True))


def event_magnitude(values) -> tuple[float, float]:
    """
    Median of the stations' magnitudes, and its standard error.

    The spread of the stations is 1.4826 times the median absolute deviation, at least ``LEAST``;
    of one or two stations, ``ONE_STATION``.

    :param values: ML of each station.
    :return: nan, nan without values.
    """
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    if not len(values):
        return np.nan, np.nan
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    spread = ONE_STATION if len(values) < 3 else max(spread, LEAST)
    # The error of a median is larger than that of a mean by the square root of pi / 2.
    return middle, float(
        spread * np.sqrt(np.pi / 2 if len(values) > 2 else 1) / np.sqrt(len(values))
    )


def fuse(estimates: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    """
    Mean of several estimates of one magnitude, weighted by their variances.

    :param estimates: Name -> value and standard error; one that is not known has no weight.
    :return: Value and standard error, nan without estimates.
    """
    known = [(v, s) for v, s in estimates.values() if np.isfinite([v, s]).all() and s > 0]
    if not known:
        return np.nan, np.nan
    values, errors = np.array(known).T
    weights = errors**-2
    return float(weights @ values / weights.sum()), float(weights.sum() ** -0.5)
