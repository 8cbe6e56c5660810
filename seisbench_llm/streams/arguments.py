"""Arguments of ``annotate`` and ``classify``, and their validation before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any

import seisbench
from seisbench.models import WaveformModel

from ..seisbench_private import SHARED_ARGUMENTS, annotate_arguments, stacking_methods

# Number formats inside the network, see the argument ``precision``.
PRECISIONS = ("float32", "bfloat16", "float16")


# Argument -> (documentation, default), in SeisBench's format.
SHARED_ARGS = {
    "batch_size": ("Number of windows that pass the network at a time", 32),
    "precision": (
        "Number format inside the network: float32, bfloat16 (faster on many processors, "
        "answers differ a little) or float16 (for GPUs)",
        "float32",
    ),
}


PICKING_ARGS = {
    "*_threshold": (
        "Smallest peak probability of a pick or detection; P_threshold, S_threshold, "
        "detection_threshold. Polarities below polarity_threshold are N (unknown)",
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
        "P picks to estimate at (all tasks but picking): picks of SeisBench or ObsPy. Picks of "
        "other phases are ignored. Without picks, classify returns the estimates of annotate",
        None,
    ),
    "windows_per_pick": ("Number of windows around each pick that an estimate averages", 5),
    "window_jitter": ("Largest shift in seconds of these windows against the pick", 0.5),
    "rotations": (
        "Number of rotations of the horizontals that are averaged to estimate a back-azimuth at "
        "a pick, evenly over the circle. The answers are rotated back before averaging",
        1,
    ),
    "mirror": (
        "Whether a polarity at a pick is the mean of the answers for the record and for the record "
        "upside down, whose first motion is the opposite one",
        False,
    ),
    "calibration": (
        "Factors that turn an answer into its uncertainty, a dictionary. For picks: P, P_power, "
        "S, S_power, see seisbench_llm.streams.picks.time_uncertainty. With None it is unknown. "
        "For estimates at picks (magnitude, distance, back-azimuth): floor, windows and relative "
        "or, for back-azimuth, length, see seisbench_llm.streams.estimates.calibrated_spread. "
        "With None the spread is the standard deviation over the windows",
        None,
    ),
    "textbook": (
        "Whether an estimate at a pick also uses a textbook method: S minus P for a distance where "
        "there is an S, the polarisation of P for a back-azimuth",
        False,
    ),
    "s_picker": (
        "Name of the weight that picks S for textbook distances if there is no S among the picks. "
        "With None, no S is picked",
        None,
    ),
}


# Names of thresholds in addition to a model's outputs.
THRESHOLDS = ("P", "S", "detection", "polarity")

# Thresholds with a default of their own. At 0.5 a polarity is U or D, never N.
DEFAULT_THRESHOLDS = {"polarity": 0.5}

# Head of a task -> possible entries of its calibration.
CALIBRATIONS = {
    "curves": ("P", "P_power", "S", "S_power"),
    "scalar": ("floor", "relative", "windows"),
    "angle": ("floor", "length", "windows"),
}


@dataclass(frozen=True)
class Arguments:
    """
    The arguments of one call of ``annotate`` or ``classify``, with defaults filled in.

    :param given: What the caller gave.
    :param argdict: The given arguments and the model's own defaults, as SeisBench passes them to
        its hooks.
    :param default_threshold: Value of thresholds that neither of them contains.
    :param batch_size: ``SHARED_ARGS``, ``PICKING_ARGS``, ``POINT_ARGS`` and SeisBench describe this
        argument and all others.
    """

    given: dict
    argdict: dict
    default_threshold: float
    batch_size: int
    precision: str
    overlap: float
    blinding: tuple[int, int]
    stacking: str
    stride: int
    strict: bool
    flexible_horizontal_components: bool
    zerophase_resample: bool
    min_separation: float
    picks: Any
    windows_per_pick: int
    window_jitter: float
    rotations: int
    mirror: bool
    calibration: Mapping[str, float] | None
    textbook: bool
    s_picker: str | None

    @classmethod
    def of(cls, model: WaveformModel, given: Mapping) -> Arguments:
        """
        :param given: Arguments by name. Missing ones are the model's defaults, or else those of the
            class.
        """
        argdict = {**model.default_args, **given}
        known = annotate_arguments(model)
        names = (field.name for field in fields(cls) if field.name in known)
        return cls(
            given=dict(given),
            argdict=argdict,
            default_threshold=known["*_threshold"][1],
            **{name: argdict.get(name, known[name][1]) for name in names},
        )

    def threshold(self, name: str) -> float:
        """Value of ``{name}_threshold``."""
        default = DEFAULT_THRESHOLDS.get(name, self.default_threshold)
        return self.argdict.get(f"{name}_threshold", default)

    def overlap_samples(self, window: int) -> int:
        """
        Samples that neighbouring windows share. A fraction is truncated, as in SeisBench.

        :param window: Number of samples of a window.
        """
        return int(self.overlap * window if self.overlap < 1 else self.overlap)


def validate_arguments(model: WaveformModel, given: Mapping) -> Arguments:
    """
    Resolve the arguments of a call and check their values. SeisBench warns of unknown ones.

    :raises ValueError: If a value is impossible. The message says which values are possible.
    """
    arguments = Arguments.of(model, given)
    for name in ("batch_size", "stride", "windows_per_pick", "rotations"):
        value = getattr(arguments, name)
        _require(isinstance(value, Integral) and value >= 1, name, value, "an integer from 1")
    _require(isinstance(arguments.mirror, bool), "mirror", arguments.mirror, "True or False")
    precision = arguments.precision
    _require(precision in PRECISIONS, "precision", precision, f"one of {', '.join(PRECISIONS)}")
    for name in ("min_separation", "window_jitter"):
        value = getattr(arguments, name)
        _require(isinstance(value, Real) and value >= 0, name, value, "seconds from 0")

    _validate_calibration(model, arguments.calibration)

    samples, overlap = model.in_samples, arguments.overlap
    _require(
        isinstance(overlap, Real)
        and 0 <= overlap < samples
        and (overlap < 1 or overlap == int(overlap)),
        "overlap",
        overlap,
        f"a fraction below 1 or a number of samples below {samples}",
    )
    stacking = arguments.stacking
    _require(
        isinstance(stacking, str) and stacking.lower() in stacking_methods(model),
        "stacking",
        stacking,
        f"one of {', '.join(sorted(stacking_methods(model)))}",
    )
    blinding = arguments.blinding
    _require(
        isinstance(blinding, list | tuple)
        and len(blinding) == 2
        and all(isinstance(n, Integral) and n >= 0 for n in blinding)
        and sum(blinding) < samples,
        "blinding",
        blinding,
        f"two numbers of samples, together below {samples}",
    )
    _validate_thresholds(model, given)
    shared = arguments.overlap_samples(samples)
    if model.output_type == "array" and sum(blinding) > shared:
        seisbench.logger.warning(
            f"Blinding {tuple(blinding)} discards more samples than the windows overlap ({shared} "
            f"samples): parts of the stream stay without annotation. Increase overlap."
        )
    return arguments


def _validate_thresholds(model: WaveformModel, given: Mapping) -> None:
    known = sorted({*THRESHOLDS, *model.labels})
    alike = {label.lower(): label for label in reversed(known)}
    for name, value in given.items():
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
