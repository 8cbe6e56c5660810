"""Metrics of live picking, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

from .board import LATENCY_STEPS, Board

PREFIX = "seisbench_llm_live_"
# https://prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[dict[str, str], float]


def metrics(board: Board, waiting: int | None) -> str:
    """
    All metrics.

    :param board: Board of the run.
    :param waiting: Number of packets that wait for the picker, None if it is unknown.
    """
    about, stations = board.summary(waiting), board.stations()
    channels = [
        ({"trace_id": station["id"], "channel": channel["channel"]}, channel)
        for station in stations
        for channel in station["channels"]
    ]
    lines = [
        *_lines("info", "gauge", "Weights of the picker.", [({"weight": about["weight"]}, 1)]),
        *_lines("start_time_seconds", "gauge", "Unix time.", [({}, about["started"])]),
        *_lines("instruments", "gauge", "Instruments by state.",
                [({"state": s}, about[s]) for s in ("live", "late", "silent")]),
        *_lines("packets_total", "counter", "Packets taken.",
                [(labels, c["packets"]) for labels, c in channels]),
        *_lines("samples_total", "counter", "Samples taken.",
                [(labels, c["samples"]) for labels, c in channels]),
        *_lines("gaps_total", "counter", "Newer data that came with a gap before them.",
                [(labels, c["gaps"]) for labels, c in channels]),
        *_lines("late_packets_total", "counter", "Packets that came after newer ones.",
                [(labels, c["late"]) for labels, c in channels]),
        *_lines("complete_ratio", "gauge", "Share of data in the last five minutes.",
                [(labels, c["complete"]) for labels, c in channels]),
        *_lines("delay_seconds", "gauge", "From the newest sample to now.",
                [({"trace_id": s["id"]}, s["delay"]) for s in stations]),
        *_lines("picks_total", "counter", "Reports about picks.",
                [({"phase": p, "status": s}, n) for (p, s), n in sorted(dict(board.said).items())]),
        *_lines("ignored", "gauge", "Ignored channels and instruments.",
                [({}, about["ignored"])]),
        *_lines("events_total", "counter", "Counts of the picker, by kind.",
                [({"kind": kind}, n) for kind, n in sorted(about["counts"].items())]),
        *_latencies(dict(board.latencies)),
    ]  # fmt: skip
    if waiting is not None:
        lines += _lines("queue_packets", "gauge", "Packets that wait.", [({}, waiting)])
    return "".join(f"{line}\n" for line in lines)


def _lines(name: str, kind: str, help_text: str, samples: Iterable[Sample]) -> list[str]:
    full = PREFIX + name
    lines = [_line(full, labels, value) for labels, value in samples]
    return [f"# HELP {full} {help_text}", f"# TYPE {full} {kind}", *lines] if lines else []


def _latencies(latencies: dict[str, list[float]]) -> list[str]:
    if not latencies:
        return []
    name = PREFIX + "pick_latency_seconds"
    help_text = "From the arrival of the sample that completed a pick to its report."
    lines = [f"# HELP {name} {help_text}", f"# TYPE {name} histogram"]
    for status, counts in sorted(latencies.items()):
        total = 0.0
        for step, count in zip([*map(str, LATENCY_STEPS), "+Inf"], counts, strict=False):
            total += count
            lines.append(_line(f"{name}_bucket", {"status": status, "le": step}, total))
        lines.append(_line(f"{name}_sum", {"status": status}, counts[-1]))
        lines.append(_line(f"{name}_count", {"status": status}, total))
    return lines


def _line(name: str, labels: dict[str, str], value: float) -> str:
    inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    number = f"{value:.15g}"
    return f"{name}{{{inner}}} {number}" if inner else f"{name} {number}"


def _escaped(text: str) -> str:
    return str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
