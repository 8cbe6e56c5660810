"""The sample grid on which all components of an instrument are numbered."""

from __future__ import annotations

import obspy


class Grid:
    """
    Sample numbers from 1970 on, on the grid of an instrument's earliest record.

    Components that differ by a fraction of a sample have the same places as in batch processing,
    see :py:func:`seisbench_llm.streams.windows.place_on_grid`.

    :param rate: Samples per second.
    """

    def __init__(self, rate: float):
        self.rate = rate
        self.reference, self._base = obspy.UTCDateTime(0), 0

    def refer_to(self, time: obspy.UTCDateTime) -> None:
        """Move the grid by less than a sample, so that ``time`` is the time of a sample."""
        self.reference, self._base = time, round(time.ns * self.rate / 1e9)

    def number(self, time: obspy.UTCDateTime) -> int:
        """Number of the sample nearest to a time."""
        return self._base + round((time - self.reference) * self.rate)

    def time(self, number: int) -> obspy.UTCDateTime:
        """Time of a sample."""
        return self.reference + (number - self._base) / self.rate
