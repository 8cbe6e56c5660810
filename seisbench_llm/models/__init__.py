"""SeisMoLLM, the SeisBench model around the network; its presets; its checkpoints; ONNX files."""

from .presets import PRESETS
from .seismollm import SeisMoLLM

__all__ = ["PRESETS", "SeisMoLLM"]
