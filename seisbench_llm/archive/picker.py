"""P and S picks of a model, as the processor of an archive run."""

from __future__ import annotations

import hashlib
from functools import cached_property

import obspy
import pandas as pd

from ..export.tables import picks_to_dataframe
from ..models.devices import find_device
from ..models.seismollm import SeisMoLLM
from ..streams.arguments import Arguments, validate_arguments
from ..streams.contiguous import ContiguousRecord
from ..streams.selection import LOWEST_RATE, select_records
from ..streams.skipped import SkippedList
from ..streams.windows import WindowLayout, part_padding


class Picker:
    """
    Processor of station-days that makes P and S picks with one model.

    Any class with the same attributes can be a processor. The configuration names it as
    ``module:Class``. The methods ``usable`` and ``default`` are optional. Attributes:

    - ``padding``, seconds of waveforms that it needs before and after a day,
    - ``step``, seconds between two windows, None if there are no windows,
    - ``bridge``, the longest gap in seconds that does not start the windows anew,
    - ``lowest_rate``, the lowest sampling rate in Hz that it can use,
    - ``identity``, a JSON-safe dictionary that differs if results differ.

    :param weights: Name, path or Hugging Face id.
    :param device: See :py:func:`seisbench_llm.models.devices.find_device`.
    :param arguments: Arguments of :py:meth:`seisbench_llm.SeisMoLLM.classify`, such as
        ``P_threshold``.
    :raises ValueError: If the weights are not for picking, or if an argument is impossible.
    """

    def __init__(self, weights: str, device: str = "cpu", **arguments):
        model = SeisMoLLM.from_pretrained(weights).to(find_device(device))
        if model.task.name != "picking":
            raise ValueError(f"The weights '{weights}' are for {model.task.name}, not for picking.")
        self.model, self.arguments = model.eval(), validate_arguments(model, arguments)
        self.layout = WindowLayout.of(model, self.arguments)
        self.step = self.layout.hop / self.layout.rate
        self.bridge = self.layout.bridge
        self.lowest_rate = LOWEST_RATE * model.sampling_rate
        self.identity: dict = {
            "weights": str(weights).rstrip("/").rpartition("/")[2],
            "version": model.weights_version,
            "sha256": model.sha256 or hash_of(model),
        }

    @cached_property
    def padding(self) -> float:
        """Seconds before and after a day on which its picks depend."""
        return part_padding(self.model, self.arguments)

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

    def __call__(self, stream: obspy.Stream) -> dict[str, pd.DataFrame]:
        """
        :param stream: Waveforms of one instrument. They may be changed.
        :return: Tables by name, here only ``picks``. Each has a column ``time`` in UTC.
        """
        picks = self.model.classify(stream, copy=False, **self.arguments.given).picks
        return {"picks": picks_to_dataframe(picks)}


def hash_of(model: SeisMoLLM) -> str:
    """SHA-256 of a model's tensors, for weights without a stored SHA-256."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
