"""Filled gaps and corrupt samples in live data, by the rules of batch processing."""

from __future__ import annotations

import numpy as np
from obspy.core.trace import Stats

from ..streams.contiguous import ContiguousRecord
from ..streams.defects import FILLED_S, is_filled, may_have_defects, without_defects
from ..streams.skipped import Skipped, SkippedList
from ..trace_ids import TraceId
from .buffer import DEFECT, TraceBuffer


def mark_defects(
    buffer: TraceBuffer, trace_id: TraceId, start: int, stop: int
) -> list[Skipped] | None:
    """
    Mark samples with a defect in a buffer, after new samples have been stored.

    A possible filled gap is judged by the data before it, and again when data after it arrive.

    :param start: Number of the first new sample.
    :param stop: Number after the last new sample.
    :return: Data that are left out from now on. None if there is no defect near the new samples.
    """
    # The rules use one second of data on each side of a gap.
    around = round((1 + FILLED_S) * buffer.rate) + 1
    first, last, states = buffer.states(start - around, stop + around)
    near = [samples for _, samples in buffer.contiguous(first, last)]
    if not (states == DEFECT).any() and not any(may_have_defects(x, buffer.rate) for x in near):
        return None
    found = []
    for at, samples in buffer.contiguous(buffer.oldest, buffer.end, defects=True):
        if at >= last or at + len(samples) <= first:
            continue
        before = buffer.states(at, at + len(samples))[2] == DEFECT
        defect, skipped = _defects(buffer, trace_id, at, samples)
        if before[0] and at == buffer.oldest > buffer.first:
            # The data before the gap have left the buffer. Their verdict still holds.
            defect[: _length_of_run(samples)] = True
        buffer.mark(at, defect)
        for entry in skipped:
            number = buffer.number(entry.start) - at
            if not before[min(max(number, 0), len(before) - 1)]:
                found.append(entry)
    return found


def _defects(
    buffer: TraceBuffer, trace_id: TraceId, at: int, samples: np.ndarray
) -> tuple[np.ndarray, SkippedList]:
    """Whether each sample of a piece has a defect, and the entries for the warnings."""
    stats = Stats({"sampling_rate": buffer.rate, "starttime": buffer.time(at)})
    stats.npts = len(samples)
    record, skipped = ContiguousRecord(trace_id, stats, [(0, samples)]), SkippedList()
    defect = np.ones(len(samples), bool)
    for part in without_defects(record, skipped):
        begin = round((part.stats.starttime - stats.starttime) * buffer.rate)
        defect[begin : begin + part.stats.npts] = False
    return defect, skipped


def _length_of_run(samples: np.ndarray) -> int:
    """Number of equal samples at the beginning of a piece."""
    other = np.flatnonzero(samples != samples[0])
    return int(other[0]) if len(other) else len(samples)


def beginning_gap(buffer: TraceBuffer, number: int) -> int:
    """
    Number of zeros before a sample that may be the beginning of a filled gap.

    So far there are too few of them for a decision.

    :param number: Number of the sample up to which the data are complete.
    """
    shortest, second = round(FILLED_S * buffer.rate), round(buffer.rate)
    pieces = buffer.contiguous(number - shortest - second, number)
    if not pieces or pieces[-1][0] + len(pieces[-1][1]) != number or pieces[-1][1][-1] != 0:
        return 0
    samples = pieces[-1][1]
    zeros = _length_of_run(samples[::-1])
    if not 1 < zeros < shortest or not is_filled([samples[:-zeros][-second:]]):
        return 0
    return zeros


def length_of_gap(buffer: TraceBuffer, start: int, samples: np.ndarray) -> int:
    """
    Number of zeros at the beginning of new samples that belong to a filled gap.

    :param start: Number of the first new sample.
    """
    zeros = _length_of_run(np.append(np.ma.getdata(samples), 1)) if samples[0] == 0 else 0
    _, _, states = buffer.states(start - 1, start)
    goes_on = len(states) and states[0] == DEFECT
    return zeros if zeros < len(samples) and (goes_on or zeros >= FILLED_S * buffer.rate) else 0


def goes_on_with_gap(buffer: TraceBuffer, start: int, samples: np.ndarray) -> bool:
    """Whether all samples belong to a filled gap that was found before them."""
    _, _, states = buffer.states(start - 1, start)
    if not len(states) or states[0] != DEFECT:
        return False
    ((_, value),) = buffer.contiguous(start - 1, start, defects=True)
    return bool(np.all(samples == value[0]))
