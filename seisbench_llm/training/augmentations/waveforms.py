"""Augmentations of waveforms: filters, scale, sign, rotation, gaps, components, glitches."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt

from ...data.metadata import COLUMNS, onsets_of, polarity_letter, sample_number
from .base import Augmentation, rate_of, spread


class PreEmphasis(Augmentation):
    """
    First-order high-pass, x[t] - coefficient * x[t - 1].

    The record is taken to begin with a constant, where the published code leaves a step.

    :param coefficient: 0.97 as published.
    """

    def __init__(self, coefficient: float = 0.97, key="X"):
        super().__init__(key)
        self.coefficient = coefficient

    def apply(self, x, metadata):
        return x - self.coefficient * np.concatenate([x[:, :1], x[:, :-1]], axis=1), metadata


class LowPass(Augmentation):
    """
    Causal Butterworth low-pass of second order, as of an instrument with a lower rate.

    :param corner: Smallest and largest corner frequency in Hz; at most 0.45 of the sampling rate.
    """

    def __init__(self, corner=(5.0, 30.0), key="X"):
        super().__init__(key)
        self.corner = corner

    def apply(self, x, metadata):
        rate = rate_of(metadata)
        corner = min(np.random.uniform(*self.corner), 0.45 * rate)
        return sosfilt(butter(2, corner, "low", fs=rate, output="sos"), x), metadata


class Scale(Augmentation):
    """
    Multiply or divide, with equal chance, by a random factor.

    :param factor: Smallest and largest factor, 1 to 3 as published.
    """

    def __init__(self, factor=(1.0, 3.0), key="X"):
        super().__init__(key)
        self.factor = factor

    def apply(self, x, metadata):
        factor = np.random.uniform(*self.factor)
        return x * (factor if np.random.uniform() < 0.5 else 1 / factor), metadata


class FlipPolarity(Augmentation):
    """Change the sign of all components, and up to down; the back-azimuth of P stays the same."""

    def apply(self, x, metadata):
        for column in COLUMNS["polarity"]:
            letter = polarity_letter(metadata.get(column))
            if letter:
                metadata[column] = "D" if letter == "U" else "U"
        return -x, metadata


class RotateHorizontals(Augmentation):
    """
    Turn the ground motion about the vertical, and the back-azimuth with it.

    Unlike SeisBench's RotateHorizontalComponents, this adjusts the back-azimuth, and leaves records
    alone that lack one of the horizontals.

    :param angle: Degrees clockwise, seen from above; at random by default.
    """

    def __init__(self, angle: float | None = None, key="X"):
        super().__init__(key)
        self.angle = angle

    def apply(self, x, metadata):
        angle = np.random.uniform(0, 360) if self.angle is None else self.angle
        if not x[1:].any(axis=1).all():
            return x, metadata
        cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        x[1:] = np.array([[cosine, -sine], [sine, cosine]]) @ x[1:]
        for column in COLUMNS["back_azimuth"]:
            if column in metadata:
                metadata[column] = (sample_number(metadata[column]) + angle) % 360
        return x, metadata


class Gap(Augmentation):
    """
    Set a stretch of all components to zero; onsets in it become nan.

    :param max_length: Greatest length in seconds; the window's by default.
    :param between_onsets: If true, the gap follows an onset and ends before the next, as published.
    :param protect: Seconds before and after the onsets of P that are kept; None keeps nothing.
    :param visible: An onset with less than that many seconds before the gap counts as lost.
    """

    def __init__(
        self, max_length=None, between_onsets=False, protect=None, visible: float = 0.1, key="X"
    ):
        super().__init__(key)
        self.max_length, self.between_onsets = max_length, between_onsets
        self.protect, self.visible = protect, visible

    def apply(self, x, metadata):
        samples, rate = x.shape[1], rate_of(metadata)
        tail = round(self.visible * rate)
        onsets = sorted(at for at in onsets_of(metadata).values() if 0 <= at < samples)
        low, high = 0, samples
        if self.between_onsets and onsets:
            edges = [*onsets, samples]
            i = np.random.randint(len(onsets))
            low, high = min(int(edges[i]) + 1 + tail, samples), int(edges[i + 1])
        start = np.random.randint(low, max(low, high - 1) + 1)
        end = np.random.randint(start, max(start, high) + 1)
        if self.max_length is not None:
            end = min(end, start + np.random.randint(1, max(2, round(self.max_length * rate))))
        if self.protect is not None:
            before, after = (round(seconds * rate) for seconds in self.protect)
            for at in onsets_of(metadata, "P").values():
                if start < at:
                    end = min(end, int(at) - before)
                else:
                    start = max(start, int(at) + 1 + after)
        if start < end:
            x[:, start:end] = 0
            for column, at in onsets_of(metadata).items():
                if start - tail < at < end:
                    metadata[column] = np.nan
        return x, metadata


class EndEarly(Augmentation):
    """
    Let the record end some time after P, as streams end; what follows is zero, onsets become nan.

    :param least: Seconds after P that are kept. Seconds up to the end of the window are drawn
        evenly in their logarithm.
    """

    def __init__(self, least: float = 1.0, key="X"):
        super().__init__(key)
        self.least = least

    def apply(self, x, metadata):
        onsets = [at for at in onsets_of(metadata, "P").values() if np.isfinite(at)]
        after = (x.shape[1] - min(onsets)) / rate_of(metadata) if onsets else 0.0
        if after <= self.least:
            return x, metadata
        kept = np.exp(np.random.uniform(np.log(self.least), np.log(after)))
        end = int(min(onsets) + kept * rate_of(metadata))
        x[:, end:] = 0
        for column, at in onsets_of(metadata).items():
            if at >= end:
                metadata[column] = np.nan
        return x, metadata


class DropComponents(Augmentation):
    """
    Set components to zero, but never all that are there.

    :param chances: Components to drop, such as ``"NE"``, and how often in relation to the others;
        by default one or two at random, as published.
    """

    PUBLISHED = dict.fromkeys(("Z", "N", "E", "ZN", "ZE", "NE"), 1.0)

    def __init__(self, chances: dict[str, float] | None = None, key="X"):
        super().__init__(key)
        self.chances = dict(self.PUBLISHED if chances is None else chances)

    def apply(self, x, metadata):
        chances = np.array(list(self.chances.values()))
        names = list(self.chances)[np.random.choice(len(chances), p=chances / chances.sum())]
        left = x.copy()
        left[["ZNE".index(name) for name in names]] = 0
        return (left if left.any() else x), metadata


class Spike(Augmentation):
    """
    A glitch of one sample on one component.

    :param height: In standard deviations of the record, with random sign.
    :param protect: Seconds around onsets of P that are kept; None keeps nothing.
    """

    def __init__(self, height: float = 30.0, protect: float | None = None, key="X"):
        super().__init__(key)
        self.height, self.protect = height, protect

    def apply(self, x, metadata):
        at, sign = np.random.randint(x.shape[1]), np.random.choice([-1, 1])
        live = np.flatnonzero(x.any(axis=1))
        component = live[np.random.randint(len(live))] if len(live) else None
        width = 0 if self.protect is None else self.protect * rate_of(metadata)
        near = any(abs(at - onset) < width for onset in onsets_of(metadata, "P").values())
        if component is not None and not near:
            x[component, at] += sign * self.height * spread(x)
        return x, metadata
