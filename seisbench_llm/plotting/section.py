"""Record section: one component of many stations over distance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import obspy
from obspy.geodetics import gps2dist_azimuth

from ..trace_ids import TraceId, location_of
from .base import COLORS, as_table, counts_of, envelope, for_display, phase_legend


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
):
    """
    Record section with picks.

    Without distances the stations are in the order of their first P pick, the same height apart.

    :param stream: Waveforms.
    :param picks: Picks of SeisBench, a table of picks, or what ``classify`` gives.
    :param distances: NET.STA, NET.STA.LOC or STA -> distance in km.
    :param stations: Instead: inventory or table of stations
        (:py:func:`seisbench_llm.stations.stations_to_dataframe`), together with
    :param origin: ObsPy origin or event, or (latitude, longitude), to measure them from. If it has
        a time, seconds count from there.
    :param component: Last letter of the channels shown.
    :param highpass: Corner of a high-pass for the eye, in Hz; None for none.
    :param start: First time shown.
    :param end: Last time shown.
    :return: A matplotlib figure.
    :raises ValueError: If there are no such waveforms, or none of them has a known distance.
    """
    from matplotlib.figure import Figure

    table = as_table(picks)
    rows = defaultdict(list)
    for trace in obspy.Stream(list(stream)).slice(start, end):
        if trace.stats.npts and trace.stats.channel.endswith(component):
            rows[trace.id].append(trace)
    if not rows:
        raise ValueError(
            f"There are no waveforms of component {component} to plot; "
            f"there are {sorted({t.id for t in stream})[:10]}."
        )
    origin_time = None
    if origin is not None:
        origin_time, place = _origin(origin)
    if distances is None and stations is not None:
        if origin is None:
            raise ValueError("Distances need an origin as well as stations.")
        distances = _distances(stations, *place)
    first = min(t.stats.starttime for traces in rows.values() for t in traces)
    last = max(t.stats.endtime for traces in rows.values() for t in traces)
    zero = origin_time or first
    heights, unknown = _heights(rows, table, distances)

    figure = Figure(figsize=(9, max(4, min(12, 1.5 + 0.45 * len(heights)))), layout="constrained")
    axis = figure.add_subplot()
    levels = np.sort(list(heights.values()))
    # A trace may reach the middle one of its neighbours, whatever the gaps between stations.
    reach = float(np.median(np.diff(np.unique(levels)))) if np.unique(levels).size > 1 else 1.0
    table = table[(table["time"] >= _stamp(first)) & (table["time"] <= _stamp(last))]
    table = table.assign(location=table["trace_id"].map(location_of))
    labels = {}
    for name, height in sorted(heights.items(), key=lambda item: item[1]):
        shown = for_display(rows[name], highpass)
        largest = max(np.nanmax(np.abs(t.data), initial=0) for t in shown) or 1
        for trace in shown:
            seconds, data = envelope(trace)
            seconds = seconds + (trace.stats.starttime - zero)
            axis.plot(seconds, height + 0.7 * reach * data / largest, color="0.35", lw=0.4)
        own = table[table["location"] == location_of(name)]
        for phase, some in own.groupby("phase"):
            times = [obspy.UTCDateTime(time.to_pydatetime()) - zero for time in some["time"]]
            few = len(some) <= 40
            axis.vlines(
                times,
                height - (0.5 if few else 0.25) * reach,
                height + (0.5 if few else 0.25) * reach,
                color=COLORS.get(phase, "k"),
                lw=1.6 if few else 0.7,
                zorder=3,
            )
        # Labels side by side where stations are.
        apart = 0.022 * (levels[-1] - levels[0] + 2.4 * reach)
        labels[name] = max([height, *(y + apart for y in labels.values())])
        axis.annotate(
            location_of(name).rstrip("."),
            (1.005, labels[name]),
            xycoords=("axes fraction", "data"),
            fontsize=7,
            va="center",
            annotation_clip=False,
        )
    axis.margins(x=0)
    axis.set_ylim(levels[0] - 1.2 * reach, levels[-1] + 1.2 * reach)
    of = "the origin" if origin_time else ""
    axis.set_xlabel(f"seconds after {of or zero.strftime('%Y-%m-%d %H:%M:%S')}")
    if distances is None:
        axis.set(yticks=[], ylabel="stations by first P")
    else:
        axis.set_ylabel("distance (km)")
    if unknown:
        axis.set_title(f"without distance: {', '.join(unknown[:8])}", loc="left", fontsize=7)
    axis.spines[["top", "right"]].set_visible(False)
    phase_legend(figure, counts_of(table[table["location"].isin(map(location_of, heights))]))
    return figure


def _stamp(time: obspy.UTCDateTime):
    import pandas as pd

    return pd.Timestamp(time.datetime, tz="UTC")


def _origin(origin) -> tuple[obspy.UTCDateTime | None, tuple[float, float]]:
    if hasattr(origin, "origins"):
        origin = origin.preferred_origin() or next(iter(origin.origins), None)
        if origin is None:
            raise ValueError("The event has no origin.")
    if hasattr(origin, "latitude"):
        return origin.time, (origin.latitude, origin.longitude)
    return None, tuple(origin)


def _distances(stations, latitude: float, longitude: float) -> dict[str, float]:
    from ..stations import stations_to_dataframe

    return {
        row.id: gps2dist_azimuth(latitude, longitude, row.latitude, row.longitude)[0] / 1000
        for row in stations_to_dataframe(stations).itertuples()
    }


def _heights(rows, table, distances) -> tuple[dict[str, float], list[str]]:
    """Where on the axis each trace id goes, and those whose distance is not known."""
    if distances is None:
        arrivals = table[table["phase"] == "P"].groupby(table["trace_id"].map(location_of))
        arrivals = arrivals["time"].min()
        order = sorted(rows, key=lambda name: (arrivals.get(location_of(name), _stamp(_FAR)), name))
        return {name: float(i) for i, name in enumerate(order)}, []
    heights, unknown = {}, []
    for name in sorted(rows):
        trace_id = TraceId.parse(name)
        place = trace_id.station_id
        keys = (trace_id.location_id, f"{place}.", place, trace_id.station)
        found = next((distances[key] for key in keys if key in distances), None)
        if found is None:
            unknown.append(place)
        else:
            heights[name] = float(found)
    if not heights:
        raise ValueError(
            f"None of the stations {', '.join(unknown[:8])} has a distance; known are "
            f"{', '.join(list(distances)[:8]) or 'none'}."
        )
    return heights, unknown


_FAR = obspy.UTCDateTime(2200, 1, 1)
