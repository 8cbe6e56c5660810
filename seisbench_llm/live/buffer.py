"""Ring buffers: the last minutes of a channel, for packets in any order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import obspy

# States of a sample: not received, data, contradicting packets, and data with a defect.
EMPTY, FILLED, CONFLICT, DEFECT = 0, 1, 2, 3


@dataclass
class Added:
    """
    What happened to the samples of a packet.

    :param new: Samples stored.
    :param duplicate: Samples that were already stored with the same value.
    :param conflicting: Samples that were stored with another value. They are a gap from now on.
    :param late: Samples that are too old for the buffer.
    :param invalid: Samples that are not finite.
    """

    new: int = 0
    duplicate: int = 0
    conflicting: int = 0
    late: int = 0
    invalid: int = 0


class TraceBuffer:
    """
    A ring buffer of samples, bounded in time, on the sample grid of its first packet.

    Overlaps are merged as by ``obspy.Stream.merge(method=0)``: samples that agree are kept, and
    samples that contradict each other become a gap. Unlike there, this is done sample by sample,
    and the result does not depend on the order of packets. Only packets that are too old for the
    buffer are lost.

    :param rate: Sampling rate in Hz.
    :param origin: Time of sample number 0.
    :param seconds: Length of the buffer.
    """

    def __init__(self, rate: float, origin: obspy.UTCDateTime, seconds: float):
        self.rate, self.origin = float(rate), origin
        self.size = max(2, round(seconds * self.rate))
        self.first: int | None = None
        self.end: int | None = None
        # Number after the last sample without a defect, with and without the newest samples, and
        # number of samples with a defect at the very start.
        self.good_end: int | None = None
        self._good_before: int | None = None
        self.leading = 0
        # EMPTY is zero, because zeros take no memory before they are written to.
        self._data = np.zeros(self.size)
        self._state = np.zeros(self.size, np.uint8)

    def number(self, time: obspy.UTCDateTime) -> int:
        """Number of the sample nearest to a time."""
        return round((time - self.origin) * self.rate)

    def time(self, number: int) -> obspy.UTCDateTime:
        """Time of a sample."""
        return self.origin + number / self.rate

    @property
    def oldest(self) -> int:
        """Number of the oldest sample for which the buffer has room."""
        return self.end - self.size

    def add(self, trace: obspy.Trace) -> Added:
        """
        Store a packet.

        :param trace: Packet of this buffer's channel and sampling rate.
        """
        return self.add_samples(self.number(trace.stats.starttime), np.ma.asarray(trace.data))

    def add_samples(self, start: int, samples: np.ma.MaskedArray) -> Added:
        """
        Store samples.

        :param start: Number of the first one.
        :param samples: Shape (samples,). Masked samples are left out.
        """
        added = Added()
        if len(samples) == 0:
            return added
        stop = start + len(samples)
        self._advance(start, stop)
        cut = min(max(0, self.oldest - start), len(samples))
        added.late = cut
        values = np.ma.getdata(samples)[cut:].astype(float)
        valid = np.isfinite(values) & ~np.ma.getmaskarray(samples)[cut:]
        added.invalid = int((~valid).sum())
        slots = np.arange(start + cut, stop)[valid] % self.size
        values = values[valid]

        state = self._state[slots]
        same = self._data[slots] == values
        known = (state == FILLED) | (state == DEFECT)
        added.new = int((state == EMPTY).sum())
        added.duplicate = int((known & same).sum())
        added.conflicting = int((known & ~same).sum())
        self._data[slots[state == EMPTY]] = values[state == EMPTY]
        self._state[slots[state == EMPTY]] = FILLED
        # The conflict is permanent. If a third packet could decide, the order of packets would
        # matter.
        self._state[slots[known & ~same]] = CONFLICT
        return added

    def _advance(self, start: int, stop: int) -> None:
        if self.end is None:
            self.first, self.end, self.good_end = start, stop, start
        if start < self.first:
            self.first, self.leading = start, 0
        self._good_before, self.good_end = self.good_end, max(self.good_end, stop)
        if stop > self.end:
            fresh = np.arange(max(self.end, stop - self.size), stop) % self.size
            self._state[fresh] = EMPTY
            self.end = stop

    def contiguous(
        self, start: int, stop: int, defects: bool = False
    ) -> list[tuple[int, np.ndarray]]:
        """
        Pieces without a gap.

        :param start: Number of the first sample wanted.
        :param stop: One after the number of the last sample.
        :param defects: Whether to include samples with a defect.
        :return: (number of the piece's first sample, samples as float64) for each.
        """
        start, stop, state = self.states(start, stop)
        filled = state == FILLED
        if defects:
            filled |= state == DEFECT
        edges = _edges(filled)
        return [(start + a, self._data[self._slots(start + a, start + b)]) for a, b in edges]

    def states(self, start: int, stop: int) -> tuple[int, int, np.ndarray]:
        """
        States of samples, as far as they are in the buffer.

        :return: Number of the first one, number after the last one, and states.
        """
        start = max(start, self.oldest)
        stop = max(start, min(stop, self.end))
        return start, stop, self._state[self._slots(start, stop)]

    def _slots(self, start: int, stop: int) -> np.ndarray:
        return np.arange(start, stop) % self.size

    def mark(self, start: int, defect: np.ndarray) -> None:
        """
        Mark samples with a defect.

        :param start: Number of the first sample.
        :param defect: Whether each sample has a defect. All of them must have been received.
        """
        slots = self._slots(start, start + len(defect))
        self._state[slots] = np.where(defect, DEFECT, FILLED)
        begin, _, state = self.states(self.oldest, self.end)
        good = np.flatnonzero((state == FILLED) | (state == CONFLICT))
        self.good_end = begin + int(good[-1]) + 1 if len(good) else min(self._good_before, begin)
        if begin <= self.first:
            other = np.flatnonzero(state[self.first - begin :] != DEFECT)
            self.leading = int(other[0]) if len(other) else self.end - self.first

    def complete_from(self, number: int) -> int:
        """Number of the first sample from ``number`` on that has not been received."""
        number = max(number, self.oldest)
        if number >= self.end:
            return number
        empty = self._state[np.arange(number, self.end) % self.size] == EMPTY
        return number + int(np.argmax(empty)) if empty.any() else self.end

    def last_good(self, number: int) -> int | None:
        """Number after the last sample before ``number`` that is received and has no defect."""
        # In most cases this is the sample before.
        for begin in (number - 1, self.oldest):
            _, stop, state = self.states(begin, number)
            good = (state == FILLED) | (state == CONFLICT)
            if good.any():
                return stop - int(np.argmax(good[::-1]))
        return None

    def end_without_zeros(self) -> int | None:
        """
        Number after the last sample without a defect that is not one of the zeros at the end.

        :return: None if there are only zeros.
        """
        last = self.last_good(self.end)
        if last is None or self._data[(last - 1) % self.size] != 0:
            return last
        for at, samples in reversed(self.contiguous(self.oldest, last)):
            if samples.any() or at == self.oldest:
                return at + len(samples)
        return None

    def state(self) -> dict:
        """The state as numbers and arrays, see :py:meth:`restore`."""
        return {
            "rate": self.rate,
            "origin": self.origin.ns,
            "first": self.first,
            "end": self.end,
            "good_end": self.good_end,
            "leading": self.leading,
            "data": self._data,
            "state": self._state,
        }

    @classmethod
    def restore(cls, state: dict) -> TraceBuffer:
        """The buffer with a given state."""
        size = len(state["data"])
        buffer = cls(state["rate"], obspy.UTCDateTime(ns=state["origin"]), size / state["rate"])
        buffer.size, buffer.first, buffer.end = size, state["first"], state["end"]
        buffer.good_end, buffer.leading = state["good_end"], state["leading"]
        buffer._data, buffer._state = state["data"], state["state"]
        return buffer


def _edges(wanted: np.ndarray) -> list[tuple[int, int]]:
    """Ranges of consecutive wanted samples: first sample, and one after the last."""
    padded = np.concatenate([[False], wanted, [False]])
    return np.flatnonzero(padded[1:] != padded[:-1]).reshape(-1, 2).tolist()
