"""seisbench_llm/archive/picker.py."""

from __future__ import annotations

import hashlib

import obspy
import pandas as pd


class Picker:
    """
    What a run does with a stream: P and S picks of one model.

    Another one is a class with the same attributes, named ``module:Class`` in the configuration:
    ``padding``, seconds of waveforms it needs before and after a day; ``step``, seconds between
    two of its windows, None if it has none; ``bridge``, the longest gap in seconds that does not
    begin a new row of windows; ``identity``, a JSON-safe dictionary that differs if results would.

    :param weights: Name, path or Hugging Face id.
    :param arguments: Of :py:meth:`seisbench_llm.SeisMoLLM.classify`, such as ``P_threshold``.
    """

    def __init__(self, weights: str, **arguments):
        from ..models.seismollm import SeisMoLLM
        from ..streams.arguments import argument, validate_arguments

        model = SeisMoLLM.from_pretrained(weights)
        if model.task.name != "picking":
            raise ValueError(f"The weights '{weights}' are for {model.task.name}, not for picking.")
        validate_arguments(model, arguments)
        self.model, self.arguments = model.eval(), arguments
        samples, rate = model.in_samples, model.sampling_rate
        overlap = argument(model, arguments, "overlap")
        self.step = (samples - int(overlap * samples if overlap < 1 else overlap)) / rate
        self.bridge = (samples + sum(argument(model, arguments, "blinding"))) / rate
        # A window to each side sees a pick. Another one is for the start of filters and for
        # picks that are dropped, as a larger one is near, which a still larger one is near ...
        self.padding = 2 * self.bridge + 4 * argument(model, arguments, "min_separation")
        self.identity: dict = {
            "weights": str(weights).rstrip("/").rpartition("/")[2],
            "version": model.weights_version,
            "sha256": model.sha256 or hash_of(model),
        }

    def __call__(self, stream: obspy.Stream) -> dict[str, pd.DataFrame]:
        """
        :param stream: One instrument of one station; may be changed.
        :return: Tables by name, here only ``picks``; each has a column ``time`` in UTC.
        """
        from ..export.tables import picks_to_dataframe

        found = self.model.classify(stream, copy=False, **self.arguments).picks
        return {"picks": picks_to_dataframe(found)}


def hash_of(model) -> str:
    """SHA-256 of a model's tensors, for weights that do not come with one."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
