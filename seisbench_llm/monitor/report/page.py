"""HTML page of a monitor: summary, map, events, sections, magnitudes, depths, stations."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import obspy
import pandas as pd

from ...atomic import replacing
from ...pages import render
from ...stations import Stations
from ...streams.orientation import Rotation
from ..result import MonitorResult
from .scenes import Annotate, by_pick_id, scenes_of_events, scenes_of_picks

TEMPLATE = Path(__file__).parent / "page.html"
# Longer tables are hard to read. The table files have all rows.
MOST_TABLE_ROWS = 2000
_EVENT_NUMBERS = (
    *("latitude", "longitude", "depth_km", "depth_uncertainty_km", "uncertainty_km", "magnitude"),
    *("magnitude_spread", "rms", "azimuthal_gap", "picks", "stations"),
)


def write_report(
    result: MonitorResult,
    out: str | Path,
    stream: obspy.Stream | None = None,
    stations=None,
    picker=None,
    title: str = "",
    most_scenes: int = 12,
) -> Path:
    """
    Write the results of a monitor as one HTML page that needs no internet access.

    :param result: Results of a monitor.
    :param out: HTML file.
    :param stream: Waveforms of the result. Without them, the page shows no waveforms.
    :param stations: Stations for the map, see :py:meth:`seisbench_llm.stations.Stations.read`.
    :param picker: Model whose curves are drawn with the waveforms.
    :param title: Title of the page.
    :param most_scenes: Number of the largest events with waveforms on the page.
    :return: The file.
    :raises ImportError: If the extra ``pages`` is not installed.
    """
    stations = None if stations is None else Stations.read(stations)
    stream = obspy.Stream() if stream is None else stream
    make = scenes_of_events if len(result.events) else scenes_of_picks
    scenes = make(stream, result, _annotate(picker, stations), most_scenes) if stream else {}
    health = station_health(result, stream, stations)
    data: dict = {
        "events": [_event(row) for row in result.events.to_dict("records")],
        "stations": [
            {key: row[key] for key in ("id", "latitude", "longitude", "picks")} for row in health
        ],
        "scenes": scenes,
        "order": list(scenes),
    }
    page = render(
        TEMPLATE,
        title=title or "Catalogue of a monitor",
        verdict=verdict(result),
        data=data,
        events=data["events"][:MOST_TABLE_ROWS],
        estimates=_estimates(result)[:MOST_TABLE_ROWS],
        rows_in_all={"events": len(result.events), "estimates": len(result.table)},
        health=health,
        located=any(row["latitude"] is not None for row in health),
        methods=result.methods,
        medium=result.earth_model,
        skipped=_skipped(result),
        report=(TEMPLATE.parent / "report.js").read_text(encoding="utf-8"),
        look=(TEMPLATE.parent / "report.css").read_text(encoding="utf-8"),
    )
    with replacing(out) as file:
        file.write_text(page, encoding="utf-8")
    return Path(out)


def _annotate(picker, stations: Stations | None) -> Annotate:
    """Function for the curves. As in the monitor, it rotates components first."""
    if picker is None or stations is None:
        return None if picker is None else picker.annotate
    rotation = Rotation(stations)
    return lambda stream: picker.annotate(rotation(stream))


def verdict(result: MonitorResult) -> list[str]:
    """Summary of the result in sentences."""
    picks, events = result.picks, result.events
    stations = {pick.trace_id for pick in picks}
    if not len(picks):
        return ["There are no picks."]
    times = [pick.peak_time for pick in picks]
    phases = Counter(pick.phase for pick in picks)
    said = [
        f"{phases['P']} P and {phases['S']} S picks at {len(stations)} stations, from "
        f"{_text(min(times))} to {_text(max(times))}."
    ]
    if not len(events):
        said.append("No event was located.")
        return said
    share = result.arrivals["pick"].nunique() / len(picks)
    said.append(f"{len(events)} events were located. {share:.0%} of the picks belong to one.")
    classes = Counter(result.network_events["quality"])
    if classes:
        listed = (f"{number} of class {name}" for name, number in sorted(classes.items()))
        said.append(f"Quality: {', '.join(listed)}. A is the best.")
    single = len(result.single_station_events)
    if single:
        said.append(
            f"{single} of them are epicentres of a single station, which no other station confirms."
        )
    if result.left_out:
        said.append(f"{result.left_out} other events of class D were left out.")
    known = events.dropna(subset=["magnitude"])
    if len(known):
        largest = known.loc[known["magnitude"].idxmax()]
        said.append(
            f"Magnitudes are {known['magnitude'].min():.1f} to {largest['magnitude']:.1f}; the "
            f"largest event was at {_text(obspy.UTCDateTime(largest['time'].to_pydatetime()))}."
        )
        if estimated := int((known["magnitude_source"] == "models").sum()):
            said.append(
                f"{estimated} of the magnitudes are estimates of the models alone, which do not "
                f"know the amplitudes."
            )
    return said


def station_health(
    result: MonitorResult, stream: obspy.Stream, stations: Stations | None
) -> list[dict]:
    """
    Data and picks of each instrument.

    :return: Rows with id, coordinates, share of the time span that has data, number of gaps, of P,
        of S, of picks and of picks of an event, and median residual of the picks of an event in s.
    """
    records = by_pick_id(stream)
    ids = sorted({*records, *(pick.trace_id for pick in result.picks)})
    starts = [trace.stats.starttime for trace in stream]
    ends = [trace.stats.endtime + trace.stats.delta for trace in stream]
    whole = max(ends) - min(starts) if starts else np.nan
    residuals = result.arrivals.drop_duplicates("pick").set_index("pick")["residual"]
    rows = []
    for name in ids:
        indices = [i for i, pick in enumerate(result.picks) if pick.trace_id == name]
        phases = Counter(result.picks[i].phase for i in indices)
        of_events = [i for i in indices if i in residuals.index]
        off = residuals.loc[of_events].median() if of_events else np.nan
        share, gaps = _coverage(records.get(name, []), whole)
        time = result.picks[indices[0]].peak_time if indices else min(starts)
        place = None if stations is None else stations.find(name, time)
        rows.append(
            {
                "id": name,
                "latitude": None if place is None else place.latitude,
                "longitude": None if place is None else place.longitude,
                "share": _known(share),
                "gaps": gaps,
                "P": phases["P"],
                "S": phases["S"],
                "picks": len(indices),
                "associated": len(of_events),
                "residual": _known(off),
            }
        )
    return rows


def _coverage(traces: list[obspy.Trace], whole: float) -> tuple[float, int]:
    """Share of the time span that the worst channel covers, and its number of gaps."""
    by_channel: dict[str, list] = {}
    for trace in obspy.Stream(traces).split():
        stats = trace.stats
        span = stats.starttime.timestamp, (stats.endtime + stats.delta).timestamp, stats.delta
        by_channel.setdefault(stats.channel, []).append(span)
    worst = (np.nan, 0)
    for spans in by_channel.values():
        covered, gaps, reached = 0.0, 0, None
        for start, end, step in sorted(spans):
            gaps += reached is not None and start - reached > 0.75 * step
            covered += max(0.0, end - max(start, reached or start))
            reached = max(end, reached or end)
        share = min(1.0, covered / whole)
        if not share >= worst[0]:
            worst = share, gaps
    return worst


def _event(row: dict) -> dict:
    """An event as data for the page."""
    place = row["latitude"], row["longitude"]
    return {
        "id": row["event_id"],
        "text": row["time"].strftime("%Y-%m-%d %H:%M:%S.%f")[:-4],
        "timestamp": row["time"].timestamp(),
        "quality": row["quality"],
        "method": row["method"],
        "source": row["magnitude_source"],
        "ellipse": _ellipse(row) if np.isfinite(place).all() else None,
        **{name: _known(row[name], 5) for name in _EVENT_NUMBERS},
    }


def _ellipse(row: dict) -> list[list[float]] | None:
    """Longitudes and latitudes of the edge of the 68 % region of an epicentre."""
    semi = row["ellipse_major_km"], row["ellipse_minor_km"]
    if not np.isfinite([*semi, row["ellipse_azimuth"]]).all():
        return None
    turn, azimuth = np.linspace(0, 2 * np.pi, 49), np.radians(row["ellipse_azimuth"])
    along, across = semi[0] * np.cos(turn), semi[1] * np.sin(turn)
    north = along * np.cos(azimuth) - across * np.sin(azimuth)
    east = along * np.sin(azimuth) + across * np.cos(azimuth)
    parallel = max(np.cos(np.radians(row["latitude"])), 1e-3)
    longitudes = row["longitude"] + east / (111.195 * parallel)
    latitudes = row["latitude"] + north / 111.195
    return [np.round(longitudes, 5).tolist(), np.round(latitudes, 5).tolist()]


def _estimates(result: MonitorResult) -> list[dict]:
    """Rows of the table of estimates, as text."""
    numbers = ("p_probability", "magnitude", "distance_km", "back_azimuth")
    rows = []
    for index, row in result.table.iterrows():
        entry = {name: _known(row[name], 3) for name in numbers}
        polarity = row["polarity"] if isinstance(row["polarity"], str) else None
        s_minus_p = (row["s_time"] - row["p_time"]).total_seconds()
        rows.append(
            {
                **entry,
                "row": str(index),
                "id": row["trace_id"],
                "text": row["p_time"].strftime("%Y-%m-%d %H:%M:%S.%f")[:-4],
                "timestamp": row["p_time"].timestamp(),
                "s_minus_p": _known(s_minus_p, 2),
                "polarity": polarity,
            }
        )
    return rows


def _skipped(result: MonitorResult) -> list[dict]:
    """Skipped traces with cause and count."""
    counts = Counter((entry.trace_id, entry.cause, entry.used) for entry in result.skipped)
    return [
        {"id": name, "cause": cause, "used": used, "count": count}
        for (name, cause, used), count in sorted(counts.items())[:MOST_TABLE_ROWS]
    ]


def _text(time: obspy.UTCDateTime) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _known(value, digits: int = 4) -> float | None:
    return round(float(value), digits) if pd.notna(value) and np.isfinite(value) else None
