"""Figure of one event: record section by distance, and its P at each station."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import obspy
import pandas as pd

from ..trace_ids import codes_of, location_of
from .base import (
    COLORS,
    SMALL,
    as_events,
    as_stream,
    as_table,
    counts_of,
    for_display,
    new_figure,
    phase_legend,
)
from .section import (
    curves_of,
    distances_from,
    draw_curves,
    draw_names,
    draw_picks,
    draw_record,
    heights_of,
    reach_of,
    stamp,
    traces_by_id,
)

# Seconds around a P in the zoom; seconds before the origin and after the last pick; largest total.
ZOOM = (-1.0, 2.0)
BEFORE_S, AFTER_S, MOST_S = 2.0, 8.0, 180.0
# Additional seconds on both sides, in which filters settle.
CONTEXT_S = 30.0


def plot_event(
    stream: obspy.Stream,
    picks,
    event,
    stations,
    annotations: obspy.Stream | None = None,
    max_stations: int = 20,
    component: str = "Z",
    highpass: float | None = 1.0,
):
    """
    Record section of an event, and beside it the first seconds of P at each station.

    Picks of other events and of none are pale if the table of picks has a column ``event_id``.

    :param stream: Waveforms.
    :param picks: Picks of SeisBench, a table of picks, or a result of a monitor.
    :param event: A row of a table of events, or an ObsPy event or origin with a time.
    :param stations: Inventory or table of stations.
    :param annotations: Probability curves of the same stream, None to leave them out.
    :param max_stations: Largest number of stations shown: the nearest ones with picks of the event,
        then the nearest others. The figure says how many there are.
    :param component: Last letter of the channels shown.
    :param highpass: Corner of a high-pass for display, in Hz. None for no filter.
    :return: A matplotlib figure.
    :raises ValueError: If there are no waveforms of the event, or no station has coordinates.
    """
    row = _row_of(event)
    time = obspy.UTCDateTime(ns=pd.Timestamp(row.time).as_unit("ns").value)
    table = as_table(picks)
    own = table
    if "event_id" in table and (table["event_id"] == row.event_id).any():
        own = table[table["event_id"] == row.event_id]
    start, end = _span(own, time)
    rows = traces_by_id(as_stream(stream), component, start - CONTEXT_S, end + CONTEXT_S)
    all_heights, _ = heights_of(rows, table, distances_from(stations, row.latitude, row.longitude))
    picked = set(own["trace_id"].map(location_of))
    order = sorted(all_heights, key=lambda n: (location_of(n) not in picked, all_heights[n]))
    shown = {name: all_heights[name] for name in order[:max_stations]}
    table = _within(table, shown, start, end)
    mine = table.index.isin(own.index)
    curves = curves_of(annotations, start, end)
    levels = np.unique(list(shown.values()))
    reach = reach_of(levels)

    figure = new_figure(11, max(4.5, min(12, 1.8 + 0.45 * len(shown))))
    left, right = figure.subplots(1, 2, width_ratios=[2, 1])
    lines = {}
    for trace_id, height in shown.items():
        key = location_of(trace_id)
        lines[trace_id] = for_display(rows[trace_id], highpass)
        draw_record(left, lines[trace_id].slice(start, end), height, reach, time)
        draw_curves(left, curves.get(key, []), height, reach, time)
        here = (table["location"] == key).to_numpy()
        draw_picks(left, table[here & ~mine], height, reach, time, alpha=0.35)
        draw_picks(left, table[here & mine], height, reach, time)
    draw_names(left, shown, apart=0.029 * (levels[-1] - levels[0] + 2.4 * reach))
    left.set(
        xlim=(start - time, end - time),
        ylim=(levels[0] - 1.2 * reach, levels[-1] + 1.2 * reach),
        xlabel="seconds after the origin",
        ylabel="distance (km)",
    )
    filtered = f", high-passed at {highpass:g} Hz" if highpass else ""
    left.set_title(f"component {component}{filtered}", loc="left", fontsize=SMALL)
    _draw_zoom(right, lines, shown, table[mine], curves)
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    cut = ""
    if len(shown) < len(all_heights):
        cut = f"; {len(shown)} of {len(all_heights)} stations, the nearest with picks"
    figure.suptitle(_title(row, time) + cut, x=0.01, ha="left", fontsize=10)
    phase_legend(figure, counts_of(table[mine]))
    return figure


def _draw_zoom(axis, lines: Mapping, shown: Mapping[str, float], picks, curves) -> None:
    """Draw the traces around P, each with its own scale, in the order of distance."""
    first = picks[picks["phase"] == "P"].sort_values("probability", ascending=False)
    first = first.drop_duplicates("location").set_index("location")
    order = [
        name for name in sorted(shown, key=lambda n: shown[n]) if location_of(name) in first.index
    ]
    for row, name in enumerate(order):
        pick = first.loc[location_of(name)]
        zero = obspy.UTCDateTime(ns=pick["time"].as_unit("ns").value)
        traces = lines[name].slice(zero + ZOOM[0], zero + ZOOM[1])
        if len(traces):
            draw_record(axis, traces, row, 1.0, zero)
        draw_curves(
            axis,
            [t.slice(zero + ZOOM[0], zero + ZOOM[1]) for t in curves.get(location_of(name), [])],
            row, 1.0, zero,
        )  # fmt: skip
        axis.vlines(0, row - 0.45, row + 0.45, color=COLORS["P"], lw=1.6, zorder=3)
        texts = [] if np.isnan(pick["probability"]) else [f"{pick['probability']:.2f}"]
        texts += [{"U": "up", "D": "down"}[p] for p in [pick["polarity"]] if p in ("U", "D")]
        axis.annotate(
            " ".join([codes_of(name).station, *texts]), (1.005, row),
            xycoords=("axes fraction", "data"), fontsize=SMALL, va="center", annotation_clip=False,
        )  # fmt: skip
    axis.set(xlim=ZOOM, ylim=(-0.8, max(len(order), 1) - 0.2), yticks=[], xlabel="seconds after P")
    text = "P of the event, with its probability" if order else "no P of the event"
    axis.set_title(text, loc="left", fontsize=SMALL)


def _within(table: pd.DataFrame, shown, start, end) -> pd.DataFrame:
    table = table.assign(location=table["trace_id"].map(location_of))
    inside = (table["time"] >= stamp(start)) & (table["time"] <= stamp(end))
    return table[inside & table["location"].isin(map(location_of, shown))]


def _span(own: pd.DataFrame, time) -> tuple[obspy.UTCDateTime, obspy.UTCDateTime]:
    """First and last time shown."""
    near = own[(own["time"] >= stamp(time)) & (own["time"] < stamp(time + MOST_S))]
    last = near["time"].max()
    after = 30.0 if pd.isna(last) else (last - stamp(time)).total_seconds()
    return time - BEFORE_S, time + min(after + AFTER_S, MOST_S)


def _row_of(event):
    """The row of an event in a table, also of an event or origin of ObsPy."""
    if hasattr(event, "event_id"):
        return event
    if isinstance(event, obspy.core.event.Origin):
        event = obspy.core.event.Event(origins=[event])
    row = next(as_events([event]).itertuples(), None)
    if row is None or pd.isna(row.time):
        raise ValueError("The event has no origin with a time and a place.")
    return row


def _title(row, time) -> str:
    texts = [time.strftime("%Y-%m-%d %H:%M:%S")]
    for name, form in (("magnitude", "M {:.1f}"), ("depth_km", "depth {:.1f} km")):
        value = getattr(row, name, None)
        if value is not None and np.isfinite(value):
            texts.append(form.format(value))
    return ", ".join(texts)
