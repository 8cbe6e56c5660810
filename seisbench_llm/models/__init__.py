"""SeisMoLLM, the SeisBench model around the network; its presets; ONNX files."""

from .presets import PRESETS
from .seismollm import SeisMoLLM

__all__ = ["PRESETS", "SeisMoLLM"]
