"""Synthetic ground motion: direct phases, scattered energy, surface waves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft

from . import path, site
from .coda import band_noise, coda, direct_share, draw_scattering, scattered_energy
from .draws import Draws
from .path import Paths
from .source import MEAN_P, MEAN_S, Sources, corner_frequency, radiation
from .surface import surface_wave

DENSITY = 2700.0


@dataclass
class Arrivals:
    """
    Onsets as samples of the frame, one column per phase. Onsets of missing phases are infinite.

    The columns are the direct wave, the head waves along layers 1 to 4 (Pn and Sn are along layer
    4), and the reflection at the Moho.

    :param p, s: Onsets of the P and S phases, (records, 6).
    :param p_motion: Sign of the first motion of each P phase, positive up, (records, 6).
    """

    p: np.ndarray
    s: np.ndarray
    p_motion: np.ndarray


def _rays(crust, velocity, depth, distance) -> list[path.Rays]:
    heads = [path.refracted(crust, velocity, depth, distance, k) for k in range(1, path.LAYERS)]
    return [
        path.direct(crust, velocity, depth, distance),
        *heads,
        path.reflected(crust, velocity, depth, distance),
    ]


def first_times(crust: path.Crust, depth: np.ndarray, distance: np.ndarray):
    """Travel times of the first P and the first S in s, each (records,)."""
    return tuple(
        np.min([ray.time for ray in _rays(crust, velocity, depth, distance)], axis=0)
        for velocity in (crust.vp, crust.vs)
    )


def _spreading(rays: list[path.Rays], velocity: np.ndarray, paths: Paths) -> np.ndarray:
    """
    Geometrical spreading of each phase in 1/km, (records, 6).

    It is 1/r along direct and reflected rays. The reflection is total beyond the critical slowness.
    Head waves decay with r^-1.3 (Sereno, Bratt & Bache 1988) from a level relative to the direct
    wave. The level is higher for head waves in the crust, where velocity gradients turn them into
    diving waves.
    """
    crustal = 1.5 * paths.head
    head = (1 / paths.distance) * (np.maximum(paths.distance, 30) / 100) ** -0.3
    total = np.where(rays[-1].slowness > 1 / velocity[:, path.MOHO], 0.8, 0.2)
    amplitude = [
        1 / rays[0].length,
        *(head * (paths.head if k == path.MOHO else crustal) for k in range(1, path.LAYERS)),
        total / rays[-1].length,
    ]
    exists = np.stack([np.isfinite(ray.time) for ray in rays], axis=1)
    return np.stack(amplitude, axis=1) * exists


def _source_wavelet(corner, paths, time, quality, sites, frequency, samples, rate) -> np.ndarray:
    """
    Causal spectrum of the ground motion for a unit moment: omega-square source (Brune 1970), Q of
    the path and kappa of the site (Anderson & Hough 1984).
    """
    logarithm = -np.log1p((frequency / corner[:, None]) ** 2)
    logarithm += path.attenuation(frequency, time, quality, paths.q_power)
    logarithm -= np.pi * frequency * sites.kappa[:, None]
    logarithm += site.difference_correction(frequency, sites, rate)
    return site.causal(logarithm, samples)


def _place(excitation: np.ndarray, onset: np.ndarray, motion: np.ndarray) -> None:
    """Add pulses (records, 3) at samples (records,), except those outside the frame."""
    inside = np.flatnonzero((onset >= 0) & (onset < excitation.shape[-1]))
    excitation[inside, :, onset[inside].astype(int)] += motion[inside]


def ground_motion(
    sources: Sources,
    crust: path.Crust,
    paths: Paths,
    sites: site.Sites,
    draws: Draws,
    origin: np.ndarray,
    samples: int,
    rate: float,
) -> tuple[np.ndarray, Arrivals]:
    """
    Records of the events without noise.

    :param sources, crust, paths, sites: Parameters of the records.
    :param draws: Random streams of the scatterers.
    :param origin: Origin time as a sample of the frame, (records,). It may be negative.
    :param samples: Length of the frame, an even number. The end of the frame wraps around to its
        beginning, so that the frame must be longer than the part that is used.
    :param rate: Sampling rate in Hz.
    :return: Waveforms Z, N, E in m/s, or m/s^2 for accelerometers, (records, 3, samples), and
        arrivals.
    """
    frequency = np.fft.rfftfreq(samples, 1 / rate)
    noise = band_noise(draws, samples, rate)
    lapse = ((np.arange(samples) - origin[:, None]) / rate).astype(np.float32)
    rows = np.arange(len(origin))
    layer = crust.at(sources.depth)
    corner = corner_frequency(sources.moment, sources.stress_drop, crust.vs[rows, layer] * 1e3)
    # At high frequency, the sum of the sub-events must radiate as much as one event with this
    # corner frequency.
    coherence = np.sqrt((sources.sub_weight**2).sum(axis=1))
    corners = {"S": corner / np.sqrt(coherence)}
    corners["P"] = corners["S"] * np.clip(draws.log_normal(1.3, 0.15), 0.9, 1.8)
    qualities = {"S": paths.q0, "P": paths.q0 * paths.q_ratio}

    spectrum, onsets, level, motions = 0, {}, {}, {}
    for wave, velocity, surface in (("P", crust.vp, sites.vp), ("S", crust.vs, sites.vs)):
        rays = _rays(crust, velocity, sources.depth, paths.distance)
        onsets[wave] = np.stack([np.round(origin + ray.time * rate) for ray in rays], axis=1)
        speed = velocity[rows, layer]
        # Displacement spectrum in m s per unit amplitude at 1 km (Brune 1970). It is amplified by
        # the square root of the ratio of impedances at the source and the surface (Boore 2003).
        scale = sources.moment / (4 * np.pi * DENSITY * (speed * 1e3) ** 3) * 1e-3
        scale = scale * np.sqrt(speed / surface) * rate
        spread = _spreading(rays, velocity, paths) * scale[:, None]
        unit = np.stack([_unit_motion(wave, ray, sources, paths, sites) for ray in rays], axis=1)
        near = draw_scattering(draws, wave, sites)

        excitation = np.zeros((len(rows), 3, samples), np.float32)
        convert = draws.uniform(0.1, 0.8) if wave == "P" else draws.uniform(0.05, 0.4)
        for k, ray in enumerate(rays):
            motion = unit[:, k] * (spread[:, k] * direct_share(paths, ray, near))[:, None]
            lag = np.round(rate * crust.top[:, 1] * _vertical_difference(crust, ray.slowness))
            for sub in range(sources.sub_delay.shape[1]):
                start = onsets[wave][:, k] + np.round(sources.sub_delay[:, sub] / corner * rate)
                pulse = motion * sources.sub_weight[:, sub, None]
                _place(excitation, start, pulse)
                _convert(excitation, start, pulse, lag, wave, crust, convert)

        spread = spread * coherence[:, None]
        amplitude = 0.5 * np.linalg.norm(unit, axis=2) * spread
        mean = (MEAN_P if wave == "P" else MEAN_S) * spread
        forward, diffuse = scattered_energy(lapse, rays, amplitude, mean, paths, speed, near)
        direction = unit[:, 0] / np.maximum(np.linalg.norm(unit[:, 0], axis=1), 1e-9)[:, None]
        shape = 2 * direction[..., None].astype(np.float32) * noise.sum(axis=0)[:, :1, ::-1]
        excitation += np.sqrt(forward / rate)[:, None] * shape
        first = np.min([ray.time for ray in rays], axis=0)
        excitation += coda(diffuse / rate, lapse, first, wave, paths, noise, draws)

        wavelet = _source_wavelet(
            corners[wave], paths, rays[0].time, qualities[wave], sites, frequency, samples, rate
        ) * _site_response(frequency, rate, wave, sites)
        spectrum = spectrum + scipy.fft.rfft(excitation, axis=-1) * wavelet[:, None]
        level[wave], motions[wave] = spread[:, 0], np.sign(unit[:, :, 0])

    spectrum += surface_wave(
        frequency, origin, rate, sources.depth, paths.distance, corner, level["S"], draws
    )
    spectrum *= site.ground_to_instrument(frequency, sites, rate)[:, None].astype(np.complex64)
    waveforms = _rotate(scipy.fft.irfft(spectrum, samples), paths)
    return waveforms, Arrivals(onsets["P"], onsets["S"], motions["P"])


def _unit_motion(wave: str, ray: path.Rays, sources: Sources, paths: Paths, sites) -> np.ndarray:
    """Motion of the surface on Z, R, T per unit amplitude, (records, 3)."""
    p, sv, sh = radiation(sources, ray.takeoff, paths.azimuth)
    p_z, p_r, s_z, s_r = site.free_surface(ray.slowness, sites.vp, sites.vs)
    if wave == "P":
        return np.stack([p * p_z, p * p_r, 0 * p], axis=1)
    # Positive SV of an upgoing ray points up and back to the source.
    return np.stack([-sv * s_z, -sv * s_r, 2 * sh], axis=1)


def _vertical_difference(crust: path.Crust, slowness: np.ndarray) -> np.ndarray:
    """Vertical slowness of S minus vertical slowness of P in the sediment in s/km."""
    s = np.sqrt(np.maximum(1 / crust.vs[:, 0] ** 2 - slowness**2, 0))
    return s - np.sqrt(np.maximum(1 / crust.vp[:, 0] ** 2 - slowness**2, 0))


def _convert(excitation, onset, pulse, lag, wave, crust, strength) -> None:
    """
    Add conversions at the base of the sediment: P to S after P on R, and S to P before S on Z.

    Their strength is random, and proportional to the contrast in velocity.
    """
    contrast = 1 - crust.vs[:, 0] / crust.vs[:, 1]
    other = np.zeros_like(pulse)
    if wave == "P":
        other[:, 1] = pulse[:, 0] * contrast * strength
        _place(excitation, onset + lag, other)
    else:
        other[:, 0] = pulse[:, 1] * contrast * strength
        _place(excitation, onset - lag, other)


def _site_response(frequency, rate, wave: str, sites: site.Sites) -> np.ndarray:
    travel, contrast, velocity = (
        (sites.travel_p, sites.contrast_p, sites.vp)
        if wave == "P"
        else (sites.travel_s, sites.contrast_s, sites.vs)
    )
    response = site.buried(frequency, rate, sites.sensor_depth, velocity)
    for k in range(2):
        response = response * site.resonance(
            frequency, rate, travel[:, k], contrast[:, k], sites.damping[:, k]
        )
    return response.astype(np.complex64)


def _rotate(zrt: np.ndarray, paths: Paths) -> np.ndarray:
    """Z, R, T to Z, N, E. R points away from the source. T points right of R, seen from above."""
    angle = paths.back_azimuth + paths.bend
    sin, cos = (f(angle).astype(np.float32)[:, None] for f in (np.sin, np.cos))
    z, r, t = zrt.transpose(1, 0, 2)
    return np.stack([z, -cos * r + sin * t, -sin * r - cos * t], axis=1)
