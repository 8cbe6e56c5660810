"""The network behind a SeisMoLLM: embedder, tokenizer, backbone and head in one module."""

from collections.abc import Sequence

import torch
from torch import nn

from ..tasks import TaskSpec
from .backbone import Backbone
from .embedder import Embedder, with_polarisation
from .heads import CurveHead, PooledHead
from .patches import from_tokens, to_tokens


class Network(nn.Module):
    """
    Waveform to answer.

    (batch, in_channels, samples) -> (batch, outputs, samples) for curves, else (batch, outputs)

    :param task: What is asked; decides the head.
    :param backbone: The language model's blocks, or None for a network without.
    :param width: Width of a token; the last embedder block has width / patch channels.
    :param head_skips: Whether the stages of a curve head also see the embedder's inner signals,
        the last one the waveform.
    :param latent_samples: Samples of the latent sequence for the window it is made for.
    :param polarisation: Whether the embedder sees
        :py:func:`~seisbench_llm.models.embedder.with_polarisation`.
    """

    def __init__(
        self,
        task: TaskSpec,
        backbone: Backbone | None,
        width: int,
        in_channels: int,
        embedder_channels: Sequence[int],
        embedder_kernels: Sequence[int],
        embedder_kernel_steps: Sequence[int],
        embedder_strides: Sequence[int],
        embedder_branches: int,
        patch: int,
        head_channels: Sequence[int],
        head_kernels: Sequence[int],
        head_out_kernel: int,
        head_skips: bool,
        pooled_kernel: int,
        pooled_stride: int,
        pooled_hidden: int | None,
        latent_samples: int,
        polarisation: bool,
    ):
        super().__init__()
        latent = width // patch
        self.patch = patch
        self.polarisation = polarisation
        if polarisation:
            in_channels = 2 * in_channels - 1
        self.embedder = Embedder(
            in_channels,
            [*embedder_channels, latent],
            embedder_kernels,
            embedder_kernel_steps,
            embedder_strides,
            embedder_branches,
        )
        self.backbone = backbone if backbone is not None else nn.Identity()
        self.skips = head_skips and task.head == "curves"
        if task.head == "curves":
            skips = [in_channels, *embedder_channels][::-1] if self.skips else []
            self.head = CurveHead(
                latent, head_channels, head_kernels, head_out_kernel, len(task.outputs), skips
            )
        else:
            self.head = PooledHead(
                latent, task, pooled_kernel, pooled_stride, pooled_hidden, latent_samples
            )

    def forward(self, x: torch.Tensor, logits: bool = False) -> torch.Tensor:
        signals = [with_polarisation(x) if self.polarisation else x]
        for block in self.embedder:
            signals.append(block(signals[-1]))
        tokens = self.backbone(to_tokens(signals[-1], self.patch))
        latent = from_tokens(tokens, self.patch)
        if self.skips:
            # From the coarsest to the waveform itself, as the head's stages get finer.
            return self.head(latent, x.shape[-1], logits=logits, skips=signals[-2::-1])
        return self.head(latent, x.shape[-1], logits=logits)
