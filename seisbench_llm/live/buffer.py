"""Ring buffers: the last minutes of a channel, whatever the order in which its packets come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import obspy

EMPTY, FILLED, CONFLICT = 0, 1, 2


@dataclass
class Added:
    """
    What became of the samples of a packet.

    :param new: Samples stored.
    :param duplicate: Samples that were there already, with the same value.
    :param conflicting: Samples that were there with another value; they are a gap from now on.
    :param late: Samples older than the buffer reaches.
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

    Overlaps are merged as by ``obspy.Stream.merge(method=0)``: samples that agree are kept, samples
    that contradict each other become a gap. Unlike there this goes sample by sample, and the result
    does not depend on the order of packets, except that those too old for the buffer are lost.

    :param rate: Sampling rate in Hz.
    :param origin: Time of a sample, that of number 0.
    :param seconds: Length of the buffer.
    """

    def __init__(self, rate: float, origin: obspy.UTCDateTime, seconds: float):
        self.rate, self.origin = float(rate), origin
        self.size = max(2, round(seconds * self.rate))
        self.first: int | None = None
        self.end: int | None = None
        self._data = np.zeros(self.size)
        self._state = np.full(self.size, EMPTY, np.uint8)

    def number(self, time: obspy.UTCDateTime) -> int:
        """Number of the sample nearest to a time."""
        return round((time - self.origin) * self.rate)

    def time(self, number: int) -> obspy.UTCDateTime:
        """Time of a sample."""
        return self.origin + number / self.rate

    @property
    def oldest(self) -> int:
        """Number of the oldest sample that the buffer has room for."""
        return self.end - self.size

    def add(self, trace: obspy.Trace) -> Added:
        """
        Store a packet.

        :param trace: Of this buffer's channel and sampling rate.
        """
        return self.add_samples(self.number(trace.stats.starttime), np.ma.asarray(trace.data))

    def add_samples(self, start: int, samples: np.ma.MaskedArray) -> Added:
        """
        Store samples.

        :param start: Number of the first one.
        :param samples: Shape (samples,); masked ones are left out.
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
        added.new = int((state == EMPTY).sum())
        added.duplicate = int(((state == FILLED) & same).sum())
        added.conflicting = int(((state == FILLED) & ~same).sum())
        self._data[slots[state == EMPTY]] = values[state == EMPTY]
        # For good: a third packet must not decide, or the order of packets would.
        self._state[slots] = np.where(
            (state == CONFLICT) | (state == FILLED) & ~same, CONFLICT, FILLED
        )
        return added

    def _advance(self, start: int, stop: int) -> None:
        if self.end is None:
            self.first, self.end = start, stop
        self.first = min(self.first, start)
        if stop > self.end:
            fresh = np.arange(max(self.end, stop - self.size), stop) % self.size
            self._state[fresh] = EMPTY
            self.end = stop

    def contiguous(self, start: int, stop: int) -> list[tuple[int, np.ndarray]]:
        """
        Pieces without a gap.

        :param start: Number of the first sample wanted.
        :param stop: Number after the last one.
        :return: (number of the piece's first sample, samples as float64) for each.
        """
        start, stop = max(start, self.oldest), min(stop, self.end)
        if stop <= start:
            return []
        slots = np.arange(start, stop) % self.size
        filled = np.concatenate([[False], self._state[slots] == FILLED, [False]])
        edges = np.flatnonzero(filled[1:] != filled[:-1]).reshape(-1, 2)
        return [(start + a, self._data[slots[a:b]]) for a, b in edges]

    def complete_from(self, number: int) -> int:
        """Number of the first sample from there on of which nothing has come yet."""
        number = max(number, self.oldest)
        if number >= self.end:
            return number
        empty = self._state[np.arange(number, self.end) % self.size] == EMPTY
        return number + int(np.argmax(empty)) if empty.any() else self.end

    def state(self) -> dict:
        """All there is to know, of numbers and arrays; see :py:meth:`restore`."""
        return {
            "rate": self.rate,
            "origin": self.origin.ns,
            "first": self.first,
            "end": self.end,
            "data": self._data,
            "state": self._state,
        }

    @classmethod
    def restore(cls, state: dict) -> TraceBuffer:
        """The buffer that a state is of."""
        size = len(state["data"])
        buffer = cls(state["rate"], obspy.UTCDateTime(ns=state["origin"]), size / state["rate"])
        buffer.size, buffer.first, buffer.end = size, state["first"], state["end"]
        buffer._data, buffer._state = state["data"], state["state"]
        return buffer
