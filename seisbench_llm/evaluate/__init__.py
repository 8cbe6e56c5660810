"""evaluate."""

from .evaluation import Evaluation, evaluate
from .predict import decode, predict

__all__ = ["Evaluation", "decode", "evaluate", "predict"]
