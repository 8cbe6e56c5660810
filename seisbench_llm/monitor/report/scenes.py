"""Waveforms, curves and picks of single events for the page of a monitor."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import obspy
import pandas as pd

from ...plotting.base import envelope, for_display
from ...trace_ids import TraceId
from ..result import MonitorResult

# Seconds shown before the first and after the last pick of an event, and largest total.
BEFORE_S, AFTER_S, MOST_S = 5.0, 15.0, 120.0
# Additional seconds on both sides of the waveforms, for filters and curves.
CONTEXT_S = 30.0
HIGHPASS = 1.0
# Number of spans of a trace and of a curve, each kept as its smallest and largest sample, and
# largest number of rows.
COLUMNS, CURVE_COLUMNS, MOST_ROWS = 600, 150, 30
# Value of a missing sample.
NOTHING = -32768

Annotate = Callable[[obspy.Stream], obspy.Stream] | None


def chosen_events(events: pd.DataFrame, most: int) -> list[str]:
    """Ids of the largest events in order of time. If equal, events with more picks come first."""
    ranked = events.sort_values(["magnitude", "picks"], ascending=False, na_position="last")
    ids = set(ranked["event_id"].head(most))
    return [name for name in events["event_id"] if name in ids]


def by_pick_id(stream: obspy.Stream) -> dict[str, list[obspy.Trace]]:
    """Trace id as in picks -> traces."""
    found = defaultdict(list)
    for trace in stream:
        found[TraceId.of(trace).without_component.pick_id].append(trace)
    return found


def scenes_of_events(
    stream: obspy.Stream, result: MonitorResult, annotate: Annotate = None, most: int = 12
) -> dict[str, dict]:
    """
    Data for the plots of the largest events.

    :param stream: Waveforms of the result.
    :param result: Results of a monitor.
    :param annotate: Function that gives the curves of a stream, or None for no curves.
    :param most: Largest number of events.
    :return: Event id -> start, end and origin in Unix time, and rows sorted by distance.
    """
    records, scenes = by_pick_id(stream), {}
    times = result.events.set_index("event_id")["time"]
    for name in chosen_events(result.events, most):
        arrivals = result.arrivals[result.arrivals["event_id"] == name]
        distances = {result.picks[i].trace_id: d for i, d in _pairs(arrivals, "distance_km")}
        residuals = dict(_pairs(arrivals, "residual"))
        picks = [(result.picks[i], residuals[i]) for i in residuals]
        ids = sorted(distances, key=lambda trace_id: distances[trace_id])[:MOST_ROWS]
        scene = _scene(records, ids, picks, annotate)
        scene["origin"] = times[name].timestamp()
        for row in scene["rows"]:
            row["distance"] = _known(distances[row["id"]])
        scenes[name] = scene
    return scenes


def scenes_of_picks(
    stream: obspy.Stream, result: MonitorResult, annotate: Annotate = None, most: int = 12
) -> dict[str, dict]:
    """
    Data for the plots of the most probable P picks, for results without events.

    :param stream, result, annotate, most: See :py:func:`scenes_of_events`.
    :return: Row of the table of estimates, as text -> data as in :py:func:`scenes_of_events`.
    """
    records, scenes = by_pick_id(stream), {}
    ranked = result.table["p_probability"].sort_values(ascending=False).index[:most]
    for index in sorted(ranked):
        row = result.table.loc[index]
        first = obspy.UTCDateTime(row["p_time"].to_pydatetime())
        picks = [
            (pick, np.nan)
            for pick in result.picks
            if pick.trace_id == row["trace_id"] and -1 < pick.peak_time - first < MOST_S / 2
        ]
        scene = _scene(records, [row["trace_id"]], picks, annotate)
        scenes[str(index)] = {**scene, "origin": first.timestamp}
    return scenes


def _pairs(arrivals: pd.DataFrame, column: str) -> list[tuple[int, float]]:
    return [(int(i), float(x)) for i, x in zip(arrivals["pick"], arrivals[column], strict=True)]


def _scene(
    records: dict[str, list[obspy.Trace]],
    ids: Sequence[str],
    picks: Sequence[tuple],
    annotate: Annotate,
) -> dict:
    times = [pick.peak_time for pick, _ in picks]
    start = min(times) - BEFORE_S
    end = min(max(times) + AFTER_S, start + MOST_S)
    rows: list[dict] = []
    around = obspy.Stream()
    for name in ids:
        traces = obspy.Stream(records.get(name, []))
        around += traces.slice(start - CONTEXT_S, end + CONTEXT_S)
        shown = for_display(traces.slice(start - CONTEXT_S, end + CONTEXT_S), HIGHPASS)
        entries = [
            {
                "phase": pick.phase,
                "timestamp": pick.peak_time.timestamp,
                "probability": _known(pick.peak_value),
                "residual": _known(residual),
            }
            for pick, residual in picks
            if pick.trace_id == name
        ]
        channels = _channels(shown.slice(start, end))
        rows.append({"id": name, "distance": None, "channels": channels, "curves": {}})
        rows[-1]["picks"] = sorted(entries, key=lambda entry: entry["timestamp"])
    if annotate is not None and around:
        curves = by_pick_id_of_curves(annotate(around).slice(start, end))
        for row in rows:
            row["curves"] = curves.get(row["id"], {})
    return {"start": start.timestamp, "end": end.timestamp, "rows": rows}


def by_pick_id_of_curves(annotations: obspy.Stream) -> dict[str, dict[str, list[dict]]]:
    """Trace id as in picks -> phase -> parts of the curve."""
    found: dict[str, dict[str, list[dict]]] = defaultdict(lambda: defaultdict(list))
    for trace in annotations:
        stats = trace.stats
        phase = stats.channel.rpartition("_")[2]
        if phase in ("P", "S") and stats.npts:
            name = f"{stats.network}.{stats.station}.{stats.location}"
            found[name][phase].append(encode(trace, 1.0, CURVE_COLUMNS))
    return {name: dict(curves) for name, curves in found.items()}


def _channels(traces: obspy.Stream) -> list[dict]:
    """Channels, with the vertical first."""
    by_code = defaultdict(list)
    for trace in traces:
        if trace.stats.npts:
            by_code[trace.stats.channel].append(trace)
    order = {"Z": 0, "N": 1, "1": 1, "E": 2, "2": 2}
    channels = []
    for code in sorted(by_code, key=lambda code: (order.get(code[-1:], 3), code)):
        peaks = [np.nanmax(np.abs(t.data), initial=0.0) for t in by_code[code]]
        peak = float(max(peaks))
        parts = [encode(trace, peak or 1.0, COLUMNS) for trace in by_code[code]]
        channels.append({"channel": code, "peak": peak, "parts": parts})
    return channels


def encode(trace: obspy.Trace, peak: float, columns: int) -> dict:
    """
    Encode a trace as short text.

    :param trace: Trace.
    :param peak: Value that the largest integer represents.
    :param columns: Number of spans, each kept as its smallest and largest sample.
    :return: Unix time of the first sample, seconds between samples, and samples divided by the peak
        as 16-bit integers in base64. Missing samples are ``NOTHING``.
    """
    _, data = envelope(trace, columns)
    scaled = np.round(data / peak * 32767).clip(-32767, 32767)
    numbers = np.where(np.isnan(scaled), NOTHING, scaled).astype("<i2")
    return {
        "start": trace.stats.starttime.timestamp,
        "step": trace.stats.npts * trace.stats.delta / len(data),
        "data": base64.b64encode(numbers.tobytes()).decode(),
    }


def _known(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
