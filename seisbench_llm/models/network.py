"""The network behind a SeisMoLLM: embedder, tokenizer, backbone and head in one module."""

from collections.abc import Sequence

import torch
from torch import nn

from ..tasks import TaskSpec
from .backbone import Backbone
from .embedder import Embedder
from .heads import CurveHead, PooledHead
from .tokenizer import from_tokens, to_tokens


class Network(nn.Module):
    """
    Waveform to answer.

    (batch, in_channels, samples) -> (batch, outputs, samples) for curves, else (batch, outputs)

    :param task: What is asked; decides the head.
    :param backbone: The language model's blocks, or None for a network without.
    :param width: Width of a token; the last embedder block has width / patch channels.
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
        pooled_kernel: int,
        pooled_stride: int,
    ):
        super().__init__()
        latent = width // patch
        self.patch = patch
        self.embedder = Embedder(
            in_channels,
            [*embedder_channels, latent],
            embedder_kernels,
            embedder_kernel_steps,
            embedder_strides,
            embedder_branches,
        )
        self.backbone = backbone if backbone is not None else nn.Identity()
        if task.head == "curves":
            self.head = CurveHead(
                latent, head_channels, head_kernels, head_out_kernel, len(task.outputs)
            )
        else:
            self.head = PooledHead(latent, task, pooled_kernel, pooled_stride)

    def forward(self, x: torch.Tensor, logits: bool = False) -> torch.Tensor:
        tokens = self.backbone(to_tokens(self.embedder(x), self.patch))
        return self.head(from_tokens(tokens, self.patch), x.shape[-1], logits=logits)
