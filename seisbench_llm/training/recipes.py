"""Augmentations put together: from a SeisBench record to what a model is trained on."""

from __future__ import annotations

from fnmatch import fnmatch

import numpy as np
import obspy.signal.filter
import seisbench.generate as sbg
import torch

from .. import preprocess
from ..data.targets import event_of, onsets_of, sample_number
from ..tasks import get_task
from . import augmentations as aug
from .augmentations import Augmentation, Chain, Sometimes
from .labellers import COLUMNS, OnsetLabeller, PolarityLabeller, ValueLabeller

RECIPES = ("plain", "paper", "compact")

# As published. A record that becomes noise is neither shifted nor gets gaps, noise and so on.
PAPER_PROBABILITIES = {
    "noise_only": 0.05,
    "add_event": 0.0,
    "shift_event": 0.2,
    "drop_components": 0.4,
    "scale": 0.4,
    "pre_emphasis": 0.4,
    "add_noise": 0.4,
    "gap": 0.4,
}
# Largest deviation of P from its place in training, in seconds. What P itself tells is lost on a
# network that has to find it first.
_JITTER = {"polarity": 0.1, "back_azimuth": 0.1, "magnitude": 0.5, "distance": 0.5}


class Prepare(Augmentation):
    """
    A record as ``annotate`` prepares a stream: finite, double precision, zero-mean, filtered.

    Zeros of a second or more at either end are taken for padding and stay zero, as the gaps of a
    stream do.

    :param sampling_rate: Hz that records must have.
    :param filter_args: As of SeisBench's WaveformModel: arguments of obspy.Stream.filter, or a
        dictionary of channel pattern to arguments.
    :param filter_kwargs: Likewise.
    :raises ValueError: For a record of another sampling rate or without three components.
    """

    def __init__(self, sampling_rate: float, filter_args=None, filter_kwargs=None, key="X"):
        super().__init__(key)
        self.sampling_rate = sampling_rate
        self.filter_args, self.filter_kwargs = filter_args, filter_kwargs

    def apply(self, x, metadata):
        name, rate = metadata.get("trace_name"), float(metadata["trace_sampling_rate_hz"])
        if x.ndim != 2 or len(x) != 3:
            raise ValueError(
                f"Trace {name} has shape {x.shape}, not (3, samples). Open its data set with "
                f'component_order="ZNE", missing_components="pad".'
            )
        if abs(rate - self.sampling_rate) > 1e-6 * self.sampling_rate:
            raise ValueError(
                f"Trace {name} has {rate:g} Hz, the model {self.sampling_rate:g} Hz. Open its data "
                f"set with sampling_rate={self.sampling_rate:g}."
            )
        x[~np.isfinite(x)] = 0
        for channel, data in self._parts(x):
            first, last = self._span(np.atleast_2d(data)[0])
            if first < last:
                data = data[..., first:last]
                data -= data.mean(axis=-1, keepdims=True)
                data[:] = self._filter(data, channel)
        # Texts and the like, which windows could not shift.
        samples = [c for c in metadata if isinstance(c, str) and c.endswith("_sample")]
        metadata.update({column: sample_number(metadata[column]) for column in samples})
        return x, metadata

    def _parts(self, x: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """Channel codes and what is filtered at once: all, as designing a filter takes long."""
        alike = len({self._span(data) for data in x}) == 1
        # By channel; or to and fro, for which ObsPy turns the first axis round.
        single = isinstance(self.filter_args, dict) or (self.filter_kwargs or {}).get("zerophase")
        if alike and not single:
            return [("HHZ", x)]
        return [(f"HH{name}", data) for name, data in zip("ZNE", x, strict=True)]

    def _span(self, data: np.ndarray) -> tuple[int, int]:
        live = np.flatnonzero(data)
        if not len(live):
            return 0, 0
        first, last = live[0], live[-1] + 1
        # Shorter runs are samples that happen to be zero.
        first = first if first >= self.sampling_rate else 0
        return first, last if len(data) - last >= self.sampling_rate else len(data)

    def _filter(self, data: np.ndarray, channel: str) -> np.ndarray:
        args, kwargs = self.filter_args, self.filter_kwargs
        if args is None and kwargs is None:
            return data
        if not isinstance(args, dict):
            args, kwargs = {"*": args}, {"*": kwargs}
        for pattern, values in args.items():
            if fnmatch(channel, pattern):
                (kind,) = values
                # What Trace.filter calls, after a search of its plugins that takes longer.
                function = getattr(obspy.signal.filter, kind)
                data = function(data, df=self.sampling_rate, **(kwargs[pattern] or {}))
        return data


class PickWindow(sbg.FixedWindow):
    """
    A window for training or evaluating a picker; zeros where the record ends.

    A record of the window's length is taken as it is. In training, a random onset lies anywhere in
    the window, and one window in ten is anywhere in the record. Otherwise the window holds the
    first P and S, if both fit in, and as much of the record as possible.

    :param in_samples: Length.
    :param margin: Samples between onsets and the window's ends.
    :param training: See above.
    :param anywhere: Share of training windows that are anywhere.
    """

    def __init__(self, in_samples: int, margin: int, training: bool, anywhere=0.1, key="X"):
        super().__init__(windowlen=in_samples, strategy="pad", key=key)
        self.margin = min(margin, in_samples // 4)
        self.training, self.anywhere = training, anywhere

    def __call__(self, state_dict):
        x, metadata = state_dict[self.key[0]]
        samples, length = x.shape[1], self.windowlen
        onsets = {c: at for c, at in onsets_of(metadata).items() if 0 <= at < samples}
        spare = samples - length
        if spare == 0:
            first = 0
        elif not onsets or (self.training and np.random.uniform() < self.anywhere):
            first = np.random.randint(min(0, spare), max(0, spare) + 1)
        elif self.training:
            at = int(list(onsets.values())[np.random.randint(len(onsets))])
            first = at - np.random.randint(self.margin, length - self.margin)
        else:
            low, high = self._range(onsets)
            # Rather an onset near the window's end than zeros.
            low, high = np.clip([low, high], min(0, spare), max(0, spare))
            first = np.random.randint(low, high + 1)
        super().__call__(state_dict, p0=int(first))

    def _range(self, onsets: dict[str, float]) -> tuple[int, int]:
        """First and last start of a window that holds the first onset and, if it can, S after P."""
        start = int(min(onsets.values()))
        number = event_of(min(onsets, key=onsets.get))
        own = [int(at) for column, at in onsets.items() if event_of(column) == number]
        room = self.windowlen - 1 - self.margin
        end = max((at for at in own if at - start <= room - self.margin), default=start)
        return end - room, max(start - self.margin, end - room)

    def __str__(self):
        return f"PickWindow (windowlen={self.windowlen}, training={self.training})"


class OnsetWindow(sbg.FixedWindow):
    """
    A window with the first onset of P at a fixed sample; zeros where the record ends.

    :param in_samples: Length.
    :param pred_sample: Sample of the onset.
    :param jitter: Largest random deviation from it in samples.
    :raises ValueError: For a record without an onset of P.
    """

    def __init__(self, in_samples: int, pred_sample: int, jitter: int = 0, key="X"):
        super().__init__(windowlen=in_samples, strategy="pad", key=key)
        self.pred_sample, self.jitter = pred_sample, jitter

    def __call__(self, state_dict):
        metadata = state_dict[self.key[0]][1]
        onsets = [at for c, at in onsets_of(metadata, "P").items() if event_of(c) == 1]
        if not onsets:
            raise ValueError(
                f"Trace {metadata.get('trace_name')} has no onset of P "
                f"(trace_<phase>_arrival_sample). Select records with usable() first."
            )
        deviation = np.random.randint(-self.jitter, self.jitter + 1)
        first = int(np.floor(min(onsets) + 0.5)) - self.pred_sample + deviation
        super().__call__(state_dict, p0=first)

    def __str__(self):
        return (
            f"OnsetWindow (windowlen={self.windowlen}, pred_sample={self.pred_sample}, "
            f"jitter={self.jitter})"
        )


class Normalize:
    """
    :py:func:`seisbench_llm.preprocess.normalize` of a window, in single precision as ``annotate``.

    :param joint: As there.
    :param key: Key in the state dict.
    """

    def __init__(self, joint: bool = False, key: str = "X"):
        self.joint, self.key = joint, key

    def __call__(self, state_dict):
        x, metadata = state_dict[self.key]
        window = torch.from_numpy(np.ascontiguousarray(x, np.float32))
        state_dict[self.key] = (preprocess.normalize(window, self.joint).numpy(), metadata)

    def __str__(self):
        return "Normalize"


def recipe(
    name: str,
    task: str,
    *,
    in_samples: int,
    sampling_rate: float,
    pred_sample: int | None,
    filter_args=None,
    filter_kwargs=None,
    noise=None,
    detection: bool = False,
    joint_norm: bool = False,
    augment: bool = True,
    add_event: float = PAPER_PROBABILITIES["add_event"],
) -> list:
    """
    Augmentations for a :py:class:`~seisbench_llm.training.generator.SeededGenerator`.

    Samples are ``X``, float32 (3, in_samples), and ``y``; in picking also ``w``, the weight of each
    sample of ``y``, see :py:class:`~seisbench_llm.training.labellers.OnsetLabeller`.

    ``plain`` does not augment and is for evaluation; ``paper`` is as published; ``compact`` is what
    the packaged compact picker was trained with. What would make a label wrong is left out:

    ======================  =========  ==========  ==========  ====================  ==============
    Augmentation            picking    polarity    magnitude   distance              back_azimuth
    ======================  =========  ==========  ==========  ====================  ==============
    noise only, shift       yes        no          no          no                    no
    second event, stretch   yes        no          no          no                    no
    sign flip               yes        label too   yes         yes                   yes
    rotation                yes        yes         yes         yes                   label too
    low pass from           5 Hz       15 Hz       5 Hz        5 Hz                  5 Hz
    missing components      any        not Z       any         any                   none
    gaps, spikes            any        not near P  not near P  not near P            not near P
    scale, noise,           yes        yes         yes         yes                   yes
    pre-emphasis
    ======================  =========  ==========  ==========  ====================  ==============

    :param name: ``plain``, ``paper`` or ``compact``.
    :param task: Name of the task.
    :param in_samples: Length of a window.
    :param sampling_rate: Hz, of the model and of the data set.
    :param pred_sample: Sample of P in a window, for all tasks but picking; when augmenting it
        varies a little.
    :param filter_args: Those of the model, applied to the whole record as in ``annotate``.
    :param filter_kwargs: Likewise.
    :param noise: SeisBench data set of noise at ``sampling_rate``; coloured or white noise if None.
    :param detection: Whether the first channel of a picker's label is a detection.
    :param joint_norm: As of the model.
    :param augment: If false, every recipe is ``plain``.
    :param add_event: ``paper``: probability of a second event, which the paper leaves at zero.
    :raises ValueError: If there is no such recipe or task, or ``pred_sample`` is not in the window.
    """
    if name not in RECIPES:
        raise ValueError(f"Unknown recipe '{name}'. Known recipes: {', '.join(RECIPES)}.")
    task = get_task(task).name
    if task != "picking" and not (pred_sample is not None and 0 <= pred_sample < in_samples):
        raise ValueError(
            f"pred_sample is {pred_sample}; for {task} it is a sample of the window, 0 to "
            f"{in_samples - 1}."
        )
    name = name if augment else "plain"
    before, after = [], []
    prepare = Prepare(sampling_rate, filter_args, filter_kwargs)
    if name == "paper":
        after = _paper(task, noise, prepare, add_event)
    elif name == "compact":
        before = [Sometimes(aug.Stretch(), 0.4)] if task == "picking" else []
        after = _compact(task, noise, prepare)
    return [
        prepare,
        *before,
        _window(task, in_samples, sampling_rate, pred_sample, name != "plain"),
        *after,
        Normalize(joint_norm),
        _labeller(task, sampling_rate, detection),
        sbg.FilterKeys(include=["X", "y", "w"]),
    ]


def _window(task, in_samples, rate, pred_sample, training):
    if task == "picking":
        return PickWindow(in_samples, round(0.5 * rate), training)
    return OnsetWindow(in_samples, pred_sample, round(_JITTER[task] * rate) if training else 0)


def _labeller(task, rate, detection):
    if task == "picking":
        width = round(0.25 * rate)
        return OnsetLabeller(half_width=width, detection=detection, weights=True)
    return PolarityLabeller() if task == "polarity" else ValueLabeller(COLUMNS[task])


def _paper(task, noise, prepare, add_event) -> list:
    chance = {**PAPER_PROBABILITIES, "add_event": add_event}
    picking = task == "picking"
    steps = {
        "add_event": aug.AddEvent() if picking else None,
        "shift_event": aug.ShiftEvent() if picking else None,
        "drop_components": _drop(task, aug.DropComponents.PUBLISHED),
        "scale": aug.Scale(),
        "pre_emphasis": aug.PreEmphasis(),
        "add_noise": aug.AddNoise(noise, prepare=prepare),
        "gap": aug.Gap(between_onsets=True) if picking else aug.Gap(protect=(0.5, 1.0)),
    }
    steps = {n: Sometimes(step, chance[n]) for n, step in steps.items() if step is not None}
    if not picking:
        return list(steps.values())
    silent = Chain([aug.NoiseOnly(), steps["drop_components"], steps["scale"]])
    share = chance["noise_only"]
    return [sbg.OneOf([silent, Chain(list(steps.values()))], [share, 1 - share])]


def _compact(task, noise, prepare) -> list:
    picking = task == "picking"
    colour = aug.ColouredNoise()
    if noise is not None:
        real = aug.AddNoise(noise, (12, 46), "peak", prepare)
        colour = sbg.OneOf([real, colour], [0.6, 0.4])
    drop = _drop(task, {"NE": 0.5, "Z": 0.1, "N": 0.15, "E": 0.15, "ZN": 0.1})
    protect = None if picking else 0.5
    return [
        *([Sometimes(aug.AddEvent(), 0.2)] if picking else []),
        Sometimes(aug.FlipPolarity(), 0.5),
        # No direction is to be preferred.
        Sometimes(aug.RotateHorizontals(), 1.0 if task == "back_azimuth" else 0.5),
        Sometimes(colour, 0.45),
        Sometimes(aug.LowPass((15, 30) if task == "polarity" else (5, 30)), 0.15),
        *([Sometimes(drop, 0.2)] if drop else []),
        Sometimes(aug.Gap(20.0, protect=None if picking else (0.5, 1.0)), 0.2),
        Sometimes(aug.Spike(protect=protect), 0.05),
    ]


def _drop(task, chances):
    if task == "back_azimuth":
        return None
    if task == "polarity":
        chances = {names: chance for names, chance in chances.items() if "Z" not in names}
    return aug.DropComponents(chances)


def recipe_for(model, name: str = "plain", **kwargs) -> list:
    """
    :py:func:`recipe` with the task, window, filter and so on of a model.

    :param model: A :py:class:`~seisbench_llm.SeisMoLLM`.
    :param name: As there.
    :param kwargs: As there: noise, augment, add_event.
    """
    return recipe(
        name,
        model.task.name,
        in_samples=model.in_samples,
        sampling_rate=model.sampling_rate,
        pred_sample=model.get_model_args()["pred_sample"],
        filter_args=model.filter_args,
        filter_kwargs=model.filter_kwargs,
        detection="Detection" in model.labels,
        joint_norm=model.joint_norm,
        **kwargs,
    )
