"""live."""

from .instrument import LiveSettings
from .picker import Live, LivePick, run

__all__ = ["Live", "LivePick", "LiveSettings", "run"]
