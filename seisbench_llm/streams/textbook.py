"""
Textbook estimates from one station: distance from S minus P, back-azimuth from polarisation.

They need no training, so they work in any region. :py:func:`combine_angles` combines them with the
answers of a network by their uncertainties.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt

# vp vs / (vp - vs) in km/s: 8 is the value for vp = 5.8 and vp/vs = 1.73. Regions differ by about a
# tenth. The rest of the error accounts for wrong S picks.
SP_VELOCITY, SP_VELOCITY_ERROR = 8.0, 0.2
# Depth in km below which there are few earthquakes in the crust.
DEEPEST = 15.0
# Seconds of P after its onset, and seconds before it that allow for the error of the pick.
POLARISATION_WINDOW, PICK_ERROR = 0.5, 0.05
# Band in Hz. Microseism lies below it. Above it, the ground near the station rotates the motion.
POLARISATION_BAND = (1.0, 15.0)
# Error in degrees of a perfectly coherent P, due to the structure below the station.
POLARISATION_FLOOR = 20.0


def sp_epicentral_distance(sp_time):
    """
    Epicentral distance from S minus P, with its standard error.

    The hypocentral distance is R = 8 km/s times S minus P. If the source may lie anywhere on the
    half-sphere of that radius, its depth is uniform from zero to R (Archimedes' hat-box theorem).
    Here it is limited to 15 km. The distance is that of the median depth. For distant sources this
    is the usual rule with a depth of 7.5 km. The error is that of the depth, plus 20 % for the
    velocity and the picks.

    >>> distance, error = sp_epicentral_distance(5.0)
    >>> round(float(distance), 1), round(float(error), 1)
    (39.3, 7.9)

    :param sp_time: S minus P in s, a number or an array.
    :return: Distance in km, its standard error in km.
    """
    hypocentral = SP_VELOCITY * np.asarray(sp_time, float)
    reach = np.minimum(hypocentral, DEEPEST)

    def epicentral(share):
        return np.sqrt(np.square(hypocentral) - np.square(share * reach))

    distance = epicentral(0.5)
    by_depth = (epicentral(0.16) - epicentral(0.84)) / 2
    return distance, np.hypot(by_depth, SP_VELOCITY_ERROR * distance)


def polarisation_back_azimuth(window: np.ndarray, rate: float, onset: int) -> tuple[float, float]:
    """
    Back-azimuth from the particle motion of P.

    P moves the ground along its ray: upward motion comes with motion away from the source. The
    covariances of the vertical with north and east therefore point away from the source (Jurkevics
    1988, BSSA 78, 1725-1743). The error depends on the coherence of vertical and horizontals. On
    records of four regions it is 20 degrees at a coherence of one, and grows with the coherence to
    the power of -1.5.

    :param window: Components Z, N, E with the same sensitivity, shape (3, samples). A causal
        high-pass up to about 1 Hz is the only filter allowed.
    :param rate: Sampling rate in Hz.
    :param onset: Sample of the P onset.
    :return: Back-azimuth in degrees, and its standard error in degrees, at most 180. Both are nan
        if a component is missing or the onset is outside the window.
    """
    window = np.asarray(window, float)
    last = onset + max(4, round(POLARISATION_WINDOW * rate))
    if onset < 0 or last > window.shape[-1] or np.any(np.ptp(window, axis=-1) == 0):
        return np.nan, np.nan
    low, high = POLARISATION_BAND
    high = min(high, 0.45 * rate)
    band = butter(2, (low, high), "bandpass", fs=rate, output="sos")
    motion = sosfilt(band, window - window.mean(axis=-1, keepdims=True), axis=-1)
    motion = motion[:, max(0, onset - round(PICK_ERROR * rate)) : last]
    covariance = motion @ motion.T
    north, east = covariance[0, 1:]
    scale = np.sqrt(covariance[0, 0] * (covariance[1, 1] + covariance[2, 2]))
    if not scale > 0:
        return np.nan, np.nan
    coherence = max(np.hypot(north, east) / scale, 1e-3)
    error = np.hypot(POLARISATION_FLOOR, POLARISATION_FLOOR * coherence**-1.5)
    return float(np.degrees(np.arctan2(-east, -north)) % 360), float(min(error, 180.0))


def combine_angles(angles, errors) -> tuple[float, float]:
    """
    Combine several directions, each with a standard error, in degrees.

    Each direction is a von Mises distribution of concentration 1 / error^2 (in radians). Their
    product has the direction and the length of the sum of the vectors (Mardia & Jupp 2000,
    Directional Statistics, 3.5.4). Directions that agree make the error smaller, others make it
    larger.

    >>> direction, error = combine_angles([350.0, 12.0], [20.0, 20.0])
    >>> round(direction, 1), round(error, 1)
    (1.0, 14.3)

    :return: Direction, and its standard error, at most 180. Directions that are not finite are left
        out. Both are nan if nothing is left.
    """
    angles, errors = np.radians(np.asarray(angles, float)), np.radians(np.asarray(errors, float))
    known = np.isfinite(angles) & np.isfinite(errors)
    if not known.any():
        return np.nan, np.nan
    vector = np.sum(np.exp(1j * angles[known]) / np.square(np.maximum(errors[known], 1e-3)))
    error = np.degrees(1 / np.sqrt(max(abs(vector), 1e-3)))
    return float(np.degrees(np.angle(vector)) % 360), float(min(error, 180.0))
