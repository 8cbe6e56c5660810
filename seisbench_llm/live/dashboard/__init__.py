"""A dashboard of running live picking: map, picks, health of stations, latency, metrics."""

from .dashboard import Dashboard

__all__ = ["Dashboard"]
