"""Figures of results."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import obspy

# Okabe and Ito (2008): told apart with any colour vision.
COLORS = {"P": "#0072B2", "S": "#D55E00", "Detection": "#999999"}


def plot_picks(
    stream: obspy.Stream, picks: list, annotations: obspy.Stream | None = None, max_stations=12
):
    """
    Waveforms with picks and, below them, the probability curves they were made from.

    :param stream: Waveforms.
    :param picks: Picks of SeisBench.
    :param annotations: Probability curves of the same stream, if they are to be shown.
    :param max_stations: Largest number of stations shown; the ones with most picks come first.
    :return: A matplotlib figure.
    :raises ValueError: If there is nothing to show.
    """
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    blocks = _blocks(stream, picks, annotations, max_stations)
    if not blocks:
        raise ValueError("There are no waveforms to plot.")
    together = _overlap([trace for rows in blocks.values() for row in rows for trace in row])
    heights = [len(rows) + (0 if together else 0.5) for rows in blocks.values()]
    figure = Figure(figsize=(11, 0.9 + 0.75 * sum(heights)), layout="constrained")
    outer = figure.add_gridspec(len(blocks), 1, height_ratios=heights)
    first = None
    for cell, (location, rows) in zip(outer, blocks.items(), strict=True):
        inner = cell.subgridspec(len(rows), 1, hspace=0)
        block = None
        for i, traces in enumerate(rows):
            axis = figure.add_subplot(inner[i], sharex=first if together else block)
            first, block = first or axis, block or axis
            own = [pick for pick in picks if _belongs(pick, location)]
            _draw(axis, traces, own, labels=i == 0)
            axis.tick_params(labelbottom=False)
        locator = AutoDateLocator()
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        axis.tick_params(labelbottom=not together or location == list(blocks)[-1])
    axis.set_xlabel("time (UTC)")
    handles = [first.plot([], [], color=COLORS[phase], label=phase)[0] for phase in "PS"]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, frameon=False)
    return figure


def _draw(axis, traces: list[obspy.Trace], picks: list, labels: bool) -> None:
    axis.margins(x=0)
    axis.spines[["top", "right"]].set_visible(False)
    for trace in traces:
        times, label = trace.times("matplotlib"), trace.stats.channel.rpartition("_")[2]
        if label in COLORS:
            axis.plot(times, trace.data, color=COLORS[label], lw=1.2)
            axis.set(ylim=(0, 1.05), yticks=(0, 1), ylabel="prob.")
            continue
        data = trace.data - np.mean(trace.data)
        axis.plot(times, data / (np.nanmax(np.abs(data)) or 1), color="0.25", lw=0.5)
        axis.set(yticks=[], ylim=(-1.2, 1.2))
        axis.set_ylabel(trace.id, rotation=0, ha="right", va="center", fontsize=8)
    if traces[0].stats.channel.rpartition("_")[2] in COLORS:
        return
    for pick in picks:
        time, color = pick.peak_time.matplotlib_date, COLORS.get(pick.phase, "k")
        axis.axvline(time, color=color, lw=1.2)
        if labels:
            axis.annotate(
                f"{pick.phase} {pick.peak_value:.2f}",
                (time, 1),
                xycoords=("data", "axes fraction"),
                # Side by side, P to the left, so that close ones can both be read.
                xytext=(-3 if pick.phase == "P" else 3, -1),
                textcoords="offset points",
                ha="right" if pick.phase == "P" else "left",
                va="top",
                fontsize=7,
                color=color,
            )


def _belongs(pick, location: str) -> bool:
    return ".".join(pick.trace_id.split(".")[:3]) == location


def _overlap(traces: list[obspy.Trace]) -> bool:
    """Whether there is a time that all traces have in common."""
    return max(t.stats.starttime for t in traces) <= min(t.stats.endtime for t in traces)


def _blocks(stream, picks, annotations, max_stations) -> dict[str, list[list[obspy.Trace]]]:
    """NET.STA.LOC -> rows of traces: one row per channel, and one with the curves."""
    locations = defaultdict(lambda: defaultdict(list))
    for trace in stream:
        if trace.stats.npts:
            locations[trace.id.rpartition(".")[0]][trace.id].append(trace)
    counts = {name: sum(_belongs(pick, name) for pick in picks) for name in locations}
    chosen = sorted(locations, key=lambda name: (-counts[name], name))[:max_stations]
    blocks = {}
    for name in sorted(chosen):
        # Vertical first, as it is the one to look at for P.
        order = sorted(locations[name], key=lambda trace_id: (trace_id[-1] != "Z", trace_id))
        blocks[name] = [locations[name][trace_id] for trace_id in order]
        curves = [
            trace
            for trace in annotations or []
            if trace.id.rpartition(".")[0] == name and trace.stats.channel[-2:] in ("_P", "_S")
        ]
        if curves:
            blocks[name].append(curves)
    return blocks
