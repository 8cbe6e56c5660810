"""Who is told what live picking takes and reports."""

from __future__ import annotations

from typing import Protocol

import obspy

from .picks import LivePick


class Observer(Protocol):
    """
    Looks on, as a page or a monitoring system does; an entry of ``Live.observers``.

    Both methods are called in the picker's thread, which waits for them, so they must be quick, and
    must not raise.
    """

    def packet(self, trace: obspy.Trace, wall: float, now: float) -> None:
        """
        Take note of a packet that the picker uses; it must not be changed.

        :param trace: Samples of one channel.
        :param wall: Unix time of its arrival.
        :param now: Unix time, in a replay that of the data.
        """

    def report(self, pick: LivePick) -> None:
        """Take note of what is said of a pick."""
