"""Scattered waves: broadened pulses, reverberation near the station, coda."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft

from . import path
from .draws import Draws
from .path import Paths
from .site import Sites

# Centres in Hz of the bands, each with its own decay rate of the coda.
_BANDS = np.array([1.0, 3.0, 9.0, 27.0])


def scattered(lapse: np.ndarray, travel: np.ndarray) -> np.ndarray:
    """
    Single scattering relative to the direct wave, K(x) = ln((x + 1) / (x - 1)) / x (Sato 1977).

    x is lapse time over travel time. The scattered energy per second is K times the scattering
    coefficient and the velocity. It is zero before the arrival.

    :param lapse: Time since the origin in s, (records, samples).
    :param travel: Travel time in s, (records,).
    :return: K, (records, samples).
    """
    x = lapse / travel[:, None]
    after = x > 1
    x = np.where(after, x, 2.0)
    return np.where(after, np.log((x + 1) / (x - 1)) / x, 0.0)


@dataclass
class Scattering:
    """
    Scattering near the source and the station, each an array (records,).

    :param early: Share of the direct pulse's energy that a few scatterers delay slightly.
    :param width: Delay of this share in s.
    :param late: Energy of reverberation and conversions in the shallow crust, relative to the
        direct wave.
    :param decay: Time constant of the decay of the late energy in s.
    :param growth: Time constant of the onset of the late energy in s.
    """

    early: np.ndarray
    width: np.ndarray
    late: np.ndarray
    decay: np.ndarray
    growth: np.ndarray


def draw_scattering(draws: Draws, wave: str, sites: Sites) -> Scattering:
    """
    Draw scattering near the source and the station.

    The distributions follow the envelopes of real local records, in which the P train hardly decays
    before S.

    :param wave: P or S.
    """
    firm = np.where(sites.is_a("borehole"), 0.5, 1.0)
    if wave == "P":
        early, late, decay = (0.0, 0.6), 13.0, 2.5
    else:
        early, late, decay = (0.2, 0.9), 2.5, 1.1
    return Scattering(
        early=draws.uniform(*early),
        width=draws.log_uniform(0.03, 0.2),
        late=draws.log_normal(late, 0.8) * firm,
        decay=draws.log_normal(decay, 0.5),
        growth=draws.log_uniform(0.1, 0.6),
    )


def scattered_energy(lapse, rays, amplitude, mean, paths, speed, near: Scattering):
    """
    Scattered energy per second and squared unit amplitude.

    :param lapse: Time since the origin in s, (records, samples).
    :param rays: Rays of the phases.
    :param amplitude: Amplitude of each phase, (records, phases).
    :param mean: Amplitude of each phase with mean radiation, (records, phases).
    :param speed: Velocity at the source in km/s, (records,).
    :param near: Scattering near the source and the station.
    :return: Forward-scattered energy, with the polarisation of the direct wave, and diffuse energy,
        each (records, samples).
    """
    forward, diffuse = np.zeros_like(lapse), np.zeros_like(lapse)

    def column(values):
        return values.astype(np.float32)[:, None]

    for k in (0, path.MOHO, len(rays) - 1):
        exists = np.isfinite(rays[k].time)
        travel = np.where(exists, rays[k].time, 1e6)
        single = scattered(lapse, travel.astype(np.float32))
        diffuse += column(mean[:, k] ** 2 * paths.scattering * speed) * single
        since = np.maximum(lapse - column(travel), 0)
        # Forward scattering broadens the pulse to t exp(-t / tm) (after Saito, Sato & Ohtake 2002).
        # The broadened pulse has the energy that the direct pulse has lost.
        pulse = 0.5 * (amplitude[:, k] ** 2 + mean[:, k] ** 2) * exists
        lost = 1 - direct_share(paths, rays[k], near) ** 2
        width = column(paths.broadening * travel + near.width)
        forward += column(pulse * lost) / width * (since / width) * np.exp(-since / width)
        # Reverberation starts to grow with the first conversions.
        growth = -np.expm1(-since / column(near.growth))
        late = column(pulse * near.late / near.decay)
        diffuse += late * growth * np.exp(-since / column(near.decay))
    return forward, diffuse


def direct_share(paths: Paths, ray: path.Rays, near: Scattering) -> np.ndarray:
    """Share of the amplitude that remains in the direct pulse after scattering."""
    return np.exp(-0.5 * paths.scattering * ray.length) * np.sqrt(1 - near.early)


def band_noise(draws: Draws, samples: int, rate: float) -> np.ndarray:
    """Heavy-tailed white noise, split into bands whose sum it is, (4, records, 3, samples)."""
    white = draws.white(3, samples)
    # The heavy tails represent a few strong scatterers. The variance is one.
    white *= np.sqrt(np.abs(white)) / np.float32(1.263)
    spectrum = scipy.fft.rfft(white, axis=-1)
    frequency = np.maximum(np.fft.rfftfreq(samples, 1 / rate), 1e-3)
    at = np.interp(np.log(frequency), np.log(_BANDS), np.arange(len(_BANDS)))
    weights = [np.sqrt(np.clip(1 - np.abs(at - k), 0, 1)) for k in range(len(_BANDS))]
    # Neighbouring bands are correlated, so that their sum is normalised.
    total = np.sum(weights, axis=0)
    return np.stack(
        [scipy.fft.irfft(spectrum * (w / total).astype(np.float32), samples) for w in weights]
    )


def coda(energy, lapse, first, wave: str, paths: Paths, noise, draws: Draws) -> np.ndarray:
    """
    Coda: noise on all components with the envelope of the diffuse energy.

    High frequencies decay with time by exp(-2 pi f t / Q) (Aki & Chouet 1975).

    :param energy: Diffuse energy per sample, (records, samples).
    :param lapse: Time since the origin in s, (records, samples).
    :param first: Travel time of the first arrival in s, (records,).
    :param wave: P or S.
    :param noise: Noise of :py:func:`band_noise`.
    :return: (records, 3, samples).
    """
    weak, strong = draws.uniform(0.45, 0.95), np.ones(len(first))
    if wave == "P":
        share = 2.0 * np.stack([strong, weak, weak], axis=1)
    else:
        share = 1.6 * np.stack([weak, strong, strong], axis=1)
        # P and S have different scatterers.
        noise = np.roll(noise, noise.shape[-1] // 2, axis=-1)
    share = share[..., None].astype(np.float32)
    since = np.maximum(lapse - first[:, None].astype(np.float32), 0)
    out = np.zeros_like(noise[0])
    for band, centre in zip(noise, _BANDS, strict=True):
        loss = 2 * np.pi * centre / (paths.q0 * np.maximum(centre, 1) ** paths.q_power)
        envelope = np.sqrt(energy * np.exp(-loss[:, None].astype(np.float32) * since))
        out += share * envelope[:, None] * band
    return out
