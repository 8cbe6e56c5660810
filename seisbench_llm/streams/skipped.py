"""Skipped traces: what annotate, classify and their relatives leave out, and why."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import obspy
import seisbench


@dataclass(frozen=True)
class Skipped:
    """
    A trace, or a part of one, that was left out or is of doubtful use.

    :param trace_id: NET.STA.LOC.CHA, or NET.STA.LOC.CH where an instrument is concerned.
    :param start: Time of its first sample.
    :param end: Time of its last sample.
    :param cause: Why, as the rest of a sentence.
    :param used: Whether it was used all the same.
    """

    trace_id: str
    start: obspy.UTCDateTime
    end: obspy.UTCDateTime
    cause: str
    used: bool = False


class SkippedList(list):
    """A list of :py:class:`Skipped`."""

    def add(self, trace, cause: str, used: bool = False) -> None:
        """
        :param trace: Trace or record, with ``id`` and ``stats``.
        """
        stats = trace.stats
        self.append(Skipped(trace.id, stats.starttime, stats.endtime, cause, used))

    def warn(self) -> None:
        """Sort by id and time, and warn once per cause, with the number of traces."""
        self.sort(key=lambda entry: (entry.trace_id, entry.start.ns, entry.cause))
        causes = defaultdict(list)
        for entry in self:
            causes[entry.cause, entry.used].append(entry)
        for (cause, used), entries in causes.items():
            first = entries[0]
            verb = "annotated all the same" if used else "ignored"
            text = f"{first.trace_id} at {first.start} is {verb}: {cause}."
            if len(entries) > 1:
                ids = len({entry.trace_id for entry in entries})
                text = f"{len(entries)} traces with {ids} ids are {verb}, the first: {text}"
            seisbench.logger.warning(text)
