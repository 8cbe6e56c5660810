"""Amplitudes at picks in counts and in units of ground motion, and local magnitudes."""

from .magnitude import SCALES, Scale, local_magnitude, read_corrections
from .measure import measure
from .response import pendulum, to_motion, wood_anderson

__all__ = [
    "SCALES",
    "Scale",
    "local_magnitude",
    "measure",
    "pendulum",
    "read_corrections",
    "to_motion",
    "wood_anderson",
]
