"""The network, and the SeisBench model around it."""

from .seismollm import SeisMoLLM

__all__ = ["SeisMoLLM"]
