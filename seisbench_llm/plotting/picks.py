"""Waveforms with picks and probability curves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import obspy
import pandas as pd
import seisbench

from ..trace_ids import location_of
from .base import (
    COLORS,
    SMALL,
    as_stream,
    as_table,
    envelope,
    for_display,
    new_figure,
    phase_legend,
    time_axis,
)

# More lines than this across a panel would hide the waveforms.
_MOST_LINES = 40


def plot_picks(
    stream: obspy.Stream,
    picks,
    annotations: obspy.Stream | None = None,
    max_stations: int = 12,
    highpass: float | None = None,
):
    """
    Waveforms with picks and, below them, the probability curves from which the picks were made.

    Gaps stay empty. If a station has more than 40 picks, they are ticks at the upper edge instead
    of lines. Labels are left out where there is no room.

    :param stream: Waveforms.
    :param picks: Picks of SeisBench, a table of picks, or a result of ``classify``.
    :param annotations: Probability curves of the same stream, None to leave them out.
    :param max_stations: Largest number of stations shown. Those with most picks are chosen. The
        figure and a warning say how many there are.
    :param highpass: Corner of a high-pass for display, in Hz.
    :return: A matplotlib figure.
    :raises ValueError: If there is nothing to show.
    """
    stream = as_stream(stream)
    table = as_table(picks)
    table = table.assign(location=[location_of(name) for name in table["trace_id"]])
    locations = _locations(stream)
    chosen = _most_picked(locations, table, max_stations)
    blocks = _blocks({name: locations[name] for name in chosen}, annotations, highpass)
    if not blocks:
        raise ValueError("There are no waveforms to plot.")
    together = _overlap([trace for rows in blocks.values() for row in rows for trace in row])
    count = sum(map(len, blocks.values()))
    extra = 0.2 if together else 0.5
    figure = new_figure(11, 0.9 + 0.75 * (count + extra * len(blocks)))
    # One grid for all stations, so that all panels have the same width.
    places = iter(figure.add_gridspec(count, 1))
    first = None
    for location, rows in blocks.items():
        members = _within(table[table["location"] == location], rows)
        block = None
        for i, traces in enumerate(rows):
            axis = figure.add_subplot(next(places), sharex=first if together else block)
            first, block = first or axis, block or axis
            _draw(axis, traces, members, labels=i == 0)
            axis.tick_params(labelbottom=False)
        time_axis(axis)
        axis.tick_params(labelbottom=not together or location == list(blocks)[-1])
    axis.set_xlabel("time (UTC)")
    phase_legend(figure)
    if len(chosen) < len(locations):
        text = f"{len(chosen)} of {len(locations)} stations, those with most picks"
        figure.suptitle(text, x=0.01, ha="left", fontsize=SMALL)
        seisbench.logger.warning(f"The figure shows {text}; plot_picks(max_stations=) shows more.")
    return figure


def _within(picks: pd.DataFrame, rows: list[list[obspy.Trace]]) -> pd.DataFrame:
    """Picks within the waveforms of a station, which may be a part of what was picked."""
    traces = [trace for row in rows for trace in row]
    first = min(trace.stats.starttime for trace in traces).datetime
    last = max(trace.stats.endtime for trace in traces).datetime
    begin, end = (pd.Timestamp(time, tz="UTC") for time in (first, last))
    # Times of picks are rounded.
    near = pd.Timedelta("1ms")
    return picks[(picks["time"] >= begin - near) & (picks["time"] <= end + near)]


def _draw(axis, traces: list[obspy.Trace], picks: pd.DataFrame, labels: bool) -> None:
    axis.margins(x=0)
    axis.spines[["top", "right"]].set_visible(False)
    curves = _label(traces[0]) in COLORS
    # One scale for all parts of a record.
    largest = max((np.nanmax(np.abs(t.data), initial=0) for t in traces), default=0) or 1
    for trace in traces:
        seconds, data = envelope(trace)
        times = trace.stats.starttime.matplotlib_date + seconds / 86400
        if curves:
            axis.plot(times, data, color=COLORS[_label(trace)], lw=1.2)
        else:
            axis.plot(times, data / largest, color="0.25", lw=0.5)
    if curves:
        axis.set(ylim=(0, 1.05), yticks=(0, 1), ylabel="prob.")
        return
    axis.set(yticks=[], ylim=(-1.2, 1.2))
    axis.set_ylabel(traces[0].id, rotation=0, ha="right", va="center", fontsize=SMALL)
    _draw_picks(axis, traces, picks, labels)


def _draw_picks(axis, traces, picks: pd.DataFrame, labels: bool) -> None:
    from matplotlib.dates import date2num

    lower = 0.0 if len(picks) <= _MOST_LINES else 0.85
    for phase, of_phase in picks.groupby("phase"):
        color = COLORS.get(phase, "k")
        axis.vlines(
            date2num(of_phase["time"].dt.tz_localize(None)),
            lower,
            1,
            transform=axis.get_xaxis_transform(),
            color=color,
            lw=1.2 if lower == 0 else 0.6,
            alpha=1 if lower == 0 else 0.7,
        )
    if not labels or lower:
        return
    start = min(t.stats.starttime for t in traces).matplotlib_date
    span = (max(t.stats.endtime for t in traces).matplotlib_date - start) or 1
    taken = {"P": [], "S": []}
    # The most probable picks come first, so that the least probable ones lose their labels.
    for row in picks.sort_values("probability", ascending=False).itertuples():
        time = date2num(row.time.tz_localize(None))
        others = taken.setdefault(row.phase, [])
        # Labels of P end at their pick, those of S begin there.
        side = 1 if row.phase == "P" else -1
        against = taken["S" if row.phase == "P" else "P"]
        if any(abs(time - other) < 0.05 * span for other in others) or any(
            0 < side * (time - other) < 0.1 * span for other in against
        ):
            continue
        others.append(time)
        axis.annotate(
            row.phase if np.isnan(row.probability) else f"{row.phase} {row.probability:.2f}",
            (time, 1),
            xycoords=("data", "axes fraction"),
            # P to the left and S to the right, so that close ones can both be read.
            xytext=(-2 if row.phase == "P" else 2, 1),
            textcoords="offset points",
            ha="right" if row.phase == "P" else "left",
            va="bottom",
            fontsize=SMALL,
            color=COLORS.get(row.phase, "k"),
        )


def _label(trace: obspy.Trace) -> str:
    return trace.stats.channel.rpartition("_")[2]


def _overlap(traces: list[obspy.Trace]) -> bool:
    """Whether all traces have a common time."""
    return max(t.stats.starttime for t in traces) <= min(t.stats.endtime for t in traces)


def _locations(stream: obspy.Stream) -> dict[str, dict[str, list[obspy.Trace]]]:
    """NET.STA.LOC -> trace id -> traces."""
    locations = defaultdict(lambda: defaultdict(list))
    for trace in stream:
        if trace.stats.npts:
            locations[location_of(trace.id)][trace.id].append(trace)
    return locations


def _most_picked(locations: Iterable[str], table: pd.DataFrame, most: int) -> list[str]:
    counts = table["location"].value_counts()
    return sorted(sorted(locations, key=lambda name: (-counts.get(name, 0), name))[:most])


def _blocks(locations, annotations, highpass) -> dict[str, list[list[obspy.Trace]]]:
    """NET.STA.LOC -> rows of traces: one row per channel, and one with the curves."""
    blocks = {}
    for name, channels in locations.items():
        # The vertical comes first, because P is best seen on it.
        order = sorted(channels, key=lambda trace_id: (trace_id[-1] != "Z", trace_id))
        rows = [list(for_display(channels[trace_id], highpass)) for trace_id in order]
        blocks[name] = [row for row in rows if row]
        curves = [
            trace
            for trace in annotations or []
            if location_of(trace.id) == name and trace.stats.channel[-2:] in ("_P", "_S")
        ]
        if curves:
            blocks[name].append(curves)
    return {name: rows for name, rows in blocks.items() if rows}
