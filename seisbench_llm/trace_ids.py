"""NET.STA.LOC(.HH): the one place that cuts ids."""

from __future__ import annotations

from typing import Any


def _site(trace_id: str) -> str:
    return ".".join(trace_id.split(".")[:2])


def split_id(trace_id: str) -> list[str]:
    """
    Network, station, location and, if it is there, instrument or channel.

    :raises ValueError: If it is not NET.STA.LOC with or without a channel.
    """
    parts = str(trace_id).split(".")
    if len(parts) not in (3, 4):
        raise ValueError(f"The trace id '{trace_id}' is not NET.STA.LOC or NET.STA.LOC.CHANNEL.")
    return parts


def location_id(trace: Any) -> str:
    """NET.STA.LOC, which is how SeisBench names what it annotates."""
    return trace.id.rpartition(".")[0]


def location_of(trace_id: str) -> str:
    """NET.STA.LOC of a trace or a pick."""
    return ".".join(str(trace_id).split(".")[:3])
