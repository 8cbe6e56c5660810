"""
Days of continuous data: usable traces of a day, and results that do not depend on midnight.

Neighbouring days must have the same windows around midnight. Otherwise a pick at midnight could be
found on both days or on none. Each segment of data therefore begins on one grid of times, counted
from 1970. Its step is a whole number of window hops and of samples. Data that begin elsewhere are
preceded by their mean up to the grid. Preprocessing turns the mean into zeros, like SeisBench's own
padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import obspy
import pandas as pd
import seisbench
from obspy import UTCDateTime

from ..stations import Stations
from ..streams.contiguous import ContiguousRecord, make_trace
from ..streams.skipped import SkippedList
from ..streams.spans import data_spans
from .files import SourceError

# Largest relative difference of sampling rates that differ only by the digitiser's clock.
SAME_RATE = 1e-4

# Number of gaps that a manifest lists. All of them are counted.
MAX_GAPS_LISTED = 50


@dataclass(frozen=True)
class DayData:
    """
    Waveforms of a station-day, for what is measured at its picks.

    :param usable: The part that the picker can use, in contiguous traces, not aligned.
    :param recorded: Waveforms as recorded, not rotated.
    :param stations: Stations of the run, or None.
    :param skipped: List to which left-out data are added.
    :param filled: Start and end of each part before data that was filled to align them.
    """

    usable: obspy.Stream
    recorded: obspy.Stream
    stations: Stations | None
    skipped: SkippedList
    filled: Sequence[tuple[UTCDateTime, UTCDateTime]] = ()

    def has(self, time: UTCDateTime) -> bool:
        """Whether a time, to the precision of :py:func:`keep_day`, is outside the filled parts."""
        return not any(start <= time < end - 5e-5 for start, end in self.filled)


def check(stream: obspy.Stream, day: UTCDateTime, lowest_rate: float) -> obspy.Stream:
    """
    Traces of one sampling rate with at least one sample, or an empty stream if there are none on
    the day.

    A warning names traces of the padding that are left out.

    :param day: Beginning of the day.
    :param lowest_rate: Hz.
    :raises SourceError: If sampling rates are too low or differ within the day.
    """
    stream = obspy.Stream([t for t in stream if t.stats.npts])
    inside = of_day(stream, day)
    if not inside:
        return obspy.Stream()
    samples: dict[float, int] = {}
    for trace in inside:
        rate = trace.stats.sampling_rate
        samples[rate] = samples.get(rate, 0) + trace.stats.npts
    usual = max(samples, key=samples.get)
    others = [t for t in inside if not _is_rate(t, usual)]
    odd = others[0] if others else inside[0]
    file = odd.stats.get("file")
    where = f"{odd.id} at {odd.stats.starttime}" + (f" in {file}" if file else "")
    if others:
        raise SourceError(
            f"{where} has {odd.stats.sampling_rate:g} Hz, the rest of the day {usual:g} Hz. "
            f"Correct or remove it.",
            file,
        )
    if usual < lowest_rate:
        raise SourceError(
            f"{where} has {usual:g} Hz; at least {lowest_rate:g} Hz are needed. "
            f"Correct it, or choose another channel.",
            file,
        )
    kept = obspy.Stream()
    for trace in stream:
        if _is_rate(trace, usual):
            kept.append(trace)
        else:
            rate = trace.stats.sampling_rate
            seisbench.logger.warning(
                f"Neighbouring day left out: {trace.id} has {rate:g} Hz there."
            )
    return kept


def _is_rate(trace: obspy.Trace, rate: float) -> bool:
    return abs(trace.stats.sampling_rate / rate - 1) < SAME_RATE


def of_day(stream: obspy.Stream, day: UTCDateTime) -> list[obspy.Trace]:
    """The traces with samples of the day."""
    return [t for t in stream if t.stats.starttime < day + 86400 and t.stats.endtime >= day]


def traces_of(records: list[ContiguousRecord]) -> obspy.Stream:
    """Records as traces in double precision."""
    return obspy.Stream([make_trace(r.read(0, r.stats.npts), r.stats) for r in records])


def align(
    stream: obspy.Stream, step: float | None, bridge: float
) -> list[tuple[UTCDateTime, UTCDateTime]]:
    """
    Extend each segment in place, so that it begins on the grid of windows.

    :param stream: One instrument in contiguous traces of one sampling rate.
    :param step: Time between two windows in seconds, None if there are no windows.
    :param bridge: Longest gap within a segment in seconds.
    :return: Start and end of each part that was filled.
    """
    if not stream or step is None:
        return []
    delta = stream[0].stats.delta
    # A whole number of samples. Otherwise resampling would give different samples on each day.
    hop = Fraction(step).limit_denominator(100_000)
    rate = Fraction(stream[0].stats.sampling_rate).limit_denominator(1000)
    grid = round(hop * (hop * rate).denominator * 1_000_000_000)
    filled, first, reached = [], None, None
    for trace in sorted(stream, key=lambda trace: trace.stats.starttime):
        start, end = trace.stats.starttime, trace.stats.endtime
        if reached is None or start - reached > bridge:
            first = start
            lead = round(start.ns % grid / 1e9 / delta) % round(grid / 1e9 / delta)
            # If the grid is coarse, it may reach back into the previous segment.
            if reached is not None and start - lead * delta <= reached:
                lead = 0
            if lead:
                filled.append((start - lead * delta, start))
        # All components are extended, because they need the same samples to be resampled alike.
        if lead and start - first < delta:
            trace.data = np.concatenate([np.full(lead, trace.data.mean()), trace.data])
            trace.stats.starttime = start - lead * delta
        reached = end if reached is None else max(reached, end)
    return filled


def keep_day(table: pd.DataFrame, day: UTCDateTime, filled: list[tuple]) -> pd.DataFrame:
    """
    Rows with times within the day and not before the data.

    SeisBench's times are exact to a microsecond, and a sample at midnight must belong to the same
    day in both runs. Times are therefore rounded to tenths of milliseconds and moved into the day.
    """
    first = pd.Timestamp(day.datetime, tz="UTC")
    last = first + pd.Timedelta(days=1)
    rounded = table["time"].dt.round("100us")
    inside = (rounded >= first) & (rounded < last)
    for start, end in filled:
        begin, stop = (pd.Timestamp(t.datetime, tz="UTC").round("100us") for t in (start, end))
        inside &= ~((rounded >= begin) & (rounded < stop))
    table = table[inside].reset_index(drop=True)
    table["time"] = table["time"].clip(first, last - pd.Timedelta(microseconds=1))
    return table


def coverage(stream: obspy.Stream, day: UTCDateTime) -> dict:
    """
    Coverage of a day by data.

    :return: Fraction of the day with data on at least one component, the fraction of each channel,
        the number of gaps, and the first gaps as pairs of times.
    """
    end = day + 86400
    delta = stream[0].stats.delta if stream else 0.0
    channels: dict[str, float] = {}
    for trace in stream:
        seconds = min(trace.stats.endtime + delta, end) - max(trace.stats.starttime, day)
        channel = trace.stats.channel
        channels[channel] = channels.get(channel, 0.0) + max(seconds, 0) / 86400
    gaps, reached = [], day
    if stream:
        for start, stop in data_spans(stream, 1 / delta):
            if start - reached > 1.5 * delta and reached < end:
                gaps.append((reached, min(start, end)))
            reached = max(reached, stop + delta)
    if end - reached > 1.5 * delta:
        gaps.append((reached, end))
    missing = sum(stop - start for start, stop in gaps)
    return {
        "coverage": round(1 - missing / 86400, 6),
        "channels": {channel: round(min(channels[channel], 1), 6) for channel in sorted(channels)},
        "n_gaps": len(gaps),
        "gaps": [[str(start), str(stop)] for start, stop in gaps[:MAX_GAPS_LISTED]],
    }


def days_between(start: date, end: date) -> list[str]:
    """Days from ``start`` up to, but not including, ``end``."""
    return [str(start + timedelta(days=i)) for i in range((end - start).days)]
