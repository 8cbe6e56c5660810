"""Data sets in SeisBench's format from waveforms, picks and stations of one's own."""

from .make import Made, MakeSettings, make_dataset

__all__ = ["Made", "MakeSettings", "make_dataset"]
