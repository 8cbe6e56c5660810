"""SeisMoLLM as a SeisBench model."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import ClassVar

import obspy
import torch
from seisbench.models import WaveformModel

from .. import weights
from ..network import fused as inference
from ..network import language, lora
from ..network.backbone import Backbone, BackboneConfig
from ..network.network import Network
from ..preprocess import normalize
from ..seisbench_private import SHARED_ARGUMENTS, weights_metadata
from ..streams import annotate as streams
from ..streams import pipeline as executor
from ..streams.arguments import PICKING_ARGS, POINT_ARGS, SHARED_ARGS, argument, validate_arguments
from ..streams.estimates import classify_at_picks, classify_continuous
from ..streams.picks import classify_picks
from ..streams.pipeline import report_failure
from ..streams.stitching import Sieve
from ..tasks import get_task
from .presets import PRESETS, TASK_CHANGES


class StreamHooks:
    """``annotate``, ``classify`` and the hooks behind them, for a SeisMoLLM."""

    def annotate(self, stream, copy=True, **kwargs) -> obspy.Stream:
        """
        Annotate a stream of any length and kind, see :py:mod:`seisbench_llm.models.streams`.

        The network runs in the calling thread, and long records are worked on in chunks: beside
        the stream and the annotations, memory does not grow with their length.

        :param stream: Waveforms; not changed.
        :param copy: Accepted for compatibility with SeisBench; nothing needs to be copied.
        :param kwargs: Arguments as listed for the class.
        :return: One trace per output and time span that holds data.
        """
        return executor.run(self.annotate_async(stream, copy=copy, **kwargs))

    async def annotate_async(self, stream, copy=True, **kwargs) -> obspy.Stream:
        """
        See :py:meth:`annotate`, but the network runs in a thread of the event loop's executor.
        """
        validate_arguments(self, kwargs)
        return await streams.annotate(self, super().annotate_async, stream, kwargs)

    def annotate_stream_pre(self, stream, argdict):
        inference.refresh(self)
        if argument(self, argdict, "zerophase_resample"):
            streams.resample_stream(stream, self.sampling_rate)
        return super().annotate_stream_pre(stream, argdict)

    def annotate_stream_validate(self, stream, argdict):
        stream = super().annotate_stream_validate(stream, argdict)
        return streams.fill(stream, self, argdict)

    def annotate_batch_pre(self, batch, argdict):
        with report_failure():
            inference.wanted.set(argument(self, argdict, "precision"))
            return normalize(batch, self.joint_norm)

    def annotate_batch_post(self, batch, piggyback, argdict):
        with report_failure():
            if self.output_type == "point":
                return batch.float()
            keep = [self.task.outputs.index(label) for label in self.labels]
            batch = batch[:, keep].float().transpose(-1, -2).contiguous()
            before, after = streams.blinding(self, argdict)
            batch[:, :before] = torch.nan
            batch[:, batch.shape[1] - after :] = torch.nan
            return batch

    def classify(self, stream, parallelism=None, **kwargs):
        """
        Picks and detections, or estimates, of a stream; memory and threads as :py:meth:`annotate`.

        :param stream: Waveforms; not changed.
        :param parallelism: Without effect, as in SeisBench.
        :param kwargs: Arguments as listed for the class.
        :return: :py:class:`seisbench.util.ClassifyOutput` with ``picks`` and ``detections`` or,
            for all tasks but picking, ``estimates``.
        """
        return executor.run(self.classify_async(stream, **kwargs))

    async def classify_async(self, stream, **kwargs):
        """See :py:meth:`classify`, but the network runs as in :py:meth:`annotate_async`."""
        if self.output_type == "point":
            if kwargs.get("picks") is None:
                return await super().classify_async(stream, **kwargs)
            validate_arguments(self, kwargs)
            return classify_at_picks(self, stream, {**self.default_args, **kwargs})
        kwargs.pop("picks", None)
        if type(self).classify_aggregate is not StreamHooks.classify_aggregate:
            return await super().classify_async(stream, **kwargs)
        kwargs.pop("copy", None)
        validate_arguments(self, kwargs)
        argdict = {**self.default_args, **kwargs}
        stream = self.classify_stream_pre(stream, argdict)
        sieve = Sieve(self, argdict)
        annotations = await streams.annotate(self, super().annotate_async, stream, kwargs, sieve)
        return self.classify_aggregate(annotations, argdict)

    def classify_aggregate(self, annotations, argdict):
        if self.output_type == "array":
            return classify_picks(self, annotations, argdict)
        return classify_continuous(self, annotations, argdict)


CITATION = (
    "Wang, X., Liu, F., Su, R., Wang, Z., Fang, L., Zhou, L., Bai, L., & Ouyang, W. (2025). "
    "SeisMoLLM: Advancing Seismic Monitoring via Cross-modal Transfer with Pretrained Large "
    "Language Model. arXiv:2502.19960."
)


class SeisMoLLM(StreamHooks, WaveformModel):
    """
    A pre-trained language model fine-tuned on seismograms.

    Convolutions turn a three-component window into tokens, the first blocks of a language model
    read them, and a head answers one question. The defaults are the published model; its other
    sizes are named in :py:data:`seisbench_llm.models.presets.PRESETS`, see :py:meth:`from_preset`.

    >>> model = SeisMoLLM(task="picking", backbone=None, width=64)
    >>> model(torch.randn(2, 3, 6000)).shape
    torch.Size([2, 3, 6000])

    .. document_args:: seisbench_llm SeisMoLLM

    :param task: ``picking``, ``polarity``, ``magnitude``, ``distance`` or ``back_azimuth``.
    :param backbone: Language model of the GPT-2 or BERT family: a Hugging Face id, a local folder,
        or None for a network without one.
    :param pretrained: Whether to read the language model's own weights. If they are neither cached
        nor reachable this is an error; random weights are only used if asked for with False.
        A saved SeisMoLLM holds all its weights and is always built with False.
    :param backbone_layers: How many of its blocks to keep.
    :param backbone_config: Shape of the backbone as a dictionary
        (:py:class:`~seisbench_llm.models.backbone.BackboneConfig`). Only with ``pretrained=False``;
        by default the shape of ``backbone``.
    :param width: Width of a token if there is no backbone, else the backbone's.
    :param in_samples: Window length in samples.
    :param sampling_rate: Sampling rate in Hz.
    :param pred_sample: Where in the window the P onset is, for all tasks but picking.
    :param detection: Whether the first output of a picker is a trained detection curve. If not,
        SeisMoLLM_Detection is the larger one of P and S.
    :param joint_norm: Whether to divide a window by one number instead of each component by its
        own, see :py:func:`~seisbench_llm.preprocess.normalize`. Not in the paper.
    :param polarisation: Whether the embedder also sees the product of the vertical with each
        horizontal, see :py:func:`~seisbench_llm.models.embedder.with_polarisation`. Not in the
        paper: convolutions learn a product only slowly, and the back-azimuth lies in it.
    :param embedder_channels: Output channels of all embedder blocks but the last, which has
        width / patch.
    :param embedder_kernels: Smallest kernel of each embedder block.
    :param embedder_kernel_steps: Growth of the kernel from branch to branch, per block.
    :param embedder_strides: Stride of each embedder block.
    :param embedder_branches: Number of branches per embedder block.
    :param patch: Latent samples per token.
    :param head_channels: Channels of each up-sampling stage (picking).
    :param head_kernels: Kernel of each up-sampling stage (picking).
    :param head_out_kernel: Kernel of the last convolution (picking).
    :param head_skips: Whether the up-sampling stages also see the embedder's inner signals and, at
        the end, the waveform (picking). Not in the paper: tokens alone do not tell an onset to the
        sample, and what they tell depends on where in the window it is.
    :param pooled_kernel: Kernel of the two convolutions of the other tasks' head.
    :param pooled_stride: Their stride.
    :param pooled_hidden: Width of a hidden layer that sees all times at once, None for the mean
        over time. Not in the paper: of a mean, few blocks hardly learn when S came.
    :param kwargs: As :py:class:`seisbench.models.WaveformModel`: component_order, filter_args,
        filter_kwargs, default_args.
    :raises ValueError: If sizes do not fit together, with what to change.
    :raises OSError: If the pre-trained language model cannot be had, with how to get it.
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
        width: int | None = None,
        in_samples: int = 6000,
        sampling_rate: float = 100,
        pred_sample: int = 1000,
        detection: bool = False,
        joint_norm: bool = False,
        polarisation: bool = False,
        embedder_channels: Sequence[int] = (16, 48, 96),
        embedder_kernels: Sequence[int] = (16, 8, 6, 1),
        embedder_kernel_steps: Sequence[int] = (8, 6, 4, 2),
        embedder_strides: Sequence[int] = (2, 2, 2, 1),
        embedder_branches: int = 4,
        patch: int = 8,
        head_channels: Sequence[int] = (224, 192, 160, 6),
        head_kernels: Sequence[int] = (1, 6, 8, 16),
        head_out_kernel: int = 7,
        head_skips: bool = False,
        pooled_kernel: int = 16,
        pooled_stride: int = 4,
        pooled_hidden: int | None = None,
        component_order: str = "ZNE",
        **kwargs,
    ):
        spec = get_task(task)
        if spec.components == 3:
            # Horizontals 1 and 2 do not point north and east.
            defaults = {"flexible_horizontal_components": False}
            kwargs["default_args"] = {**defaults, **(kwargs.get("default_args") or {})}
        arguments = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in locals().items()
            if name in inspect.signature(SeisMoLLM.__init__).parameters
            and name not in ("self", "kwargs")
        }
        curves = spec.output_type == "array"
        if not curves and not 0 <= pred_sample < in_samples:
            raise ValueError(
                f"pred_sample {pred_sample} is outside the {in_samples}-sample window."
            )

        labels = spec.outputs if curves and detection else spec.labels
        super().__init__(
            citation=CITATION,
            in_samples=in_samples,
            output_type=spec.output_type,
            pred_sample=(0, in_samples) if curves else pred_sample,
            labels=list(labels),
            sampling_rate=sampling_rate,
            component_order=component_order,
            **kwargs,
        )
        self.task = spec
        self.joint_norm = joint_norm
        self.compile_arguments: tuple | None = None
        if head_skips and curves and len(head_channels) != len(embedder_channels) + 1:
            raise ValueError("head_skips needs as many head stages as embedder blocks.")
        blocks = self._build_backbone(backbone, pretrained, backbone_layers, backbone_config)
        width = self._check_width(width, blocks, patch)
        tokens = self._count_tokens(embedder_strides, patch)
        self._check_window(tokens, blocks, patch, pooled_kernel, pooled_stride)
        self.network = Network(
            spec,
            blocks,
            width,
            len(component_order),
            embedder_channels,
            embedder_kernels,
            embedder_kernel_steps,
            embedder_strides,
            embedder_branches,
            patch,
            head_channels,
            head_kernels,
            head_out_kernel,
            head_skips,
            pooled_kernel,
            pooled_stride,
            pooled_hidden,
            tokens * patch,
            polarisation,
        )
        arguments.update(
            pretrained=False,
            width=width,
            backbone_config=None if blocks is None else blocks.config.to_dict(),
        )
        self._arguments = arguments

    @classmethod
    def from_preset(cls, preset: str, task: str = "picking", **kwargs) -> SeisMoLLM:
        """
        A new, untrained model of a named size.

        >>> SeisMoLLM.from_preset("compact", pretrained=False).in_samples
        6016

        :param preset: ``paper``, ``compact`` or ``convolutional``.
        :param kwargs: Arguments of the constructor that shall differ from the preset.
        :raises ValueError: If there is no such preset.
        """
        if preset not in PRESETS:
            raise ValueError(f"Unknown preset '{preset}'. Known presets: {', '.join(PRESETS)}.")
        return cls(
            task=task, **{**PRESETS[preset], **TASK_CHANGES.get((preset, task), {}), **kwargs}
        )

    @staticmethod
    def _build_backbone(name, pretrained, layers, config) -> Backbone | None:
        if name is None:
            return None
        if pretrained and config is not None:
            raise ValueError(
                "backbone_config gives a shape without weights; it goes with pretrained=False."
            )
        if pretrained:
            return language.load_pretrained(name, layers)
        shape = language.read_config(name) if config is None else BackboneConfig.from_dict(config)
        return Backbone(language.truncate(shape, layers))

    @staticmethod
    def _check_width(width: int | None, blocks: Backbone | None, patch: int) -> int:
        if blocks is None:
            width = 768 if width is None else width
        elif width not in (None, blocks.config.width):
            raise ValueError(f"The backbone is {blocks.config.width} wide, width is {width}.")
        else:
            width = blocks.config.width
        if width % patch:
            raise ValueError(f"Width {width} is not a multiple of the patch length {patch}.")
        return width

    def _count_tokens(self, strides: Sequence[int], patch: int) -> int:
        latent = self.in_samples
        for step in strides:
            latent = -(-latent // step)
        return latent // patch

    def _check_window(self, tokens: int, blocks, patch: int, kernel: int, stride: int) -> None:
        longest = tokens if blocks is None else blocks.config.positions
        # The pooled head's two convolutions have no padding.
        shortest = (
            1 if self.output_type == "array" else -(-(kernel + (kernel - 1) * stride) // patch)
        )
        if not shortest <= tokens <= longest:
            raise ValueError(
                f"A window of {self.in_samples} samples makes {tokens} tokens; the model takes "
                f"{shortest} to {longest}. Change in_samples, embedder_strides or patch."
            )

    def __call__(self, *args, **kwargs):
        # Around forward, not in it, so that torch.compile and torch.export see only the network.
        with report_failure():
            precision = inference.wanted.get()
            inference.wanted.set(None)
            # Whoever replaces forward or network means it.
            own = type(self).forward is SeisMoLLM.forward and "forward" not in self.__dict__
            own = own and type(self.network) is Network
            if precision is None or not own or self.training or torch.is_grad_enabled():
                return super().__call__(*args, **kwargs)
            return inference.answer(self, *args, precision=precision)

    def compile(self, *args, **kwargs):
        """
        Compile the network with :py:func:`torch.compile`, in place, for ``annotate`` too.

        :param args: As of :py:meth:`torch.nn.Module.compile`.
        """
        super().compile(*args, **kwargs)
        self.compile_arguments = (args, kwargs)
        self.__dict__.pop("_fused", None)

    def forward(self, x: torch.Tensor, logits: bool = False) -> torch.Tensor:
        """
        Answer for a batch of normalised windows (:py:func:`seisbench_llm.preprocess.normalize`).

        :param x: Shape (batch, components, samples).
        :param logits: If true, leave out the last non-linearity and the scale.
        :return: Picking: probabilities of detection, P and S, shape (batch, 3, samples).
            Polarity: probabilities of up and down, (batch, 2). Magnitude: (batch, 1).
            Distance: km, (batch, 1). Back-azimuth: cosine and sine, (batch, 2).
        """
        return self.network(x, logits=logits)

    def add_lora(self, **kwargs) -> None:
        """
        Add low-rank adapters to the backbone and freeze the rest of it, as the paper trains it.

        :param kwargs: See :py:func:`seisbench_llm.models.lora.add_lora`.
        """
        if not isinstance(self.network.backbone, Backbone):
            raise ValueError("A model without a backbone takes no LoRA adapters.")
        lora.add_lora(self.network.backbone, **kwargs)

    def merge_lora(self) -> None:
        """Fold the adapters into the backbone; the outputs stay the same."""
        lora.merge_lora(self.network.backbone)

    def get_model_args(self) -> dict:
        """The constructor's arguments, JSON-safe; rebuilding needs no language model."""
        return {
            **self._arguments,
            "filter_args": self.filter_args,
            "filter_kwargs": self.filter_kwargs,
        }

    # Weights: see seisbench_llm.weights

    @classmethod
    def from_pretrained(
        cls, name, version_str="latest", update=False, force=False, wait_for_file=False
    ):
        """
        Load a model with weights.

        They are looked for in this order: packaged with seisbench_llm, SeisBench's cache,
        SeisBench's repository; a name with a slash is a local path without suffix or, if there is
        none, a Hugging Face id. Packaged, cached and local weights need no network.

        :param name: Name, id or path.
        :param version_str: Version, or ``latest``.
        :param update: If true, look for a newer version in SeisBench's repository first.
        :param force: If true, download again.
        :param wait_for_file: As in SeisBench.
        :raises seisbench_llm.WeightsError: If the weights cannot be found, or are not intact.
        """
        return weights.from_pretrained(
            cls, super().from_pretrained, name, version_str, update, force, wait_for_file
        )

    @classmethod
    def load(cls, path, version_str=None, **kwargs):
        """
        Load a model from a JSON file and a PyTorch or safetensors file beside it.

        :param path: Path without suffix.
        :param version_str: Version in the file names, None for file names without.
        :param kwargs: Accepted for compatibility with SeisBench; weights are always loaded
            safely and to the CPU.
        :raises seisbench_llm.WeightsError: If the files are missing or not intact.
        """
        return weights.load(cls, path, version_str)

    @classmethod
    def list_pretrained(cls, details=False, remote=True):
        """
        Names of all weights that are packaged, cached or, if it answers, in SeisBench's repository.

        :param details: If true, a dictionary of name to description.
        :param remote: If false, the repository is not asked.
        """
        return weights.list_pretrained(cls, super().list_pretrained, details, remote)

    @classmethod
    def list_versions(cls, name, remote=True):
        """
        Versions of a weight that are packaged, cached or, if it answers, in SeisBench's repository.

        :param name: Name of the weight.
        :param remote: If false, the repository is not asked.
        """
        return weights.list_versions(cls, super().list_versions, name, remote)

    def save(self, path, weights_docstring="", version_str=None, record=None):
        """
        Save as a SeisBench weight: a JSON and a PyTorch file.

        LoRA adapters are folded in; a model under training keeps its own. The file is plain and
        can be read without PEFT, and by SeisBench's own ``load``.

        :param path: Path without suffix.
        :param weights_docstring: Description of the weights.
        :param version_str: Version, also appended to the file names; None for file names without.
        :param record: What users should know; by default the record of the loaded weights.
        """
        weights.save(self, path, weights_docstring, version_str, record)

    def to_onnx(self, path, normalization=True):
        """
        Write the model as an ONNX file, for programs without Python or PyTorch.

        :param path: File to write.
        :param normalization: Whether the graph takes windows in any unit and normalises them.
        :return: The path. See :py:func:`seisbench_llm.models.onnx.export_onnx`.
        """
        from .onnx import export_onnx

        return export_onnx(self, path, normalization)

    @property
    def sha256(self) -> str | None:
        """SHA-256 of the weight file, if the weights came with one; None for an untrained model."""
        return weights_metadata(self).get("sha256")

    @property
    def record(self) -> weights.WeightRecord | None:
        """What is known of the loaded weights; None for an untrained model."""
        return weights.record_of(self)
