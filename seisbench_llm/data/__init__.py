"""Data sets, synthetic records, labels and splits."""

from .datasets import open_dataset
from .diting import DiTing
from .stead import STEAD
from .synthetic.records import Synthetic

__all__ = ["STEAD", "DiTing", "Synthetic", "open_dataset"]
