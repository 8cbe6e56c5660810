"""
Transformer blocks of the language model, in plain PyTorch.

Three families share one block: GPT-2 (causal, LayerNorm before each part, Radford et al. 2019),
BERT encoders such as MiniLM (bidirectional, LayerNorm after each part, Devlin et al. 2019), and
Llama (causal, RMSNorm before each part, rotary positions, shared heads of keys and values, gated
MLP, Touvron et al. 2023), as SmolLM2 is. The vocabulary and the tokenizer of the language model are
not used. The blocks need neither transformers nor PEFT; :py:mod:`seisbench_llm.network.language`
reads pre-trained weights into them.
"""

import torch
import torch.nn.functional as F
from torch import nn

from .config import BackboneConfig


class Attention(nn.Module):
    """Multi-head self-attention, (batch, tokens, width) -> the same."""

    def __init__(self, config: BackboneConfig):
        super().__init__()
        self.heads, self.size = config.heads, config.width // config.heads
        self.kv_heads = config.kv_heads or config.heads
        # One layer holds queries, keys and values, one after the other.
        outputs = (self.heads + 2 * self.kv_heads) * self.size
        self.qkv = nn.Linear(config.width, outputs, bias=config.bias)
        self.out = nn.Linear(config.width, config.width, bias=config.bias)
        self.causal = config.causal
        self.dropout = config.dropout
        self.rotary = None if config.rotary_theta is None else Rotary(config)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, width = x.shape
        heads = self.qkv(x).view(batch, tokens, -1, self.size).transpose(1, 2)
        q, k, v = heads.split([self.heads, self.kv_heads, self.kv_heads], dim=1)
        if self.rotary is not None:
            q, k = self.rotary(q), self.rotary(k)
        if self.kv_heads != self.heads:
            k, v = (t.repeat_interleave(self.heads // self.kv_heads, dim=1) for t in (k, v))
        x = F.scaled_dot_product_attention(
            q, k, v, dropout_p=self.dropout if self.training else 0.0, is_causal=self.causal
        )
        return self.out(x.transpose(1, 2).reshape(batch, tokens, width))


class Rotary(nn.Module):
    """
    Rotary positions: pairs of features turn by an angle that grows with the position.

    A pair is a feature of the first half and its partner in the second half, as in Hugging Face's
    Llama. (batch, heads, tokens, size) -> the same.
    """

    cos: torch.Tensor
    sin: torch.Tensor

    def __init__(self, config: BackboneConfig):
        super().__init__()
        size = config.width // config.heads
        frequency = config.rotary_theta ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
        angle = torch.arange(config.positions, dtype=torch.float64)[:, None] * frequency
        # The angles follow from the sizes, so they are not in the state dict.
        self.register_buffer("cos", angle.cos().float(), persistent=False)
        self.register_buffer("sin", angle.sin().float(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        cos, sin = (t[: x.shape[-2]].to(x.dtype) for t in (self.cos, self.sin))
        first, second = x.chunk(2, dim=-1)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


class MLP(nn.Module):
    """Two linear layers with a GELU or a gate between, (..., width) -> the same."""

    def __init__(self, config: BackboneConfig):
        super().__init__()
        # In a gated MLP, the gate comes first.
        hidden = config.mlp_width * (2 if config.gated else 1)
        self.up = nn.Linear(config.width, hidden, bias=config.bias)
        self.down = nn.Linear(config.mlp_width, config.width, bias=config.bias)
        self.gated = config.gated
        self.approximate = "tanh" if config.tanh_gelu else "none"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.up(x)
        if self.gated:
            gate, x = x.chunk(2, dim=-1)
            return self.down(F.silu(gate) * x)
        return self.down(F.gelu(x, approximate=self.approximate))


class Block(nn.Module):
    """Attention and MLP, each with a residual connection and a normalisation."""

    def __init__(self, config: BackboneConfig):
        super().__init__()
        self.norm1 = _norm(config)
        self.attn = Attention(config)
        self.norm2 = _norm(config)
        self.mlp = MLP(config)
        self.dropout = nn.Dropout(config.dropout)
        self.norm_first = config.norm_first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.norm_first:
            x = x + self.dropout(self.attn(self.norm1(x)))
            return x + self.dropout(self.mlp(self.norm2(x)))
        x = self.norm1(x + self.dropout(self.attn(x)))
        return self.norm2(x + self.dropout(self.mlp(x)))


class Backbone(nn.Module):
    """
    Learned positions (unless they are rotary), blocks and a final normalisation, (batch, tokens,
    width) -> the same.

    The final normalisation comes after the blocks in GPT-2 and Llama, and before them in BERT.
    """

    def __init__(self, config: BackboneConfig):
        super().__init__()
        self.config = config
        self.positions = None
        if config.rotary_theta is None:
            self.positions = nn.Embedding(config.positions, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = _norm(config)
        self.dropout = nn.Dropout(config.dropout)
        self.apply(self._init_weights)

    @staticmethod
    def _init_weights(module: nn.Module) -> None:
        # Initialisation of GPT-2, BERT and Llama: normal with a standard deviation of 0.02, biases
        # zero.
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.positions is not None:
            x = x + self.positions.weight[: x.shape[1]]
        if not self.config.norm_first:
            x = self.norm(x)
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x)
        return self.norm(x) if self.config.norm_first else x


def _norm(config: BackboneConfig) -> nn.Module:
    kind = nn.RMSNorm if config.rms_norm else nn.LayerNorm
    return kind(config.width, eps=config.norm_eps)
