"""The network, tensors only: its sizes, its layers, LoRA adapters, and the copy for evaluation."""

from .config import BackboneConfig, NetworkConfig
from .fused import FusedCache, FusedNetwork
from .network import Network

__all__ = ["BackboneConfig", "FusedCache", "FusedNetwork", "Network", "NetworkConfig"]
