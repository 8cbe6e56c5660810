"""
Published metrics of the tasks.

They reproduce the research code exactly, including a fault: the sum of the residuals of picks is
divided by the number of all records, so that missed picks count as picks without error. For better
measures see :py:mod:`seisbench_llm.evaluate.measures`.
"""

from __future__ import annotations

import numpy as np

from ..tasks import get_task

NO_PICK = -10_000_000
"""Sample number that stands for no pick."""


def published_metrics(
    task: str, target: np.ndarray, predicted: np.ndarray, **kwargs
) -> dict[str, float]:
    """
    Published metrics of a task. For other tasks, their own ``metric``, if there is one.

    :param task: Name of the task.
    :param target: Truth, one row per record: picks in samples, class scores, magnitude, distance
        in km, or back-azimuth in degrees.
    :param predicted: Predictions of the same shape.
    :param kwargs: For picking, see :py:func:`picking_metrics`.
    :raises ValueError: If the task is unknown.
    """
    spec = get_task(task)
    functions = {
        "curves": picking_metrics,
        "class": class_metrics,
        "scalar": regression_metrics,
        "angle": angle_metrics,
    }
    return (spec.metric or functions[spec.head])(target, predicted, **kwargs)


def picking_metrics(
    target: np.ndarray,
    predicted: np.ndarray,
    in_samples: int = 6000,
    sampling_rate: float = 100,
    tolerance: float = 0.1,
) -> dict[str, float]:
    """
    Published metrics of one phase, one true and one predicted pick per record.

    Residuals are target minus prediction in samples. See the module's note on their mean.

    :param target: Sample numbers; anything outside the window means no pick.
    :param predicted: The same.
    :param in_samples: Window length in samples.
    :param sampling_rate: Hz.
    :param tolerance: Largest residual of a hit in seconds.
    """
    target, predicted = _flat(target), _flat(predicted)
    hit = hits(target, predicted, in_samples, sampling_rate, tolerance)
    true, picked = inside(target, in_samples), inside(predicted, in_samples)
    precision, recall = _ratio(hit.sum(), picked.sum()), _ratio(hit.sum(), true.sum())
    residual = np.where(hit, target - predicted, 0.0)
    # Sample 0 has no relative error.
    share = np.zeros_like(residual)
    np.divide(np.abs(residual), target, out=share, where=hit & (target > 0))
    return {
        "precision": precision,
        "recall": recall,
        "f1": _ratio(2 * precision * recall, precision + recall),
        "mape": _mean(share),
        **_residual_metrics(residual),
    }


def class_metrics(target: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """
    Precision, recall and F1, averaged over the classes.

    :param target: Scores or one-hot rows, shape (records, classes).
    :param predicted: Scores, same shape.
    """
    classes = np.arange(np.shape(target)[1])
    true = np.argmax(target, axis=1)[:, None] == classes
    chosen = np.argmax(predicted, axis=1)[:, None] == classes
    right = (true & chosen).sum(axis=0)
    precision = [_ratio(h, n) for h, n in zip(right, chosen.sum(axis=0), strict=True)]
    recall = [_ratio(h, n) for h, n in zip(right, true.sum(axis=0), strict=True)]
    f1 = [_ratio(2 * p * r, p + r) for p, r in zip(precision, recall, strict=True)]
    return {
        "precision": float(np.mean(precision)),
        "recall": float(np.mean(recall)),
        "f1": float(np.mean(f1)),
    }


def regression_metrics(target: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """
    Mean, standard deviation, MAE, RMSE of target minus prediction, and R2.

    :param target: One value per record.
    :param predicted: The same, in the same unit.
    """
    target, predicted = _flat(target), _flat(predicted)
    return _with_r2(target - predicted, target - _mean(target))


def angle_metrics(target: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """
    Like :py:func:`regression_metrics`, with the smaller of the two differences of angles.

    R2 compares with the linear mean of the targets, as published, although that is not a mean
    direction.

    :param target: Degrees, in any turn.
    :param predicted: Degrees, in any turn.
    """
    target, predicted = _flat(target), _flat(predicted)
    return _with_r2(wrap(target - predicted), wrap(target - _mean(target)))


def wrap(degrees: np.ndarray) -> np.ndarray:
    """The same angle from -180 (included) to 180 degrees (excluded)."""
    return (degrees + 180) % 360 - 180


def _flat(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=np.float64).ravel()


def inside(samples: np.ndarray, in_samples: int) -> np.ndarray:
    """Whether sample numbers lie in a window, which means that they are picks."""
    return (samples >= 0) & (samples < in_samples)


def hits(
    target: np.ndarray,
    predicted: np.ndarray,
    in_samples: int,
    sampling_rate: float,
    tolerance: float,
) -> np.ndarray:
    """
    Whether one pick per record is within a tolerance of the true one.

    :param target: Sample numbers; anything outside the window means no pick.
    :param predicted: The same.
    :param tolerance: Seconds.
    """
    both = inside(target, in_samples) & inside(predicted, in_samples)
    return both & (np.abs(target - predicted) <= round(tolerance * sampling_rate))


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator else 0.0


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")


def _residual_metrics(residual: np.ndarray) -> dict[str, float]:
    return {
        "mean": _mean(residual),
        "std": float(residual.std()) if residual.size else float("nan"),
        "mae": _mean(np.abs(residual)),
        "rmse": float(np.sqrt(_mean(np.square(residual)))),
    }


def _with_r2(residual: np.ndarray, deviation: np.ndarray) -> dict[str, float]:
    r2 = 1 - _ratio(np.square(residual).sum(), np.square(deviation).sum())
    return {**_residual_metrics(residual), "r2": r2 if residual.size else float("nan")}
