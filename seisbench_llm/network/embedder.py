"""Multi-scale convolutional embedder: from a waveform to a latent sequence."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from .config import NetworkConfig


def pad_same(x: torch.Tensor, kernel: int, stride: int = 1) -> torch.Tensor:
    """
    Zero padding after which a convolution keeps ceil(samples / stride) samples.

    The smaller half of the padding is on the left.

    :param x: Shape (batch, channels, samples).
    """
    padding = max(kernel - stride, 0) + (-x.shape[-1]) % stride
    return F.pad(x, (padding // 2, padding - padding // 2))


def with_polarisation(x: torch.Tensor) -> torch.Tensor:
    """
    Append the products of the first component (Z) with each other component, divided by the length
    of the vector.

    P moves the ground along a line. The mean of these products therefore points along the line to
    the source, whatever the first motion is. The products have the scale of the waveform and rotate
    with the horizontals.

    :param x: Shape (batch, components, samples).
    :return: Shape (batch, 2 * components - 1, samples).
    """
    length = (x.square().sum(dim=1, keepdim=True) + 1e-12).sqrt()
    return torch.cat([x, x[:, :1] * x[:, 1:] / length], dim=1)


def compress(x: torch.Tensor) -> torch.Tensor:
    """
    Compress the dynamic range: sign(x) log(1 + 100 |x|) / 5.

    The function is linear below a hundredth of the standard deviation and logarithmic above. GELU
    is nearly linear for signals far below one, so the network cannot form an envelope of them.
    Without compression it therefore misses onsets that are small compared with the largest wave of
    the window.

    :param x: Normalised windows.
    :return: The same shape.
    """
    # The inverse hyperbolic sine has the same effect but takes five times as long.
    return x.sign() * torch.log1p(100 * x.abs()) / 5


def embedder_input(x: torch.Tensor, config: NetworkConfig) -> torch.Tensor:
    """Input of the embedder for windows, shape (batch, ``config.in_channels``, samples)."""
    seen = with_polarisation(x) if config.polarisation else x
    return torch.cat([seen, compress(x)], dim=1) if config.compressed else seen


class Branch(nn.Module):
    """One scale: 1x1 convolution, strided convolution, BatchNorm, GELU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int):
        super().__init__()
        self.project = nn.Conv1d(in_channels, in_channels, 1, bias=False)
        self.conv = nn.Conv1d(in_channels, out_channels, kernel, stride, bias=False)
        self.norm = nn.BatchNorm1d(out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = pad_same(self.project(x), self.conv.kernel_size[0], self.conv.stride[0])
        return F.gelu(self.norm(self.conv(x)))


class MultiScaleBlock(nn.Module):
    """
    Parallel branches of growing kernel, concatenated and projected.

    (batch, in_channels, samples) -> (batch, out_channels, ceil(samples / stride))

    :param kernels: Kernel size of each branch.
    """

    def __init__(self, in_channels: int, out_channels: int, kernels: Sequence[int], stride: int):
        super().__init__()
        self.branches = nn.ModuleList(
            Branch(in_channels, out_channels, kernel, stride) for kernel in kernels
        )
        self.project = nn.Conv1d(out_channels * len(kernels), out_channels, 1, bias=False)
        self.norm = nn.BatchNorm1d(out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.project(torch.cat([branch(x) for branch in self.branches], dim=1)))


class Embedder(nn.Sequential):
    """
    Chain of multi-scale blocks.

    (batch, components, samples) -> (batch, latent_channels, samples / product of strides),
    rounded up at each block.

    :param config: Its ``embedder_...`` sizes.
    """

    def __init__(self, config: NetworkConfig):
        blocks = []
        in_channels = config.in_channels
        for out, kernel, step, stride in zip(
            [*config.embedder_channels, config.latent_channels],
            config.embedder_kernels,
            config.embedder_kernel_steps,
            config.embedder_strides,
            strict=True,
        ):
            kernels = [kernel + i * step for i in range(config.embedder_branches)]
            blocks.append(MultiScaleBlock(in_channels, out, kernels, stride))
            in_channels = out
        super().__init__(*blocks)
