"""Arguments of ``annotate`` and ``classify``, and their validation before anything runs."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING

import seisbench
from seisbench.models import WaveformModel

if TYPE_CHECKING:
    from .seismollm import SeisMoLLM

# Argument -> (documentation, default), as SeisBench has it.
SHARED_ARGS = {
    "batch_size": ("Number of windows that pass the network at a time", 32),
}
PICKING_ARGS = {
    "*_threshold": (
        "Smallest peak probability of a pick or detection; P_threshold, S_threshold, "
        "detection_threshold. Polarities below polarity_threshold are N, unknown",
        0.3,
    ),
    "min_separation": ("Shortest time between two picks of the same phase in seconds", 1.0),
    "overlap": (WaveformModel._annotate_args["overlap"][0], 0.5),
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
}


def argument(model: SeisMoLLM, argdict: dict, name: str):
    """Value of an argument: as given, else the model's default, else the class's."""
    return argdict.get(name, model.default_args.get(name, model._annotate_args[name][1]))


def threshold(model: SeisMoLLM, argdict: dict, name: str, default: float | None = None) -> float:
    """Value of ``{name}_threshold``."""
    if default is None:
        default = model._annotate_args["*_threshold"][1]
    key = f"{name}_threshold"
    return argdict.get(key, model.default_args.get(key, default))


def validate_arguments(model: SeisMoLLM, kwargs: dict) -> None:
    """
    Check the values of all arguments; unknown ones are SeisBench's to warn of.

    :raises ValueError: If a value is impossible, with what is possible.
    """
    for name in ("batch_size", "stride", "windows_per_pick"):
        value = argument(model, kwargs, name)
        _require(isinstance(value, Integral) and value >= 1, name, value, "an integer from 1")
    for name in ("min_separation", "window_jitter"):
        value = argument(model, kwargs, name)
        _require(isinstance(value, Real) and value >= 0, name, value, "seconds from 0")

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
        isinstance(stacking, str) and stacking.lower() in model._stack_options,
        "stacking",
        stacking,
        f"one of {', '.join(sorted(model._stack_options))}",
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
    for name in kwargs:
        if name.endswith("_threshold"):
            value = kwargs[name]
            _require(isinstance(value, Real) and 0 <= value <= 1, name, value, "between 0 and 1")
    overlap = overlap * samples if overlap < 1 else overlap
    if model.output_type == "array" and sum(blinding) > overlap:
        seisbench.logger.warning(
            f"Blinding {tuple(blinding)} discards more than the windows overlap ({int(overlap)} "
            f"samples): parts of the stream stay without annotation. Increase overlap."
        )


def _require(condition: bool, name: str, value, possible: str) -> None:
    if not condition:
        raise ValueError(f"{name}={value!r} is not possible: it must be {possible}.")
