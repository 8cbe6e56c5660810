"""SeisMoLLM as a SeisBench model."""

from __future__ import annotations

import asyncio
import math
from dataclasses import fields
from functools import partial
from numbers import Real
from typing import ClassVar

import obspy
import torch
import torch.nn.functional as F

from ..network import language, lora
from ..network.backbone import Backbone
from ..network.config import NetworkConfig
from ..network.fused import FusedCache, precision_of_annotate
from ..network.network import Network
from ..preprocess import normalize
from ..seisbench_private import SHARED_ARGUMENTS
from ..streams import (
    PICKING_ARGS,
    POINT_ARGS,
    SHARED_ARGS,
    Annotations,
    Arguments,
    PeakFilter,
    annotate_stream,
    classify_at_picks,
    classify_continuous,
    classify_picks,
    fill,
    preprocess_stream,
    run_here,
    validate_arguments,
)
from ..tasks import get_task
from . import describe, published
from .presets import PRESETS, TASK_CHANGES
from .pretrained import PretrainedModel


class SeisMoLLM(PretrainedModel):
    """
    SeisMoLLM as a SeisBench model, for one task.

    Convolutions turn a three-component window into tokens, the first blocks of a language model mix
    the tokens, and a head gives the prediction. With ``backbone=None`` there is no language model,
    as in the packaged picker. The defaults are the published model. Presets have other sizes, see
    :py:meth:`from_preset` and :py:data:`seisbench_llm.models.presets.PRESETS`.

    >>> model = SeisMoLLM(task="picking", backbone=None, width=64)
    >>> model(torch.randn(2, 3, 6000)).shape
    torch.Size([2, 3, 6000])

    .. document_args:: seisbench_llm SeisMoLLM

    :param task: ``picking``, ``polarity``, ``magnitude``, ``distance``, ``back_azimuth``, or a task
        added by :py:func:`seisbench_llm.tasks.register_task`.
    :param backbone: Language model of the GPT-2, BERT or Llama family: a Hugging Face id or a local
        folder. A checkpoint of SeisMoLLM gives its GPT-2 blocks: a file of the published code, or a
        name such as ``seismollm_dpk_stead``. None for a network without a language model.
    :param pretrained: Whether to read the pre-trained weights of the language model. It is an error
        if they are neither cached nor reachable. Random weights are only used with False. A saved
        SeisMoLLM holds all its weights and is always built with False.
    :param backbone_layers: Number of blocks of the language model to keep.
    :param backbone_config: Shape of the backbone as a dictionary
        (:py:class:`~seisbench_llm.network.config.BackboneConfig`), only with ``pretrained=False``.
        By default it is the shape of ``backbone``.
    :param in_samples: Window length in samples.
    :param sampling_rate: Sampling rate in Hz.
    :param pred_sample: Sample of the P onset in the window, for all tasks except picking.
    :param detection: Whether the first output of a picker is a trained detection curve. If not,
        SeisMoLLM_Detection is the larger of P and S.
    :param joint_norm: Whether to divide all components of a window by the same number, see
        :py:func:`~seisbench_llm.preprocess.normalize`. Not in the paper.
    :param component_order: Components of a window.
    :param kwargs: Sizes of the network, see :py:class:`~seisbench_llm.network.config.NetworkConfig`
        (``width``, ``polarisation``, ``compressed``, ``two_speeds``, ``embedder_...``, ``patch``,
        ``head_...``, ``pooled_...``), and arguments of
        :py:class:`seisbench.models.WaveformModel` (``filter_args``, ``filter_kwargs``,
        ``default_args``).
    :raises ValueError: If sizes do not fit together. The message says what to change.
    :raises OSError: If the pre-trained language model is not available. The message says how to get
        it.
    """

    _annotate_args: ClassVar[dict] = {
        **SHARED_ARGUMENTS,
        **SHARED_ARGS,
        **PICKING_ARGS,
        **POINT_ARGS,
    }

    def __init__(
        self,
        task: str = "picking",
        backbone: str | None = "gpt2",
        pretrained: bool = True,
        backbone_layers: int = 3,
        backbone_config: dict | None = None,
        in_samples: int = 6000,
        sampling_rate: float = 100,
        pred_sample: int = 1000,
        detection: bool = False,
        joint_norm: bool = False,
        component_order: str = "ZNE",
        **kwargs,
    ):
        spec = get_task(task)
        curves = spec.output_type == "array"
        if not curves and not 0 <= pred_sample < in_samples:
            raise ValueError(
                f"pred_sample {pred_sample} is outside the {in_samples}-sample window."
            )
        if not (isinstance(sampling_rate, Real) and 0 < sampling_rate < math.inf):
            raise ValueError(f"The sampling rate cannot be {sampling_rate!r} Hz.")
        if spec.components == 3:
            # Horizontals 1 and 2 do not point north and east.
            defaults = {"flexible_horizontal_components": False}
            kwargs["default_args"] = {**defaults, **(kwargs.get("default_args") or {})}
        sizes = {f.name: kwargs.pop(f.name) for f in fields(NetworkConfig) if f.name in kwargs}
        super().__init__(
            citation=published.CITATION,
            in_samples=in_samples,
            output_type=spec.output_type,
            pred_sample=(0, in_samples) if curves else pred_sample,
            labels=list(spec.outputs if curves and detection else spec.labels),
            sampling_rate=sampling_rate,
            component_order=component_order,
            **kwargs,
        )
        if joint_norm and sizes.get("two_speeds"):
            raise ValueError("two_speeds normalises each component: joint_norm has to be False.")
        self.task = spec
        self.joint_norm = joint_norm
        source = backbone
        if pretrained and backbone in published.CHECKPOINTS:
            source = str(published.checkpoint_file(type(self), backbone))
        shape, blocks = language.backbone(source, pretrained, backbone_layers, backbone_config)
        self.network = Network(
            NetworkConfig(
                task=task,
                backbone_config=shape,
                in_samples=in_samples,
                component_order=component_order,
                **sizes,
            )
        )
        if blocks is not None:
            self.network.backbone.load_state_dict(blocks)
        self._fused = FusedCache()
        # Arguments other than sizes. A model is rebuilt with its own weights, not with those of the
        # language model.
        self._arguments = {
            "backbone": backbone,
            "pretrained": False,
            "backbone_layers": backbone_layers,
            "sampling_rate": sampling_rate,
            "pred_sample": pred_sample,
            "detection": detection,
            "joint_norm": joint_norm,
        }

    @classmethod
    def from_preset(cls, preset: str, task: str = "picking", **kwargs) -> SeisMoLLM:
        """
        Build a new, untrained model of a named size.

        >>> SeisMoLLM.from_preset("compact", pretrained=False).in_samples
        6016

        :param preset: ``paper``, ``compact`` or ``convolutional``.
        :param kwargs: Arguments of the constructor that differ from the preset.
        :raises ValueError: If the preset is unknown.
        """
        if preset not in PRESETS:
            raise ValueError(f"Unknown preset '{preset}'. Known presets: {', '.join(PRESETS)}.")
        changes = TASK_CHANGES.get((preset, task), {})
        return cls(task=task, **{**PRESETS[preset], **changes, **kwargs})

    def __repr__(self):
        return describe.line(self)

    def _repr_html_(self):
        return describe.table(self)

    # The network

    def forward(self, x: torch.Tensor, logits: bool = False) -> torch.Tensor:
        """
        Prediction for normalised windows (:py:func:`seisbench_llm.preprocess.normalize`).

        :param x: Shape (batch, components, samples).
        :param logits: If true, omit the last non-linearity and the scale.
        :return: Picking: probabilities of detection, P and S, shape (batch, 3, samples).
            Polarity: probabilities of up and down, (batch, 2). Magnitude: (batch, 1).
            Distance: km, (batch, 1). Back-azimuth: cosine and sine, (batch, 2).
        """
        return self.network(x, logits=logits)

    def predict(self, x: torch.Tensor, precision: str = "float32") -> torch.Tensor:
        """
        The result of :py:meth:`forward` in evaluation mode, but faster and without gradients. The
        mode of the model does not matter. ``annotate`` and ``classify`` use this method.

        :param x: Normalised windows, shape (batch, components, samples).
        :param precision: Number format inside the network: float32, bfloat16 or float16.
        :return: Answers in single precision.
        """
        if not self._has_own_network():
            with torch.no_grad():
                return super().__call__(x)
        return self._fused.predict(self.network, x, precision)

    def predict_newest(self, x: torch.Tensor, precision: str = "float32") -> torch.Tensor:
        """
        As :py:meth:`predict`, where only the newest samples matter: of a network with two speeds,
        the answer for the newer half of the window as it is. The rest of the curves is nan.
        """
        if not (self._has_own_network() and self.network.config.two_speeds):
            return self.predict(x, precision)
        half = x.shape[-1] // 2
        newer = normalize(x[..., half:], self.joint_norm)
        curves = self._fused.predict(self.network, newer, precision, one_speed=True)
        return F.pad(curves, (half, 0), value=torch.nan)

    def __call__(self, *args, **kwargs):
        # This wraps forward, so that torch.compile and torch.export see only the network.
        precision = precision_of_annotate.get()
        if precision is None or len(args) != 1 or kwargs:
            return super().__call__(*args, **kwargs)
        return self.predict(*args, precision)

    def _has_own_network(self) -> bool:
        """
        False if somebody has replaced ``forward`` or ``network``; the replacement is then used.
        """
        forward = type(self).forward is SeisMoLLM.forward and "forward" not in self.__dict__
        return forward and type(self.network) is Network

    def train(self, mode: bool = True) -> SeisMoLLM:
        """
        See :py:meth:`torch.nn.Module.train`.

        SeisBench's ``annotate`` switches to evaluation mode and back. This has no effect here,
        because a concurrent call would see it and :py:meth:`predict` does not need it.
        """
        if precision_of_annotate.get() is not None and self._has_own_network():
            return self
        return super().train(mode)

    def compile(self, *args, **kwargs):
        """
        Compile the network in place with :py:func:`torch.compile`, also for ``annotate``.

        :param args: Arguments of :py:meth:`torch.nn.Module.compile`.
        """
        super().compile(*args, **kwargs)
        self._fused.compile(*args, **kwargs)

    def add_lora(self, **kwargs) -> None:
        """
        Add low-rank adapters to the backbone and freeze the rest of it, as in the paper.

        :param kwargs: See :py:func:`seisbench_llm.network.lora.add_lora`.
        """
        if not isinstance(self.network.backbone, Backbone):
            raise ValueError("A model without a backbone cannot have LoRA adapters.")
        lora.add_lora(self.network.backbone, **kwargs)

    def merge_lora(self) -> None:
        """Fold the adapters into the backbone. The outputs do not change."""
        lora.merge_lora(self.network.backbone)

    # Streams: see seisbench_llm.streams

    def annotate(self, stream, copy=True, **kwargs) -> obspy.Stream:
        """
        Annotate a stream of any length and kind, see :py:mod:`seisbench_llm.streams`.

        The network runs in the calling thread. Long records are processed in chunks, so that memory
        use, apart from the stream and the annotations, does not grow with their length. Several
        threads may use one model at once.

        :param stream: Waveforms; not changed.
        :param copy: Ignored, for compatibility with SeisBench. Nothing has to be copied.
        :param kwargs: Arguments as listed for the class.
        :return: One trace per output and time span with data.
        """
        return run_here(self.annotate_async(stream, copy=copy, **kwargs))

    async def annotate_async(self, stream, copy=True, **kwargs) -> obspy.Stream:
        """
        See :py:meth:`annotate`, but the network runs in a thread of the event loop's executor.
        """
        return await self._annotate(stream, validate_arguments(self, kwargs))

    async def _annotate(
        self, stream, arguments: Arguments, peak_filter: PeakFilter | None = None
    ) -> Annotations:
        self._fused.refresh(self.network)
        token = precision_of_annotate.set(arguments.precision)
        try:
            return await annotate_stream(self, stream, arguments, peak_filter)
        finally:
            precision_of_annotate.reset(token)

    def annotate_stream_pre(self, stream, argdict):
        """SeisBench's hook to filter and resample in place."""
        zerophase = Arguments.of(self, argdict).zerophase_resample
        finish = partial(super().annotate_stream_pre, stream, argdict)
        return preprocess_stream(stream, self.sampling_rate, zerophase, finish)

    def annotate_stream_validate(self, stream, argdict):
        """
        SeisBench's hook to check a stream. It returns a stream without gaps, padded at its ends.
        """
        stream = super().annotate_stream_validate(stream, argdict)
        return fill(stream, self, Arguments.of(self, argdict))

    def annotate_batch_pre(self, batch, argdict):
        """
        SeisBench's hook before the network, for windows of shape (batch, components, samples).
        """
        return normalize(batch, self.joint_norm)

    def annotate_batch_post(self, batch, piggyback, argdict):
        """
        SeisBench's hook after the network: labels on the last axis, nan where windows are blinded.
        """
        if self.output_type == "point":
            return batch.float()
        keep = [self.task.outputs.index(label) for label in self.labels]
        batch = batch[:, keep].float().transpose(-1, -2).contiguous()
        before, after = Arguments.of(self, argdict).blinding
        batch[:, :before] = torch.nan
        batch[:, batch.shape[1] - after :] = torch.nan
        return batch

    def classify(self, stream, parallelism=None, **kwargs):
        """
        Picks and detections, or estimates, of a stream. Memory and threads are as for
        :py:meth:`annotate`.

        :param stream: Waveforms; not changed.
        :param parallelism: Ignored, as in SeisBench.
        :param kwargs: Arguments as listed for the class.
        :return: :py:class:`seisbench.util.ClassifyOutput` with ``picks`` and ``detections``. All
            tasks except picking give ``estimates`` instead.
        """
        return run_here(self.classify_async(stream, **kwargs))

    async def classify_async(self, stream, **kwargs):
        """See :py:meth:`classify`, but the network runs as in :py:meth:`annotate_async`."""
        if self.output_type == "point":
            if kwargs.get("picks") is None:
                return await super().classify_async(stream, **kwargs)
            arguments = validate_arguments(self, kwargs)
            self._fused.refresh(self.network)
            return await asyncio.to_thread(classify_at_picks, self, stream, arguments, self.predict)
        kwargs.pop("picks", None)
        if type(self).classify_aggregate is not SeisMoLLM.classify_aggregate:
            return await super().classify_async(stream, **kwargs)
        kwargs.pop("copy", None)
        arguments = validate_arguments(self, kwargs)
        stream = self.classify_stream_pre(stream, arguments.argdict)
        annotations = await self._annotate(stream, arguments, PeakFilter(self, arguments))
        return self.classify_aggregate(annotations, arguments.argdict)

    def classify_aggregate(self, annotations, argdict):
        """SeisBench's hook from annotations to picks or estimates."""
        if self.output_type == "array":
            return classify_picks(self, annotations, Arguments.of(self, argdict))
        return classify_continuous(self, annotations)

    # Weights: see PretrainedModel

    def get_model_args(self) -> dict:
        """
        The constructor's arguments, JSON-safe. Rebuilding does not need the language model's files.
        """
        return {
            **self.network.config.to_dict(),
            **self._arguments,
            "filter_args": self.filter_args,
            "filter_kwargs": self.filter_kwargs,
        }

    def merged_state_dict(self) -> dict[str, torch.Tensor]:
        """The state dict with LoRA adapters folded in. The model itself keeps its adapters."""
        return lora.merged_state_dict(self)

    def to_onnx(self, path, normalization=True):
        """Write an ONNX file, see :py:func:`seisbench_llm.models.onnx.export_onnx`."""
        from .onnx import export_onnx

        return export_onnx(self, path, normalization)
