"""
Textbook estimates from one station: distance from S minus P, back-azimuth from polarisation.

They need no training, so they hold on any ground. What a network adds to them is for measurement to
say; :py:func:`combine_angles` joins the two by their uncertainties.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt

# km/s, vp vs / (vp - vs): 8 holds for vp = 5.8 and vp/vs = 1.73. Regions differ by a tenth or so;
# the rest of the error stands for S that are not S.
SP_VELOCITY, SP_VELOCITY_ERROR = 8.0, 0.2
# km; below it there are few earthquakes in a crust.
DEEPEST = 15.0
# s of P after its onset, and what is taken before it for the error of the pick.
POLARISATION_WINDOW, PICK_ERROR = 0.5, 0.05
# Hz. Below, microseism and long waves; above, the ground near the station turns the motion.
POLARISATION_BAND = (1.0, 15.0)
# Degrees: error of a perfectly coherent P, by the structure below the station.
POLARISATION_FLOOR = 20.0


def sp_epicentral_distance(sp_time):
    """
    Epicentral distance from S minus P, with its standard error.

    The hypocentral distance is R = 8 km/s times S minus P. A source that may lie anywhere on the
    sphere of that radius, seen from the surface, has a depth that is uniform from zero to R
    (Archimedes' hat-box theorem), here at most to 15 km. The distance is that of the median depth;
    far away this is the usual rule with a depth of 7.5 km. The error is that of the depth, and 20 %
    for the velocity and the picks.

    >>> distance, error = sp_epicentral_distance(5.0)
    >>> round(float(distance), 1), round(float(error), 1)
    (39.3, 7.9)

    :param sp_time: S minus P in s, one or an array.
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

    P moves the ground along its ray: up goes with away from the source. The covariances of the
    vertical with north and east therefore point away from it (Jurkevics 1988, BSSA 78, 1725-1743).
    How coherent vertical and horizontals are tells the error: on records of four regions it is
    20 degrees at a coherence of one, and grows with its power of -1.5.

    :param window: Z, N, E, shape (3, samples), of one sensitivity; not filtered by more than a
        causal high-pass below 1 Hz, or so.
    :param rate: Sampling rate in Hz.
    :param onset: Sample of the P onset.
    :return: Back-azimuth in degrees, its standard error in degrees, at most 180. Both nan if a
        component is missing or the onset is outside of the window.
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
    One direction from several, each with a standard error, in degrees.

    Each is a von Mises distribution of concentration 1 / error^2 (in radians); their product has
    the direction and the length of the vectors' sum (Mardia & Jupp 2000, Directional Statistics,
    3.5.4). So two that agree make the error smaller, and two that do not make it larger.

    >>> direction, error = combine_angles([350.0, 12.0], [20.0, 20.0])
    >>> round(direction, 1), round(error, 1)
    (1.0, 14.3)

    :return: Direction, its standard error, at most 180. What is not finite is left out; nan if
        nothing is left.
    """
    angles, errors = np.radians(np.asarray(angles, float)), np.radians(np.asarray(errors, float))
    known = np.isfinite(angles) & np.isfinite(errors)
    if not known.any():
        return np.nan, np.nan
    vector = np.sum(np.exp(1j * angles[known]) / np.square(np.maximum(errors[known], 1e-3)))
    error = np.degrees(1 / np.sqrt(max(abs(vector), 1e-3)))
    return float(np.degrees(np.angle(vector)) % 360), float(min(error, 180.0))
