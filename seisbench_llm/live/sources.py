"""Sources of live data: packets, and replayed files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge

import numpy as np
import obspy


@dataclass(frozen=True)
class Packet:
    """
    A packet and its arrival.

    :param trace: Samples of one channel.
    :param wall: Unix time of its arrival.
    :param origin: Part of the source that counts its packets, such as a station of a server.
    :param number: Number of the packet there, from which the source can continue.
    """

    trace: obspy.Trace
    wall: float
    origin: str = ""
    number: int = 0


class Replay:
    """
    A stream that is cut into packets, which arrive at the times of their last samples.

    :param stream: Waveforms.
    :param speed: Speed relative to real time, 0 for as fast as possible.
    :param packet: Length of a packet in seconds.
    """

    def __init__(self, stream: obspy.Stream, speed: float = 1.0, packet: float = 1.0):
        if not 0 <= speed < float("inf") or not 0 < packet < float("inf"):
            raise ValueError(
                f"speed={speed} must be at least 0, and packet={packet} must be above 0."
            )
        self.speed, self.ended = speed, False
        parts = [_packets(part, packet) for trace in stream for part in trace.split()]
        self._packets = merge(*parts, key=lambda trace: trace.stats.endtime.ns)
        self._next = next(self._packets, None)
        self.ended = self._next is None
        self._first = self._next.stats.endtime if self._next else obspy.UTCDateTime(0)
        self.name = f"a replay from {self._first}"
        self._taken = 0
        self._begun: float | None = None
        self._data_time = self._first.timestamp

    def resume(self, positions: dict[str, int]) -> None:
        """Leave out packets that were taken before a restart."""
        while self._taken < positions.get("replay", 0) and not self.ended:
            self._take()
        if self._next is not None:
            self._first = self._next.stats.endtime

    def _take(self) -> obspy.Trace:
        packet, self._data_time = self._next, self._next.stats.endtime.timestamp
        self._next = next(self._packets, None)
        self._taken += 1
        self.ended = self._next is None
        return packet

    def get(self, timeout: float) -> Packet | None:
        """The next packet, or None if its time has not come within the timeout (seconds)."""
        if self._begun is None:
            self._begun = time.monotonic()
        end = self._next.stats.endtime
        if self.speed:
            wait = self._begun + (end - self._first) / self.speed - time.monotonic()
            if wait > 0:
                time.sleep(min(wait, timeout))
            if wait > timeout:
                return None
        return Packet(self._take(), time.time(), "replay", self._taken)

    def clock(self) -> float:
        """Time of the data, so that a replay gives the same at any speed."""
        return self._data_time

    data_now = clock

    def more(self) -> bool:
        """Whether another packet came at the same time."""
        return not self.ended and self._next.stats.endtime.timestamp <= self._data_time

    def received(self) -> Iterator[Packet]:
        """Packets that arrived before the end and were not taken: none."""
        return iter(())

    def close(self) -> None:
        """Nothing to close."""


def _packets(trace: obspy.Trace, seconds: float) -> Iterator[obspy.Trace]:
    samples = max(1, round(seconds * trace.stats.sampling_rate))
    for at in range(0, trace.stats.npts, samples):
        header = {k: trace.stats[k] for k in ("network", "station", "location", "channel")}
        header["sampling_rate"] = trace.stats.sampling_rate
        header["starttime"] = trace.stats.starttime + at / trace.stats.sampling_rate
        yield obspy.Trace(np.ascontiguousarray(trace.data[at : at + samples]), header)
