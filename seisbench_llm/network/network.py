"""The network behind a SeisMoLLM: embedder, patches, backbone and head in one module."""

import torch
from torch import nn

from .backbone import Backbone
from .config import NetworkConfig
from .embedder import Embedder, embedder_input
from .heads import CurveHead, PooledHead
from .patches import from_tokens, to_tokens
from .two_speeds import two_speeds


class Network(nn.Module):
    """
    Waveform to prediction.

    (batch, components, samples) -> (batch, outputs, samples) for curves, else (batch, outputs)

    :param config: All sizes and the task.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        self.config = config
        # The embedder is built first, as in earlier versions, so that a seed gives the same
        # weights.
        backbone = nn.Identity()
        if config.backbone_config is not None:
            backbone = Backbone(config.backbone_config)
        self.embedder = Embedder(config)
        self.backbone = backbone
        self.skips = config.head_skips and config.spec.head == "curves"
        self.head = CurveHead(config) if config.spec.head == "curves" else PooledHead(config)

    def forward(self, x: torch.Tensor, logits: bool = False) -> torch.Tensor:
        if not self.config.two_speeds:
            return self._answer(x, logits)
        curves = two_speeds(self._answer, x)
        return torch.logit(curves, eps=1e-6) if logits else curves

    def _answer(self, x: torch.Tensor, logits: bool = False) -> torch.Tensor:
        patch = self.config.patch
        signals = [embedder_input(x, self.config)]
        for block in self.embedder:
            signals.append(block(signals[-1]))
        tokens = self.backbone(to_tokens(signals[-1], patch))
        latent = from_tokens(tokens, patch)
        if self.skips:
            # Skip signals go from the coarsest to the waveform itself, because the head's stages
            # get finer.
            return self.head(latent, x.shape[-1], logits=logits, skips=signals[-2::-1])
        return self.head(latent, x.shape[-1], logits=logits)
