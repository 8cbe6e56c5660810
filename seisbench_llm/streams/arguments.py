"""Arguments of ``annotate`` and ``classify``, and their validation before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from numbers import Integral, Real

import seisbench
from seisbench.models import WaveformModel

from ..seisbench_private import SHARED_ARGUMENTS, annotate_arguments, stacking_methods

# Number formats inside the network, see the argument precision.
PRECISIONS = ("float32", "bfloat16", "float16")


# Argument -> (documentation, default), as SeisBench has it.
SHARED_ARGS = {
    "batch_size": ("Number of windows that pass the network at a time", 32),
    "precision": (
        "Number format inside the network: float32, bfloat16 (twice as fast on many processors, "
        "answers differ a little) or float16 (for GPUs)",
        "float32",
    ),
}


PICKING_ARGS = {
    "*_threshold": (
        "Smallest peak probability of a pick or detection; P_threshold, S_threshold, "
        "detection_threshold. Polarities below polarity_threshold are N, unknown",
        0.3,
    ),
    "min_separation": ("Shortest time between two picks of the same phase in seconds", 1.0),
    "overlap": (SHARED_ARGUMENTS["overlap"][0], 0.5),
    "blinding": (
        "Number of prediction samples to discard on each side of each window. The stream is "
        "padded, so that none of its own samples are lost",
        (250, 250),
    ),
}


POINT_ARGS = {
    "stride": ("Samples between two estimates of annotate (all tasks but picking)", 500),
    "picks": (
        "P picks to estimate at (all tasks but picking): SeisBench or ObsPy picks, of which those "
        "of other phases are left alone. Without picks, classify gives what annotate gives",
        None,
    ),
    "windows_per_pick": ("Number of windows around each pick that an estimate averages", 5),
    "window_jitter": ("Largest shift in seconds of these windows against the pick", 0.5),
    "rotations": (
        "Number of directions in which the horizontals are looked at to estimate a back-azimuth at "
        "a pick, evenly over the circle; the answers are turned back and averaged",
        1,
    ),
    "calibration": (
        "What turns the spread over these windows into how wrong an estimate may be (magnitude, "
        "distance, back-azimuth, at picks): a dictionary of floor, windows and relative or, for "
        "back-azimuth, length; see seisbench_llm.streams.estimates.calibrated_spread. "
        "None: the spread over the windows itself",
        None,
    ),
    "textbook": (
        "Whether an estimate at a pick rests on the textbook, too: a distance on S minus P where "
        "there is an S, a back-azimuth also on the polarisation of P",
        False,
    ),
    "s_picker": (
        "Name of the weight that finds S for textbook distances, if there is no S among the picks. "
        "None: no S is looked for",
        None,
    ),
}


# What thresholds are for, beside the outputs of a model.
THRESHOLDS = ("P", "S", "detection", "polarity")

# Head of a task -> what its calibration may hold.
CALIBRATIONS = {
    "scalar": ("floor", "relative", "windows"),
    "angle": ("floor", "length", "windows"),
}


def argument(model: WaveformModel, argdict: dict, name: str):
    """Value of an argument: as given, else the model's default, else the class's."""
    return argdict.get(name, model.default_args.get(name, annotate_arguments(model)[name][1]))


def threshold(
    model: WaveformModel, argdict: dict, name: str, default: float | None = None
) -> float:
    """Value of ``{name}_threshold``."""
    if default is None:
        default = annotate_arguments(model)["*_threshold"][1]
    key = f"{name}_threshold"
    return argdict.get(key, model.default_args.get(key, default))


def overlap_samples(model: WaveformModel, argdict: dict) -> int:
    """Samples that neighbouring windows share; a fraction is truncated, as in SeisBench."""
    overlap = argument(model, argdict, "overlap")
    return int(overlap * model.in_samples if overlap < 1 else overlap)


def validate_arguments(model: WaveformModel, kwargs: dict) -> None:
    """
    Check the values of all arguments; unknown ones are SeisBench's to warn of.

    :raises ValueError: If a value is impossible, with what is possible.
    """
    for name in ("batch_size", "stride", "windows_per_pick", "rotations"):
        value = argument(model, kwargs, name)
        _require(isinstance(value, Integral) and value >= 1, name, value, "an integer from 1")
    precision = argument(model, kwargs, "precision")
    _require(precision in PRECISIONS, "precision", precision, f"one of {', '.join(PRECISIONS)}")
    for name in ("min_separation", "window_jitter"):
        value = argument(model, kwargs, name)
        _require(isinstance(value, Real) and value >= 0, name, value, "seconds from 0")

    _validate_calibration(model, argument(model, kwargs, "calibration"))

    samples = model.in_samples
    overlap = argument(model, kwargs, "overlap")
    _require(
        isinstance(overlap, Real)
        and 0 <= overlap < samples
        and (overlap < 1 or overlap == int(overlap)),
        "overlap",
        overlap,
        f"a fraction below 1 or a number of samples below {samples}",
    )
    stacking = argument(model, kwargs, "stacking")
    _require(
        isinstance(stacking, str) and stacking.lower() in stacking_methods(model),
        "stacking",
        stacking,
        f"one of {', '.join(sorted(stacking_methods(model)))}",
    )
    blinding = argument(model, kwargs, "blinding")
    _require(
        isinstance(blinding, list | tuple)
        and len(blinding) == 2
        and all(isinstance(n, Integral) and n >= 0 for n in blinding)
        and sum(blinding) < samples,
        "blinding",
        blinding,
        f"two numbers of samples, together below {samples}",
    )
    _validate_thresholds(model, kwargs)
    overlap = overlap_samples(model, kwargs)
    if model.output_type == "array" and sum(blinding) > overlap:
        seisbench.logger.warning(
            f"Blinding {tuple(blinding)} discards more than the windows overlap ({overlap} "
            f"samples): parts of the stream stay without annotation. Increase overlap."
        )


def _validate_thresholds(model: WaveformModel, kwargs: dict) -> None:
    known = sorted({*THRESHOLDS, *model.labels})
    alike = {label.lower(): label for label in reversed(known)}
    for name, value in kwargs.items():
        if not name.endswith("_threshold"):
            continue
        label = name.removesuffix("_threshold")
        if label not in known:
            close = get_close_matches(label.lower(), alike, n=1)
            known = [alike[close[0]]] if close else known
            names = " or ".join(f"{label}_threshold" for label in known)
            raise ValueError(f"There is no argument {name}: did you mean {names}?")
        _require(isinstance(value, Real) and 0 <= value <= 1, name, value, "between 0 and 1")


def _validate_calibration(model: WaveformModel, calibration) -> None:
    if calibration is None:
        return
    known = CALIBRATIONS.get(model.task.head)
    _require(
        known is not None,
        "calibration",
        calibration,
        f"None for {model.task.name}, whose probabilities are calibrated in the weights",
    )
    _require(
        isinstance(calibration, Mapping)
        and bool(calibration)
        and set(calibration) <= set(known)
        and all(isinstance(x, Real) and 0 <= x < float("inf") for x in calibration.values()),
        "calibration",
        calibration,
        f"None or a dictionary of {', '.join(known)}, each a number from 0",
    )


def _require(condition: bool, name: str, value, possible: str) -> None:
    if not condition:
        raise ValueError(f"{name}={value!r} is not possible: it must be {possible}.")
