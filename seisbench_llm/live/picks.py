"""Live picks: reports about a pick."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

import obspy

from .final import Peak

# States of a pick: first report; final report if batch processing finds it, or does not find it.
Status = Literal["preliminary", "confirmed", "rejected"]


@dataclass(frozen=True)
class LivePick:
    """
    A report about a pick.

    :param id: Identifier, the same in all reports about one pick.
    :param status: ``preliminary`` for the first report. ``confirmed`` if batch processing of the
        same data finds the pick, with the time and probability found there. ``rejected`` if not.
    :param trace_id: NET.STA.LOC and band and instrument code.
    :param phase: P or S.
    :param time: Time of the probability's peak.
    :param probability: Value of the peak.
    :param weight: Name and version of the weight.
    :param latency: Wall clock seconds from the arrival of the sample that completed the pick to its
        output. This includes the wait for other components and late packets, the wait for the next
        step, and computing.
    :param data_latency: Seconds from the time of the pick to its output. This includes the latency,
        the settling time, and the transmission from the station. It is measured by the wall clock,
        in a replay by the time of the data.
    :param time_uncertainty: Seconds within which 68 % of the errors of the time lie, see
        :py:func:`seisbench_llm.streams.picks.time_uncertainty`. None if the weights do not contain
        it.
    """

    id: str
    status: Status
    trace_id: str
    phase: str
    time: obspy.UTCDateTime
    probability: float
    weight: str
    latency: float
    data_latency: float
    time_uncertainty: float | None = None

    def to_json(self) -> str:
        """One line of JSON."""
        entries = {**asdict(self), "time": str(self.time)}
        for name, digits in (("probability", 4), ("latency", 3), ("data_latency", 3)):
            entries[name] = round(entries[name], digits)
        if self.time_uncertainty is not None:
            entries["time_uncertainty"] = round(self.time_uncertainty, 4)
        return json.dumps(entries)

    @classmethod
    def from_json(cls, line: str) -> LivePick:
        """
        The pick in a line of JSON.

        :raises ValueError: If the line is not from :py:meth:`to_json`.
        """
        try:
            entries = json.loads(line)
            return cls(**{**entries, "time": obspy.UTCDateTime(entries["time"])})
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"This line is not a live pick: {line[:80]!r} ({error})") from error


@dataclass(frozen=True)
class Report:
    """
    An internal report about a pick.

    :param id: Identifier, the same in all reports about one pick.
    :param status: See :py:class:`seisbench_llm.live.LivePick`.
    :param phase: P or S.
    :param time: Time of the peak.
    :param probability: Value of the peak.
    :param arrived: Unix time of arrival of the sample that completed the report.
    """

    id: str
    status: Status
    phase: str
    time: obspy.UTCDateTime
    probability: float
    arrived: float


@dataclass(slots=True)
class OpenPick:
    """
    A pick whose final report is still to come.

    :param peak: Peak, as reported.
    :param id: Identifier of the pick.
    :param said: Whether the final report was made before a restart, so that it must not be
        repeated.
    """

    peak: Peak
    id: str
    said: bool = False
