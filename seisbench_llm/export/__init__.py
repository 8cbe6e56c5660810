"""export."""

from .quakeml import picks_to_catalog
from .tables import picks_to_dataframe, read_picks
from .write import export

__all__ = ["export", "picks_to_catalog", "picks_to_dataframe", "read_picks"]
