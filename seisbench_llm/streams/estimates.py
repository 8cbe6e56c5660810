"""Polarity, magnitude, distance and back-azimuth: one estimate per P pick."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice

import numpy as np
import obspy
import pandas as pd
import seisbench
import torch
from seisbench.models import WaveformModel
from seisbench.util import ClassifyOutput

from ..preprocess import normalize
from ..trace_ids import location_of
from .arguments import Arguments
from .at_picks import WaveformsAtPicks
from .onsets import as_picks, onsets_of
from .picks import pick_id
from .s_minus_p import sp_times
from .skipped import Skipped, SkippedList
from .textbook import combine_angles, polarisation_back_azimuth, sp_epicentral_distance

# Function of normalised windows and precision that returns outputs of the network.
Predict = Callable[..., torch.Tensor]


@dataclass(frozen=True)
class Estimate:
    """
    One estimate of a polarity, magnitude, distance or back-azimuth.

    :param trace_id: NET.STA.LOC or, where instruments share a location, NET.STA.LOC.HH.
    :param time: Time of the P pick or, without a pick, of the anchor of the window.
    :param quantity: Name of the task.
    :param value: The estimate. For polarity it is the probability of an upward first motion.
    :param unit: Unit of ``value`` and ``spread``.
    :param spread: Uncertainty of the value, nan if there was only one window. Its meaning depends
        on the argument ``calibration`` of ``classify``. The default of that argument comes with the
        weights:

        - With a calibration (magnitude, distance, back-azimuth): how wrong the value may be. On
          records like those of the calibration, about 68 % of the errors are within one spread and
          95 % within two, see :py:func:`calibrated_spread`. A spread of 180 degrees means that
          nothing is known.
        - Without a calibration, and for polarity: standard deviation over windows that are shifted
          against the pick (circular for angles, Fisher 1993). It says how stable the value is, not
          how wrong. The confidence of a polarity is its probability.
        - For textbook methods: their standard error, see :py:mod:`seisbench_llm.streams.textbook`.
    :param method: Method of the estimate: ``network``, ``S-P`` or ``network, polarisation``.
    """

    trace_id: str
    time: obspy.UTCDateTime
    quantity: str
    value: float
    unit: str
    spread: float
    method: str = "network"

    def __str__(self):
        return (
            f"{self.trace_id}\t{self.time}\t{self.quantity} {self.value:.2f} "
            f"+- {self.spread:.2f} {self.unit}"
        )


class EstimateList(list):
    """A list of :py:class:`Estimate`."""

    def __str__(self):
        return f"EstimateList with {len(self)} entries:\n\n" + "\n".join(map(str, self))

    def __repr__(self):
        """The same, but of a long list only the first and the last entries."""
        if len(self) <= 20:
            return str(self)
        lines = [*map(str, self[:10]), f"... {len(self) - 20} more ...", *map(str, self[-10:])]
        return f"EstimateList with {len(self)} entries:\n\n" + "\n".join(lines)

    def _repr_html_(self):
        """The first entries as a table, for notebooks."""
        table = EstimateList(self[:20]).to_dataframe()
        return f"<p>EstimateList with {len(self)} entries</p>{table.to_html(index=False)}"

    def to_dataframe(self) -> pd.DataFrame:
        """Table with one row per estimate. Times are NumPy datetimes."""
        columns = list(Estimate.__dataclass_fields__)
        rows = [{**asdict(e), "time": e.time.datetime} for e in self]
        return pd.DataFrame(rows, columns=columns)


def classify_continuous(model: WaveformModel, annotations: obspy.Stream) -> ClassifyOutput:
    """List of the estimates over time that :py:meth:`annotate` returns."""
    windows = defaultdict(dict)
    for trace in annotations:
        label = trace.stats.channel.removeprefix(f"{model.name}_")
        key = pick_id(trace), trace.stats.get("instrument", ""), trace.stats.starttime.ns
        windows[key][label] = trace
    estimates = []
    for (name, _, _), traces in windows.items():
        columns = np.stack([traces[label].data for label in model.labels], axis=-1)
        for offset, outputs in zip(traces[model.labels[0]].times(), columns, strict=True):
            time = traces[model.labels[0]].stats.starttime + offset
            estimates.append(summarize(model, name, time, outputs[None]))
    estimates.sort(key=lambda estimate: (estimate.time, estimate.trace_id))
    skipped = getattr(annotations, "skipped", SkippedList())
    return ClassifyOutput(model.name, estimates=EstimateList(estimates), skipped=skipped)


def classify_at_picks(
    model: WaveformModel, stream: obspy.Stream, arguments: Arguments, predict: Predict
) -> ClassifyOutput:
    """
    One estimate per P pick, from windows with the pick at the same place as in training.

    For polarity, ``polarity`` and ``polarity_value`` of SeisBench's picks are set: U, D, or N below
    ``polarity_threshold``. With the default of 0.5 there is no N.

    :param stream: Waveforms; not changed.
    :param arguments: Arguments of ``classify``. For ``picks`` see
        :py:func:`seisbench_llm.streams.onsets.as_picks`.
    :param predict: The network.
    :return: Output with ``estimates``, the ``picks``, and ``skipped``, the list of left-out data.
    """
    picks = as_picks(arguments.picks)
    onsets = onsets_of(picks)
    if picks and not onsets:
        seisbench.logger.warning(
            f"None of the {len(picks)} picks is one of P, so there is no {model.task.name}."
        )
    if isinstance(stream, obspy.Trace):
        stream = obspy.Stream([stream])
    waveforms = WaveformsAtPicks(model, stream, arguments, onsets)
    anchored, told = [], defaultdict(list)
    for entry in waveforms.skipped:
        if not entry.used:
            told[location_of(entry.trace_id)].append((entry.start, entry.end))
    for onset in onsets:
        spans = told[location_of(onset.trace_id)]
        if waveforms.find(onset) is not None:
            anchored.append(onset)
        # Not if there is already a message about the data there.
        elif not any(start <= onset.time <= end for start, end in spans):
            cause = f"it has no usable data at this pick, so there is no {model.task.name}"
            waveforms.skipped.append(Skipped(onset.trace_id, onset.time, onset.time, cause))
    waveforms.skipped.warn()

    estimates = EstimateList()
    level = arguments.threshold("polarity")
    if anchored:
        windows = (waveforms.windows(onset) for onset in anchored)
        outputs = _outputs(model, windows, arguments, predict)
        textbook = model.task.name if arguments.textbook else None
        found = [
            summarize(model, waveforms.name(onset), onset.time, output, arguments.calibration)
            for onset, output in zip(anchored, outputs, strict=True)
        ]
        sp: list[float | None] = [None] * len(anchored)
        if textbook == "distance":
            distances = [estimate.value for estimate in found]
            sp = sp_times(model, stream, anchored, picks, arguments.s_picker, distances)
        for onset, estimate, sp_time in zip(anchored, found, sp, strict=True):
            if sp_time is not None:
                estimate = _by_sp(estimate, sp_time)
            elif textbook == "back_azimuth":
                estimate = _with_polarisation(model, estimate, waveforms.windows(onset))
            estimates.append(estimate)
            if model.task.name == "polarity" and hasattr(onset.pick, "polarity_value"):
                _fill_polarity(onset.pick, estimates[-1].value, level)
    estimates.sort(key=lambda estimate: (estimate.time, estimate.trace_id))
    return ClassifyOutput(model.name, estimates=estimates, picks=picks, skipped=waveforms.skipped)


def _by_sp(estimate: Estimate, sp_time: float) -> Estimate:
    # The two are not combined, because the network's spreads are too small in regions without
    # training data.
    distance, error = sp_epicentral_distance(sp_time)
    return replace(estimate, value=float(distance), spread=float(error), method="S-P")


def _with_polarisation(model: WaveformModel, estimate: Estimate, windows: np.ndarray) -> Estimate:
    order = [model.component_order.index(code) for code in "ZNE"]
    window = windows[len(windows) // 2, order]
    angle, error = polarisation_back_azimuth(window, model.sampling_rate, model.pred_sample)
    if not np.isfinite(angle):
        return estimate
    angles, errors = (estimate.value, angle), (estimate.spread, error)
    value, spread = combine_angles(angles, errors)
    return replace(estimate, value=value, spread=spread, method="network, polarisation")


def _fill_polarity(pick, up: float, level: float) -> None:
    pick.polarity_value = max(up, 1 - up)
    pick.polarity = ("U" if up >= 0.5 else "D") if pick.polarity_value >= level else "N"


def _outputs(
    model: WaveformModel, windows: Iterator[np.ndarray], arguments: Arguments, predict: Predict
) -> np.ndarray:
    """Outputs for the windows of all picks, shape (picks, windows, outputs)."""
    size, each = arguments.batch_size, arguments.windows_per_pick
    predict = partial(predict, precision=arguments.precision)
    turns = arguments.rotations if model.task.head == "angle" else 1
    average = partial(_averaged, turns=turns)
    if model.task.name == "polarity" and arguments.mirror:
        turns, average = 2, _mirrored
    outputs = []
    # Picks are processed in parts, because a day of a swarm has thousands.
    while group := list(islice(windows, max(1, size // (each * turns)))):
        batch = torch.from_numpy(np.concatenate(group)).to(model.device)
        for part in batch.split(max(1, size // turns)):
            outputs.append(average(model, part, predict=predict).cpu())
    return torch.cat(outputs).unflatten(0, (-1, each)).numpy()


def _averaged(
    model: WaveformModel,
    batch: torch.Tensor,
    turns: int,
    predict: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """The mean output for a batch over rotations of its horizontals."""
    if turns == 1:
        return predict(normalize(batch, model.joint_norm))
    north, east = (model.component_order.index(code) for code in "NE")
    angles = 2 * torch.pi * torch.arange(turns, device=batch.device) / turns
    turned = batch.repeat(turns, 1, 1, 1)
    for part, angle in zip(turned, angles, strict=True):
        # North and east of a seismometer that is rotated clockwise by the angle.
        part[:, north] = batch[:, north] * angle.cos() + batch[:, east] * angle.sin()
        part[:, east] = batch[:, east] * angle.cos() - batch[:, north] * angle.sin()
    outputs = predict(normalize(turned.flatten(0, 1), model.joint_norm))
    cosine, sine = outputs.unflatten(0, (turns, -1)).unbind(-1)
    angles = angles[:, None]
    back = cosine * angles.cos() - sine * angles.sin(), sine * angles.cos() + cosine * angles.sin()
    return torch.stack(back, dim=-1).mean(dim=0)


def _mirrored(
    model: WaveformModel, batch: torch.Tensor, predict: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """The mean output for a batch and the batch upside down, whose first motion is the other."""
    there, mirrored = predict(normalize(torch.cat([batch, -batch]), model.joint_norm)).chunk(2)
    return (there + mirrored.flip(-1)) / 2


def summarize(
    model: WaveformModel,
    trace_id: str,
    time: obspy.UTCDateTime,
    outputs: np.ndarray,
    calibration: Mapping[str, float] | None = None,
) -> Estimate:
    """
    Mean and spread of the outputs of several windows, shape (windows, outputs).

    Angles are averaged as vectors. The circular standard deviation is sqrt(-2 ln R) for a mean
    resultant length R (Fisher 1993, Statistical Analysis of Circular Data, eq. 2.12).

    :param calibration: Factors of :py:func:`calibrated_spread`. With None, the spread is that over
        the windows.
    """
    task, many = model.task, len(outputs) > 1
    if task.head == "angle":
        vectors = outputs[:, 0] + 1j * outputs[:, 1]
        value = np.degrees(np.angle(vectors.sum())) % 360
        units = vectors / np.maximum(np.abs(vectors), np.finfo(float).tiny)
        spread = _circular_deviation(units) if many else np.nan
        scale = _circular_deviation(vectors)
    else:
        value = outputs[:, 0].mean()
        spread = outputs[:, 0].std(ddof=1) if many else np.nan
        scale = value
    # A calibration holds for windows at a pick. Single windows of annotate lie anywhere.
    if calibration is not None and many:
        spread = calibrated_spread(task.head, spread, scale, calibration)
    return Estimate(trace_id, time, task.name, float(value), task.unit, float(spread))


def _circular_deviation(vectors: np.ndarray) -> float:
    """Circular standard deviation in degrees. A mean longer than one counts as one."""
    length = np.clip(np.abs(vectors.mean()), np.finfo(float).tiny, 1)
    return np.degrees(np.sqrt(-2 * np.log(length)))


def calibrated_spread(head: str, windows, scale, calibration: Mapping[str, float]):
    """
    Spread from quantities that indicate the error, each with a fitted factor. For numbers it is
    sqrt(floor^2 + (relative * scale)^2 + (windows * spread over windows)^2), for angles the same
    with ``length`` instead of ``relative``.

    A network that cannot tell a direction answers with a vector shorter than one, because the mean
    of all possible directions keeps its loss small.

    :param head: Kind of the task's output, ``scalar`` or ``angle``.
    :param windows: Standard deviation over shifted windows.
    :param scale: The value itself. For angles it is the circular standard deviation in degrees that
        belongs to the length of the mean vector.
    :param calibration: ``floor`` in the unit of the task; ``windows`` and ``relative`` or
        ``length`` without a unit. Missing entries count as zero.
    :return: Spread in the unit of the task. For angles it is at most 180 degrees.
    """
    factor = calibration.get("length" if head == "angle" else "relative", 0)
    terms = (calibration.get("floor", 0), factor * scale, calibration.get("windows", 0) * windows)
    spread = np.sqrt(sum(np.square(term) for term in terms))
    return np.minimum(spread, 180.0) if head == "angle" else spread
