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

    rows = _rows(stream, picks, annotations, max_stations)
    if not rows:
        raise ValueError("There are no waveforms to plot.")
    heights = [0.6 if kind == "curves" else 1.0 for kind, _, _ in rows]
    figure = Figure(figsize=(10, 0.8 + 1.1 * sum(heights)), layout="constrained")
    axes = figure.subplots(len(rows), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axis, (kind, location, traces) in zip(axes, rows, strict=True):
        for trace in traces:
            times = trace.times("matplotlib")
            if kind == "curves":
                label = trace.stats.channel.rpartition("_")[2]
                axis.plot(times, trace.data, color=COLORS.get(label, "k"), lw=1.2, label=label)
            else:
                peak = np.nanmax(np.abs(trace.data - trace.data.mean())) or 1
                axis.plot(times, (trace.data - trace.data.mean()) / peak, color="0.25", lw=0.5)
        if kind == "curves":
            axis.set_ylim(0, 1.05)
            axis.set_ylabel("probability", fontsize=8)
        else:
            axis.set_yticks([])
            axis.set_ylabel(traces[0].id, rotation=0, ha="right", va="center", fontsize=8)
            _mark(axis, [p for p in picks if p.trace_id.startswith(location)])
        axis.spines[["top", "right"]].set_visible(False)
    handles = [
        figure.axes[0].plot([], [], color=COLORS[phase], label=f"{phase} pick")[0] for phase in "PS"
    ]
    axes[0].legend(handles=handles, loc="upper right", fontsize=8, ncols=2, frameon=False)
    locator = AutoDateLocator()
    axes[-1].xaxis.set_major_locator(locator)
    axes[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes[-1].set_xlabel("time (UTC)")
    return figure


def _mark(axis, picks: list) -> None:
    for pick in picks:
        axis.axvline(pick.peak_time.matplotlib_date, color=COLORS.get(pick.phase, "k"), lw=1.4)
        axis.annotate(
            f"{pick.phase} {pick.peak_value:.2f}",
            (pick.peak_time.matplotlib_date, 1),
            xycoords=("data", "axes fraction"),
            xytext=(3, -2),
            textcoords="offset points",
            va="top",
            fontsize=7,
            color=COLORS.get(pick.phase, "k"),
        )


def _rows(stream, picks, annotations, max_stations) -> list[tuple[str, str, list[obspy.Trace]]]:
    locations = defaultdict(lambda: defaultdict(list))
    for trace in stream:
        if trace.stats.npts:
            locations[trace.id.rpartition(".")[0]][trace.id].append(trace)
    counts = {name: sum(p.trace_id.startswith(name) for p in picks) for name in locations}
    chosen = sorted(locations, key=lambda name: (-counts[name], name))[:max_stations]
    rows = []
    for name in sorted(chosen):
        # Vertical first, as it is the one to look at for P.
        for trace_id in sorted(locations[name], key=lambda i: (i[-1] != "Z", i)):
            rows.append(("waveform", name, locations[name][trace_id]))
        curves = [
            trace
            for trace in annotations or []
            if trace.id.rpartition(".")[0] == name and trace.stats.channel[-2:] in ("_P", "_S")
        ]
        if curves:
            rows.append(("curves", name, curves))
    return rows
