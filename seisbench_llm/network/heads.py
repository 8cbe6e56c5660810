"""Output heads: curves for picking, pooled estimates for all other tasks."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from .config import NetworkConfig
from .embedder import pad_same


def stage_sizes(start: int, end: int, stages: int) -> list[int]:
    """
    Lengths of a geometric sequence from ``start`` (excluded) to ``end`` (included), truncated
    one by one from the end, as in the published code.
    """
    factor = (end / start) ** (1 / stages)
    sizes = [end]
    for _ in range(stages - 1):
        sizes.insert(0, int(sizes[0] / factor))
    return sizes


def _resized(x: torch.Tensor, samples: int) -> torch.Tensor:
    # Most skip signals already have this length. Interpolating them anyway would cost time in
    # training.
    return x if x.shape[-1] == samples else F.interpolate(x, size=samples, mode="linear")


class UpStage(nn.Module):
    """
    Linear up-sampling to a given length, convolution, BatchNorm, GELU.

    A skip signal is brought to the same length and appended as further channels.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int):
        super().__init__()
        self.conv = nn.Conv1d(in_channels, out_channels, kernel)
        self.norm = nn.BatchNorm1d(out_channels)

    def forward(self, x: torch.Tensor, size: int, skip: torch.Tensor | None = None):
        x = _resized(x, size)
        if skip is not None:
            x = torch.cat([x, _resized(skip, size)], dim=1)
        x = self.conv(pad_same(x, self.conv.kernel_size[0]))
        return F.gelu(self.norm(x))


class CurveHead(nn.Module):
    """
    One probability per input sample and output.

    (batch, in_channels, latent samples), samples -> (batch, outputs, samples), in 0 to 1

    :param config: Gives the ``head_...`` sizes.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        in_channels, skips = config.latent_channels, [0] * len(config.head_channels)
        if config.head_skips:
            skips = [config.in_channels, *config.embedder_channels][::-1]
        stages = []
        for out, kernel, skip in zip(config.head_channels, config.head_kernels, skips, strict=True):
            stages.append(UpStage(in_channels + skip, out, kernel))
            in_channels = out
        self.stages = nn.ModuleList(stages)
        self.out = nn.Conv1d(in_channels, len(config.spec.outputs), config.head_out_kernel)

    def forward(
        self,
        x: torch.Tensor,
        samples: int,
        logits: bool = False,
        skips: Sequence[torch.Tensor] = (),
    ) -> torch.Tensor:
        sizes = stage_sizes(x.shape[-1], samples, len(self.stages))
        for i, (stage, size) in enumerate(zip(self.stages, sizes, strict=True)):
            x = stage(x, size, skips[i] if skips else None)
        x = self.out(pad_same(x, self.out.kernel_size[0]))
        return x if logits else self.activate(x)

    def activate(self, logits: torch.Tensor) -> torch.Tensor:
        """Probabilities from the output of the last layer."""
        return torch.sigmoid(logits)


class PooledHead(nn.Module):
    """
    One estimate per window: two convolutions, mean over time, linear layer.

    With ``pooled_hidden``, a layer over all times replaces the mean. All windows then need the same
    length.

    (batch, latent_channels, latent samples) -> (batch, outputs). The outputs are probabilities that
    add up to one (``class``), a value between zero and the task's scale (``scalar``), or cosine and
    sine (``angle``).

    :param config: Gives the ``pooled_...`` sizes and the task.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        channels = config.latent_channels
        kernel, stride = config.pooled_kernel, config.pooled_stride
        self.convs = nn.ModuleList(nn.Conv1d(channels, channels, kernel, stride) for _ in range(2))
        self.hidden = None
        if config.pooled_hidden is not None:
            samples = config.tokens * config.patch
            for _ in self.convs:
                samples = (samples - kernel) // stride + 1
            self.hidden = nn.Linear(channels * samples, config.pooled_hidden)
            channels = config.pooled_hidden
        self.linear = nn.Linear(channels, len(config.spec.outputs))
        self.kind = config.spec.head
        self.scale = config.spec.scale

    def forward(self, x: torch.Tensor, samples: int, logits: bool = False) -> torch.Tensor:
        for conv in self.convs:
            x = conv(x)
        x = x.mean(dim=-1) if self.hidden is None else F.gelu(self.hidden(x.flatten(1)))
        x = self.linear(x)
        return x if logits else self.activate(x)

    def activate(self, logits: torch.Tensor) -> torch.Tensor:
        """Estimates from the output of the last layer."""
        if self.kind == "class":
            return torch.softmax(logits, dim=-1)
        if self.kind == "angle":
            return torch.tanh(logits)
        return torch.sigmoid(logits) * self.scale
