"""
Fused network for evaluation: the same function with fewer and cheaper operations.

Linear operations after a convolution are folded into its weights. Adapters are merged. The branches
of a block share one convolution where that is faster. The fused network is rebuilt when the weights
of the model change. It is never saved or trained.
"""

from __future__ import annotations

import copy
import threading
from contextvars import ContextVar

import torch
import torch.nn.functional as F
from torch import nn

from . import lora
from .embedder import Branch, MultiScaleBlock, embedder_input
from .heads import CurveHead, stage_sizes
from .network import Network
from .patches import from_tokens, to_tokens
from .two_speeds import two_speeds

# Argument ``precision`` of the running call of annotate or classify, and None outside of one.
# SeisBench calls the model between our hooks like any other caller, and other callers get the
# network itself.
precision_of_annotate: ContextVar[str | None] = ContextVar("precision_of_annotate", default=None)


# Up to this number of output channels, one convolution with the largest kernel and zero-padded
# weights is faster than the branches of a block. Measured by benchmarks/speed/annotate.py.
MERGE_MAX_CHANNELS = 96


# Up to this number of output channels, a convolution after an up-sampling is faster in parts. In
# half precision, processors convolve faster than they gather.
PRODUCTS_FIRST_MAX_CHANNELS = {"float32": 256, "bfloat16": 16, "float16": 16}


class FusedCache:
    """
    Fused copies of one network, for each length of window and precision.

    They are made at first use and again after the weights have changed. The cache is safe for
    threads. A copy of the cache, or of the model that holds it, starts empty.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._networks: dict[tuple[int, str, bool], tuple[list, nn.Module]] = {}
        self._sums: list[float] = []
        self._compile: tuple[tuple, dict] | None = None

    def __reduce__(self):
        return FusedCache, ()

    def predict(
        self, network: Network, x: torch.Tensor, precision: str = "float32", one_speed: bool = False
    ):
        """
        The result of ``network(x)`` in evaluation mode, but faster and without gradients.

        :param x: Normalised windows, shape (batch, components, samples).
        :param precision: float32, bfloat16 or float16.
        :param one_speed: Whether a network with two speeds sees ``x`` as it is only. ``x`` then has
            half of a window's length.
        :return: Answers in single precision, whatever ``precision`` is.
        """
        fused = self._get(network, x.shape[-1], precision, one_speed)
        with torch.no_grad():
            return fused(x)

    def refresh(self, network: Network) -> None:
        """
        Notice changes of weights that PyTorch does not track, such as those through
        ``tensor.data``.
        """
        with self._lock:
            if self._networks and self._sums != _sums(network):
                self._networks.clear()

    def compile(self, *args, **kwargs) -> None:
        """Also compile the copies, with these arguments of :py:func:`torch.compile`."""
        with self._lock:
            self._compile = (args, kwargs)
            self._networks.clear()

    def _get(self, network: Network, samples: int, precision: str, one_speed: bool) -> nn.Module:
        kind = FusedTwoSpeeds if network.config.two_speeds and not one_speed else FusedNetwork
        key = samples, precision, kind is FusedTwoSpeeds
        tensors = [*network.parameters(), *network.buffers()]
        # PyTorch's versions count changes in place. Inference tensors have no version.
        state = [(t.data_ptr(), 0 if t.is_inference() else t._version, t.device) for t in tensors]
        with self._lock:
            made_from, fused = self._networks.get(key, (None, None))
            if made_from != state:
                fused = kind(network, samples, precision)
                if self._compile is not None:
                    args, kwargs = self._compile
                    fused.compile(*args, **kwargs)
                self._networks[key] = (state, fused)
                self._sums = _sums(network)
            return fused


def _sums(network: Network) -> list[float]:
    with torch.no_grad():
        sums = [tensor.sum(dtype=torch.float64) for tensor in network.state_dict().values()]
        return torch.stack(sums).tolist()


def padding(samples: int, kernel: int, stride: int = 1) -> tuple[int, int]:
    """
    Number of zeros that :py:func:`~seisbench_llm.network.embedder.pad_same` adds on either side.
    """
    total = max(kernel - stride, 0) + (-samples) % stride
    return total // 2, total - total // 2


def folded(conv: nn.Conv1d, norm: nn.BatchNorm1d) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of a convolution that includes the normalisation after it."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    bias = norm.bias - norm.running_mean * scale
    if conv.bias is not None:
        bias = bias + conv.bias * scale
    return conv.weight * scale[:, None, None], bias


class Convolution(nn.Module):
    """
    A convolution along time with given weights and zero padding.

    (batch, in_channels, 1, samples) -> (batch, out_channels, 1, samples / stride), channels last in
    memory, where convolutions with few channels come near the speed of the processor.

    :param weight: Shape (out_channels, in_channels, kernel).
    :param sides: Numbers of zeros before and after.
    """

    def __init__(self, weight, bias, stride: int = 1, sides: tuple[int, int] = (0, 0)):
        super().__init__()
        weight = weight[:, :, None].contiguous(memory_format=torch.channels_last)
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.bias = nn.Parameter(bias.contiguous(), requires_grad=False)
        self.stride, self.sides = stride, sides

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        before, after = self.sides
        if before == after or self.stride > 1:
            x = x if before == after else F.pad(x, (0, after - before))
            return F.conv2d(x, self.weight, self.bias, (1, self.stride), (0, before))
        # One superfluous output is cheaper than a copy of the input.
        x = F.conv2d(x, self.weight, self.bias, 1, (0, after))
        return x[..., after - before :]


def upsample(x: torch.Tensor, samples: int) -> torch.Tensor:
    """Linear interpolation along time."""
    return x if x.shape[-1] == samples else F.interpolate(x, size=(1, samples), mode="bilinear")


class FusedBlock(nn.Module):
    """:py:class:`~seisbench_llm.network.embedder.MultiScaleBlock` for one length."""

    def __init__(self, block: MultiScaleBlock, samples: int):
        super().__init__()
        branches = [self._branch(branch) for branch in block.branches]
        stride = block.branches[0].conv.stride[0]
        pads = [padding(samples, weight.shape[-1], stride) for weight, _ in branches]
        merge = sum(len(bias) for _, bias in branches) <= MERGE_MAX_CHANNELS
        if merge:
            left, right = (max(sides) for sides in zip(*pads, strict=True))
            weight = torch.cat(
                [
                    F.pad(weight, (left - before, right - after))
                    for (weight, _), (before, after) in zip(branches, pads, strict=True)
                ]
            )
            branches = [(weight, torch.cat([bias for _, bias in branches]))]
            pads = [(left, right)]
        self.branches = nn.ModuleList(
            Convolution(weight, bias, stride, sides)
            for (weight, bias), sides in zip(branches, pads, strict=True)
        )
        self.project = Convolution(*folded(block.project, block.norm))

    @staticmethod
    def _branch(branch: Branch) -> tuple[torch.Tensor, torch.Tensor]:
        weight, bias = folded(branch.conv, branch.norm)
        return torch.einsum("omk,mi->oik", weight, branch.project.weight[..., 0]), bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        signals = [F.gelu(branch(x)) for branch in self.branches]
        return self.project(signals[0] if len(signals) == 1 else torch.cat(signals, dim=1))


class UpConvolution(nn.Module):
    """An ``UpStage``: up-sampling, skip channels, and a convolution."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, samples: int):
        super().__init__()
        self.conv = Convolution(weight, bias, sides=padding(0, weight.shape[-1]))
        self.samples = samples

    def forward(self, x: torch.Tensor, skip: torch.Tensor | None = None) -> torch.Tensor:
        if skip is None and self.conv.weight.shape[-1] == 1:
            # A kernel of one sample commutes with up-sampling, and there are fewer samples before
            # it.
            return upsample(self.conv(x), self.samples)
        x = upsample(x, self.samples)
        if skip is not None:
            x = torch.cat([x, upsample(skip, self.samples)], dim=1)
        return self.conv(x)


class ProductsFirst(nn.Module):
    """
    An ``UpStage`` without skip channels: products first, then up-sampling.

    All taps of the kernel are applied before up-sampling, where there are fewer samples, as one
    matrix product. An output sample is then a weighted sum over the taps and over the two samples
    that each tap interpolates. Windows are processed one by one, so that the products stay in the
    processor's cache.

    :param latent: Number of input samples.
    :param samples: Number of output samples.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, latent: int, samples: int):
        super().__init__()
        outputs, inputs, kernel = weight.shape
        table = weight.permute(1, 2, 0).reshape(inputs, kernel * outputs).contiguous()
        self.weight = nn.Parameter(table, requires_grad=False)
        self.bias = nn.Parameter(bias.contiguous(), requires_grad=False)
        # Same rounding as torch.nn.functional.interpolate, in single precision.
        place = (torch.arange(samples, device=bias.device) + 0.5) * (latent / samples) - 0.5
        place = place.clamp(min=0)
        low = place.floor().long().clamp(max=latent - 1)
        fraction = (place - low)[:, None]
        at = torch.arange(samples, device=bias.device)[:, None] + torch.arange(
            kernel, device=bias.device
        )
        at = at - padding(0, kernel)[0]
        inside = (at >= 0) & (at < samples)
        at = at.clamp(0, samples - 1)
        taps = torch.arange(kernel, device=bias.device)
        rows = [low[at] * kernel + taps, (low[at] + 1).clamp(max=latent - 1) * kernel + taps]
        shares = [(1 - fraction[at, 0]) * inside, fraction[at, 0] * inside]
        self.register_buffer("rows", torch.cat(rows, dim=1).int())
        self.register_buffer("shares", torch.cat(shares, dim=1).to(weight.dtype))

    def forward(self, x: torch.Tensor, skip: None = None) -> torch.Tensor:
        batch, _, _, latent = x.shape
        products = x.new_empty(latent, self.weight.shape[1])
        table = products.view(-1, len(self.bias))
        out = x.new_empty(batch, len(self.rows), len(self.bias))
        for window, sums in zip(x[:, :, 0].transpose(1, 2), out, strict=True):
            torch.mm(window, self.weight, out=products)
            sums.copy_(
                F.embedding_bag(self.rows, table, per_sample_weights=self.shares, mode="sum")
            )
        return out.add_(self.bias).transpose(1, 2)[:, :, None]


class FusedCurveHead(nn.Module):
    """
    :py:class:`~seisbench_llm.network.heads.CurveHead` for one length. It returns logits.

    :param widest: Stages with at most this many output channels become :py:class:`ProductsFirst`.
    """

    def __init__(self, head: CurveHead, latent: int, samples: int, skips: bool, widest: int):
        super().__init__()
        stages = []
        sizes = stage_sizes(latent, samples, len(head.stages))
        for stage, size in zip(head.stages, sizes, strict=True):
            weight, bias = folded(stage.conv, stage.norm)
            if skips or weight.shape[-1] == 1 or len(bias) > widest:
                stages.append(UpConvolution(weight, bias, size))
            else:
                stages.append(ProductsFirst(weight, bias, latent, size))
            latent = size
        self.stages = nn.ModuleList(stages)
        sides = padding(0, head.out.kernel_size[0])
        self.out = Convolution(head.out.weight, head.out.bias, sides=sides)

    def forward(self, x: torch.Tensor, skips: list[torch.Tensor]) -> torch.Tensor:
        for i, stage in enumerate(self.stages):
            x = F.gelu(stage(x, skips[i] if skips else None))
        return self.out(x)[:, :, 0]


class FusedNetwork(nn.Module):
    """
    A network in evaluation mode for windows of one length.

    :param network: The network. It is not changed, and later changes of it have no effect here.
    :param samples: Length of the windows.
    :param precision: float32, bfloat16 or float16.
    """

    def __init__(self, network: Network, samples: int, precision: str = "float32"):
        super().__init__()
        with torch.no_grad():
            network = copy.deepcopy(network).eval().requires_grad_(False)
            lora.merge_lora(network)
            self.config, self.skips = network.config, network.skips
            blocks = []
            length = samples
            for block in network.embedder:
                blocks.append(FusedBlock(block, length))
                length = -(-length // block.branches[0].conv.stride[0])
            self.embedder = nn.ModuleList(blocks)
            self.backbone = network.backbone
            self.head = network.head
            if isinstance(network.head, CurveHead):
                length = length // self.config.patch * self.config.patch
                cpu = network.head.out.weight.device.type == "cpu"
                widest = PRODUCTS_FIRST_MAX_CHANNELS[precision] if cpu else 0
                self.head = FusedCurveHead(network.head, length, samples, self.skips, widest)
            self.activate = network.head.activate
        self.dtype = getattr(torch, precision)
        self.to(self.dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """
        Answers in single precision for normalised windows, shape (batch, components, samples).
        """
        samples = x.shape[-1]
        x = embedder_input(x.to(self.dtype), self.config)
        signals = [x[:, :, None].contiguous(memory_format=torch.channels_last)]
        for block in self.embedder:
            signals.append(block(signals[-1]))
        tokens = self.backbone(to_tokens(signals[-1][:, :, 0], self.config.patch))
        latent = from_tokens(tokens, self.config.patch)
        if isinstance(self.head, FusedCurveHead):
            latent = latent[:, :, None].contiguous(memory_format=torch.channels_last)
            logits = self.head(latent, signals[-2::-1] if self.skips else [])
        else:
            logits = self.head(latent, samples, logits=True)
        return self.activate(logits.float())


class FusedTwoSpeeds(nn.Module):
    """
    A network at two speeds (:py:func:`~seisbench_llm.network.two_speeds.two_speeds`), fused.

    :param network: See :py:class:`FusedNetwork`, also for the other parameters.
    """

    def __init__(self, network: Network, samples: int, precision: str = "float32"):
        super().__init__()
        self.window = FusedNetwork(network, samples // 2, precision)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See :py:meth:`FusedNetwork.forward`."""
        return two_speeds(self.window, x.float())
