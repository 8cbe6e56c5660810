"""Live picking: P and S picks of data as they come in."""

from .feeding import feed_from, run
from .picker import Live
from .picks import LivePick
from .seedlink import SeedLink
from .settings import LiveSettings
from .sources import Replay
from .state import LiveState, StateError

__all__ = [
    "Live",
    "LivePick",
    "LiveSettings",
    "LiveState",
    "Replay",
    "SeedLink",
    "StateError",
    "feed_from",
    "run",
]
