"""Settings of live picking."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LiveSettings:
    """
    Times of live picking, all in seconds.

    :param step: Time between two windows for preliminary picks.
    :param settle: Time after the peak for which a preliminary pick waits. If it is a window's
        length or more, there are only confirmed picks.
    :param max_latency: Time to wait for late packets and components after the first arrival of
        later samples of the same instrument.
    """

    step: float = 1.0
    settle: float = 2.0
    max_latency: float = 10.0

    def __post_init__(self):
        for name, low in (("step", 0.1), ("settle", 0.0), ("max_latency", 0.0)):
            value = getattr(self, name)
            if not low <= value < 3600:
                raise ValueError(f"{name}={value} is not possible: seconds from {low} to 3600.")
