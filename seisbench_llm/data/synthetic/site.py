"""Site and instrument response: free surface, soft layers, borehole, sensor, digitiser."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from scipy.signal import bilinear, butter, sosfreqz

from .draws import Draws

INSTRUMENTS = ("broadband", "short_period", "accelerometer", "borehole")


@dataclass
class Sites:
    """
    Stations, each an array with one entry per record.

    :param instrument: Index into ``INSTRUMENTS``.
    :param corner: Lower corner of the instrument in Hz, 0 for an accelerometer.
    :param gain: Gain in counts per m/s or m/s^2, 0 for records in physical units.
    :param vp, vs: P and S velocity at the surface in km/s.
    :param kappa: Near-surface attenuation kappa in s.
    :param travel_p, travel_s: One-way travel times of P and S through two soft layers in s,
        (records, 2).
    :param contrast_p, contrast_s: Reflection coefficients at the base of the layers, (records, 2).
    :param damping: Relative amplitude after a two-way passage of a layer, (records, 2).
    :param sensor_depth: Depth of the sensor in km, 0 at the surface.
    :param rate: Sampling rate of the original record in Hz.
    """

    instrument: np.ndarray
    corner: np.ndarray
    gain: np.ndarray
    vp: np.ndarray
    vs: np.ndarray
    kappa: np.ndarray
    travel_p: np.ndarray
    travel_s: np.ndarray
    contrast_p: np.ndarray
    contrast_s: np.ndarray
    damping: np.ndarray
    sensor_depth: np.ndarray
    rate: np.ndarray

    def is_a(self, *names: str) -> np.ndarray:
        """Whether the instrument of each record is one of these, (records,)."""
        return np.isin(self.instrument, [INSTRUMENTS.index(name) for name in names])


def draw_sites(draws: Draws) -> Sites:
    """Draw stations as in regional networks."""
    records = len(draws)
    instrument = draws.choice([0.4, 0.3, 0.17, 0.13])
    long_period = 1 / np.array([120.0, 60.0, 30.0])[draws.choice([0.5, 0.2, 0.3])]
    short_period = np.array([1.0, 2.0, 4.5])[draws.choice([0.6, 0.15, 0.25])]
    corner = np.where(instrument == 0, long_period, short_period)
    corner = np.where(instrument == 2, 0.0, corner)
    borehole = instrument == 3

    vs = np.where(borehole, draws.uniform(1.5, 3.0), draws.log_uniform(0.35, 3.0))
    ratio = draws.uniform(1.7, 2.2) + 0.6 * (vs < 0.8)
    # The soft layers are a weathered zone of metres to tens of metres, and a basin of tens to
    # hundreds of metres.
    thickness = np.stack([draws.log_uniform(0.004, 0.05), draws.log_uniform(0.03, 0.6)], axis=1)
    speed = np.stack([np.minimum(vs, 0.8) * draws.uniform(0.6, 1.2), np.maximum(vs, 0.6)], axis=1)
    contrast = np.stack([draws.uniform(0, 0.55), draws.uniform(0, 0.45)], axis=1)
    contrast *= np.where(draws.chance(0.25) | borehole, 0.15, 1.0)[:, None]
    original = np.array([20.0, 40.0, 50.0, 100.0, 200.0])
    return Sites(
        instrument=instrument,
        corner=corner,
        gain=np.where(draws.chance(0.2), 0.0, draws.log_uniform(2e6, 4e9))
        * np.where(instrument == 2, 1e-3, 1.0),
        vp=vs * ratio,
        vs=vs,
        kappa=np.clip(draws.log_normal(0.025, 0.5), 0.003, 0.08) * np.where(borehole, 0.3, 1.0),
        travel_p=thickness / (speed * ratio[:, None]),
        travel_s=thickness / speed,
        contrast_p=contrast * draws.uniform(0.3, 0.8)[:, None],
        contrast_s=contrast,
        damping=draws.uniform(0.75, 0.97, 2),
        sensor_depth=np.where(borehole, draws.log_uniform(0.05, 0.4), 0.0),
        rate=original[draws.choice([0.06, 0.08, 0.12, 0.5, 0.24])] * np.ones(records),
    )


def free_surface(slowness: np.ndarray, vp: np.ndarray, vs: np.ndarray):
    """
    Motion of the free surface per unit incident motion (Aki & Richards 2002, eq. 5.40-5.41;
    Kennett 1991).

    Beyond the critical angle of SV the coefficients are complex. Their modulus is used. The phase
    shift is neglected, because it would not be causal.

    :param slowness: Horizontal slowness in s/km.
    :param vp, vs: P and S velocity at the surface in km/s.
    :return: Coefficients of P on Z, P on R, SV on Z and SV on R. Z is positive up and R away from
        the source. The sign of SV is the sign of its R. The coefficient of SH is 2.
    """
    slowness = np.minimum(slowness, 0.98 / vs)
    eta_p = np.sqrt((1 / vp**2 - slowness**2).astype(complex))
    eta_s = np.sqrt(1 / vs**2 - slowness**2)
    curl = 1 / vs**2 - 2 * slowness**2
    rayleigh = curl**2 + 4 * slowness**2 * eta_p * eta_s
    p_z = 2 * vp * eta_p * curl / vs**2 / rayleigh
    p_r = 4 * vp * slowness * eta_p * eta_s / vs**2 / rayleigh
    s_z = 4 * vs * slowness * eta_p * eta_s / vs**2 / rayleigh
    s_r = 2 * vs * eta_s * curl / vs**2 / rayleigh
    # Upgoing SV with R away from the source has Z downwards.
    return np.abs(p_z), np.abs(p_r), -np.abs(s_z), np.abs(s_r) * np.sign(curl)


def resonance(frequency, rate, travel, contrast, damping) -> np.ndarray:
    """
    Transfer function of a soft layer, (1 + r) / (1 + r d exp(-2 i w t)) (Haskell 1960).

    The travel time through the layer is omitted, so that the onset does not move. Echoes arrive at
    whole samples, because fractions of a sample would ring before the onset.

    :param frequency: Frequencies in Hz, (frequencies,).
    :param rate: Sampling rate in Hz.
    :param travel: One-way travel time in s, (records,).
    :param contrast: Reflection coefficient r at the base of the layer, (records,).
    :param damping: Relative amplitude d after a two-way passage, (records,).
    :return: Complex transfer function, (records, frequencies).
    """
    r = contrast[:, None]
    turn = np.exp(-2j * np.pi * frequency * np.round(2 * travel * rate)[:, None] / rate)
    return (1 + r) / (1 + r * damping[:, None] * turn)


def buried(frequency, rate: float, depth: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """
    Transfer function from the surface to a sensor at depth: half of the upgoing and half of the
    reflected wave (Shearer & Orcutt 1987).

    :param frequency: Frequencies in Hz, (frequencies,).
    :param rate: Sampling rate in Hz. The echo arrives at a whole sample.
    :param depth: Depth of the sensor in km, (records,).
    :param velocity: Velocity above the sensor in km/s, (records,).
    :return: Complex transfer function, (records, frequencies).
    """
    echo = np.round(2 * depth / velocity * rate)[:, None] / rate
    return 0.5 + 0.5 * np.exp(-2j * np.pi * frequency * echo)


def causal(log_amplitude: np.ndarray, samples: int) -> np.ndarray:
    """
    Minimum-phase spectrum with a given amplitude spectrum, by folding the cepstrum (Oppenheim &
    Schafer 1975).

    The impulse response starts at sample 0, so that onsets are exact to the sample.

    :param log_amplitude: Natural logarithm of the amplitude, (records, samples // 2 + 1).
    :param samples: Even number of samples.
    """
    cepstrum = scipy.fft.irfft(log_amplitude.astype(np.float32), samples, axis=-1)
    cepstrum[:, 1 : samples // 2] *= 2
    cepstrum[:, samples // 2 + 1 :] = 0
    return np.exp(scipy.fft.rfft(cepstrum, axis=-1))


def seismometer(frequency: np.ndarray, corner: np.ndarray, rate: float) -> np.ndarray:
    """
    Response of a seismometer to velocity, s^2 / (s^2 + 2 h w s + w^2) with h = 0.707 (Wielandt
    2002).

    The bilinear transform keeps the response causal.

    :param frequency: Frequencies in Hz, (frequencies,).
    :param corner: Corner frequency in Hz, (records,). With 0 the response is flat.
    :param rate: Sampling rate in Hz.
    :return: Complex response, (records, frequencies).
    """
    response = np.ones((len(corner), len(frequency)), np.complex64)
    delay = np.exp(-2j * np.pi * frequency / rate)
    for value in np.unique(corner[corner > 0]):
        omega = 2 * np.pi * value
        b, a = bilinear([1, 0, 0], [1, 2 * 0.707 * omega, omega**2], fs=rate)
        response[corner == value] = np.polyval(b[::-1], delay) / np.polyval(a[::-1], delay)
    return response


def ground_to_instrument(frequency: np.ndarray, sites: Sites, rate: float) -> np.ndarray:
    """
    Transfer function from ground displacement to the recorded velocity or acceleration.

    The derivative is a finite difference in time, because this is causal, unlike 2 pi i f.
    :py:func:`difference_correction` corrects its amplitude.

    :return: Complex transfer function, (records, frequencies).
    """
    difference = rate * (1 - np.exp(-2j * np.pi * frequency / rate))
    order = 1 + sites.is_a("accelerometer").astype(int)
    return difference ** order[:, None] * seismometer(frequency, sites.corner, rate)


def difference_correction(frequency: np.ndarray, sites: Sites, rate: float) -> np.ndarray:
    """Logarithm of the ratio of 2 pi f to the amplitude of a finite difference, for each order."""
    order = 1 + sites.is_a("accelerometer").astype(int)
    ratio = np.sinc(frequency / rate)
    return -order[:, None] * np.log(ratio)


def digitiser(frequency: np.ndarray, original: np.ndarray, rate: float) -> np.ndarray:
    """
    Zero-phase anti-alias filter of a digitiser at the original sampling rate.

    :param frequency: Frequencies in Hz, (frequencies,).
    :param original: Original sampling rates in Hz, (records,).
    :param rate: Sampling rate of the records in Hz.
    :return: Real response, (records, frequencies).
    """
    response = np.ones((len(original), len(frequency)), np.float32)
    for value in np.unique(original[original < rate]):
        sos = butter(6, 0.4 * value, fs=rate, output="sos")
        response[original == value] = np.abs(sosfreqz(sos, worN=frequency, fs=rate)[1])
    return response


def to_counts(waveforms: np.ndarray, noise: np.ndarray, sites: Sites) -> np.ndarray:
    """
    Convert records of sites with a gain to whole counts, in place.

    :param waveforms: Waveforms, (records, 3, samples).
    :param noise: Noise of the records. The gain is large enough to resolve it.
    :return: Gain in counts per m/s or m/s^2, nan for records in physical units.
    """
    counts = sites.gain > 0
    # The level is taken above the microseism, because the microseism alone would hide the steps.
    level = np.std(noise[..., 4:] - noise[..., :-4], axis=-1).min(axis=1)
    gain = np.where(counts, np.maximum(sites.gain, 1.5 / np.maximum(level, 1e-20)), 1.0)
    waveforms *= gain[:, None, None].astype(np.float32)
    waveforms[counts] = np.rint(waveforms[counts])
    return np.where(counts, gain, np.nan)
