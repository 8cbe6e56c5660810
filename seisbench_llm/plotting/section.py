"""Record section: one component of many stations over distance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
import obspy
from obspy.geodetics import gps2dist_azimuth

from ..trace_ids import TraceId, location_of
from .base import (
    COLORS,
    SMALL,
    as_stream,
    as_table,
    counts_of,
    envelope,
    for_display,
    new_figure,
    phase_legend,
)


def plot_section(
    stream: obspy.Stream,
    picks,
    distances: Mapping[str, float] | None = None,
    stations=None,
    origin=None,
    component: str = "Z",
    highpass: float | None = 1.0,
    start: obspy.UTCDateTime | None = None,
    end: obspy.UTCDateTime | None = None,
    annotations: obspy.Stream | None = None,
):
    """
    Record section with picks and, if given, the probability curves from which they were made.

    Without distances the stations are sorted by their first P pick and equally spaced.

    :param stream: Waveforms.
    :param picks: Picks of SeisBench, a table of picks, or a result of ``classify``.
    :param distances: NET.STA, NET.STA.LOC or STA -> distance in km.
    :param stations: Inventory or table of stations
        (:py:func:`seisbench_llm.stations.stations_to_dataframe`), instead of ``distances`` and
        together with ``origin``.
    :param origin: ObsPy origin or event, or (latitude, longitude), from which distances are
        measured. If it has a time, seconds count from that time.
    :param component: Last letter of the channels shown.
    :param highpass: Corner of a high-pass for display, in Hz. None for no filter.
    :param start: First time shown.
    :param end: Last time shown.
    :param annotations: Probability curves of the same stream.
    :return: A matplotlib figure.
    :raises ValueError: If there are no such waveforms, or if no distance is known.
    """
    stream = as_stream(stream)
    table = as_table(picks)
    records = traces_by_id(stream, component, start, end)
    origin_time, place = (None, None) if origin is None else origin_of(origin)
    if distances is None and stations is not None:
        if place is None:
            raise ValueError("Distances need an origin as well as stations.")
        distances = distances_from(stations, *place)
    heights, unknown = heights_of(records, table, distances)
    first = min(t.stats.starttime for traces in records.values() for t in traces)
    last = max(t.stats.endtime for traces in records.values() for t in traces)
    zero = origin_time or first
    table = table[(table["time"] >= stamp(first)) & (table["time"] <= stamp(last))]
    table = table.assign(location=table["trace_id"].map(location_of))
    table = table[table["location"].isin(map(location_of, heights))]

    figure = new_figure(9, max(4, min(12, 1.5 + 0.45 * len(heights))))
    axis = figure.add_subplot()
    levels = np.unique(list(heights.values()))
    curves = curves_of(annotations, start, end)
    reach = reach_of(levels)
    for name, height in heights.items():
        draw_record(axis, for_display(records[name], highpass), height, reach, zero)
        draw_curves(axis, curves.get(location_of(name), []), height, reach, zero)
        draw_picks(axis, table[table["location"] == location_of(name)], height, reach, zero)
    draw_names(axis, heights, apart=0.029 * (levels[-1] - levels[0] + 2.4 * reach))
    axis.margins(x=0)
    axis.set_ylim(levels[0] - 1.2 * reach, levels[-1] + 1.2 * reach)
    since = "the origin" if origin_time else zero.strftime("%Y-%m-%d %H:%M:%S")
    axis.set_xlabel(f"seconds after {since}")
    if distances is None:
        axis.set(yticks=[], ylabel="stations by first P")
    else:
        axis.set_ylabel("distance (km)")
    filtered = f", high-passed at {highpass:g} Hz" if highpass else ""
    lacking = f"; without distance: {', '.join(unknown[:8])}" if unknown else ""
    axis.set_title(f"component {component}{filtered}{lacking}", loc="left", fontsize=SMALL)
    axis.spines[["top", "right"]].set_visible(False)
    phase_legend(figure, counts_of(table))
    return figure


def traces_by_id(stream, component: str, start, end) -> dict[str, list[obspy.Trace]]:
    """Trace id -> traces of one component."""
    records = defaultdict(list)
    for trace in obspy.Stream(list(stream)).slice(start, end):
        if trace.stats.npts and trace.stats.channel.endswith(component):
            records[trace.id].append(trace)
    if not records:
        raise ValueError(
            f"There are no waveforms of component {component} to plot; "
            f"there are {sorted({t.id for t in stream})[:10]}."
        )
    return records


def draw_record(axis, traces: obspy.Stream, height: float, reach: float, zero) -> None:
    """Draw waveforms around a height. Their largest amplitude is 0.7 of the reach."""
    largest = max(np.nanmax(np.abs(t.data), initial=0) for t in traces) or 1
    for trace in traces:
        seconds, data = envelope(trace)
        seconds = seconds + (trace.stats.starttime - zero)
        axis.plot(seconds, height + 0.7 * reach * data / largest, color="0.35", lw=0.4)


def reach_of(levels: np.ndarray) -> float:
    """Height that amplitudes may reach: to the next trace at the median spacing of stations."""
    if levels.size < 2:
        return 1.0
    # Where many stations lie together, the others would be flat lines.
    return max(float(np.median(np.diff(levels))), float(np.ptp(levels)) / (2 * levels.size))


def curves_of(annotations, start, end) -> dict[str, list[obspy.Trace]]:
    """NET.STA.LOC -> curves of P and S."""
    found = defaultdict(list)
    for trace in obspy.Stream(list(annotations or [])).slice(start, end):
        if trace.stats.npts and trace.stats.channel.rpartition("_")[2] in ("P", "S"):
            found[location_of(trace.id)].append(trace)
    return found


def draw_curves(axis, curves: Iterable[obspy.Trace], height: float, reach: float, zero) -> None:
    """Draw curves above the line of a trace. A probability of 1 is 0.7 of the reach."""
    for trace in curves:
        seconds, data = envelope(trace)
        seconds = seconds + (trace.stats.starttime - zero)
        phase = trace.stats.channel.rpartition("_")[2]
        # What is nearly zero would hide the waveform.
        shown = np.where(data > 0.05, height + 0.7 * reach * data, np.nan)
        axis.plot(seconds, shown, color=COLORS[phase], lw=1.0, zorder=2.5)


def draw_picks(axis, picks, height: float, reach: float, zero, alpha: float = 1.0) -> None:
    """Draw picks as lines across a trace, shorter ones if there are many."""
    for phase, of_phase in picks.groupby("phase"):
        few = len(of_phase) <= 40
        half = (0.5 if few else 0.25) * reach
        axis.vlines(
            [obspy.UTCDateTime(time.to_pydatetime()) - zero for time in of_phase["time"]],
            height - half,
            height + half,
            color=COLORS.get(phase, "k"),
            lw=1.6 if few else 0.7,
            alpha=alpha,
            zorder=3,
        )


def draw_names(axis, heights: Mapping[str, float], apart: float) -> None:
    """Draw names of the stations at the right, side by side where they would overlap."""
    lowest = -np.inf
    for name, height in sorted(heights.items(), key=lambda item: item[1]):
        at = max(height, lowest)
        lowest = at + apart
        axis.annotate(
            location_of(name).rstrip("."),
            (1.005, at),
            xycoords=("axes fraction", "data"),
            fontsize=SMALL,
            va="center",
            annotation_clip=False,
        )


def stamp(time: obspy.UTCDateTime):
    """A time as in tables."""
    import pandas as pd

    return pd.Timestamp(time.datetime, tz="UTC")


def origin_of(origin) -> tuple[obspy.UTCDateTime | None, tuple[float, float]]:
    """Time, if known, and place of an event, an origin, or a pair of numbers."""
    if hasattr(origin, "origins"):
        origin = origin.preferred_origin() or next(iter(origin.origins), None)
        if origin is None:
            raise ValueError("The event has no origin.")
    if hasattr(origin, "latitude"):
        return origin.time, (origin.latitude, origin.longitude)
    return None, tuple(origin)


def distances_from(stations, latitude: float, longitude: float) -> dict[str, float]:
    """NET.STA.LOC -> distance in km from a place."""
    from ..stations import stations_to_dataframe

    return {
        row.id: gps2dist_azimuth(latitude, longitude, row.latitude, row.longitude)[0] / 1000
        for row in stations_to_dataframe(stations).itertuples()
    }


def heights_of(rows, table, distances) -> tuple[dict[str, float], list[str]]:
    """Height of each trace id on the axis, and the ids without a known distance."""
    if distances is None:
        arrivals = table[table["phase"] == "P"].groupby(table["trace_id"].map(location_of))
        arrivals = arrivals["time"].min()
        never = stamp(_LATEST)
        order = sorted(rows, key=lambda name: (arrivals.get(location_of(name), never), name))
        return {name: float(i) for i, name in enumerate(order)}, []
    heights, unknown = {}, []
    for name in sorted(rows):
        trace_id = TraceId.parse(name)
        place = trace_id.station_id
        keys = (trace_id.location_id, f"{place}.", place, trace_id.station)
        distance = next((distances[key] for key in keys if key in distances), None)
        if distance is None:
            unknown.append(place)
        else:
            heights[name] = float(distance)
    if not heights:
        raise ValueError(
            f"None of the stations {', '.join(unknown[:8])} has a distance; known are "
            f"{', '.join(list(distances)[:8]) or 'none'}."
        )
    return heights, unknown


_LATEST = obspy.UTCDateTime(2200, 1, 1)
