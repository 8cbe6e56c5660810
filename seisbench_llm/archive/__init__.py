"""Archives: P and S picks of many stations and days, with Dask."""

from .files import ArchiveLost, SourceError
from .picker import Picker
from .results import Merged, RunStatus, merge, status
from .run import RunSummary, run
from .sources import open_source
from .station_days import StationDay
from .store import ConfigurationError, StoreError

__all__ = [
    "ArchiveLost",
    "ConfigurationError",
    "Merged",
    "Picker",
    "RunStatus",
    "RunSummary",
    "SourceError",
    "StationDay",
    "StoreError",
    "merge",
    "open_source",
    "run",
    "status",
]
