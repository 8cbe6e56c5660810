"""monitor."""

from .monitor import SeismicMonitor, pair
from .result import MonitorResult

__all__ = ["MonitorResult", "SeismicMonitor", "pair"]
