"""Ground motion and Wood-Anderson records for short pieces of traces."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.fft
from obspy.core.inventory.response import Response

# Natural frequency in Hz and damping of the Wood-Anderson seismometer (IASPEI 2013).
WOOD_ANDERSON_FREQUENCY, WOOD_ANDERSON_DAMPING = 1.25, 0.7

# Lower end of the band in Hz: zero below the first frequency, one above the second. Lower
# frequencies contain little earthquake signal and much noise.
LOWEST_HZ = (0.2, 0.4)

# Upper end of the band as shares of the Nyquist frequency: one below the first, zero above the
# second.
HIGHEST = (0.8, 0.95)

# Unit -> number of integrations to displacement.
INTEGRATIONS = {"M": 0, "M/S": 1, "M/S**2": 2, "M/S2": 2, "M/S/S": 2, "M/(S**2)": 2}


class ResponseError(ValueError):
    """Error for a response that cannot be used. Its text completes a sentence about the trace."""


def wood_anderson(frequencies: np.ndarray) -> np.ndarray:
    """
    Response of a Wood-Anderson seismometer of gain 1 to ground displacement.

    :param frequencies: Frequencies in Hz.
    :return: Complex response. Its modulus is 1 at high frequencies.
    """
    return -((2 * np.pi * frequencies) ** 2) * pendulum(frequencies)


def pendulum(frequencies: np.ndarray) -> np.ndarray:
    """
    Response of a Wood-Anderson seismometer of gain 1 to ground acceleration, in s^2.

    :param frequencies: Frequencies in Hz.
    """
    omega, natural = 2 * np.pi * frequencies, 2 * np.pi * WOOD_ANDERSON_FREQUENCY
    return 1 / (natural**2 - omega**2 + 2j * WOOD_ANDERSON_DAMPING * natural * omega)


def check_response(response: Response | None, rate: float) -> Response:
    """
    Check that a response fits the data.

    :param response: Response, or None if unknown.
    :param rate: Sampling rate of the data in Hz.
    :return: The response.
    :raises ResponseError: If the response cannot be used. The message says why.
    """
    sensitivity = None if response is None else response.instrument_sensitivity
    if response is None or not (response.response_stages or sensitivity):
        raise ResponseError("has no response")
    units = _units(response)
    if units not in INTEGRATIONS:
        raise ResponseError(f"has a response to {units or 'an unknown unit'}, not to ground motion")
    if sensitivity is None or not np.isfinite(sensitivity.value or 0) or not sensitivity.value:
        raise ResponseError("has a gain of zero")
    for stage in response.response_stages or []:
        if stage.stage_gain == 0:
            raise ResponseError("has a gain of zero")
    digital = [s for s in response.response_stages or [] if s.decimation_input_sample_rate]
    if digital:
        last = digital[-1]
        its = last.decimation_input_sample_rate / (last.decimation_factor or 1)
        if abs(its - rate) > 0.01 * rate:
            raise ResponseError(f"has the response of a channel of {its:g} Hz, not {rate:g} Hz")
    return response


def _units(response: Response) -> str:
    sensitivity = response.instrument_sensitivity
    stages = response.response_stages or []
    units = (stages[0].input_units if stages else None) or getattr(sensitivity, "input_units", None)
    return str(units or "").upper()


def to_motion(data: np.ndarray, rate: float, response: Response) -> dict[str, np.ndarray]:
    """
    Displacement in m, velocity in m/s and Wood-Anderson displacement in m from counts.

    The band is 0.4 Hz to 0.8 of the Nyquist frequency. The ends are tapered over 5 %.

    :param data: Counts, shape (n,).
    :param rate: Sampling rate in Hz.
    :param response: Response that :py:func:`check_response` has checked.
    :return: ``displacement``, ``velocity`` and ``wood_anderson``, each of shape (n,).
    """
    data = np.asarray(data, dtype=float)
    size = scipy.fft.next_fast_len(2 * len(data), real=True)
    # The data are padded to twice their length, so that the filter does not wrap around.
    edge = max(1, len(data) // 20)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / edge)
    tapered = data - data.mean()
    tapered[:edge] *= ramp
    tapered[-edge:] *= ramp[::-1]
    frequencies = np.fft.rfftfreq(size, 1 / rate)
    spectrum = np.fft.rfft(tapered, size) * _inverse(response, rate, size)
    factors = {
        "displacement": 1.0,
        "velocity": 2j * np.pi * frequencies,
        "wood_anderson": wood_anderson(frequencies),
    }
    return {
        name: np.fft.irfft(spectrum * factor, size)[: len(data)] for name, factor in factors.items()
    }


def _inverse(response: Response, rate: float, size: int) -> np.ndarray:
    """Ground displacement in m per count, in the band. Cached."""
    return _remembered(_Same(response), rate, size)


class _Same:
    """Hashable wrapper that compares responses by identity, because ObsPy's have no hash."""

    def __init__(self, response: Response):
        self.response = response

    def __eq__(self, other) -> bool:
        return self.response is other.response

    def __hash__(self) -> int:
        return id(self.response)


@lru_cache(maxsize=256)
def _remembered(same: _Same, rate: float, size: int) -> np.ndarray:
    response = same.response
    frequencies = np.fft.rfftfreq(size, 1 / rate)
    band = _band(frequencies, rate / 2)
    used = band > 0
    counts = np.ones(len(frequencies), dtype=complex)
    if response.response_stages:
        counts[used] = response.get_evalresp_response_for_frequencies(
            frequencies[used], output="DISP"
        )
    else:
        times = INTEGRATIONS[_units(response)]
        gain = response.instrument_sensitivity.value
        counts[used] = gain * (2j * np.pi * frequencies[used]) ** times
    inverse = np.zeros(len(frequencies), dtype=complex)
    good = used & (np.abs(counts) > 0)
    inverse[good] = band[good] / counts[good]
    return inverse


def _band(frequencies: np.ndarray, nyquist: float) -> np.ndarray:
    """Weights: 1 in the band, 0 outside, with cosine tapers."""
    low, full = LOWEST_HZ
    rise = np.clip((frequencies - low) / (full - low), 0, 1)
    high, end = HIGHEST[0] * nyquist, HIGHEST[1] * nyquist
    fall = np.clip((end - frequencies) / (end - high), 0, 1)
    return (0.5 - 0.5 * np.cos(np.pi * rise)) * (0.5 - 0.5 * np.cos(np.pi * fall))
