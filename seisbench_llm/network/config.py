"""Sizes of the network and of its backbone, checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from numbers import Integral, Real

from ..tasks import TaskSpec, get_task

# Limits far above any real network, so that a damaged file cannot describe one that fills the
# memory.
MAX_SIZE, MAX_LAYERS = 2**24, 100


@dataclass(frozen=True)
class BackboneConfig:
    """
    Shape of a transformer; JSON-safe through :py:func:`dataclasses.asdict`.

    :param width: Width of a token.
    :param layers: Number of blocks.
    :param heads: Attention heads per block.
    :param mlp_width: Width of the hidden layer in each block.
    :param positions: Longest sequence, in tokens.
    :param causal: Whether a token sees only earlier ones.
    :param norm_first: Whether the normalisation comes before each part (GPT-2, Llama) or after it
        (BERT).
    :param tanh_gelu: Whether GELU is the approximation of GPT-2 instead of the exact function.
    :param norm_eps: Epsilon of LayerNorm.
    :param dropout: Dropout of tokens, attention and block outputs while training.
    :param kv_heads: Number of heads of keys and values. Each is shared by several heads of queries
        (grouped-query attention, Ainslie et al. 2023). None means as many as heads of queries.
    :param rotary_theta: Base of rotary positions (Su et al. 2021), None for learned ones.
    :param rms_norm: Whether to use RMSNorm (Zhang and Sennrich 2019) instead of LayerNorm.
    :param gated: Whether to use SwiGLU (Shazeer 2020) instead of GELU: the SiLU of one half of the
        hidden layer times the other half.
    :param bias: Whether linear layers have a bias.
    :raises ValueError: If a size is impossible.
    """

    width: int
    layers: int
    heads: int
    mlp_width: int
    positions: int
    causal: bool
    norm_first: bool
    tanh_gelu: bool
    norm_eps: float
    dropout: float = 0.1
    kv_heads: int | None = None
    rotary_theta: float | None = None
    rms_norm: bool = False
    gated: bool = False
    bias: bool = True

    def __post_init__(self):
        if self.layers == 0:
            raise ValueError(
                "A backbone needs at least one layer; use backbone=None for no backbone."
            )
        _check_size("layers", self.layers, most=MAX_LAYERS)
        for name in ("width", "heads", "mlp_width", "positions"):
            _check_size(name, getattr(self, name))
        if self.width % self.heads:
            raise ValueError(f"Width {self.width} is not divisible by {self.heads} heads.")
        if self.kv_heads is not None:
            _check_size("kv_heads", self.kv_heads)
            if self.heads % self.kv_heads:
                raise ValueError(f"{self.heads} heads cannot share {self.kv_heads} heads of keys.")
        if self.rotary_theta is not None:
            if not (isinstance(self.rotary_theta, Real) and 1 < self.rotary_theta < math.inf):
                raise ValueError(f"rotary_theta cannot be {self.rotary_theta!r}.")
            if self.width // self.heads % 2:
                raise ValueError("Rotary positions need heads of an even width.")

    @classmethod
    def from_dict(cls, config: dict) -> BackboneConfig:
        """
        Inverse of :py:func:`dataclasses.asdict`.

        :raises ValueError: If entries are unknown or missing.
        """
        unknown = set(config) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"Unknown entries in backbone_config: {', '.join(sorted(unknown))}.")
        try:
            return cls(**config)
        except TypeError as error:
            raise ValueError(f"backbone_config: {error}") from error


@dataclass(frozen=True)
class NetworkConfig:
    """
    Sizes of a :py:class:`~seisbench_llm.network.network.Network`. The defaults are those of the
    paper.

    :param task: Name of the task. It determines the head.
    :param backbone_config: Shape of the language model, as an object or a dictionary. None for a
        network without a language model.
    :param width: Width of a token. With a backbone it is the backbone's.
    :param in_samples: Window length in samples.
    :param component_order: Components of a window.
    :param polarisation: Whether the embedder also sees the product of the vertical with each
        horizontal, see :py:func:`~seisbench_llm.network.embedder.with_polarisation`. Not in the
        paper. The back-azimuth lies in these products, and convolutions learn a product slowly.
    :param compressed: Whether the embedder also sees each component compressed, see
        :py:func:`~seisbench_llm.network.embedder.compress`. Not in the paper. Without it, the
        network misses onsets that are small compared with the largest wave of the window.
    :param two_speeds: Whether the curves join those of the window as it is and at twice the speed,
        see :py:func:`~seisbench_llm.network.two_speeds.two_speeds`. Embedder, backbone
        and head then see half of ``in_samples`` samples at a time. Only for curves. Not in the
        paper.
    :param embedder_channels: Output channels of all embedder blocks except the last, which has
        width / patch.
    :param embedder_kernels: Smallest kernel of each embedder block.
    :param embedder_kernel_steps: Growth of the kernel from branch to branch, per block.
    :param embedder_strides: Stride of each embedder block.
    :param embedder_branches: Number of branches per embedder block.
    :param patch: Latent samples per token.
    :param head_channels: Channels of each up-sampling stage (curves).
    :param head_kernels: Kernel of each up-sampling stage (curves).
    :param head_out_kernel: Kernel of the last convolution (curves).
    :param head_skips: Whether the up-sampling stages also see the embedder's inner signals and, at
        the end, the waveform (curves). Not in the paper. Tokens alone do not tell an onset to the
        sample, and their answer depends on its place in the window.
    :param pooled_kernel: Kernel of the two convolutions of the other heads.
    :param pooled_stride: Stride of these convolutions.
    :param pooled_hidden: Width of a hidden layer that sees all times at once. None for the mean
        over time. Not in the paper. With a mean, small networks hardly learn when S arrives.
    :raises ValueError: If sizes are impossible or do not fit together. The message says what to
        change.
    """

    task: str = "picking"
    backbone_config: BackboneConfig | None = None
    width: int | None = None
    in_samples: int = 6000
    component_order: str = "ZNE"
    polarisation: bool = False
    compressed: bool = False
    two_speeds: bool = False
    embedder_channels: Sequence[int] = (16, 48, 96)
    embedder_kernels: Sequence[int] = (16, 8, 6, 1)
    embedder_kernel_steps: Sequence[int] = (8, 6, 4, 2)
    embedder_strides: Sequence[int] = (2, 2, 2, 1)
    embedder_branches: int = 4
    patch: int = 8
    head_channels: Sequence[int] = (224, 192, 160, 6)
    head_kernels: Sequence[int] = (1, 6, 8, 16)
    head_out_kernel: int = 7
    head_skips: bool = False
    pooled_kernel: int = 16
    pooled_stride: int = 4
    pooled_hidden: int | None = None

    def __post_init__(self):
        for name in _SEQUENCES:
            self._set(name, tuple(getattr(self, name)))
        if isinstance(self.backbone_config, dict):
            self._set("backbone_config", BackboneConfig.from_dict(self.backbone_config))
        get_task(self.task)
        self._check_width()
        self._check_sizes()
        self._check_stages()
        self._check_window()

    def _set(self, name: str, value) -> None:
        object.__setattr__(self, name, value)

    def _check_width(self) -> None:
        backbone = self.backbone_config
        if self.width is None:
            self._set("width", 768 if backbone is None else backbone.width)
        if backbone is not None and self.width != backbone.width:
            raise ValueError(f"The backbone is {backbone.width} wide, width is {self.width}.")

    def _check_sizes(self) -> None:
        for name in _SIZES:
            _check_size(name, getattr(self, name))
        _check_size("embedder_branches", self.embedder_branches, most=MAX_LAYERS)
        if self.pooled_hidden is not None:
            _check_size("pooled_hidden", self.pooled_hidden)
        for name in _SEQUENCES:
            if len(getattr(self, name)) > MAX_LAYERS:
                raise ValueError(f"{name} has more than {MAX_LAYERS} entries.")
            for value in getattr(self, name):
                _check_size(name, value, least=0 if name == "embedder_kernel_steps" else 1)
        if self.width % self.patch:
            raise ValueError(
                f"The width {self.width} is not a multiple of the patch length {self.patch}."
            )

    def _check_stages(self) -> None:
        blocks = len(self.embedder_channels) + 1
        for name in ("embedder_kernels", "embedder_kernel_steps", "embedder_strides"):
            if len(getattr(self, name)) != blocks:
                raise ValueError(f"{name} needs {blocks} entries, one more than embedder_channels.")
        if self.spec.head != "curves":
            return
        if len(self.head_kernels) != len(self.head_channels) or not self.head_channels:
            raise ValueError("head_channels and head_kernels need one entry per stage each.")
        if self.head_skips and len(self.head_channels) != blocks:
            raise ValueError("head_skips needs as many head stages as embedder blocks.")

    def _check_window(self) -> None:
        if self.two_speeds and (self.spec.head != "curves" or self.in_samples % 4):
            raise ValueError(
                f"two_speeds is for tasks with curves and windows of a multiple of four samples, "
                f"not for {self.task} with {self.in_samples} samples."
            )
        shortest = 1
        if self.spec.head != "curves":
            # Two convolutions without padding.
            samples = self.pooled_kernel + (self.pooled_kernel - 1) * self.pooled_stride
            shortest = -(-samples // self.patch)
        possible, fits = f"at least {shortest}", shortest <= self.tokens
        if self.backbone_config is not None:
            positions = self.backbone_config.positions
            possible, fits = f"{shortest} to {positions}", shortest <= self.tokens <= positions
        if not fits:
            raise ValueError(
                f"A window of {self.in_samples} samples makes {self.tokens} tokens; the model "
                f"takes {possible}. Change in_samples, embedder_strides or patch."
            )

    @property
    def spec(self) -> TaskSpec:
        """The task."""
        return get_task(self.task)

    @property
    def in_channels(self) -> int:
        """Channels that the embedder sees."""
        components = len(self.component_order)
        seen = 2 * components - 1 if self.polarisation else components
        return seen + components if self.compressed else seen

    @property
    def latent_channels(self) -> int:
        """Channels of the latent sequence."""
        return self.width // self.patch

    @property
    def tokens(self) -> int:
        """Tokens that the backbone sees at a time."""
        latent = self.in_samples // 2 if self.two_speeds else self.in_samples
        for stride in self.embedder_strides:
            latent = -(-latent // stride)
        return latent // self.patch

    def to_dict(self) -> dict:
        """The sizes as a flat, JSON-safe dictionary, as in the ``model_args`` of a saved weight."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }


_SIZES = (
    "width",
    "in_samples",
    "patch",
    "head_out_kernel",
    "pooled_kernel",
    "pooled_stride",
)
_SEQUENCES = (
    "embedder_channels",
    "embedder_kernels",
    "embedder_kernel_steps",
    "embedder_strides",
    "head_channels",
    "head_kernels",
)


def _check_size(name: str, value, least: int = 1, most: int = MAX_SIZE) -> None:
    possible = isinstance(value, Integral) and not isinstance(value, bool)
    if not possible or not least <= value <= most:
        raise ValueError(f"{name}={value!r} is not possible: it must be {least} to {most}.")
