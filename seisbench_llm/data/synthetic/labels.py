"""Visibility of onsets in synthetic records."""

from __future__ import annotations

import numpy as np
import scipy.fft

from .wave import Arrivals

# Bands in Hz. An analyst filters, and so may see an onset in one band that is hidden in another.
_BANDS = ((1.0, 4.0), (4.0, 12.0), (12.0, 35.0))


# An onset is visible if, in one band, the energy in the one or three seconds after it exceeds the
# energy before it by this many dB.
_VISIBLE = 2.0


_CLEAR, _DWARFED = 5.0, 6.0


_GUARD, _BEFORE, _AFTER, _SHORTEST = 0.15, 3.0, (1.0, 3.0), 0.3


_PHASES = 6


# First swing over standard deviation of the noise.
_CLEAR_POLARITY = 3.0


def no_arrivals(records: int) -> Arrivals:
    """Arrivals of records without an event. All are infinite."""
    return Arrivals(*(np.full((records, _PHASES), np.inf) for _ in range(3)))


def band_energy(waveforms: np.ndarray, rate: float) -> np.ndarray:
    """
    Cumulative energy of all components, in the bands that an analyst may use.

    :param waveforms: Waveforms, (records, 3, samples).
    :param rate: Sampling rate in Hz.
    :return: Energy before each sample, (bands, records, samples + 1).
    """
    samples = waveforms.shape[-1]
    spectrum = scipy.fft.rfft(waveforms - waveforms.mean(axis=-1, keepdims=True), axis=-1)
    frequency = np.fft.rfftfreq(samples, 1 / rate)
    bands = [(low, min(high, 0.45 * rate)) for low, high in _BANDS if low < 0.4 * rate]
    out = np.zeros((len(bands), len(waveforms), samples + 1))
    for sums, (low, high) in zip(out, bands, strict=True):
        part = scipy.fft.irfft(spectrum * _bandpass(frequency, low, high), samples)
        np.cumsum(np.square(part).sum(axis=1, dtype=np.float64), axis=1, out=sums[:, 1:])
    return out


def _bandpass(frequency: np.ndarray, low: float, high: float) -> np.ndarray:
    """Amplitude of a zero-phase Butterworth bandpass of order 3."""
    used = np.maximum(frequency, 1e-6)
    return (1 / np.sqrt((1 + (low / used) ** 6) * (1 + (used / high) ** 6))).astype(np.float32)


def _mean(sums: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Mean energy between two samples of each record, (bands, records), nan without samples."""
    size = sums.shape[-1] - 1
    first, last = (np.clip(x, 0, size).astype(int) for x in (first, last))
    rows = np.arange(sums.shape[1])
    return (sums[:, rows, last] - sums[:, rows, first]) / np.where(
        last > first, last - first, np.nan
    )


def onset_snr(energy, onset, following, rate: float, rest=None) -> np.ndarray:
    """
    Ratio of the energy after an onset to the energy before it, in the band where it is largest.

    :param energy: Energy of the event by :py:func:`band_energy`, or of a whole record.
    :param onset: Onset as a sample, (records,). It may lie outside the record or be infinite.
    :param following: Sample of the next phase, where the energy of this phase ends, (records,).
    :param rate: Sampling rate in Hz.
    :param rest: Energy of the remaining signals and noise, averaged around the onset. A burst of
        noise on a weak onset therefore does not count.
    :return: Ratio in dB, (records,), at most 60. It is -inf if the onset is outside the record.
    """
    size = energy.shape[-1] - 1
    inside = (onset >= 0) & (onset < size)
    onset = np.where(inside, onset, 0)
    before = np.nan_to_num(_mean(energy, onset - _BEFORE * rate, onset - _GUARD * rate))
    best = np.full(len(onset), -np.inf)
    for length in _AFTER:
        end = np.minimum(onset + length * rate, np.maximum(following, onset + _SHORTEST * rate))
        after = np.nan_to_num(_mean(energy, onset, end))
        level = 0.0
        if rest is not None:
            level = np.nan_to_num(_mean(rest, onset - _BEFORE * rate, onset + length * rate))
        ratio = (after + level) / np.maximum(before + level, 1e-6 * after + 1e-300)
        best = np.maximum(best, 10 * np.log10(np.maximum(ratio, 1e-10)).max(axis=0))
    return np.where(inside, best, -np.inf)


def noise_scale(clean, noise, arrivals: Arrivals, floor, ceiling, rate: float) -> np.ndarray:
    """
    Factor of the noise that keeps the ratio of S to noise of each record within limits.

    Records without a visible event do not enter a catalogue, but a picker has to learn from weak
    events.

    :param clean, noise: Energies of the event and of the noise by :py:func:`band_energy`.
    :param floor, ceiling: Smallest and largest ratio of S to noise in dB, (records,).
    :param rate: Sampling rate in Hz.
    :return: Factor, (records,).
    """
    size = clean.shape[-1] - 1
    first = np.minimum(arrivals.s[:, 0], size)
    # If S is beyond the window, P is used.
    first = np.where(first < size - rate, first, np.clip(arrivals.p.min(axis=1), 0, size))
    signal = np.nan_to_num(_mean(clean, first, first + 3 * rate))
    best = (signal / np.maximum(noise[..., -1] / size, 1e-300)).max(axis=0)
    ratio = 10 * np.log10(np.maximum(best, 1e-30))
    change = ratio - np.clip(ratio, floor, np.maximum(ceiling, floor))
    # The noise of a quiet station cannot fall without limit, and that of a noisy one cannot rise
    # without limit.
    return np.where(best > 0, 10 ** (np.clip(change, -50, 26) / 20), 1.0).astype(np.float32)


def visible_onsets(energies, arrivals: Arrivals, further, rate: float) -> dict[str, np.ndarray]:
    """
    Metadata columns of the onsets, nan if an onset is hidden.

    :param energies: Energies of the event, the further events and the noise by
        :py:func:`band_energy`.
    :param arrivals: Arrivals of the event.
    :param further: Arrivals of the further events.
    :param rate: Sampling rate in Hz.
    """
    clean, extra, noise = energies
    columns = {}
    for name, onsets in (("p", arrivals.p), ("s", arrivals.s)):
        first, label, snr = _choose(onsets, clean, extra + noise, rate)
        columns[f"trace_{name}_arrival_sample"] = label
        columns[f"trace_{name}_snr_db"] = snr.round(2)
        columns[f"trace_{name}_theoretical_sample"] = first
        columns[f"trace_{name}_status"] = np.where(np.isnan(label), None, "synthetic")
    for k, others in enumerate(further):
        for name, onsets in (("p", others.p), ("s", others.s)):
            label = _choose(onsets, extra, clean + noise, rate)[1]
            columns[f"trace_{name}{k + 2}_arrival_sample"] = label
    columns["trace_snr_db"] = np.fmax(columns["trace_p_snr_db"], columns["trace_s_snr_db"])
    return columns


def _choose(onsets: np.ndarray, energy, rest, rate: float):
    """First arrival, first visible arrival (nan if all are hidden), and its ratio in dB."""
    onsets = np.sort(onsets, axis=1)
    following = np.append(onsets[:, 1:], np.full((len(onsets), 1), np.inf), axis=1)
    snr = np.stack(
        [onset_snr(energy, *pair, rate, rest) for pair in zip(onsets.T, following.T, strict=True)],
        axis=1,
    )
    # An analyst overlooks a weak Pn or Sn before much stronger phases.
    strongest = np.maximum.accumulate(snr[:, ::-1], axis=1)[:, ::-1]
    visible = (snr >= _VISIBLE) & ((snr >= _CLEAR) | (strongest <= snr + _DWARFED))
    rows, which = np.arange(len(onsets)), visible.argmax(axis=1)
    label = np.where(visible.any(axis=1), onsets[rows, which], np.nan)
    snr, first = snr[rows, which], onsets[:, 0]
    return (
        np.where(np.isfinite(first), first, np.nan),
        label,
        np.where(np.isfinite(snr), snr, np.nan),
    )


def first_motion(clean, background, arrivals: Arrivals, label, rate: float) -> np.ndarray:
    """
    First motion: U or D if the first swing is above the noise and has the sign of the ray, else N.

    :param clean: Vertical component of the event, (records, samples).
    :param background: Vertical component of further events and noise, (records, samples).
    :param arrivals: Arrivals of the event.
    :param label: Labelled P as a sample, (records,).
    :param rate: Sampling rate in Hz.
    """
    size = clean.shape[-1]
    out = np.full(len(clean), "N", dtype=object)
    spectrum = scipy.fft.rfft(background, axis=-1)
    quiet = scipy.fft.irfft(
        spectrum * _bandpass(np.fft.rfftfreq(size, 1 / rate), 1.0, 0.3 * rate), size
    )
    which = arrivals.p.argmin(axis=1)
    for i in np.flatnonzero(label == arrivals.p.min(axis=1)):
        onset = int(label[i])
        swing = clean[i, onset : onset + int(0.4 * rate)]
        before = quiet[i, max(0, onset - int(2 * rate)) : onset]
        if len(before) < 0.2 * rate or not swing.any():
            continue
        # The digitiser's ripple before the onset is not motion.
        swing = swing[np.argmax(np.abs(swing) > 0.05 * np.abs(swing).max()) :]
        sign = np.sign(swing[0])
        turn = np.flatnonzero(np.sign(swing) == -sign)
        peak = np.abs(swing[: turn[0] if len(turn) else None]).max()
        if sign == arrivals.p_motion[i, which[i]] and peak > _CLEAR_POLARITY * before.std():
            out[i] = "U" if sign > 0 else "D"
    return out


def drop_missing(columns: dict, missing: np.ndarray) -> None:
    """Remove labels that lie in a gap, in place."""
    for name in [name for name in columns if name.endswith("arrival_sample")]:
        gone = (columns[name] >= missing[:, 0] - 1) & (columns[name] <= missing[:, 1] + 1)
        columns[name] = np.where(gone, np.nan, columns[name])
        if name == "trace_p_arrival_sample":
            columns["trace_polarity"] = np.where(gone, "N", columns["trace_polarity"])


def blank_noise(columns: dict, silent: np.ndarray) -> dict:
    """Replace the labels of records without an event by nan or None."""
    for name, values in columns.items():
        if values.dtype == object:
            columns[name] = np.where(silent, None, values)
        else:
            columns[name] = np.where(silent, np.nan, values)
    return columns
