"""Recipes of augmentations: from a SeisBench record to a training sample."""

from __future__ import annotations

import seisbench.generate as sbg

from ..tasks import get_task
from . import augmentations as aug
from .augmentations.base import Chain, sometimes
from .augmentations.windows import LastSamples, Normalize, OnsetWindow, PickWindow, Prepare
from .labellers import labeller_for
from .teachers import Teach, Teachers

_KEYS = sbg.FilterKeys(include=["X", "y", "w"])

# Seconds by which taught windows are longer, so that the filter settles.
LEAD = 15.0

RECIPES = ("plain", "paper", "compact", "taught")


# Probabilities as published. A record that becomes noise is not shifted and gets no gaps, noise and
# so on.
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


# Largest deviation of P from its place in training, in seconds. A network that first has to find P
# does not learn from its shape.
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
    teachers: Teachers | None = None,
) -> list:
    """
    Augmentations for a :py:class:`~seisbench_llm.training.generator.SeededGenerator`.

    Samples are ``X``, float32 (3, in_samples), and ``y``; in picking also ``w``, the weight of each
    sample of ``y``, see :py:class:`~seisbench_llm.training.labellers.OnsetLabeller`.

    ``plain`` does not augment and is for evaluation. ``paper`` is as published. ``compact`` is for
    compact models. ``taught`` is for pickers that learn from other pickers: records are stretched
    and get other levels, further events and noise. Then teachers label the result. Then late
    components, steps, pulses and so on are added, which change the labels
    (:py:class:`~seisbench_llm.training.augmentations.Disturb`).

    Augmentations that would make a label wrong are left out:

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
    early end               no         no          yes         yes                   no
    scale, noise,           yes        yes         yes         yes                   yes
    pre-emphasis
    ======================  =========  ==========  ==========  ====================  ==============

    :param name: ``plain``, ``paper`` or ``compact``.
    :param task: Name of the task.
    :param in_samples: Length of a window.
    :param sampling_rate: Hz, of the model and of the data set.
    :param pred_sample: Sample of P in a window, for all tasks except picking. Augmentation varies
        it a little.
    :param filter_args: Filter of the model. It is applied to the whole record as in ``annotate``.
    :param filter_kwargs: Likewise.
    :param noise: SeisBench data set of noise at ``sampling_rate``. With None, noise is coloured or
        white.
    :param detection: Whether the first channel of a picker's label is a detection.
    :param joint_norm: Normalisation of the model.
    :param augment: If false, every recipe is ``plain``.
    :param add_event: Probability of a second event in the recipe ``paper``. It is zero in the
        paper.
    :param teachers: Teachers of the recipe ``taught``. By default the labels are the onsets of the
        data set, for example those of an earlier run of teachers.
    :raises ValueError: If the recipe or the task is unknown, or if ``pred_sample`` is not in the
        window.
    """
    if name not in RECIPES:
        raise ValueError(f"Unknown recipe '{name}'. Known recipes: {', '.join(RECIPES)}.")
    if name == "taught" and get_task(task).head != "curves":
        raise ValueError(f"The recipe 'taught' is for picking, not for {task}.")
    curves = get_task(task).head == "curves"
    if not curves and not (pred_sample is not None and 0 <= pred_sample < in_samples):
        raise ValueError(
            f"pred_sample is {pred_sample}; for {task} it is a sample of the window, 0 to "
            f"{in_samples - 1}."
        )
    name = name if augment else "plain"
    before, after = [], []
    label = [Normalize(joint_norm), labeller_for(task, sampling_rate, detection), _KEYS]
    prepare = Prepare(sampling_rate, filter_args, filter_kwargs)
    if name == "paper":
        after = _paper(task, noise, prepare, add_event)
    elif name == "compact":
        before = [sometimes(aug.Stretch(), 0.4)] if curves else []
        after = _compact(task, noise, prepare)
    elif name == "taught":
        return [*_taught(in_samples, prepare, noise, teachers), *label]
    window = _window(task, in_samples, sampling_rate, pred_sample, name != "plain")
    return [prepare, *before, window, *after, *label]


def steps_before_teaching(in_samples: int, sampling_rate: float, noise=None, events=None) -> list:
    """
    Augmentations before teachers label the windows, which are longer by a lead.

    :param in_samples: Length of the learner's windows.
    :param sampling_rate: Hz.
    :param noise: SeisBench data set of noise.
    :param events: SeisBench data set to draw further events from; the record itself by default.
    """
    samples = in_samples + round(LEAD * sampling_rate)
    raw = Prepare(sampling_rate)
    return [
        raw,
        sometimes(aug.Stretch((0.4, 2.5)), 0.6),
        PickWindow(samples, round(0.5 * sampling_rate), training=True),
        sometimes(aug.ChangeLevel(), 0.3),
        sometimes(aug.AddEvent(events, raw, ratio=(0.03, 3.0)), 0.15),
        sometimes(aug.AddNoise(noise, (4, 50), "peak", raw), 0.35),
        sometimes(aug.LowPass((8, 32)), 0.15),
    ]


def _taught(in_samples, prepare, noise, teachers) -> list:
    rate = prepare.sampling_rate
    lead = round(LEAD * rate)
    raw = Prepare(rate)
    if teachers is None:
        before = [raw, PickWindow(in_samples + lead, round(0.5 * rate), training=True)]
    else:
        before = [*steps_before_teaching(in_samples, rate, noise), Teach(teachers)]
    # The window is the start of a stream, or the filter has seen earlier data.
    start = sbg.OneOf(
        [sbg.FixedWindow(p0=at, windowlen=in_samples + lead - at) for at in (lead, 0)], [0.3, 0.7]
    )
    disturb = aug.Disturb(
        [
            sometimes(aug.AddNoise(noise, (4, 50), "peak", raw), 0.3),
            sometimes(aug.Step(), 0.06),
            sometimes(aug.Spike(), 0.06),
            sometimes(aug.CalibrationPulse(), 0.06),
            sometimes(aug.LateComponents(), 0.12),
        ],
        prepare,
    )
    return [
        *before,
        sometimes(aug.FlipPolarity(), 0.3),
        sometimes(aug.RotateHorizontals(), 0.3),
        sometimes(_drop("picking", {"NE": 0.5, "Z": 0.15, "N": 0.1, "E": 0.1, "ZN": 0.15}), 0.2),
        start,
        disturb,
        LastSamples(in_samples),
        sometimes(aug.Gap(20.0), 0.1),
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
        # No direction is preferred.
        sometimes(aug.RotateHorizontals(), 1.0 if task == "back_azimuth" else 0.5),
        sometimes(colour, 0.45),
        sometimes(aug.LowPass((15, 30) if task == "polarity" else (5, 30)), 0.15),
        *([sometimes(drop, 0.2)] if drop else []),
        sometimes(aug.Gap(20.0, protect=None if curves else (0.5, 1.0)), 0.2),
        sometimes(aug.Spike(protect=protect), 0.05),
        *([sometimes(aug.EndEarly(), 0.2)] if get_task(task).head == "scalar" else []),
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
    :param name: See there.
    :param kwargs: See there: noise, augment, add_event, teachers.
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
