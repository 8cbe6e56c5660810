"""Skipped traces: data that annotate, classify and other functions leave out, and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

import obspy
import seisbench

# Left-out data of calls that are parts of one. None outside said_once.
_parts: ContextVar[SkippedList | None] = ContextVar("parts", default=None)

_CALENDAR = obspy.UTCDateTime(1, 1, 1), obspy.UTCDateTime(9999, 12, 31)


@dataclass(frozen=True)
class Skipped:
    """
    A trace, or a part of one, that was left out or is of doubtful use.

    :param trace_id: NET.STA.LOC.CHA, or NET.STA.LOC.CH where an instrument is concerned.
    :param start: Time of its first sample.
    :param end: Time of its last sample.
    :param cause: Reason, as the end of a sentence.
    :param used: Whether it was used nevertheless.
    """

    trace_id: str
    start: obspy.UTCDateTime
    end: obspy.UTCDateTime
    cause: str
    used: bool = False


class SkippedList(list):
    """A list of :py:class:`Skipped`."""

    def __repr__(self) -> str:
        """Numbers by cause, in a line."""
        counts = Counter(entry.cause for entry in self)
        causes = "; ".join(f"{number} times {cause}" for cause, number in counts.most_common(5))
        return f"SkippedList({len(self)} entries{': ' if causes else ''}{causes})"

    def add(self, trace, cause: str, used: bool = False) -> None:
        """
        :param trace: Trace or record, with ``id`` and ``stats``.
        """
        # Python and ObsPy write times of these years only.
        start, end = (
            min(max(time, _CALENDAR[0]), _CALENDAR[1])
            for time in (trace.stats.starttime, trace.stats.endtime)
        )
        self.append(Skipped(trace.id, start, end, cause, used))

    def joined(self) -> SkippedList:
        """
        Join overlapping entries of the same trace and cause, such as those of parts of a stream.
        """
        joined: dict[tuple, list[Skipped]] = defaultdict(list)
        for entry in sorted(self, key=lambda entry: entry.start.ns):
            of_trace = joined[entry.trace_id, entry.cause, entry.used]
            if of_trace and entry.start <= of_trace[-1].end:
                of_trace[-1] = replace(of_trace[-1], end=max(entry.end, of_trace[-1].end))
            else:
                of_trace.append(entry)
        return SkippedList(entry for entries in joined.values() for entry in entries)

    def causes(self) -> dict[str, int]:
        """Cause -> number of entries that have it."""
        return dict(Counter(entry.cause for entry in self))

    def first(self, number: int) -> SkippedList:
        """At most so many entries; of each cause there is one before any has two."""
        before: Counter = Counter()
        places = []
        for at, entry in enumerate(self):
            places.append((before[entry.cause], at))
            before[entry.cause] += 1
        return SkippedList(self[at] for _, at in sorted(places)[:number])

    def order(self) -> None:
        """Sort by id and time."""
        self.sort(key=lambda entry: (entry.trace_id, entry.start.ns, entry.cause))

    def warn(self) -> None:
        """Sort by id and time, and warn once per cause, with the number of traces."""
        self.order()
        whole = _parts.get()
        if whole is not None:
            whole.extend(self)
            return
        causes = defaultdict(list)
        for entry in self:
            causes[entry.cause, entry.used].append(entry)
        for (cause, used), entries in causes.items():
            first = entries[0]
            verb = "annotated nevertheless" if used else "ignored"
            text = f"{first.trace_id} at {first.start} is {verb}: {cause}."
            if len(entries) > 1:
                ids = len({entry.trace_id for entry in entries})
                text = f"{len(entries)} traces with {ids} ids are {verb}, the first: {text}"
            seisbench.logger.warning(text)


@contextmanager
def said_once() -> Iterator[SkippedList]:
    """
    Treat several calls of ``annotate`` or ``classify`` as parts of one.

    At the end there is one warning per cause for all data that they leave out.

    :return: List that finally contains all left-out data, each once.
    """
    whole = SkippedList()
    token = _parts.set(whole)
    try:
        yield whole
    finally:
        _parts.reset(token)
        whole[:] = whole.joined()
        whole.warn()


@contextmanager
def unsaid() -> Iterator[None]:
    """Say nothing about left-out data, as another call with the same data does."""
    token = _parts.set(SkippedList())
    try:
        yield
    finally:
        _parts.reset(token)
