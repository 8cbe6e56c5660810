"""Augmentations of events: shifts, further events, replacement by noise, stretches in time."""

from __future__ import annotations

import numpy as np

from ...data.metadata import event_of, is_true, onsets_of, phase_of, sample_number
from .base import Augmentation, draw_record, extend, rate_of, samples_of, shift_record, spread
from .noise import coloured_noise


class ShiftEvent(Augmentation):
    """
    Move a window's content in time.

    :param circular: If true, samples that leave at one end enter at the other, as published.
        Otherwise zeros enter, and onsets that leave become nan.
    :param max_shift: Largest shift in samples to either side. By default the window's length.
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
    Replace an event by noise and remove all onsets.

    The noise is what precedes the first P onset, mirrored to the window's length, if that fills a
    quarter of it. Else it is coloured noise at the level of what precedes. Records without an
    onset stay as they are.

    :param guard: Seconds before the onset that do not count as noise, because onsets may be
        emergent.
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
        # The record before S may contain an unpicked P.
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


def _free(metadata: dict, name: str, number: int) -> str:
    while name.format(number) in metadata and np.isfinite(
        sample_number(metadata[name.format(number)])
    ):
        number += 1
    return name.format(number)
