"""
The network, which only handles tensors: sizes, layers, LoRA adapters, and the fused copy for
evaluation.
"""

from .config import BackboneConfig, NetworkConfig
from .fused import FusedCache, FusedNetwork
from .network import Network

__all__ = ["BackboneConfig", "FusedCache", "FusedNetwork", "Network", "NetworkConfig"]
