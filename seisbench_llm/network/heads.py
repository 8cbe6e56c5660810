"""Output heads: curves for picking, pooled estimates for all other tasks."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from ..tasks import TaskSpec
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


class UpStage(nn.Module):
    """
    Linear up-sampling to a given length, convolution, BatchNorm, GELU.

    A skip signal is brought to the same length and joined as further channels.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int):
        super().__init__()
        self.conv = nn.Conv1d(in_channels, out_channels, kernel)
        self.norm = nn.BatchNorm1d(out_channels)

    def forward(self, x: torch.Tensor, size: int, skip: torch.Tensor | None = None):
        x = F.interpolate(x, size=size, mode="linear")
        if skip is not None:
            x = torch.cat([x, F.interpolate(skip, size=size, mode="linear")], dim=1)
        x = self.conv(pad_same(x, self.conv.kernel_size[0]))
        return F.gelu(self.norm(x))


class CurveHead(nn.Module):
    """
    One probability per input sample and output.

    (batch, in_channels, latent samples), samples -> (batch, outputs, samples), in 0 to 1

    :param channels: Output channels of each up-sampling stage.
    :param kernels: Kernel of each up-sampling stage.
    :param out_kernel: Kernel of the last convolution.
    :param skip_channels: Channels of the signal that each stage gets besides the previous one's,
        none if empty.
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        kernels: Sequence[int],
        out_kernel: int,
        outputs: int,
        skip_channels: Sequence[int] = (),
    ):
        super().__init__()
        stages = []
        extra = skip_channels or [0] * len(channels)
        for out, kernel, more in zip(channels, kernels, extra, strict=True):
            stages.append(UpStage(in_channels + more, out, kernel))
            in_channels = out
        self.stages = nn.ModuleList(stages)
        self.out = nn.Conv1d(in_channels, outputs, out_kernel)

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

    With ``hidden``, a layer over all times at once instead of the mean.

    (batch, in_channels, latent samples) -> (batch, outputs): probabilities that add to one
    (``class``), a value between zero and the task's scale (``scalar``), or cosine and sine
    (``angle``).

    :param task: Which of the three.
    :param kernel: Kernel of the two convolutions.
    :param stride: Their stride.
    :param hidden: Width of a hidden layer, None for the mean.
    :param samples: Latent samples; with ``hidden``, no other number will do.
    """

    def __init__(
        self,
        in_channels: int,
        task: TaskSpec,
        kernel: int,
        stride: int,
        hidden: int | None = None,
        samples: int = 0,
    ):
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv1d(in_channels, in_channels, kernel, stride) for _ in range(2)
        )
        self.hidden = None
        if hidden is not None:
            for _ in self.convs:
                samples = (samples - kernel) // stride + 1
            self.hidden = nn.Linear(in_channels * samples, hidden)
            in_channels = hidden
        self.linear = nn.Linear(in_channels, len(task.outputs))
        self.kind = task.head
        self.scale = task.scale

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
