"""
Picks and events in the formats of other programs: QuakeML, SCML, PyOcto, GaMMA, PhaseNet,
EQTransformer, HypoDD, GrowClust, NonLinLoc.
"""

from .convert import convert_picks, dataframe_to_picks, write_events
from .gamma import with_assignments
from .quakeml import picks_to_catalog
from .read import read_events, read_picks
from .tables import events_to_dataframe, picks_to_dataframe
from .write import export

__all__ = [
    "convert_picks",
    "dataframe_to_picks",
    "events_to_dataframe",
    "export",
    "picks_to_catalog",
    "picks_to_dataframe",
    "read_events",
    "read_picks",
    "with_assignments",
    "write_events",
]
