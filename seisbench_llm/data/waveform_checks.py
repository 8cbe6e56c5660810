"""Checks of one waveform: length, samples that are no numbers, dead components, clipping."""

from __future__ import annotations

import numpy as np

from .metadata import onsets_of, phase_of, sample_number

# A component is dead at an onset if it is constant for this many seconds on both sides.
DEAD_S = 0.5

# Clipping is looked for in this many seconds after an onset: the largest value repeats this many
# times in a row, and exceeds this multiple of the scatter before the onset.
CLIPPED_AFTER_S, CLIPPED_SAMPLES, NO_NOISE = 20.0, 4, 20.0


def waveform_defects(waveforms: np.ndarray, row: dict) -> list[tuple[str, str]]:
    """
    What is wrong with the waveforms of a record.

    :param waveforms: Shape (components, samples).
    :param row: Metadata of the record.
    :return: Kinds of :py:data:`seisbench_llm.data.checks.KINDS`, each with a detail.
    """
    found = []
    length, said = waveforms.shape[1], sample_number(row.get("trace_npts"))
    if np.isfinite(said) and said != length:
        found.append(("length", f"{length} samples, trace_npts {said:g}"))
    if not np.isfinite(waveforms).all():
        found.append(("not_finite", f"{np.sum(~np.isfinite(waveforms))} samples"))
        return found
    rate = sample_number(row.get("trace_sampling_rate_hz"))
    rate = rate if np.isfinite(rate) and rate > 0 else 100.0
    onsets = {c: s for c, s in onsets_of(row).items() if 0 <= s < length}
    for column, sample in onsets.items():
        if is_dead(waveforms, sample, rate):
            found.append(("dead", f"{column} {sample:g}"))
        elif phase_of(column) == "P" and (component := clipped_component(waveforms, sample, rate)):
            found.append(
                ("clipped", f"{column} {sample:g}, component {component} of {len(waveforms)}")
            )
    if not onsets and length and not np.ptp(waveforms, axis=1).any():
        found.append(("dead", "the whole record"))
    return found


def is_dead(waveforms: np.ndarray, sample: float, rate: float) -> bool:
    """
    Whether all components are constant around an onset.

    :param waveforms: Shape (components, samples).
    :param sample: Position of the onset.
    :param rate: Sampling rate in Hz.
    """
    half = max(2, round(DEAD_S * rate))
    part = waveforms[:, max(0, round(sample) - half) : round(sample) + half]
    return part.shape[1] > 0 and not np.ptp(part, axis=1).any()


def clipped_component(waveforms: np.ndarray, sample: float, rate: float) -> int:
    """
    Number of the first component, from 1, that is clipped after an onset; 0 if none is.

    :param waveforms: Shape (components, samples).
    :param sample: Position of the onset of P.
    :param rate: Sampling rate in Hz.
    """
    onset = round(sample)
    for number, data in enumerate(waveforms, start=1):
        before = data[max(0, onset - round(5 * rate)) : onset]
        if len(before) < 2:
            continue
        level = np.median(before)
        scatter = 1.4826 * np.median(np.abs(before - level))
        if _has_plateau(data[onset : onset + round(CLIPPED_AFTER_S * rate)], level, scatter):
            return number
    return 0


def _has_plateau(data: np.ndarray, level: float, scatter: float) -> bool:
    if not len(data):
        return False
    size = np.abs(data - level).max()
    if size == 0 or size <= NO_NOISE * scatter:
        return False
    for end in (data.max(), data.min()):
        at = np.flatnonzero(data == end)
        runs = np.split(at, np.flatnonzero(np.diff(at) > 1) + 1)
        if max(map(len, runs)) >= CLIPPED_SAMPLES and abs(end - level) > 0.5 * size:
            return True
    return False
