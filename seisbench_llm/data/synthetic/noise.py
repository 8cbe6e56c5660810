"""Seismic background noise between Peterson's models, and faults of instruments."""

from __future__ import annotations

import numpy as np
import scipy.fft
from obspy.signal.spectral_estimation import get_nhnm, get_nlnm

from .draws import Draws
from .site import Sites, ground_to_instrument

_KNOTS = np.log(np.array([0.02, 0.08, 0.2, 0.7, 2.0, 6.0, 15.0, 50.0]))


def acceleration_noise(
    frequency: np.ndarray, level: np.ndarray, tilt: float | np.ndarray = 0.0
) -> np.ndarray:
    """
    Power spectral density between the low and the high noise model (Peterson 1993).

    :param frequency: Frequencies in Hz, (frequencies,). Above 10 Hz the models are constant.
    :param level: Position between the models at the knots from 0.02 to 50 Hz, 0 for the low and 1
        for the high model, (records, knots).
    :param tilt: Additional noise in dB at 0.01 Hz, which falls to zero at 0.1 Hz. It represents
        the tilt of horizontal components.
    :return: Power spectral density in (m/s^2)^2/Hz, (records, frequencies).
    """
    used = np.maximum(frequency, 1e-3)
    models = []
    for periods, decibel in (get_nlnm(), get_nhnm()):
        order = np.argsort(periods)
        models.append(np.interp(np.log(1 / used), np.log(periods[order]), decibel[order]))
    low, high = models
    at = np.log(used)
    place = np.stack([np.interp(at, _KNOTS, row) for row in level])
    decibel = low + place * (high - low)
    decibel = decibel + np.asarray(tilt)[..., None] * np.clip(-np.log10(used) - 1, 0, 1)
    return 10 ** (decibel / 10)


def draw_noise(draws: Draws, sites: Sites, samples: int, rate: float) -> np.ndarray:
    """
    Draw stationary coloured noise, with machinery and bursts added.

    :param samples: Even number of samples.
    :param rate: Sampling rate in Hz.
    :return: Noise in m/s, or m/s^2 for accelerometers, float32 (records, 3, samples).
    """
    records = len(draws)
    frequency = np.fft.rfftfreq(samples, 1 / rate)
    base = draws.normal(0.42, 0.2)[:, None] - 0.2 * sites.is_a("borehole")[:, None]
    level = base + draws.normal(0.0, 0.13, len(_KNOTS))
    # Microseism and traffic vary independently. Traffic may exceed Peterson's model.
    level[:, :3] += draws.normal(0.05, 0.15)[:, None]
    level[:, 4:] += draws.normal(0.0, 0.2)[:, None] - 0.15 * sites.is_a("borehole")[:, None]
    level = np.clip(level, 0.0, 1.25)
    horizontal = draws.uniform(0, 20)
    acceleration = [
        np.sqrt(acceleration_noise(frequency, level, tilt))
        for tilt in (np.zeros(records), horizontal, horizontal)
    ]
    shape = np.stack(acceleration, axis=1)
    # The self-noise of the electronics is flat in acceleration for strong-motion sensors and flat
    # in velocity for geophones (Clinton & Heaton 2002).
    strong = sites.is_a("accelerometer")
    instrument_noise = np.where(strong, 10 ** (draws.uniform(-135, -105) / 20), 0.0)
    shape = np.sqrt(shape**2 + instrument_noise[:, None, None] ** 2)
    to_displacement = np.abs(2 * np.pi * np.maximum(frequency, frequency[1])) ** -2
    response = np.abs(ground_to_instrument(frequency, sites, rate)) * to_displacement
    geophone = np.where(strong, 0.0, 10 ** (draws.uniform(-190, -165) / 20))
    shape = np.hypot(shape * response[:, None], geophone[:, None, None])

    spectrum = scipy.fft.rfft(draws.white(3, samples), axis=-1)
    noise = scipy.fft.irfft(spectrum * (shape * np.sqrt(rate / 2)).astype(np.float32), samples)
    _add_machinery(noise, draws, rate)
    _add_bursts(noise, draws, rate)
    return noise.astype(np.float32, copy=False)


def _add_machinery(noise: np.ndarray, draws: Draws, rate: float) -> None:
    """Add the hum of generators, pumps and mains to 15 % of the records."""
    active = draws.chance(0.15)
    frequency = draws.log_uniform(1.5, 0.45 * rate)
    strength = draws.log_uniform(0.2, 2.0)
    phase = draws.uniform(0, 2 * np.pi, 3)
    wobble = draws.log_uniform(0.02, 0.3)
    time = np.arange(noise.shape[-1]) / rate
    for i in np.flatnonzero(active):
        beat = 1 + 0.5 * np.sin(2 * np.pi * wobble[i] * time + phase[i, 0])
        for c in range(3):
            tone = np.sin(2 * np.pi * frequency[i] * time + phase[i, c])
            noise[i, c] += strength[i] * _level(noise[i, c]) * beat * tone


def _add_bursts(noise: np.ndarray, draws: Draws, rate: float) -> None:
    """Add short bursts, as of footsteps or cars, at a few to tens of Hz on all components."""
    count = np.where(draws.chance(0.25), 1 + np.floor(draws.uniform(0, 5)).astype(int), 0)
    centre, width, frequency, strength = (
        draws.uniform(size=5),
        draws.log_uniform(0.05, 6.0, 5),
        draws.log_uniform(2.0, 0.35 * rate, 5),
        draws.log_uniform(1.5, 15.0, 5),
    )
    share = draws.log_uniform(0.2, 1.5, 3)
    carrier = draws.white(1, 4096)[:, 0]
    samples = noise.shape[-1]
    for i in np.flatnonzero(count):
        for k in range(count[i]):
            middle, sigma = int(centre[i, k] * samples), width[i, k] * rate
            low, high = max(0, int(middle - 3 * sigma)), min(samples, int(middle + 3 * sigma) + 1)
            index = np.arange(low, high)
            bell = np.exp(-0.5 * ((index - middle) / sigma) ** 2)
            # The burst is a tone whose random phase drifts over about two periods.
            drift = np.cumsum(np.resize(np.roll(carrier[i], 700 * k), len(index)))
            phase = 2 * np.pi * frequency[i, k] * index / rate
            phase = phase + drift * np.sqrt(frequency[i, k] / rate)
            for c in range(3):
                amplitude = strength[i, k] * share[i, c] * _level(noise[i, c])
                noise[i, c, low:high] += amplitude * bell * np.cos(phase + c)


def _level(trace: np.ndarray) -> float:
    """Level of the noise above the microseism: standard deviation of differences over 4 samples."""
    return float(np.std(trace[4:] - trace[:-4]))


def cut_noise(records: np.ndarray, draws: Draws, samples: int) -> np.ndarray:
    """
    Cut pieces of real noise, which are mirrored if a noise record is too short.

    :param records: Noise records of equal length and of the final sampling rate, (count, 3,
        length).
    :param samples: Number of samples of a piece.
    :return: Noise with a standard deviation of one per record, float32 (records, 3, samples).
    """
    count, _, length = records.shape
    which = np.floor(draws.uniform(0, count)).astype(int)
    start = np.floor(draws.uniform(0, 2 * length)).astype(int)
    index = (start[:, None] + np.arange(samples)) % (2 * length)
    index = np.minimum(index, 2 * length - 1 - index)
    piece = np.stack([records[w][:, i] for w, i in zip(which, index, strict=True)])
    piece = piece - piece.mean(axis=-1, keepdims=True)
    scale = piece.std(axis=(1, 2), keepdims=True)
    return (piece / np.where(scale > 0, scale, 1)).astype(np.float32)


def add_faults(waveforms: np.ndarray, draws: Draws, rate: float) -> np.ndarray:
    """
    Add faults in place: offsets, drifts, spikes, steps, gaps, dead channels, clipping.

    :param waveforms: Waveforms of at least one second, (records, 3, samples).
    :param rate: Sampling rate in Hz.
    :return: First and last sample of a gap, (records, 2), -1 without a gap.
    """
    samples = waveforms.shape[-1]
    missing = np.full((len(waveforms), 2), -1)
    offset, drift = draws.normal(0, 3, 3), draws.normal(0, 2, 3)
    offset *= draws.chance(0.5)[:, None]
    drift *= draws.chance(0.1)[:, None]
    spikes, steps, gaps = draws.chance(0.04), draws.chance(0.03), draws.chance(0.02)
    dead, clipped = draws.chance(0.03), draws.chance(0.02)
    at, size = draws.uniform(size=4), draws.log_uniform(3, 60, 4)
    channel = np.floor(draws.uniform(0, 3, 4)).astype(int)
    sign = np.sign(draws.uniform(-1, 1, 4))
    level = draws.uniform(0.25, 0.9)
    line = np.linspace(-1, 1, samples)
    deviation = waveforms.std(axis=-1)
    for i in np.flatnonzero(clipped):
        bound = level[i] * np.abs(waveforms[i]).max()
        np.clip(waveforms[i], -bound, bound, out=waveforms[i])
    shift = (offset * deviation)[:, :, None] + (drift * deviation)[:, :, None] * line
    waveforms += shift.astype(np.float32)
    position = (at * (samples - 60)).astype(int)
    for i in np.flatnonzero(spikes):
        for k in range(4):
            c = channel[i, k]
            waveforms[i, c, position[i, k]] += sign[i, k] * size[i, k] * deviation[i, c]
    for i in np.flatnonzero(steps):
        # A mass relaxes over seconds after a knock.
        c = channel[i, 0]
        time = np.arange(samples - position[i, 0]) / rate
        pulse = np.exp(-time / (0.2 * size[i, 1])) * sign[i, 0] * 0.2 * size[i, 0]
        waveforms[i, c, position[i, 0] :] += pulse * deviation[i, c]
    for i in np.flatnonzero(gaps):
        end = position[i, 0] + int(size[i, 0] / 60 * 4 * rate)
        waveforms[i, :, position[i, 0] : end] = 0
        missing[i] = position[i, 0], end
    for i in np.flatnonzero(dead):
        # Remove one component, or both horizontals as for a vertical-only station.
        gone = [channel[i, 0]] if at[i, 0] < 0.4 else [1, 2]
        waveforms[i, gone] = 0
    return missing
