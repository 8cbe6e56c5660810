"""data/synthetic."""

from .records import Synthetic

__all__ = ["Synthetic"]
