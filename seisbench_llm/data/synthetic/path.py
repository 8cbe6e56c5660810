"""Layered crusts and their rays: arrival times, take-off angles, ray parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .draws import Draws

LAYERS = 5


MOHO = LAYERS - 1


@dataclass
class Crust:
    """
    Flat layers over a half-space, one model per record. Velocities increase downwards.

    :param top: Depth of the top of each layer in km, (records, LAYERS).
    :param vp, vs: P and S velocity of each layer in km/s, (records, LAYERS).
    """

    top: np.ndarray
    vp: np.ndarray
    vs: np.ndarray

    @property
    def thickness(self) -> np.ndarray:
        """Thickness of each layer in km, (records, LAYERS), infinite for the half-space."""
        bottom = np.append(self.top[:, 1:], np.full((len(self.top), 1), np.inf), axis=1)
        return bottom - self.top

    def at(self, depth: np.ndarray) -> np.ndarray:
        """Number of the layer at a depth in km, (records,)."""
        return (self.top[:, 1:] <= depth[:, None]).sum(axis=1)


@dataclass
class Rays:
    """
    Rays of one phase, each an array (records,). ``time`` is infinite if the phase does not exist.

    :param time: Travel time in s.
    :param slowness: Horizontal slowness in s/km.
    :param takeoff: Angle from downward vertical at the source in radians.
    :param length: Length of the ray in km.
    """

    time: np.ndarray
    slowness: np.ndarray
    takeoff: np.ndarray
    length: np.ndarray


def draw_crust(event: Draws, record: Draws, depth: np.ndarray) -> Crust:
    """
    Draw continental crusts around the global averages (Christensen & Mooney 1995; CRUST1.0, Laske
    et al. 2013).

    The sediment differs between stations. The upper, middle and lower crust and the mantle are the
    same for all stations of an event.

    :param event: Random streams keyed by event, one per record.
    :param record: Random streams keyed by record.
    :param depth: Depth of the sources in km, (records,). Sources lie below the sediment.
    """
    records = len(record)
    moho = np.clip(event.normal(33, 8, None), 15, 60)
    vp = np.empty((records, LAYERS))
    vp[:, 1] = event.uniform(5.4, 6.15)
    vp[:, 2] = vp[:, 1] + event.uniform(0.15, 0.5)
    vp[:, 3] = vp[:, 2] + event.uniform(0.15, 0.6)
    vp[:, 4] = np.maximum(event.uniform(7.7, 8.25), vp[:, 3] + 0.3)
    ratio = np.repeat(event.uniform(1.68, 1.82)[:, None], LAYERS, axis=1)
    upper, middle = event.uniform(0.2, 0.45), event.uniform(0.55, 0.75)

    sediment = np.where(record.chance(0.55), record.log_uniform(0.15, 4.0), 0.05)
    sediment = np.minimum(sediment, 0.7 * depth)
    vp[:, 0] = vp[:, 1] * record.uniform(0.45, 0.9)
    ratio[:, 0] = np.maximum(ratio[:, 0], record.uniform(1.7, 2.3))
    top = np.stack(
        [np.zeros(records), sediment, sediment + upper * moho, sediment + middle * moho, moho],
        axis=1,
    )
    # Thick sediment must not push the lower crust below the Moho.
    top[:, MOHO] = np.maximum(top[:, MOHO], top[:, MOHO - 1] + 2)
    return Crust(top, vp, vp / ratio)


def _overlap(crust: Crust, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Thickness of each layer between two depths, km, (records, LAYERS)."""
    bottom = crust.top + crust.thickness
    return np.clip(
        np.minimum(bottom, lower[:, None]) - np.maximum(crust.top, upper[:, None]), 0, None
    )


def _shoot(thick: np.ndarray, velocity: np.ndarray, distance: np.ndarray):
    """
    Ray that crosses given thicknesses and emerges at a given distance, by bisection.

    The unknown is the tangent of the angle in the fastest layer. It stays well conditioned if the
    ray is nearly horizontal in this layer.

    :return: Time, slowness and length, each (records,).
    """
    fastest = np.where(thick > 0, velocity, 0).max(axis=1)
    ratio2 = np.where(thick > 0, velocity / fastest[:, None], 0.0) ** 2
    low = np.zeros_like(distance)
    high = distance / np.where((ratio2 == 1) & (thick > 0), thick, 0).sum(axis=1)
    for _ in range(60):
        middle = 0.5 * (low + high)
        sin2 = (middle**2 / (1 + middle**2))[:, None] * ratio2
        # In the fastest layer, tan is exactly middle, and 1 - sin2 would lose digits.
        tan = np.where(ratio2 == 1, middle[:, None], np.sqrt(sin2 / np.maximum(1 - sin2, 1e-300)))
        short = (thick * tan).sum(axis=1) < distance
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    length = (thick * np.hypot(1, tan)).sum(axis=1)
    time = (thick * np.hypot(1, tan) / velocity).sum(axis=1)
    return time, middle / np.hypot(1, middle) / fastest, length


def direct(crust: Crust, velocity: np.ndarray, depth: np.ndarray, distance: np.ndarray) -> Rays:
    """
    Direct ray from the source up to the surface (Pg, Sg).

    :param velocity: ``crust.vp`` or ``crust.vs``.
    :param depth: Source depth in km, (records,).
    :param distance: Epicentral distance in km, (records,).
    """
    thick = _overlap(crust, np.zeros_like(depth), depth)
    time, slowness, length = _shoot(thick, velocity, distance)
    speed = np.take_along_axis(velocity, crust.at(depth)[:, None], axis=1)[:, 0]
    takeoff = np.pi - np.arcsin(np.clip(slowness * speed, 0, 1))
    return Rays(time, slowness, takeoff, length)


def reflected(crust: Crust, velocity: np.ndarray, depth: np.ndarray, distance: np.ndarray) -> Rays:
    """Ray reflected at the Moho (PmP, SmS). See :py:func:`direct` for the parameters."""
    moho = crust.top[:, MOHO]
    above = depth < moho - 0.5
    start = np.minimum(depth, moho - 0.5)
    thick = _overlap(crust, np.zeros_like(depth), start) + 2 * _overlap(crust, start, moho)
    time, slowness, length = _shoot(thick, velocity, distance)
    speed = np.take_along_axis(velocity, crust.at(depth)[:, None], axis=1)[:, 0]
    takeoff = np.arcsin(np.clip(slowness * speed, 0, 1))
    return Rays(np.where(above, time, np.inf), slowness, takeoff, length)


def refracted(
    crust: Crust, velocity: np.ndarray, depth: np.ndarray, distance: np.ndarray, layer: int
) -> Rays:
    """
    Head wave along the top of a layer. At the Moho these are Pn and Sn.

    The travel time is x p plus the sum of thickness times vertical slowness (Aki & Richards 2002,
    sec. 9.1).

    :param layer: Number of the refracting layer. See :py:func:`direct` for the other parameters.
    """
    top = crust.top[:, layer]
    start = np.minimum(depth, top)
    thick = _overlap(crust, np.zeros_like(depth), start) + 2 * _overlap(crust, start, top)
    slowness = 1 / velocity[:, layer]
    sine = np.minimum(slowness[:, None] * velocity, 1)
    cosine = np.sqrt(1 - sine**2)
    used = thick > 0
    cosine = np.where(used, cosine, 1)
    vertical = (thick * cosine / velocity).sum(axis=1)
    critical = (thick * sine / cosine).sum(axis=1)
    exists = (depth < top) & (distance > critical)
    speed = np.take_along_axis(velocity, crust.at(depth)[:, None], axis=1)[:, 0]
    return Rays(
        time=np.where(exists, distance * slowness + vertical, np.inf),
        slowness=slowness,
        takeoff=np.arcsin(np.clip(slowness * speed, 0, 1)),
        length=distance + 0.0,
    )


def attenuation(frequency: np.ndarray, time: np.ndarray, q0: np.ndarray, power: np.ndarray):
    """
    Logarithm of the amplitude after attenuation, -pi f t / Q with Q = q0 f^power.

    The frequency dependence of Q follows Aki & Chouet (1975). Below 1 Hz, Q is q0.

    :param frequency: Frequencies in Hz, (frequencies,).
    :param time: Travel time in s, (records,).
    :param q0, power: Parameters of Q, (records,).
    :return: (records, frequencies).
    """
    quality = q0[:, None] * np.maximum(frequency, 1.0) ** power[:, None]
    return -np.pi * frequency * time[:, None] / quality


@dataclass
class Paths:
    """
    Geometry and anelasticity, each an array with one entry per record.

    :param distance: Epicentral distance in km.
    :param azimuth: Direction from source to station in radians, clockwise from north.
    :param back_azimuth: Direction from station to source in radians, clockwise from north.
    :param bend: Deviation of the ray from the great circle at the station in radians.
    :param q0, q_power: Parameters of the quality factor of S, Q = q0 f^q_power.
    :param q_ratio: Ratio of the quality factors of P and S.
    :param scattering: Scattering coefficient in 1/km.
    :param broadening: Ratio of the duration of the forward-scattered pulse to the travel time.
    :param head: Ratio of the amplitudes of Pn and Pg, and of Sn and Sg, at 100 km, without effects
        of radiation and slowness.
    """

    distance: np.ndarray
    azimuth: np.ndarray
    back_azimuth: np.ndarray
    bend: np.ndarray
    q0: np.ndarray
    q_power: np.ndarray
    q_ratio: np.ndarray
    scattering: np.ndarray
    broadening: np.ndarray
    head: np.ndarray


def draw_paths(event: Draws, record: Draws, distance, azimuth, back_azimuth) -> Paths:
    """
    Draw attenuation and scattering within the range of published values.

    Q of S is 30-300 f^0.3-1.0 in the review of Mak et al. (2004). Q of P is about as large or
    smaller (Yoshimoto, Sato & Ohtake 1993). Scattering is 0.001-0.1 /km (Sato, Fehler & Maeda 2012)
    and larger at volcanoes. The stations of an event differ by about 20 %.
    """
    volcanic = event.chance(0.12)
    scattering = event.log_normal(0.012, 0.7) * np.where(volcanic, 6.0, 1.0)
    return Paths(
        distance=distance,
        azimuth=azimuth,
        back_azimuth=back_azimuth,
        bend=np.radians(record.normal(0.0, 4.0)),
        q0=np.where(volcanic, 50.0, event.log_uniform(80, 350)) * record.log_normal(1.0, 0.2),
        q_power=event.uniform(0.4, 0.9),
        q_ratio=event.uniform(0.7, 1.6),
        scattering=np.clip(scattering * record.log_normal(1.0, 0.2), 0.001, 0.3),
        broadening=record.log_normal(0.02, 0.5),
        head=np.minimum(event.log_normal(0.25, 0.4) * record.log_normal(1.0, 0.3), 0.8),
    )
