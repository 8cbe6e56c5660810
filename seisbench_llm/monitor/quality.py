"""
Quality classes of located events: A, B, C, D, and S of a single station.

The classes are those of HYPO71 (Lee and Lahr 1975, USGS Open-File Report 75-311). HYPO71 takes the
mean of two classes, of the solution and of the stations. Here an event has the worse of the two:

===== ======== ========== ======== ===== ======= ====================
class rms      horizontal depth    picks gap     nearest station
===== ======== ========== ======== ===== ======= ====================
A     0.15 s   1.0 km     2 km     6     90 deg  5 km or the depth
B     0.30 s   2.5 km     5 km     6     135 deg 10 km or two depths
C     0.50 s   5.0 km     any      6     180 deg 50 km
===== ======== ========== ======== ===== ======= ====================

Errors are standard deviations. The horizontal error is along the larger axis of the ellipse. All
other events of several stations are D. So are events at the edge of the search or with an unknown
error. Events of a single station are S.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from .location import REGION


class Limits(NamedTuple):
    """
    Limits of a class: largest errors, gap and distance, and smallest number of picks.

    :param rms: Largest root mean square of the residuals in s.
    :param horizontal: Largest standard deviation of the epicentre in km.
    :param depth: Largest standard deviation of the depth in km.
    :param gap: Largest azimuthal gap between neighbouring stations in degrees.
    :param nearest: Largest distance of the nearest station in km.
    :param depths: Largest distance of the nearest station as a multiple of the depth. Only one of
        the two distances has to be met.
    :param picks: Smallest number of picks.
    """

    rms: float
    horizontal: float
    depth: float
    gap: float
    nearest: float
    depths: float
    picks: int = 6


CLASSES = {
    "A": Limits(0.15, 1.0, 2.0, 90.0, 5.0, 1.0),
    "B": Limits(0.30, 2.5, 5.0, 135.0, 10.0, 2.0),
    "C": Limits(0.50, 5.0, np.inf, 180.0, 50.0, 0.0),
}


def quality_class(event: Mapping) -> str:
    """
    Class of an event, A to D, or S for a single station.

    :param event: Row of a table of events.
    """
    if event["stations"] <= 1:
        return "S"
    depth, nearest = event["depth_uncertainty_km"], event["nearest_station_km"]
    for name, limits in CLASSES.items():
        # A comparison with nan is false.
        if (
            not event["at_edge"]
            and event["picks"] >= limits.picks
            and event["rms"] <= limits.rms
            and event["ellipse_major_km"] / REGION <= limits.horizontal
            and (depth <= limits.depth or np.isinf(limits.depth))
            and event["azimuthal_gap"] <= limits.gap
            and (nearest <= limits.nearest or nearest <= limits.depths * event["depth_km"])
        ):
            return name
    return "D"


def with_quality(events: pd.DataFrame) -> pd.DataFrame:
    """Events with their classes in the column ``quality``."""
    classes = [quality_class(event) for event in events.to_dict("records")]
    return events.assign(quality=pd.Series(classes, index=events.index, dtype=object))


def without_poor(
    events: pd.DataFrame, arrivals: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Events and arrivals without class D, and the number of events of class D."""
    poor = with_quality(events)["quality"] == "D"
    kept = events[~poor].reset_index(drop=True)
    members = arrivals["event_id"].isin(kept["event_id"])
    return kept, arrivals[members].reset_index(drop=True), int(poor.sum())
