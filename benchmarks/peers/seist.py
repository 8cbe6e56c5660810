"""
SeisT as a SeisBench model: a convolutional transformer for five tasks.

Li, S., Yang, X., Cao, A., Wang, C., Liu, Y., Liu, Y., & Niu, Q. (2024). SeisT: A Foundational Deep
Learning Model for Earthquake Monitoring Tasks. IEEE Transactions on Geoscience and Remote Sensing.

The parameter names are those of the published weights, which load unchanged::

    model = SeisT.from_safetensors("seist_l_emg_diting.safetensors")
    model.predict(windows)  # (batch, 3, 8192), components ZNE, 50 Hz
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import seisbench.util as sbu
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from seisbench.models import WaveformModel
from torch import nn

from seisbench_llm.network.embedder import pad_same
from seisbench_llm.network.heads import stage_sizes
from seisbench_llm.preprocess import normalize

# Published name -> labels, factor of the sigmoid (None: probabilities).
TASKS = {
    "dpk": (("Detection", "P", "S"), 1.0),
    "pmp": (("up", "down"), None),
    "emg": (("magnitude",), 8.0),
    "dis": (("distance",), 500.0),
    "baz": (("back_azimuth",), 360.0),
}

STEM_CHANNELS, STEM_KERNELS, STEM_STRIDES = (16, 8, 16, 16), (11, 5, 5, 7), (2, 1, 1, 2)


@dataclass(frozen=True)
class Size:
    """
    Shape of the encoder.

    :param blocks: Blocks per stage; the last ``attention_blocks`` of a stage have attention.
    :param channels: Channels per stage.
    :param head_channels: Channels of an attention head, and of a group of the convolutions.
    :param kernels: Kernels of the parallel convolutions of a block.
    :param mlp: Width of a hidden layer, as a multiple of the channels.
    :param drop: Probability of dropout in training.
    """

    blocks: tuple[int, ...]
    channels: tuple[int, ...]
    attention_blocks: tuple[int, ...]
    head_channels: tuple[int, ...]
    kernels: tuple[int, ...]
    mlp: int
    drop: float


SIZES = {
    "s": Size((2, 2, 3, 2), (16, 24, 32, 64), (1, 1, 1, 1), (8, 8, 8, 16), (5, 7), 2, 0.1),
    "m": Size((2, 3, 6, 2), (24, 32, 64, 96), (1, 1, 1, 1), (8, 8, 16, 32), (5, 7), 2, 0.1),
    "l": Size((2, 3, 6, 3), (32, 32, 64, 128), (1, 1, 2, 1), (8, 8, 16, 32), (3, 5, 7, 11), 3, 0.2),
}
# Keys and values of a stage's attention are pooled by this.
ATTENTION_POOLING = (8, 4, 2, 1)
ATTENTION_SHARE = 0.6


def divisible(channels: int, divisor: int) -> int:
    """The multiple of ``divisor`` next to ``channels`` that is not less than nine tenths of it."""
    near = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return near + divisor if near < 0.9 * channels else near


def pointwise(inputs: int, outputs: int, bias: bool = False) -> nn.Conv1d:
    return nn.Conv1d(inputs, outputs, 1, bias=bias)


class Aggregation(nn.Module):
    """Sum of mean and maximum over ``factor`` samples, projection, BatchNorm."""

    def __init__(self, inputs: int, outputs: int, factor: int):
        super().__init__()
        self.factor = factor
        self.proj = pointwise(inputs, outputs)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = F.avg_pool1d(x, self.factor, ceil_mode=True)
        largest = F.max_pool1d(x, self.factor, ceil_mode=True)
        return self.norm(self.proj(mean + largest))


class MLP(nn.Module):
    def __init__(self, channels: int, ratio: int, drop: float):
        super().__init__()
        self.lin0 = pointwise(channels, channels * ratio, bias=True)
        self.lin1 = pointwise(channels * ratio, channels, bias=True)
        self.drop = nn.Dropout(drop)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.drop(self.lin1(F.gelu(self.lin0(x))))


class StemPath(nn.Module):
    """Depthwise separable convolution, BatchNorm, GELU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int):
        super().__init__()
        self.in_proj = pointwise(inputs, inputs)
        self.dconv = nn.Conv1d(inputs, inputs, kernel, stride, groups=inputs, bias=False)
        self.pconv = pointwise(inputs, outputs)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = pad_same(self.in_proj(x), self.dconv.kernel_size[0], self.dconv.stride[0])
        return F.gelu(self.norm(self.pconv(self.dconv(x))))


class StemBlock(nn.Module):
    """Three kernels side by side."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int):
        super().__init__()
        self.convs = nn.ModuleList(
            StemPath(inputs, outputs, kernel + 4 * i, stride) for i in range(3)
        )
        self.out_proj = pointwise(3 * outputs, outputs)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.out_proj(torch.cat([conv(x) for conv in self.convs], dim=1)))


class GroupConv(nn.Module):
    """Grouped convolution and MLP, each with a residual connection."""

    def __init__(self, channels: int, groups: int, kernel: int, size: Size):
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, kernel, groups=groups, bias=False)
        self.norm0 = nn.BatchNorm1d(channels)
        self.proj = pointwise(channels, channels)
        self.norm1 = nn.BatchNorm1d(channels)
        self.mlp = MLP(channels, size.mlp, size.drop)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(pad_same(x, self.conv.kernel_size[0]))
        x = x + self.proj(F.gelu(self.norm0(y)))
        return x + self.mlp(self.norm1(x))


class MixedConv(nn.Module):
    """Grouped convolutions of several kernels, which share the channels among them."""

    def __init__(self, channels: int, group: int, size: Size):
        super().__init__()
        self.projs, self.norms, self.convs = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        left = channels
        for i, kernel in enumerate(size.kernels):
            width = divisible(left // (len(size.kernels) - i), group)
            left -= width
            self.projs.append(pointwise(channels, width))
            self.norms.append(nn.BatchNorm1d(width))
            self.convs.append(GroupConv(width, width // group, kernel, size))
        self.out_norm = nn.BatchNorm1d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        paths = []
        for proj, norm, conv in zip(self.projs, self.norms, self.convs, strict=True):
            y = norm(proj(x))
            paths.append(y + conv(y))
        return self.out_norm(torch.cat(paths, dim=1))


class Attention(nn.Module):
    """Multi-head attention to keys and values of pooled samples."""

    def __init__(self, channels: int, head: int, pooling: int, drop: float):
        super().__init__()
        self.heads, self.drop = channels // head, drop
        pooled = pooling > 1
        self.aggr = Aggregation(channels, channels, pooling) if pooled else nn.Identity()
        self.norm = nn.BatchNorm1d(channels) if pooled else nn.Identity()
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (
            pointwise(channels, channels, bias=True) for _ in range(4)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        def by_head(y):
            return y.unflatten(1, (self.heads, -1)).transpose(-1, -2)

        pooled = self.norm(self.aggr(x))
        y = F.scaled_dot_product_attention(
            by_head(self.q_proj(x)),
            by_head(self.k_proj(pooled)),
            by_head(self.v_proj(pooled)),
            dropout_p=self.drop if self.training else 0.0,
        )
        return self.out_proj(y.transpose(-1, -2).flatten(1, 2))


class AttentionBlock(nn.Module):
    """Attention on some of the channels, a convolution on the others, and an MLP on all."""

    def __init__(self, channels: int, head: int, pooling: int, size: Size):
        super().__init__()
        attended = divisible(int(channels * ATTENTION_SHARE), head)
        rest = channels - attended
        self.attn_proj = pointwise(channels, attended)
        self.norm0 = nn.BatchNorm1d(attended)
        self.attention = Attention(attended, head, pooling, size.drop)
        self.conv_proj = None
        if rest:
            self.conv_proj = pointwise(channels, rest)
            self.norm1 = nn.BatchNorm1d(rest)
            self.gconv = GroupConv(rest, rest // head, 3, size)
        self.norm2 = nn.BatchNorm1d(channels)
        self.mlp = MLP(channels, size.mlp, size.drop)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm0(self.attn_proj(x))
        paths = [y + self.attention(y)]
        if self.conv_proj is not None:
            y = self.norm1(self.conv_proj(x))
            paths.append(y + self.gconv(y))
        x = self.norm2(torch.cat(paths, dim=1))
        return x + self.mlp(x)


class CurveHead(nn.Module):
    """Linear up-sampling and convolution, stage by stage, to one curve per output."""

    def __init__(self, inputs: int, channels: list[int], kernels: list[int], outputs: int):
        super().__init__()
        self.up_layers = nn.ModuleList()
        for out, kernel in zip([*channels[:-1], 2 * outputs], kernels, strict=True):
            layer = nn.Module()
            layer.conv = nn.Conv1d(inputs, out, kernel)
            layer.norm = nn.BatchNorm1d(out)
            self.up_layers.append(layer)
            inputs = out
        self.out_conv = nn.Conv1d(inputs, outputs, 7, padding=3)

    def forward(self, x: torch.Tensor, samples: int) -> torch.Tensor:
        sizes = stage_sizes(x.shape[-1], samples, len(self.up_layers))
        for layer, size in zip(self.up_layers, sizes, strict=True):
            x = pad_same(F.interpolate(x, size=size, mode="linear"), layer.conv.kernel_size[0])
            x = F.gelu(layer.norm(layer.conv(x)))
        return self.out_conv(x)


class PooledHead(nn.Module):
    """Linear layer on the mean over time."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.lin = nn.Linear(inputs, outputs)

    def forward(self, x: torch.Tensor, samples: int) -> torch.Tensor:
        return self.lin(x.mean(-1))


class SeisT(WaveformModel):
    """
    SeisT for one task.

    :param task: ``dpk`` (picking), ``pmp`` (polarity), ``emg`` (magnitude), ``dis`` (distance) or
        ``baz`` (back-azimuth), as the published code names them.
    :param size: ``s``, ``m`` or ``l``.
    :raises ValueError: If there is no such task or size.
    """

    _annotate_args = WaveformModel._annotate_args.copy()

    def __init__(
        self,
        task: str = "dpk",
        size: str = "l",
        in_samples: int = 8192,
        sampling_rate: float = 50,
        **kwargs,
    ):
        if task not in TASKS or size not in SIZES:
            raise ValueError(f"SeisT has tasks {', '.join(TASKS)} and sizes {', '.join(SIZES)}.")
        labels, scale = TASKS[task]
        curves = task == "dpk"
        super().__init__(
            citation=__doc__,
            in_samples=in_samples,
            output_type="array" if curves else "point",
            pred_sample=(0, in_samples) if curves else in_samples // 4,
            labels=list(labels),
            sampling_rate=sampling_rate,
            component_order="ZNE",
            **kwargs,
        )
        self.task, self.size, self.scale = task, size, scale
        shape = SIZES[size]
        inputs = (3, *STEM_CHANNELS)
        self.stem = nn.Sequential(
            *(
                StemBlock(*block)
                for block in zip(inputs, STEM_CHANNELS, STEM_KERNELS, STEM_STRIDES, strict=False)
            )
        )
        self.encoder_layers = nn.ModuleList()
        before = STEM_CHANNELS[-1]
        for stage, channels in enumerate(shape.channels):
            head = shape.head_channels[stage]
            plain = shape.blocks[stage] - shape.attention_blocks[stage]
            blocks = [Aggregation(before, channels, 2)]
            blocks += [MixedConv(channels, head, shape) for _ in range(plain)]
            blocks += [
                AttentionBlock(channels, head, ATTENTION_POOLING[stage], shape)
                for _ in range(shape.attention_blocks[stage])
            ]
            self.encoder_layers.append(nn.Sequential(*blocks))
            before = channels
        if curves:
            # One stage per halving of the encoder, from the last to the first.
            widths = [*shape.channels[-2::-1], STEM_CHANNELS[-1], STEM_CHANNELS[2], 3]
            kernels = [max(shape.kernels)] * 4 + [STEM_KERNELS[3], STEM_KERNELS[0]]
            self.out_head = CurveHead(before, widths, kernels, len(labels))
        else:
            self.out_head = PooledHead(before, len(labels))

    @classmethod
    def from_safetensors(cls, path: str | Path) -> SeisT:
        """
        A model with published weights; task and size are read from the name of the file.

        :param path: For example ``seist_l_emg_diting.safetensors``.
        :raises ValueError: If the name does not tell task and size.
        """
        named = re.match(rf"seist_([{''.join(SIZES)}])_({'|'.join(TASKS)})_", Path(path).name)
        if named is None:
            raise ValueError(f"{path}: the name is not seist_SIZE_TASK_DATA.safetensors.")
        model = cls(task=named[2], size=named[1])
        model.load_state_dict(load_file(path))
        return model.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """
        :param x: Normalised windows, shape (batch, 3, samples), components ZNE.
        :return: Picking: probabilities, (batch, 3, samples). Polarity: probabilities of up and
            down, (batch, 2). Otherwise magnitude, km or degrees, (batch, 1).
        """
        samples = x.shape[-1]
        x = self.stem(x)
        for layer in self.encoder_layers:
            x = layer(x)
        x = self.out_head(x, samples)
        return torch.softmax(x, -1) if self.scale is None else torch.sigmoid(x) * self.scale

    def predict(self, windows: torch.Tensor) -> torch.Tensor:
        """Answer for windows of any unit, shape (batch, 3, samples); without gradients."""
        with torch.inference_mode():
            return self(normalize(windows, joint=False))

    def annotate_batch_pre(self, batch: torch.Tensor, argdict: dict) -> torch.Tensor:
        return normalize(batch, joint=False)

    def annotate_batch_post(self, batch: torch.Tensor, piggyback, argdict: dict) -> torch.Tensor:
        return batch.transpose(-1, -2) if self.task == "dpk" else batch

    def classify_aggregate(self, annotations, argdict) -> sbu.ClassifyOutput:
        picks = sbu.PickList()
        if self.task == "dpk":
            for phase in "PS":
                picks += self.picks_from_annotations(
                    annotations.select(channel=f"{self.__class__.__name__}_{phase}"),
                    argdict.get(f"{phase}_threshold", 0.3),
                    phase,
                )
        return sbu.ClassifyOutput(self.name, picks=sbu.PickList(sorted(picks)))

    def get_model_args(self) -> dict:
        return {
            "task": self.task,
            "size": self.size,
            "in_samples": self.in_samples,
            "sampling_rate": self.sampling_rate,
        }
