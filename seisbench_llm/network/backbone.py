"""
The language model's transformer blocks, in plain PyTorch.

Two families share one block: GPT-2 (causal, LayerNorm before each part, Radford et al. 2019) and
BERT encoders such as MiniLM (bidirectional, LayerNorm after each part, Devlin et al. 2019).
Vocabulary and tokenizer of the language model are not used. The blocks need neither transformers
nor PEFT; :py:mod:`seisbench_llm.network.language` reads pre-trained weights into them.
"""

import torch
import torch.nn.functional as F
from torch import nn

from .config import BackboneConfig


class Attention(nn.Module):
    """Multi-head self-attention, (batch, tokens, width) -> the same."""

    def __init__(self, config: BackboneConfig):
        super().__init__()
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        self.heads = config.heads
        self.causal = config.causal
        self.dropout = config.dropout

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, width = x.shape
        qkv = self.qkv(x).view(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(
            q, k, v, dropout_p=self.dropout if self.training else 0.0, is_causal=self.causal
        )
        return self.out(x.transpose(1, 2).reshape(batch, tokens, width))


class MLP(nn.Module):
    """Two linear layers with a GELU between, (..., width) -> the same."""

    def __init__(self, config: BackboneConfig):
        super().__init__()
        self.up = nn.Linear(config.width, config.mlp_width)
        self.down = nn.Linear(config.mlp_width, config.width)
        self.approximate = "tanh" if config.tanh_gelu else "none"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(F.gelu(self.up(x), approximate=self.approximate))


class Block(nn.Module):
    """Attention and MLP, each with a residual connection and a LayerNorm."""

    def __init__(self, config: BackboneConfig):
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.attn = Attention(config)
        self.norm2 = nn.LayerNorm(config.width, eps=config.norm_eps)
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
    Learned positions, blocks and one more LayerNorm, (batch, tokens, width) -> the same.

    The LayerNorm stands after the blocks in GPT-2, before them in BERT.
    """

    def __init__(self, config: BackboneConfig):
        super().__init__()
        self.config = config
        self.positions = nn.Embedding(config.positions, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.dropout = nn.Dropout(config.dropout)
        self.apply(self._init_weights)

    @staticmethod
    def _init_weights(module: nn.Module) -> None:
        # As GPT-2 and BERT: normal with 0.02, biases zero.
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.positions.weight[: x.shape[1]]
        if not self.config.norm_first:
            x = self.norm(x)
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x)
        return self.norm(x) if self.config.norm_first else x
