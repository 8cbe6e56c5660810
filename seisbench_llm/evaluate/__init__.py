"""Evaluation of a model on a data set: predictions, measures with intervals, figures."""

from .evaluation import Evaluation, evaluate
from .predict import decode, predict

__all__ = ["Evaluation", "decode", "evaluate", "predict"]
