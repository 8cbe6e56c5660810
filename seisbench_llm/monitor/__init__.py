"""Monitoring of a network: picks, estimates at each P, association, location, catalogues."""

from ..streams.pairing import pair
from .association import associate
from .location import Epicenter, epicenter, sp_distance
from .monitor import SeismicMonitor
from .posterior import ErrorModel
from .quality import quality_class
from .result import MonitorResult
from .velocity import VelocityModel

__all__ = [
    "Epicenter",
    "ErrorModel",
    "MonitorResult",
    "SeismicMonitor",
    "VelocityModel",
    "associate",
    "epicenter",
    "pair",
    "quality_class",
    "sp_distance",
]
