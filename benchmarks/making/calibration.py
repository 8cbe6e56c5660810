"""
Calibration of a picker: what its probabilities and times are worth on records it has not learnt.

Records are the tenth of the events of the training's own regions that no training sees, and the
region that choices are made on (``DEVELOPMENT_REGION``), each begun at another time, as in
quality/unseen_regions.py. Noise is what precedes P there. Nothing else is calibrated on, so figures
on the other unseen regions and on noise that is kept apart are not tuned.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import obspy
from scipy.optimize import minimize
from scipy.special import logit as logits_of
from scipy.stats import t as student

from benchmarks.common.matching import (
    THRESHOLDS,
    count,
    f1,
    mirrored,
    outcomes,
    residuals,
    true_picks,
)
from benchmarks.common.pickers import Picker
from benchmarks.common.records import (
    DEVELOPMENT_REGION,
    SETS,
    TAUGHT_SETS,
    AnalystRecord,
    event_held_out,
    load_set,
    move_start,
)
from seisbench_llm.models.seismollm import SeisMoLLM

# A day holds far more noise than the records do.
NOISE_WEIGHT = 3
# Seconds of noise before P that are worth a record, and between its end and P.
LEAST_NOISE, NOISE_GUARD = 15.0, 3.0


def calibration_records(folder: Path) -> list[AnalystRecord]:
    """Records of events that no training sees, see above."""
    found = [r for name in (*SETS, *TAUGHT_SETS) for r in load_set(folder, name)]
    found = [record for record in found if event_held_out(record.event)]
    found += load_set(folder, DEVELOPMENT_REGION)
    found = [r for r in found if len(r.stream) and any(r.picks.values())]
    for record in found:
        move_start(record)
    return found


def noise_before(record: AnalystRecord) -> obspy.Stream | None:
    """What precedes the first pick, mirrored to 90 s; None if that is too short or unknown."""
    if not record.picks["P"]:
        return None
    start = min(trace.stats.starttime for trace in record.stream)
    end = min(time for times in record.picks.values() for time in times) - NOISE_GUARD
    piece = record.stream.slice(endtime=end)
    return mirrored(piece) if end - start >= LEAST_NOISE and len(piece) else None


def calibrate_picker(model: SeisMoLLM, folder: Path) -> str:
    """
    Scale and shift the logits of P and S, and tell how wrong times are.

    Training weighs samples near onsets more than others and has soft labels, so that its curves are
    no probabilities of a right pick. The logits of each phase are scaled by the slope of a logistic
    regression (Platt 1999) of hit or false on the logit of the peak, and shifted such that the
    threshold of the best F1 (0.5 s, false picks on noise included) becomes 0.3, the default. The
    uncertainty of times goes to the model's default argument ``calibration``.

    :param folder: The real records.
    :return: What was done, in words.
    """
    picker = Picker(model.name, [model])
    records = calibration_records(folder)
    noise = [piece for record in records if (piece := noise_before(record)) is not None]
    found = [picker.peaks(record.stream) for record in records]
    silent = [picker.peaks(piece) for piece in noise]
    steps, logits = [], {}
    for phase in "PS":
        truth = [true_picks(record, phase) for record in records]
        level = best_threshold(found, silent, truth, phase)
        scale = slope(found, silent, truth, phase)
        if not scale > 0:
            raise SystemExit(f"Larger {phase} curves are less often right: train for longer.")
        shift = math.log(0.3 / 0.7) - scale * math.log(level / (1 - level))
        last, output = model.network.head.out, model.task.outputs.index(phase)
        last.weight.data[output] *= scale
        last.bias.data[output] = scale * last.bias.data[output] + shift
        logits[phase] = scale, shift
        steps.append(f"{phase} threshold {level:g} to 0.3, slope {scale:.2f}")
    steps.append(_calibrate_times(model, found, records, logits))
    where = f"{len(records)} records of held-out events and of {DEVELOPMENT_REGION}"
    return f"{'; '.join(steps)} on {where} and {len(noise)} of noise before P"


def calibrate_times(model: SeisMoLLM, folder: Path) -> str:
    """
    Tell how wrong times are, and leave probabilities as they are.

    :param folder: The real records.
    :return: What was done, in words.
    """
    picker, records = Picker(model.name, [model]), calibration_records(folder)
    found = [picker.peaks(record.stream) for record in records]
    done = _calibrate_times(model, found, records, dict.fromkeys("PS", (1.0, 0.0)))
    return f"{done} on {len(records)} records of held-out events and of {DEVELOPMENT_REGION}"


def _calibrate_times(model: SeisMoLLM, found: list[dict], records: list, logits: dict) -> str:
    times, steps = {}, []
    for phase, (scale, shift) in logits.items():
        truth = [true_picks(record, phase) for record in records]
        value, power = fit_time_uncertainty(*residuals(found, truth, phase, scale, shift))
        times |= {phase: round(value, 4), f"{phase}_power": round(power, 2)}
        steps.append(f"{phase} {value:.3f} s at a probability of one, power {power:.2f}")
    model.default_args["calibration"] = times
    return f"uncertainty of times: {'; '.join(steps)}"


def best_threshold(found: list[dict], silent: list[dict], truth: list, phase: str) -> float:
    """
    Threshold of the best F1 at 0.5 s, where every peak on noise is ``NOISE_WEIGHT`` false picks.

    The middle of those with an F1 within 0.01 of the best: on a hundred records that one is chance.
    """

    def f1_at(level: float) -> float:
        total = np.zeros(3, int)
        for peaks, picks in zip(found, truth, strict=True):
            # Where no pick is known, nothing is known.
            if picks.size:
                total += count(peaks[phase], picks, 0.5, level)
        noise = sum((peaks[phase][:, 1] >= level).sum() for peaks in silent)
        total[1] += NOISE_WEIGHT * noise
        return f1(total)

    values = np.array([f1_at(level) for level in THRESHOLDS])
    return float(np.median(THRESHOLDS[values >= values.max() - 0.01]))


def slope(found: list[dict], silent: list[dict], truth: list, phase: str) -> float:
    """Slope of a logistic regression of hit (1) or false (0) on the logit of the peak."""
    rows = [np.stack([peaks[phase][:, 1], np.zeros(len(peaks[phase]))], 1) for peaks in silent]
    value, hit = np.concatenate([*rows, outcomes(found, truth, phase)]).T
    x = logits_of(np.clip(value, 1e-6, 1 - 1e-6))

    def loss(parameters: np.ndarray) -> float:
        return np.logaddexp(0, (1 - 2 * hit) * (parameters[0] * x + parameters[1])).mean()

    return float(minimize(loss, [1.0, 0.0]).x[0])


def fit_time_uncertainty(away: np.ndarray, probability: np.ndarray) -> tuple[float, float]:
    """
    Parameters of :py:func:`seisbench_llm.streams.picks.time_uncertainty`.

    The power is that of the largest likelihood if errors follow Student's t with three degrees of
    freedom, which outliers do not rule; then the value is scaled so that 68 % of the errors are
    within one uncertainty and 95 % within two, as near as can be.

    :param away: Errors in seconds, shape (n,).
    :param probability: Shape (n,).
    :return: Seconds at a probability of one, and the power.
    """

    def loss(parameters: np.ndarray) -> float:
        width = np.exp(parameters[0]) * probability ** -abs(parameters[1])
        return -student.logpdf(away, 3, scale=width).mean()

    start = [np.log(np.median(np.abs(away)) + 1e-3), 0.5]
    power = float(abs(minimize(loss, start, method="Nelder-Mead").x[1]))
    ratio = np.sort(np.abs(away) * probability**power)
    within = np.arange(1, len(ratio) + 1) / len(ratio)
    both = np.abs(within - 0.68) + np.abs(np.interp(2 * ratio, ratio, within) - 0.95)
    return float(max(ratio[both.argmin()], 1e-3)), power
