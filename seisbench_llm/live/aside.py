"""Packets that do not fit the data of their instrument: strays, or data that continue elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from operator import is_
from typing import NamedTuple

import numpy as np
import obspy

# This number of packets that follow each other is believed.
JUMP_PACKETS = 3


class Stray(NamedTuple):
    """
    A packet that does not fit.

    :param trace: Its samples.
    :param clock: Seconds.
    :param wall: Unix time of arrival.
    :param fits: Number of earlier packets of the instrument that fitted.
    """

    trace: obspy.Trace
    clock: float
    wall: float
    fits: int


class Aside:
    """
    Packets that are put aside by channel until they are believed or given up.

    Packets are believed if they follow each other, in any order of arrival, and no other packets
    arrive. After a long gap, the last packets before the gap may still be on their way. A component
    with a wrong clock must not move the others.

    :param max_latency: Seconds to wait for late packets.
    :param seconds: Seconds of data for which a channel has room.
    """

    def __init__(self, max_latency: float, seconds: float):
        self.max_latency, self.seconds = max_latency, seconds
        self.entries: dict[str, list[Stray]] = {}
        # Packets since the last one that fitted, by channel and of all channels.
        self.strays: Counter = Counter()
        self.fits = 0

    def __bool__(self) -> bool:
        return bool(self.entries)

    def put(self, trace: obspy.Trace, clock: float, wall: float) -> list[obspy.Trace]:
        """
        Add a packet.

        :return: Packets for which there is no room any more.
        """
        channel = trace.stats.channel
        entries = self.entries.setdefault(channel, [])
        entries.append(Stray(trace, clock, wall, self.fits))
        self.strays[channel] += 1
        self.strays["all"] += 1
        room, dropped = self.seconds * trace.stats.sampling_rate, []
        while (
            len(entries) > JUMP_PACKETS and sum(stray.trace.stats.npts for stray in entries) > room
        ):
            dropped.append(entries.pop(0).trace)
        return dropped

    def fitted(self, channel: str, clock: float) -> list[obspy.Trace]:
        """
        Note a packet that fits.

        :return: Packets that have waited long enough.
        """
        self.strays[channel] = self.strays["all"] = 0
        self.fits += 1
        return self._give_up(lambda stray: stray.clock < clock - self.max_latency)

    def fitting(self, fits: Callable[[obspy.Trace], bool]) -> Iterator[Stray]:
        """
        Remove and return packets that fit by now, one after the other.

        :param fits: Function that says whether a packet fits.
        """
        while True:
            waiting = (stray for entries in self.entries.values() for stray in entries)
            found = next((stray for stray in waiting if fits(stray.trace)), None)
            if found is None:
                return
            self._give_up(partial(is_, found))
            yield found

    def refuted(self, channels: int) -> list[obspy.Trace]:
        """
        Remove and return packets after which the instrument continued as before.

        :param channels: Number of channels that the instrument has had.
        """
        old = self.fits - JUMP_PACKETS * channels
        refuted = {
            id(stray)
            for entries in self.entries.values()
            for run in _runs(entries)
            if min(stray.fits for stray in run) <= old
            for stray in run
        }
        return self._give_up(lambda stray: id(stray) in refuted)

    def _give_up(self, wanted: Callable[[Stray], bool]) -> list[obspy.Trace]:
        given_up = []
        for name, entries in list(self.entries.items()):
            given_up += [stray.trace for stray in entries if wanted(stray)]
            self.entries[name] = [stray for stray in entries if not wanted(stray)]
            if not self.entries[name]:
                del self.entries[name]
        return given_up

    def believed(self, channel: str, clock: float, rate: float | None, channels: int) -> bool:
        """
        Whether the data continue with the packets that are put aside.

        :param channel: Channel of the last packet.
        :param rate: Sampling rate of the channel so far.
        :param channels: Number of channels that the instrument has had.
        """
        entries = self.entries[channel]
        run = [stray.trace for stray in max(_runs(entries), key=len)]
        if len(run) < JUMP_PACKETS or self.strays[channel] < JUMP_PACKETS:
            return False
        if rate is not None and run[0].stats.sampling_rate != rate:
            # The other components may continue as before.
            return True
        waited = clock - min(stray.clock for stray in entries) >= self.max_latency
        span = run[-1].stats.endtime - run[0].stats.starttime
        alone = self.strays["all"] >= JUMP_PACKETS * max(channels, 1)
        return alone and (waited or span >= self.max_latency)

    def take(self, channel: str | None = None) -> list[Stray]:
        """
        Remove and return all packets.

        :param channel: Channel that is believed. Its packets, and those near them, come first.
        """
        entries = [stray for of_channel in self.entries.values() for stray in of_channel]
        entries.sort(key=lambda stray: stray.trace.stats.starttime)
        if channel in self.entries:
            start = max(_runs(self.entries[channel]), key=len)[0].trace.stats.starttime
            entries.sort(key=lambda s: abs(s.trace.stats.starttime - start) > self.seconds)
        self.entries, self.fits = {}, 0
        self.strays.clear()
        return entries

    def state(self) -> dict:
        """The state as numbers, text and arrays, see :py:meth:`restore`."""
        entries = [
            {
                **stray._asdict(),
                "trace": np.ma.filled(np.ma.asarray(stray.trace.data, dtype=float), np.nan),
                "id": stray.trace.id,
                "rate": stray.trace.stats.sampling_rate,
                "start": stray.trace.stats.starttime.ns,
            }
            for of_channel in self.entries.values()
            for stray in of_channel
        ]
        return {"entries": entries, "strays": dict(self.strays), "fits": self.fits}

    def restore(self, state: dict, later: float) -> None:
        """
        Continue from a state.

        :param later: Seconds by which the clock has moved since then.
        """
        self.strays.update(state["strays"])
        self.fits = state["fits"]
        for entry in state["entries"]:
            trace = obspy.Trace(entry["trace"], {"sampling_rate": entry["rate"]})
            trace.id = entry["id"]
            trace.stats.starttime = obspy.UTCDateTime(ns=entry["start"])
            stray = Stray(trace, entry["clock"] + later, entry["wall"], entry["fits"])
            self.entries.setdefault(trace.stats.channel, []).append(stray)


def _runs(strays: list[Stray]) -> list[list[Stray]]:
    """Packets that follow each other in time. The first of several duplicates counts."""
    runs: list[list[Stray]] = []
    for stray in sorted(strays, key=lambda stray: stray.trace.stats.starttime):
        last = runs[-1][-1].trace if runs else None
        if last is not None and last.stats.starttime == stray.trace.stats.starttime:
            continue
        if last is not None and _continues(last, stray.trace):
            runs[-1].append(stray)
        else:
            runs.append([stray])
    return runs


def _continues(before: obspy.Trace, after: obspy.Trace) -> bool:
    delta = before.stats.delta
    late = after.stats.starttime - before.stats.endtime - delta
    return abs(late) <= delta and before.stats.sampling_rate == after.stats.sampling_rate
