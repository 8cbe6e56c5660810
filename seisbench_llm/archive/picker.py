"""P and S picks, estimates and amplitudes at them, as the processor of an archive run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property

import obspy
import pandas as pd
from seisbench.util import PickList

from ..amplitudes import measure
from ..amplitudes.measure import LONGEST_S
from ..export.at_picks import amplitude_columns, further_types
from ..export.tables import picks_to_dataframe, typed
from ..models.devices import find_device
from ..models.estimators import ESTIMATED, estimate_at, estimate_columns, shared_arguments
from ..models.seismollm import SeisMoLLM
from ..streams.arguments import Arguments, validate_arguments
from ..streams.at_picks import padding_of_picks
from ..streams.contiguous import ContiguousRecord
from ..streams.s_minus_p import MAX_SP_S
from ..streams.selection import LOWEST_RATE, select_records
from ..streams.skipped import SkippedList, said_once
from ..streams.windows import WindowLayout, part_padding
from .days import DayData

# Family of the weights of tasks for which none is named.
FAMILY = "compact"


def task_weights(tasks: str | Mapping[str, str] | None) -> dict[str, str]:
    """
    Weights of the tasks whose estimates are wanted.

    >>> task_weights("polarity,magnitude=mine")
    {'polarity': 'compact_polarity', 'magnitude': 'mine'}

    :param tasks: ``all``, or names with commas, each also as TASK=WEIGHT; or task -> weight.
    :return: Task -> weight.
    :raises ValueError: If a task is unknown.
    """
    if not tasks:
        return {}
    if isinstance(tasks, Mapping):
        named = dict(tasks)
    elif tasks.strip() == "all":
        named = dict.fromkeys(ESTIMATED, "")
    else:
        entries = [entry.partition("=") for entry in tasks.split(",")]
        named = {task.strip(): weight.strip() for task, _, weight in entries}
    for task in named:
        if task not in ESTIMATED:
            raise ValueError(f"Unknown task '{task}'. Known tasks: all, {', '.join(ESTIMATED)}.")
    return {t: str(named[t] or f"{FAMILY}_{t}") for t in ESTIMATED if t in named}


class Picker:
    """
    Processor of station-days that makes P and S picks with one model, and estimates and amplitudes
    at them.

    Any class with the same attributes can be a processor. The configuration names it as
    ``module:Class``. The methods ``usable`` and ``default`` are optional. With an attribute
    ``needs_data`` that is true, it is called with a :py:class:`~seisbench_llm.archive.days.DayData`
    as second argument. Attributes:

    - ``padding``, seconds of waveforms that it needs before and after a day,
    - ``step``, seconds between two windows, None if there are no windows,
    - ``bridge``, the longest gap in seconds that does not start the windows anew,
    - ``lowest_rate``, the lowest sampling rate in Hz that it can use,
    - ``identity``, a JSON-safe dictionary that differs if results differ.

    :param weights: Name, path or Hugging Face id.
    :param device: See :py:func:`seisbench_llm.models.devices.find_device`.
    :param tasks: Task -> weights of the estimates at each P.
    :param amplitudes: Whether to measure amplitudes.
    :param arguments: Arguments of :py:meth:`seisbench_llm.SeisMoLLM.classify`, such as
        ``P_threshold``. They also hold for estimates, unless they are for picking only.
    :raises ValueError: If the weights are for another task, or if an argument is impossible.
    """

    def __init__(
        self,
        weights: str,
        device: str = "cpu",
        tasks: Mapping[str, str] | None = None,
        amplitudes: bool = False,
        **arguments,
    ):
        model = _load(weights, "picking", device)
        self.model, self.arguments = model, validate_arguments(model, arguments)
        named = task_weights(tasks)
        self.models = {task: _load(weight, task, device) for task, weight in named.items()}
        shared = shared_arguments(arguments)
        self._shared = {t: validate_arguments(one, shared) for t, one in self.models.items()}
        self.amplitudes = amplitudes
        self.needs_data = bool(self.models or amplitudes)
        self.layout = WindowLayout.of(model, self.arguments)
        self.step = self.layout.hop / self.layout.rate
        self.bridge = self.layout.bridge
        self.lowest_rate = LOWEST_RATE * model.sampling_rate
        self.identity: dict = _identity(weights, model)
        if named:
            self.identity["tasks"] = {t: _identity(named[t], self.models[t]) for t in named}

    @cached_property
    def padding(self) -> float:
        """Seconds before and after a day on which its picks, and what is said of them, depend."""
        padding = part_padding(self.model, self.arguments)
        # The S of a P, or the P of an S, may be on the other day.
        later = LONGEST_S if self.amplitudes else 0.0
        later = max(later, MAX_SP_S if "distance" in self.models else 0.0)
        reaches = [padding_of_picks(m, self._shared[t]) for t, m in self.models.items()]
        return max([padding + later, *reaches])

    def default(self, name: str):
        """Default of an argument, None if there is no such argument."""
        defaults = Arguments.of(self.model, {})
        if name.endswith("_threshold"):
            return defaults.threshold(name.removesuffix("_threshold"))
        return getattr(defaults, name, None)

    def usable(self, stream: obspy.Stream, skipped: SkippedList) -> list[ContiguousRecord]:
        """
        The part of a stream that the model can use.

        :param skipped: List to which left-out data are added.
        """
        instruments = select_records(stream, self.model, self.arguments, skipped)
        return [record for records in instruments.values() for record in records]

    def __call__(
        self, stream: obspy.Stream, data: DayData | None = None
    ) -> dict[str, pd.DataFrame]:
        """
        :param stream: Waveforms of one instrument. They may be changed.
        :param data: The same in other states, for estimates and amplitudes.
        :return: Tables by name, here only ``picks``. Each has a column ``time`` in UTC.
        """
        picks = self.model.classify(stream, copy=False, **self.arguments.given).picks
        if data is None or not self.needs_data:
            return {"picks": picks_to_dataframe(picks)}
        picks = PickList(pick for pick in picks if data.has(pick.peak_time))
        further = self._at_picks(picks, data)
        return {"picks": pd.concat([picks_to_dataframe(picks), further], axis="columns")}

    def _at_picks(self, picks: Sequence, data: DayData) -> pd.DataFrame:
        """Estimates and amplitudes, one row per pick. Polarities are set in the picks."""
        with said_once() as left_out:
            estimates = estimate_at(self.models, data.usable, picks, self.arguments.given)
            rows = [estimate_columns(pick, estimates, self.models) for pick in picks]
            types = further_types(self.models, amplitudes=False, physical=False)
            columns = typed(pd.DataFrame(rows, index=range(len(picks)), columns=list(types)), types)
            if self.amplitudes:
                measured = measure(data.recorded, picks, data.stations, left_out)
                physical = data.stations is not None
                columns = columns.join(amplitude_columns(measured, len(picks), physical))
        data.skipped.extend(left_out)
        return columns


def _load(weights: str, task: str, device: str) -> SeisMoLLM:
    model = SeisMoLLM.from_pretrained(weights).to(find_device(device))
    if model.task.name != task:
        raise ValueError(f"The weights '{weights}' are for {model.task.name}, not for {task}.")
    return model.eval()


def _identity(weights: str, model: SeisMoLLM) -> dict:
    return {
        "weights": str(weights).rstrip("/").rpartition("/")[2],
        "version": model.weights_version,
        "sha256": model.sha256 or hash_of(model),
    }


def hash_of(model: SeisMoLLM) -> str:
    """SHA-256 of a model's tensors, for weights without a stored SHA-256."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
