"""archive."""

from .results import merge, status
from .run import run

__all__ = ["merge", "run", "status"]
