"""Augmentations put together: from a SeisBench record to what a model is trained on."""

from __future__ import annotations

import seisbench.generate as sbg

from ..tasks import get_task
from . import augmentations as aug
from .augmentations.base import Chain, sometimes
from .augmentations.windows import Normalize, OnsetWindow, PickWindow, Prepare
from .labellers import labeller_for

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
_JITTER, _OTHER_JITTER = {"polarity": 0.1, "back_azimuth": 0.1}, 0.5


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
    curves = get_task(task).head == "curves"
    if not curves and not (pred_sample is not None and 0 <= pred_sample < in_samples):
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
        before = [sometimes(aug.Stretch(), 0.4)] if curves else []
        after = _compact(task, noise, prepare)
    return [
        prepare,
        *before,
        _window(task, in_samples, sampling_rate, pred_sample, name != "plain"),
        *after,
        Normalize(joint_norm),
        labeller_for(task, sampling_rate, detection),
        sbg.FilterKeys(include=["X", "y", "w"]),
    ]


def _window(task, in_samples, rate, pred_sample, training):
    if get_task(task).head == "curves":
        return PickWindow(in_samples, round(0.5 * rate), training)
    return OnsetWindow(
        in_samples, pred_sample, round(_JITTER.get(task, _OTHER_JITTER) * rate) if training else 0
    )


def _paper(task, noise, prepare, add_event) -> list:
    chance = {**PAPER_PROBABILITIES, "add_event": add_event}
    curves = get_task(task).head == "curves"
    steps = {
        "add_event": aug.AddEvent() if curves else None,
        "shift_event": aug.ShiftEvent() if curves else None,
        "drop_components": _drop(task, aug.DropComponents.PUBLISHED),
        "scale": aug.Scale(),
        "pre_emphasis": aug.PreEmphasis(),
        "add_noise": aug.AddNoise(noise, prepare=prepare),
        "gap": aug.Gap(between_onsets=True) if curves else aug.Gap(protect=(0.5, 1.0)),
    }
    steps = {n: sometimes(step, chance[n]) for n, step in steps.items() if step is not None}
    if not curves:
        return list(steps.values())
    silent = Chain([aug.NoiseOnly(), steps["drop_components"], steps["scale"]])
    share = chance["noise_only"]
    return [sbg.OneOf([silent, Chain(list(steps.values()))], [share, 1 - share])]


def _compact(task, noise, prepare) -> list:
    curves = get_task(task).head == "curves"
    colour = aug.ColouredNoise()
    if noise is not None:
        real = aug.AddNoise(noise, (12, 46), "peak", prepare)
        colour = sbg.OneOf([real, colour], [0.6, 0.4])
    drop = _drop(task, {"NE": 0.5, "Z": 0.1, "N": 0.15, "E": 0.15, "ZN": 0.1})
    protect = None if curves else 0.5
    return [
        *([sometimes(aug.AddEvent(), 0.2)] if curves else []),
        sometimes(aug.FlipPolarity(), 0.5),
        # No direction is to be preferred.
        sometimes(aug.RotateHorizontals(), 1.0 if task == "back_azimuth" else 0.5),
        sometimes(colour, 0.45),
        sometimes(aug.LowPass((15, 30) if task == "polarity" else (5, 30)), 0.15),
        *([sometimes(drop, 0.2)] if drop else []),
        sometimes(aug.Gap(20.0, protect=None if curves else (0.5, 1.0)), 0.2),
        sometimes(aug.Spike(protect=protect), 0.05),
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
