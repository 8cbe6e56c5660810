"""Picks and events in the formats of other programs: QuakeML, PyOcto, GaMMA, HypoDD, NonLinLoc."""

from .quakeml import picks_to_catalog
from .read import read_events, read_picks
from .tables import events_to_dataframe, picks_to_dataframe
from .write import export

__all__ = [
    "events_to_dataframe",
    "export",
    "picks_to_catalog",
    "picks_to_dataframe",
    "read_events",
    "read_picks",
]
