"""
Quality classes of located events: A, B, C, D.

Those of HYPO71 (Lee and Lahr 1975, USGS Open-File Report 75-311), where an event has the worse of
its two classes, of solution and of stations, and not their mean:

===== ======== ========== ======== ===== =======
class rms      horizontal depth    picks gap
===== ======== ========== ======== ===== =======
A     0.15 s   1.0 km     2 km     6     90 deg
B     0.30 s   2.5 km     5 km     6     135 deg
C     0.50 s   5.0 km     any      6     180 deg
===== ======== ========== ======== ===== =======

Errors are standard deviations, the horizontal one along the larger axis of the ellipse. All other
events are D: also those of one station, those at the edge of the search, and those that an error
is not known of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from .location import REGION


class Limits(NamedTuple):
    """
    What an event of a class must not exceed, and the fewest picks.

    :param rms: Root mean square of the residuals in s.
    :param horizontal: Standard deviation of the epicentre in km.
    :param depth: Standard deviation of the depth in km.
    :param gap: Largest azimuth between neighbouring stations in degrees.
    :param picks: Number of picks.
    """

    rms: float
    horizontal: float
    depth: float
    gap: float
    picks: int = 6


CLASSES = {
    "A": Limits(0.15, 1.0, 2.0, 90.0),
    "B": Limits(0.30, 2.5, 5.0, 135.0),
    "C": Limits(0.50, 5.0, np.inf, 180.0),
}


def quality_class(event: Mapping) -> str:
    """
    Class of an event.

    :param event: Row of a table of events.
    """
    depth = event["depth_uncertainty_km"]
    for name, limits in CLASSES.items():
        # A comparison with nan is false.
        if (
            not event["at_edge"]
            and event["stations"] > 1
            and event["picks"] >= limits.picks
            and event["rms"] <= limits.rms
            and event["ellipse_major_km"] / REGION <= limits.horizontal
            and (depth <= limits.depth or np.isinf(limits.depth))
            and event["azimuthal_gap"] <= limits.gap
        ):
            return name
    return "D"


def with_quality(events: pd.DataFrame) -> pd.DataFrame:
    """Events with their classes in the column ``quality``."""
    classes = [quality_class(event) for event in events.to_dict("records")]
    return events.assign(quality=pd.Series(classes, index=events.index, dtype=object))
