"""Surface waves of shallow events."""

from __future__ import annotations

import numpy as np

from .draws import Draws
from .source import MEAN_S


def surface_wave(
    frequency, origin, rate, depth, distance, corner, direct, draws: Draws
) -> np.ndarray:
    """
    Surface waves of shallow events: Rg on Z and R, and Love waves on T.

    Their group velocity falls with frequency. Their excitation falls with depth as exp(-w h / c)
    (Aki & Richards 2002, chapter 7).

    :param frequency: Frequencies in Hz, (frequencies,).
    :param origin: Origin times as samples of the frame, (records,).
    :param rate: Sampling rate in Hz.
    :param depth, distance: Source depth and epicentral distance in km, (records,).
    :param corner: Corner frequency in Hz, (records,).
    :param direct: Amplitude of the direct S before radiation, (records,).
    :return: Spectra of displacement on Z, R, T, complex64 (records, 3, frequencies).
    """
    fast, slow = draws.uniform(2.4, 3.1), draws.uniform(0.9, 1.8)
    turn, quality = draws.log_uniform(0.3, 1.5), draws.uniform(30, 120)
    strength, ellipticity = draws.log_normal(1.0, 0.6), draws.uniform(0.6, 1.0)
    active = (depth < 12) & (distance > 8) & draws.chance(0.7)
    group = slow[:, None] + (fast - slow)[:, None] / (1 + (frequency / turn[:, None]) ** 2)
    travel = distance[:, None] / group
    step = frequency[1]
    arrival = travel + (origin / rate)[:, None]
    phase = 2 * np.pi * step * np.cumsum(arrival, axis=1)
    # Arrivals outside the frame are suppressed, because they would wrap around.
    inside = np.clip(arrival / 5, 0, 1) * np.clip((1 / step - arrival) / 10, 0, 1)
    logarithm = -2 * np.pi * frequency * (depth / 2.5)[:, None]
    logarithm -= np.pi * frequency * travel / quality[:, None]
    logarithm -= np.log1p((frequency / corner[:, None]) ** 2)
    # Spreading is cylindrical beyond one kilometre.
    level = direct * strength * np.sqrt(distance) * active * MEAN_S
    taper = np.clip(frequency / 0.1, 0, 1) ** 2 / (1 + (frequency / 4.0) ** 6)
    wave = (level[:, None] * taper * inside) * np.exp(logarithm - 1j * phase)
    vertical = 1j * wave * ellipticity[:, None]
    out = np.stack([vertical, wave * 0.8, 0.8 * wave], axis=1)
    return out.astype(np.complex64)
