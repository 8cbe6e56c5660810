"""Synthetic records of local and regional earthquakes, with exact labels."""

from .records import Synthetic

__all__ = ["Synthetic"]
