"""Observers of live picking, which receive its packets and reports."""

from __future__ import annotations

from typing import Protocol

import obspy

from .picks import LivePick


class Observer(Protocol):
    """
    An observer, such as a page or a monitoring system. It is an entry of ``Live.observers``.

    Both methods are called in the picker's thread, which waits for them. They must be quick and
    must not raise exceptions.
    """

    def packet(self, trace: obspy.Trace, wall: float, now: float) -> None:
        """
        Note a packet that the picker uses. The packet must not be changed.

        :param trace: Samples of one channel.
        :param wall: Unix time of arrival.
        :param now: Present Unix time. In a replay it is the time of the data.
        """

    def report(self, pick: LivePick) -> None:
        """Note a report about a pick."""
