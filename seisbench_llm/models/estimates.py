"""Polarity, magnitude, distance and back-azimuth: one estimate per P pick."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import obspy
import pandas as pd
import seisbench
import torch
from seisbench.util import ClassifyOutput

from ..preprocess import normalize
from . import streams
from .arguments import argument, threshold
from .picks import trace_ids

if TYPE_CHECKING:
    from .seismollm import SeisMoLLM


@dataclass(frozen=True)
class Estimate:
    """
    One estimate.

    :param trace_id: NET.STA.LOC or, where instruments share a location, NET.STA.LOC.HH.
    :param time: Time of the P pick, or of the anchor of the window if there was no pick.
    :param quantity: Name of the task.
    :param value: The estimate; for polarity the probability of an upward first motion.
    :param unit: Unit of ``value`` and ``spread``.
    :param spread: Standard deviation over windows shifted against the pick (circular for angles,
        Fisher 1993), nan if there was only one. It measures how stable the estimate is, which
        is not yet how wrong it may be.
    """

    trace_id: str
    time: obspy.UTCDateTime
    quantity: str
    value: float
    unit: str
    spread: float

    def __str__(self):
        return (
            f"{self.trace_id}\t{self.time}\t{self.quantity} {self.value:.2f} "
            f"+- {self.spread:.2f} {self.unit}"
        )


class EstimateList(list):
    """A list of :py:class:`Estimate`."""

    def __str__(self):
        return f"EstimateList with {len(self)} entries:\n\n" + "\n".join(map(str, self))

    __repr__ = __str__

    def to_dataframe(self) -> pd.DataFrame:
        """One row per estimate; times as numpy datetimes."""
        columns = list(Estimate.__dataclass_fields__)
        rows = [{**asdict(e), "time": e.time.datetime} for e in self]
        return pd.DataFrame(rows, columns=columns)


def classify_continuous(
    model: SeisMoLLM, annotations: obspy.Stream, argdict: dict
) -> ClassifyOutput:
    """The estimates that :py:meth:`annotate` gives over time, as a list."""
    names = trace_ids(annotations)
    windows = defaultdict(dict)
    for trace in annotations:
        name = names[streams.location_id(trace), trace.stats.get("instrument", "")]
        label = trace.stats.channel.removeprefix(f"{model.name}_")
        windows[name, trace.stats.starttime.ns][label] = trace
    estimates = []
    for (name, _), traces in windows.items():
        columns = np.stack([traces[label].data for label in model.labels], axis=-1)
        for offset, outputs in zip(traces[model.labels[0]].times(), columns, strict=True):
            time = traces[model.labels[0]].stats.starttime + offset
            estimates.append(summarize(model, name, time, outputs[None]))
    estimates.sort(key=lambda estimate: (estimate.time, estimate.trace_id))
    return ClassifyOutput(model.name, estimates=EstimateList(estimates))


def classify_at_picks(model: SeisMoLLM, stream: obspy.Stream, argdict: dict) -> ClassifyOutput:
    """
    One estimate per P pick, from windows that have the pick where training had it.

    For polarity, ``polarity`` and ``polarity_value`` of SeisBench's picks are filled in: U, D, or
    N below ``polarity_threshold`` (default 0.5, where U and D leave no N).

    :param stream: Waveforms; not changed.
    :return: ``estimates``, and ``picks`` as given.
    """
    picks = list(argdict["picks"])
    records = Records(model, stream, argdict)
    anchored, windows = [], []
    for pick in picks:
        trace_id, time, phase = _describe(pick)
        if phase is not None and not phase.upper().startswith("P"):
            continue
        cut = records.windows(trace_id, time)
        if cut is None:
            seisbench.logger.warning(
                f"No {model.task.name} for the pick at {time}: the stream has no usable data "
                f"of {trace_id} then."
            )
            continue
        anchored.append((pick, trace_id, time))
        windows.append(cut)

    estimates = EstimateList()
    level = threshold(model, argdict, "polarity", 0.5)
    if windows:
        outputs = _predict(model, np.concatenate(windows), argdict)
        outputs = outputs.reshape(len(windows), -1, outputs.shape[-1])
        for (pick, trace_id, time), output in zip(anchored, outputs, strict=True):
            estimates.append(summarize(model, trace_id, time, output))
            if model.task.name == "polarity" and hasattr(pick, "polarity_value"):
                _fill_polarity(pick, estimates[-1].value, level)
    estimates.sort(key=lambda estimate: (estimate.time, estimate.trace_id))
    return ClassifyOutput(model.name, estimates=estimates, picks=argdict["picks"])


def _describe(pick) -> tuple[str, obspy.UTCDateTime, str | None]:
    if hasattr(pick, "waveform_id"):  # ObsPy
        return pick.waveform_id.get_seed_string(), pick.time, pick.phase_hint
    return pick.trace_id, pick.peak_time or pick.start_time, pick.phase


def _fill_polarity(pick, up: float, level: float) -> None:
    pick.polarity_value = max(up, 1 - up)
    pick.polarity = ("U" if up >= 0.5 else "D") if pick.polarity_value >= level else "N"


class Records:
    """
    The waveforms of a stream as the network needs them, to cut windows at picks.

    :param model: Gives sampling rate, window and component order.
    """

    def __init__(self, model: SeisMoLLM, stream: obspy.Stream, argdict: dict):
        self._model = model
        self._components = {}
        for i, code in enumerate(model.component_order):
            self._components[code] = i
        if argument(model, argdict, "flexible_horizontal_components"):
            for other, code in (("1", "N"), ("2", "E")):
                self._components.setdefault(other, self._components.get(code))
        stream = streams.clean(stream.copy(), model, argdict)
        model.annotate_stream_pre(stream, argdict)
        self._traces = defaultdict(list)
        for trace in stream:
            self._traces[trace.id[:-1]].append(trace)
        n_windows = argument(model, argdict, "windows_per_pick")
        jitter = argument(model, argdict, "window_jitter") if n_windows > 1 else 0
        self._shifts = np.linspace(-jitter, jitter, n_windows)

    def windows(self, trace_id: str, time: obspy.UTCDateTime) -> np.ndarray | None:
        """
        Windows around a pick, shape (windows, components, samples), zero where there are no data.

        :param trace_id: NET.STA.LOC with or without the channel or its first two letters. Where
            several instruments fit, the first that has data at the pick is used.
        :return: None if no component has data at the time of the pick.
        """
        model, rate = self._model, self._model.sampling_rate
        for traces in self._instruments(trace_id):
            if not any(t.stats.starttime <= time <= t.stats.endtime for t in traces):
                continue
            shape = (len(self._shifts), len(model.component_order), model.in_samples)
            out = np.zeros(shape)
            for window, shift in zip(out, self._shifts, strict=True):
                start = time + shift - model.pred_sample / rate
                for trace in traces:
                    offset = round((trace.stats.starttime - start) * rate)
                    first, last = max(offset, 0), min(offset + trace.stats.npts, model.in_samples)
                    if first < last:
                        component = self._components[trace.id[-1]]
                        window[component, first:last] = trace.data[first - offset : last - offset]
            return out
        return None

    def _instruments(self, trace_id: str):
        """Traces of each instrument that the id of a pick may mean."""
        network, station, location, *channel = trace_id.split(".")
        for name in sorted(self._traces):
            *place, code = name.split(".")
            if place == [network, station, location] and (
                not channel or channel[0] in ("", code) or channel[0][:-1] == code
            ):
                yield self._traces[name]


def _predict(model: SeisMoLLM, windows: np.ndarray, argdict: dict) -> np.ndarray:
    training = model.training
    model.eval()
    outputs = []
    try:
        with torch.no_grad():
            size = argument(model, argdict, "batch_size")
            for batch in torch.as_tensor(windows, dtype=torch.float32).split(size):
                batch = normalize(batch.to(model.device), model.joint_norm)
                outputs.append(model(batch).float().cpu())
    finally:
        model.train(training)
    return torch.cat(outputs).numpy()


def summarize(
    model: SeisMoLLM, trace_id: str, time: obspy.UTCDateTime, outputs: np.ndarray
) -> Estimate:
    """
    Mean and spread of the outputs for several windows, shape (windows, outputs).

    Angles are averaged as vectors. The circular standard deviation is sqrt(-2 ln R) for a mean
    resultant length R (Fisher 1993, Statistical Analysis of Circular Data, eq. 2.12).
    """
    task, many = model.task, len(outputs) > 1
    if task.head == "angle":
        vectors = outputs[:, 0] + 1j * outputs[:, 1]
        value = np.degrees(np.angle(vectors.sum())) % 360
        units = vectors / np.maximum(np.abs(vectors), np.finfo(float).tiny)
        length = np.clip(np.abs(units.mean()), np.finfo(float).tiny, 1)
        spread = np.degrees(np.sqrt(-2 * np.log(length))) if many else np.nan
    else:
        value = outputs[:, 0].mean()
        spread = outputs[:, 0].std(ddof=1) if many else np.nan
    return Estimate(trace_id, time, task.name, float(value), task.unit, float(spread))
