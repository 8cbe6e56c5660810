"""
Augmentations in the style of :py:mod:`seisbench.generate`, for whatever that lacks or gets wrong.

All work on records (components, samples) in the order Z, N, E and keep three promises: onsets in
the metadata stay true, and are nan where the onset is no more to be seen; missing components, all
of whose samples are zero, stay zero; neither the record nor its metadata are changed in place.
"""

from __future__ import annotations

import numpy as np
import seisbench.generate as sbg
from scipy.signal import butter, sosfilt

from ..data.targets import (
    event_of,
    is_true,
    onsets_of,
    phase_of,
    polarity_letter,
    sample_number,
)
from .augmentation_base import (
    Augmentation,
    draw_record,
    extend,
    rate_of,
    samples_of,
    shift_record,
    spread,
)
from .augmentation_noise import AddNoise as AddNoise
from .augmentation_noise import ColouredNoise as ColouredNoise
from .augmentation_noise import coloured_noise

POLARITY_COLUMNS = ("trace_polarity", "trace_p_polarity")
BACK_AZIMUTH_COLUMNS = ("path_back_azimuth_deg", "path_backazimuth_deg")


class Chain:
    """
    Several augmentations as one, for use in :py:class:`seisbench.generate.OneOf`.

    :param augmentations: In the order in which they are applied.
    """

    def __init__(self, augmentations: list):
        self.augmentations = list(augmentations)

    def __call__(self, state_dict: dict) -> None:
        for augmentation in self.augmentations:
            augmentation(state_dict)

    def __str__(self):
        return f"Chain ({', '.join(map(str, self.augmentations))})"


def Sometimes(augmentation, probability: float) -> sbg.OneOf:
    """The augmentation with a probability, else nothing."""
    return sbg.OneOf([augmentation, sbg.NullAugmentation()], [probability, 1 - probability])


class ShiftEvent(Augmentation):
    """
    Move a window's content in time.

    :param circular: If true, what leaves at one end enters at the other, as published; else zeros
        enter, and onsets that leave become nan.
    :param max_shift: Largest shift in samples to either side; the window's length by default.
    """

    def __init__(self, circular: bool = True, max_shift: int | None = None, key="X"):
        super().__init__(key)
        self.circular, self.max_shift = circular, max_shift

    def apply(self, x, metadata):
        samples = x.shape[1]
        limit = samples - 1 if self.max_shift is None else min(self.max_shift, samples - 1)
        shift = np.random.randint(-limit, limit + 1)
        for column, at in samples_of(metadata).items():
            inside = 0 <= at < samples
            at = (at + shift) % samples if self.circular else at + shift
            metadata[column] = at if inside and 0 <= at < samples else np.nan
        return (np.roll(x, shift, axis=1) if self.circular else shift_record(x, shift)), metadata


class NoiseOnly(Augmentation):
    """
    Replace an event by noise; no onset is left.

    The noise is what precedes the first P onset, mirrored to the window's length, if that fills a
    quarter of it. Else it is coloured noise at the level of what precedes. Records without an
    onset stay as they are.

    :param guard: Seconds before the onset that are not taken for noise, as onsets are emergent.
    """

    def __init__(self, guard: float = 0.5, key="X"):
        super().__init__(key)
        self.guard = guard

    def apply(self, x, metadata):
        samples = x.shape[1]
        inside = {c: at for c, at in onsets_of(metadata).items() if 0 <= at < samples}
        if not inside:
            return x, metadata
        first = min(inside, key=inside.get)
        before = x[:, : max(0, int(inside[first] - self.guard * rate_of(metadata)))]
        # Zeros in front are padding.
        before = before[:, np.argmax(before.any(axis=0)) if before.any() else before.shape[1] :]
        # What precedes S may hold an unpicked P.
        quiet = phase_of(first) == "P" and (before.any(axis=1) == x.any(axis=1)).all()
        if quiet and before.shape[1] >= samples / 4:
            x = extend(before, samples)
        else:
            level = before if quiet and before.shape[1] > 10 else x
            x = coloured_noise(*x.shape, np.random.uniform(0, 1.5)) * level.std(1, keepdims=True)
        metadata.update(dict.fromkeys(samples_of(metadata), np.nan))
        return x, metadata


class AddEvent(Augmentation):
    """
    Superpose a shifted and scaled record, whose onsets become those of a further event.

    Onsets are added as ``trace_p2_arrival_sample`` and so on, with the next free number. The ends
    of the added record are tapered; onsets there are added as ``trace_p2_unsure_sample``.

    :param dataset: SeisBench data set to draw from; None superposes the record itself.
    :param prepare: Augmentation that is applied to drawn records first, such as a filter.
    :param ratio: Smallest and largest scatter of the added record over that of the record.
    :param min_gap: Smallest shift in seconds.
    :param taper: Length of either taper in seconds.
    """

    def __init__(
        self, dataset=None, prepare=None, ratio=(0.1, 2.0), min_gap=1.0, taper=2.0, key="X"
    ):
        super().__init__(key)
        self.dataset, self.prepare, self.ratio = dataset, prepare, ratio
        self.min_gap, self.taper = min_gap, taper

    def apply(self, x, metadata):
        samples, rate = x.shape[1], rate_of(metadata)
        other, its = (
            (x, metadata) if self.dataset is None else draw_record(self.dataset, self.prepare)
        )
        gap = round(self.min_gap * rate)
        if samples <= gap or not x.any() or not other.any():
            return x, metadata
        shift = np.random.randint(gap, samples) * np.random.choice([-1, 1])
        if self.dataset is not None:
            # Any part of a record that may be longer or shorter.
            shift = np.random.randint(-other.shape[1] + 1, samples)
        length = other.shape[1]
        ramp = min(round(self.taper * rate), length // 2)
        weight = np.ones(length)
        weight[:ramp] = (1 - np.cos(np.pi * np.arange(ramp) / max(ramp, 1))) / 2
        weight[length - ramp :] = weight[:ramp][::-1]
        ratio = np.exp(np.random.uniform(*np.log(self.ratio))) * spread(x) / spread(other)
        added = shift_record(other * weight, shift, samples)
        self._add_onsets(metadata, its, shift, (ramp, length - ramp), samples)
        return x + ratio * added * x.any(axis=1, keepdims=True), metadata

    @staticmethod
    def _add_onsets(metadata: dict, its: dict, shift: int, whole: tuple[int, int], samples: int):
        # Before anything is added, as both may be the same record.
        onsets = [(phase_of(c), event_of(c), at) for c, at in onsets_of(its).items()]
        unsure = [(c, at) for c, at in samples_of(its).items() if c.endswith("_unsure_sample")]
        number = max(map(event_of, onsets_of(metadata)), default=1)
        for phase in "PS":
            hidden = f"trace_{phase.lower()}_unlabelled"
            if is_true(its.get(hidden)):
                metadata[hidden] = True
        for phase, event, at in onsets:
            if 0 <= at + shift < samples:
                kind = "arrival" if whole[0] <= at < whole[1] else "unsure"
                name = f"trace_{phase.lower()}{{}}_{kind}_sample"
                metadata[_free(metadata, name, number + event)] = at + shift
        for column, at in unsure:
            name = f"trace_{column.split('_')[1][0].lower()}{{}}_unsure_sample"
            metadata[_free(metadata, name, number + 1)] = at + shift


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
        for column in POLARITY_COLUMNS:
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
        for column in BACK_AZIMUTH_COLUMNS:
            if column in metadata:
                metadata[column] = (sample_number(metadata[column]) + angle) % 360
        return x, metadata


class Stretch(Augmentation):
    """
    Stretch a record in time; only for picking, as it changes distance and magnitude.

    :param factor: Smallest and largest factor, drawn uniformly on a logarithmic scale.
    """

    def __init__(self, factor=(2**-0.5, 2**0.5), key="X"):
        super().__init__(key)
        self.factor = factor

    def apply(self, x, metadata):
        samples = x.shape[1]
        factor = np.exp(np.random.uniform(*np.log(self.factor)))
        grid = np.arange(int((samples - 1) * factor) + 1) / factor
        x = np.stack([np.interp(grid, np.arange(samples), component) for component in x])
        for column, at in samples_of(metadata).items():
            metadata[column] = at * factor
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


def _free(metadata: dict, name: str, number: int) -> str:
    while name.format(number) in metadata and np.isfinite(
        sample_number(metadata[name.format(number)])
    ):
        number += 1
    return name.format(number)
