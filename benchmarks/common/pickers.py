"""
One interface to every picker that is compared: packaged and published ones, and means of several.

    Picker.load("compact_picking")
    Picker.load("phasenet/volpick", weights)
    Picker.load("phasenet/volpick+phasenet/jma+eqtransformer/volpick", weights)
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import obspy
import seisbench
import seisbench.models as sbm
import torch
from seisbench.models import WaveformModel
from seisbench.util import PickList

from benchmarks.common.matching import THRESHOLDS
from benchmarks.peers.seist import SeisT
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.streams.picks import peaks, separate
from seisbench_llm.weights import WeightsError

# Seconds between two picks of a phase.
SEPARATION = 1.0
# Seconds at either end of a record that its lengthening repeats.
MIRRORED_SECONDS = 3.0
PUBLISHED_CLASSES = {"phasenet": "PhaseNet", "eqtransformer": "EQTransformer"}
TEACHERS = "phasenet/volpick+phasenet/jma+eqtransformer/volpick"


class Picker:
    """
    A model, or the mean of several, that annotates P and S.

    :param name: As in the tables.
    :param models: SeisBench models with the annotations ``P`` and ``S``.
    """

    def __init__(self, name: str, models: list[WaveformModel]):
        self.name, self.models = name, models

    @classmethod
    def load(cls, name: str, weights: Path | None = None) -> Picker:
        """
        A picker by its name.

        :param name: Name or path of a SeisMoLLM weight; ``phasenet/WEIGHT``,
            ``eqtransformer/WEIGHT`` or ``seist/FILE`` for published weights; names joined by
            ``+`` for the mean of their annotations.
        :param weights: Folder of the published weights, laid out as SeisBench's cache, which is
            the default.
        :return: Its name has the version of a SeisMoLLM weight.
        :raises WeightsError: If there is no such weight.
        """
        folder = Path(weights or Path(seisbench.cache_model_root) / "models" / "v3")
        models = _models(name, folder)
        record = getattr(models[0], "record", None) if len(models) == 1 else None
        return cls(f"{Path(name).name} {record.version}" if record else name, models)

    def fingerprint(self) -> str:
        """What identifies the weights and the arguments they are used with, 16 letters."""
        digest = hashlib.sha256()
        for model in self.models:
            digest.update(f"{type(model).__name__} {sorted(model.default_args.items())}".encode())
            digest.update(f"{model.filter_args} {model.filter_kwargs}".encode())
            for value in model.state_dict().values():
                digest.update(value.contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def annotate(self, stream: obspy.Stream) -> obspy.Stream:
        """Probabilities of P and S, those of a mean at the samples of its first model."""
        first, *others = [_annotations(model, stream) for model in self.models]
        for trace in first:
            phase = trace.stats.channel[-1]
            total, times = np.nan_to_num(trace.data), trace.times("timestamp")
            for other in others:
                total = total + _sampled(other.select(channel=f"*_{phase}"), times)
            trace.data = total / len(self.models)
        return first

    def peaks(self, stream: obspy.Stream) -> dict[str, np.ndarray]:
        """Phase -> rows of (seconds from the start of the stream, probability), in order."""
        start = min(trace.stats.starttime for trace in stream)
        end = max(trace.stats.endtime for trace in stream)
        found = {"P": [], "S": []}
        for trace in self.annotate(stream):
            phase = trace.stats.channel[-1]
            found[phase] += peaks([trace], "", phase, THRESHOLDS[0], SEPARATION)
        return {
            phase: np.array(
                sorted(
                    (pick.peak_time - start, pick.peak_value)
                    for pick in separate(picks, SEPARATION)
                    if start <= pick.peak_time <= end
                )
            ).reshape(-1, 2)
            for phase, picks in found.items()
        }

    def classify(self, stream: obspy.Stream, **kwargs) -> PickList:
        """
        Picks by the ``classify`` of the model itself.

        :param kwargs: Arguments of ``classify``.
        :raises ValueError: If this is a mean of several.
        """
        if len(self.models) > 1:
            raise ValueError(f"{self.name} is a mean of several models, which has no classify().")
        return self.models[0].classify(_prepared(self.models[0], stream), **kwargs).picks


def published(weights: Path) -> list[str]:
    """Names of all published pickers in a folder."""
    return [
        *(
            f"{kind}/{file.name.removesuffix('.pt.v1')}"
            for kind in PUBLISHED_CLASSES
            for file in sorted((weights / kind).glob("*.pt.v1"))
        ),
        *(f"seist/{file.stem}" for file in sorted((weights / "seist").glob("*_dpk_*.safetensors"))),
    ]


def _models(name: str, folder: Path) -> list[WaveformModel]:
    if "+" in name:
        return [model for part in name.split("+") for model in _models(part, folder)]
    kind, _, weight = name.partition("/")
    try:
        if kind in PUBLISHED_CLASSES:
            model = getattr(sbm, PUBLISHED_CLASSES[kind])
            return [model.load(folder / kind / weight, version_str="1").eval()]
        if kind == "seist":
            return [SeisT.from_safetensors(folder / kind / f"{weight}.safetensors")]
    except OSError as error:
        raise WeightsError(f"{folder} has no {name}: {error}") from None
    return [SeisMoLLM.from_pretrained(name)]


def _prepared(model: WaveformModel, stream: obspy.Stream) -> obspy.Stream:
    """
    A copy such that the model can work on it.

    Published models fail on data in physical units, so they get counts, and return nothing for
    records shorter than their window, so these are lengthened by mirror images of both ends.
    """
    stream = stream.copy()
    if isinstance(model, SeisMoLLM):
        return stream
    # Records that begin or end at different times, or have gaps, stay as they are.
    whole = len({(trace.stats.starttime.ns, trace.stats.npts) for trace in stream}) == 1
    for trace in stream:
        trace.data = trace.data - trace.data.mean()
        trace.data = trace.data / (np.abs(trace.data).max() or 1.0) * 1e4
        rate, samples = trace.stats.sampling_rate, trace.stats.npts
        missing = (model.in_samples + 1) / model.sampling_rate * rate - samples
        if whole and missing > 0:
            add, end = int(np.ceil(missing / 2)), min(samples, round(MIRRORED_SECONDS * rate))
            before = np.pad(trace.data[:end], (add, 0), "symmetric")[:add]
            after = np.pad(trace.data[-end:], (0, add), "symmetric")[end:]
            trace.data = np.concatenate([before, trace.data, after])
            trace.stats.starttime -= add / rate
    return stream


def _annotations(model: WaveformModel, stream: obspy.Stream) -> obspy.Stream:
    with torch.no_grad():
        found = model.annotate(_prepared(model, stream))
    return found.select(channel="*_P") + found.select(channel="*_S")


def _sampled(annotations: obspy.Stream, times: np.ndarray) -> np.ndarray:
    """Values at some times, zero outside of the annotations."""
    values = np.zeros(times.size)
    for trace in annotations:
        at, data = trace.times("timestamp"), np.nan_to_num(trace.data)
        values = np.maximum(values, np.interp(times, at, data, left=0, right=0))
    return values
