"""Data sets, synthetic records, labels and splits."""

from .datasets import open_dataset
from .diting import DiTing
from .stead import STEAD
from .stead_files import STEADFiles
from .synthetic.records import Synthetic

__all__ = ["STEAD", "DiTing", "STEADFiles", "Synthetic", "open_dataset"]
