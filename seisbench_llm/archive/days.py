"""
Days of continuous data: what of a day can be used, and results that do not depend on the cut.

Windows of a day must be those of the days beside it, or a pick at midnight could fall on either
side in both runs, or in none. So each segment of data begins on one grid of times, counted from
1970: whole steps of the windows that are also whole samples of the waveforms. In front of data
that begin elsewhere, the step is filled with their mean, which preprocessing turns into the zeros
that SeisBench's own padding would be.
"""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import obspy
import pandas as pd
import seisbench
from obspy import UTCDateTime

from ..streams.contiguous import ContiguousRecord, make_trace
from ..streams.spans import data_spans
from .files import SourceError

# Relative difference of sampling rates that are the same but for the digitiser's clock.
SAME_RATE = 1e-4

# Gaps that a manifest lists one by one; all of them are counted.
MAX_GAPS_LISTED = 50


def check(stream: obspy.Stream, day: UTCDateTime, lowest_rate: float) -> obspy.Stream:
    """
    Traces of one sampling rate with at least a sample, or an empty stream if none is of the day.

    Traces of the padding that are left out are named in a warning.

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
    """The traces that have a sample of the day."""
    return [t for t in stream if t.stats.starttime < day + 86400 and t.stats.endtime >= day]


def traces_of(records: list[ContiguousRecord]) -> obspy.Stream:
    """Records as traces in double precision."""
    return obspy.Stream([make_trace(r.read(0, r.stats.npts), r.stats) for r in records])


def align(
    stream: obspy.Stream, step: float | None, bridge: float
) -> list[tuple[UTCDateTime, UTCDateTime]]:
    """
    Let each segment begin on the grid of windows, in place.

    :param stream: One instrument in contiguous traces of one sampling rate.
    :param step: Time between two windows in seconds, None if there are no windows.
    :param bridge: Longest gap within a segment in seconds.
    :return: Start and end of what was filled in.
    """
    if not stream or step is None:
        return []
    delta = stream[0].stats.delta
    # Whole samples of the waveforms, or resampling would give other samples in each run.
    hop = Fraction(step).limit_denominator(100_000)
    rate = Fraction(stream[0].stats.sampling_rate).limit_denominator(1000)
    grid = round(hop * (hop * rate).denominator * 1_000_000_000)
    filled, first, reached = [], None, None
    for trace in sorted(stream, key=lambda trace: trace.stats.starttime):
        start, end = trace.stats.starttime, trace.stats.endtime
        if reached is None or start - reached > bridge:
            first = start
            lead = round(start.ns % grid / 1e9 / delta) % round(grid / 1e9 / delta)
            # At rates where the grid is coarse, it may reach back into the segment before.
            if reached is not None and start - lead * delta <= reached:
                lead = 0
            if lead:
                filled.append((start - lead * delta, start))
        # All components: to resample them alike, they must have the same samples.
        if lead and start - first < delta:
            trace.data = np.concatenate([np.full(lead, trace.data.mean()), trace.data])
            trace.stats.starttime = start - lead * delta
        reached = end if reached is None else max(reached, end)
    return filled


def keep_day(table: pd.DataFrame, day: UTCDateTime, filled: list[tuple]) -> pd.DataFrame:
    """
    Rows whose time is of the day and not before the data.

    SeisBench's times are good to a microsecond, and a sample at midnight must fall on the same
    side in both runs: times count in tenths of milliseconds, and are moved into the day.
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
    How much of a day has data.

    :return: Fraction of the day with data on at least one component, the fraction of each
        channel, number of gaps, and the first of them as pairs of times.
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
    """Days from ``start`` to the one before ``end``."""
    return [str(start + timedelta(days=i)) for i in range((end - start).days)]
