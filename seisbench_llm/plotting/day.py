"""Day overview of one channel, one hour per line."""

from __future__ import annotations

import numpy as np
import obspy
import pandas as pd

from ..trace_ids import location_of
from .base import (
    COLORS,
    as_stream,
    as_table,
    counts_of,
    envelope,
    for_display,
    new_figure,
    phase_legend,
)


def plot_day(
    stream: obspy.Stream,
    picks,
    day: obspy.UTCDateTime | str | None = None,
    trace_id: str | None = None,
    minutes: int = 60,
    highpass: float | None = 1.0,
    scale: float | None = None,
):
    """
    Day overview of one channel with its picks, as on a drum.

    P picks are ticks above the line, S picks below it. Hours without data are grey. The title says
    the amplitude from one line to the next, in the unit of the data.

    :param stream: Waveforms, which may contain other channels and days.
    :param picks: Picks of SeisBench, a table of picks, or a result of ``classify``.
    :param day: Day in UTC. By default the one with most data.
    :param trace_id: NET.STA.LOC.CHA. By default a vertical channel of the location with most picks.
    :param minutes: Length of a line, a divisor of 1440.
    :param highpass: Corner of a high-pass for display, in Hz. None for no filter.
    :param scale: Amplitude that reaches the next line, in the unit of the data. By default half the
        median of the lines' largest amplitudes. Larger amplitudes are clipped.
    :return: A matplotlib figure.
    :raises ValueError: If there are no data of that channel and day.
    """
    if minutes < 1 or 1440 % minutes:
        raise ValueError(f"A day is not a whole number of lines of {minutes} minutes.")
    stream = as_stream(stream)
    table = as_table(picks)
    trace_id = trace_id or _most_picked(stream, table)
    traces = [trace for trace in stream if trace.id == trace_id and trace.stats.npts]
    if not traces:
        raise ValueError(
            f"There are no data of {trace_id}; there are {sorted({t.id for t in stream})[:10]}."
        )
    start = obspy.UTCDateTime(day) if day else _fullest(traces)
    start = obspy.UTCDateTime(start.date)
    step, n_lines = minutes * 60, 1440 // minutes
    lines = _lines(traces, start, step, n_lines, highpass)
    if not any(lines):
        raise ValueError(f"There are no data of {trace_id} on {start.date}.")
    if scale is None:
        peaks = [max(np.nanmax(np.abs(p.data), initial=0) for p in row) for row in lines if row]
        scale = float(np.median(peaks)) / 2 or 1.0
    table = table[
        (table["trace_id"].map(location_of) == location_of(trace_id))
        & (table["time"] >= pd.Timestamp(start.datetime, tz="UTC"))
        & (table["time"] < pd.Timestamp((start + 86400).datetime, tz="UTC"))
    ]

    figure = new_figure(11, 1.5 + 0.3 * n_lines)
    axis = figure.add_subplot()
    for i, pieces in enumerate(lines):
        _draw_line(axis, i, pieces, start + i * step, scale, step)
    _draw_picks(axis, table, start, step)
    axis.set(xlim=(0, minutes), ylim=(n_lines - 0.3, -0.7), xlabel="time (minutes)")
    ticks = range(0, n_lines, max(1, n_lines // 24))
    axis.set_yticks(ticks, [(start + i * step).strftime("%H:%M") for i in ticks])
    axis.set_ylabel("time (UTC)")
    axis.spines[["top", "right"]].set_visible(False)
    filtered = f", high-passed at {highpass:g} Hz" if highpass else ""
    size = f"{scale:,.0f}" if scale >= 100 else f"{scale:.3g}"
    spacing = f", {size} from line to line (unit of the data)"
    axis.set_title(f"{trace_id}  {start.date}{filtered}{spacing}", loc="left", fontsize=10)
    phase_legend(figure, counts_of(table))
    return figure


def _lines(traces, start, step: float, n_lines: int, highpass) -> list[list[obspy.Trace]]:
    """The pieces of each line of a day."""
    # A little more is cut off after filtering, so that the filter has settled.
    around = (trace.slice(start - 60, start + 86460) for trace in traces)
    shown = for_display([trace for trace in around if trace.stats.npts], highpass)
    return [
        [
            piece
            for trace in shown
            if (piece := trace.slice(start + i * step, start + (i + 1) * step)).stats.npts
        ]
        for i in range(n_lines)
    ]


def _fullest(traces: list[obspy.Trace]) -> obspy.UTCDateTime:
    """The day with most data, or the first of several such days."""
    seconds = {}
    for trace in traces:
        day = obspy.UTCDateTime(trace.stats.starttime.date)
        while day <= trace.stats.endtime:
            inside = min(trace.stats.endtime, day + 86400) - max(trace.stats.starttime, day)
            seconds[day.date] = seconds.get(day.date, 0) + inside
            day += 86400
    return obspy.UTCDateTime(min(seconds, key=lambda day: (-seconds[day], day)))


def _draw_line(axis, row: int, pieces, start, scale: float, step: float) -> None:
    """Draw the samples of a line, and grey where there are none."""
    from matplotlib.collections import LineCollection

    end = 0.0
    empty = []
    for piece in sorted(pieces, key=lambda piece: piece.stats.starttime):
        seconds, data = envelope(piece)
        seconds = seconds + (piece.stats.starttime - start)
        if seconds[0] - end > 2 * piece.stats.delta:
            empty.append((end, piece.stats.starttime - start))
        end = max(end, piece.stats.endtime - start + piece.stats.delta)
        heights = row - np.clip(data / scale, -0.8, 0.8)
        axis.plot(seconds / 60, heights, color="0.3", lw=0.4, zorder=2)
    if step - end > 1:
        empty.append((end, step))
    segments = [[(a / 60, row), (b / 60, row)] for a, b in empty]
    axis.add_collection(LineCollection(segments, colors="0.85", lw=5, zorder=1))


def _draw_picks(axis, table: pd.DataFrame, start, step: float) -> None:
    seconds = (table["time"] - pd.Timestamp(start.datetime, tz="UTC")).dt.total_seconds()
    rows, offsets = np.divmod(seconds.to_numpy(), step)
    for phase, side in (("P", -1), ("S", 1)):
        of_phase = (table["phase"] == phase).to_numpy()
        axis.vlines(
            offsets[of_phase] / 60,
            rows[of_phase] + side * 0.16,
            rows[of_phase] + side * 0.4,
            color=COLORS[phase],
            lw=1.2,
            alpha=1 if of_phase.sum() < 1000 else 0.6,
            zorder=3,
        )


def _most_picked(stream: obspy.Stream, table: pd.DataFrame) -> str:
    ids = {trace.id for trace in stream if trace.stats.npts}
    if not ids:
        raise ValueError("There are no waveforms to plot.")
    counts = table["trace_id"].map(location_of).value_counts()
    return min(ids, key=lambda name: (-counts.get(location_of(name), 0), name[-1] != "Z", name))
