"""Settings of live picking, and what happens with what arrives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LiveSettings:
    """
    What to wait for, all in seconds.

    :param step: Data time between two windows for preliminary picks.
    :param settle: Data after its peak that a preliminary pick waits for. From a window's length on
        there are no preliminary picks, only confirmed ones.
    :param max_latency: How long to wait for late packets and components, from the first arrival of
        later samples of the same instrument on.
    """

    step: float = 1.0
    settle: float = 2.0
    max_latency: float = 10.0

    def __post_init__(self):
        for name, low in (("step", 0.1), ("settle", 0.0), ("max_latency", 0.0)):
            value = getattr(self, name)
            if not low <= value < 3600:
                raise ValueError(f"{name}={value} is not possible: seconds from {low} to 3600.")
