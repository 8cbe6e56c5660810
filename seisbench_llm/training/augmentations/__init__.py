"""
Augmentations in the style of :py:mod:`seisbench.generate` that SeisBench lacks or gets wrong.

All work on records (components, samples) in the order Z, N, E, with three guarantees. Onsets in the
metadata stay true, and become nan if the onset is no longer visible. Missing components, which are
zero, stay zero. Neither the record nor its metadata are changed in place.
"""

from .base import Augmentation, Chain, sometimes
from .disturbances import CalibrationPulse, ChangeLevel, Disturb, LateComponents, Step
from .events import AddEvent, NoiseOnly, ShiftEvent, Stretch
from .noise import AddNoise, ColouredNoise, coloured_noise
from .waveforms import (
    DropComponents,
    EndEarly,
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
    "CalibrationPulse",
    "Chain",
    "ChangeLevel",
    "ColouredNoise",
    "Disturb",
    "DropComponents",
    "EndEarly",
    "FlipPolarity",
    "Gap",
    "LateComponents",
    "LowPass",
    "NoiseOnly",
    "PreEmphasis",
    "RotateHorizontals",
    "Scale",
    "ShiftEvent",
    "Spike",
    "Step",
    "Stretch",
    "coloured_noise",
    "sometimes",
]
