"""training/augmentations."""

from .base import Augmentation, Chain, Sometimes
from .events import AddEvent, NoiseOnly, ShiftEvent, Stretch
from .noise import AddNoise, ColouredNoise, coloured_noise
from .waveforms import (
    DropComponents,
    FlipPolarity,
    Gap,
    LowPass,
    PreEmphasis,
    RotateHorizontals,
    Scale,
    Spike,
)

__all__ = [
    "AddEvent",
    "AddNoise",
    "Augmentation",
    "Chain",
    "ColouredNoise",
    "DropComponents",
    "FlipPolarity",
    "Gap",
    "LowPass",
    "NoiseOnly",
    "PreEmphasis",
    "RotateHorizontals",
    "Scale",
    "ShiftEvent",
    "Sometimes",
    "Spike",
    "Stretch",
    "coloured_noise",
]
