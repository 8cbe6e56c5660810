"""
Scores of predictions, as collect_results.py of pick-benchmark has them, and more beside them.

Thresholds are chosen on dev and used on test. Differences of onsets are in seconds, prediction
minus truth, over all windows. ``std_s`` is their root mean square, under the original's name.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from ..evaluate.metrics import wrap
from .estimate_targets import ANSWERS, FILES
from .predictions import SETS

# Columns of the results of pick-benchmark, in order.
IDENTITY = ("experiment", "data", "model", "lr", "version")
DETECTION = ("dev_det_precision", "dev_det_recall", "dev_det_f1", "dev_det_auc", "det_threshold")
DETECTION += ("test_det_precision", "test_det_recall", "test_det_f1", "test_det_auc")
PHASE = ("dev_phase_precision", "dev_phase_recall", "dev_phase_f1", "phase_threshold")
PHASE += ("dev_phase_mcc", "phase_threshold_mcc")
PHASE += ("test_phase_precision", "test_phase_recall", "test_phase_f1", "test_phase_mcc")
ONSET = tuple(
    f"{side}_{phase}_{name}_s" for side in SETS for phase in "PS" for name in ("mean", "std", "mae")
)
MCC_CANDIDATES = 50


def identity(folder: Path, cross: bool = False, resampled: bool = False) -> dict:
    """
    What the name of a folder of predictions says.

    :param folder: ``CONFIG/version_N``.
    :param cross: Whether the configuration ends with the target.
    :param resampled: Whether it ends with the target and the sampling rate.
    :raises ValueError: If it has another number of parts.
    """
    name, more = folder.parent.name, 2 if resampled else int(cross)
    parts = name.split("_")
    if len(parts) not in (2 + more, 3 + more):
        raise ValueError(
            f"{folder.parent}: a configuration is named DATA_MODEL or DATA_MODEL_LR"
            f"{' and then _TARGET' if more else ''}{' and _RATE' if resampled else ''}."
        )
    lr = parts[2] if len(parts) == 3 + more else "0.001"
    values = (name, parts[0], parts[1], float(lr), folder.name.split("_")[-1])
    cells = dict(zip(IDENTITY, values, strict=True))
    if more:
        cells["target"] = parts[-2] if resampled else parts[-1]
    if resampled:
        cells["sampling_rate"] = parts[-1]
    return cells


def detection_scores(dev: pd.DataFrame, test: pd.DataFrame) -> dict[str, float]:
    """
    Scores of task 1 at the threshold of the best F1 on dev.

    :param dev: Predictions, with trace_type and score_detection.
    :param test: The same.
    """
    from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

    truth = {
        name: table["trace_type"] == "earthquake"
        for name, table in zip(SETS, (dev, test), strict=True)
    }
    values = [*best_f1(truth["dev"], dev["score_detection"])]
    values.insert(3, roc_auc_score(truth["dev"], dev["score_detection"]))
    threshold, score = values[-1], test["score_detection"]
    at_threshold = precision_recall_fscore_support(
        truth["test"], score > threshold, average="binary", zero_division=0
    )
    values += [*at_threshold[:3], roc_auc_score(truth["test"], score)]
    return dict(zip(DETECTION, map(float, values), strict=True))


def phase_scores(dev: pd.DataFrame, test: pd.DataFrame) -> dict[str, float]:
    """
    Scores of task 2: P or S, by the ratio of their probabilities.

    Nothing where the ratio is not finite throughout dev or test, as of models of one phase.

    :param dev: Predictions, with phase_label and score_p_or_s.
    :param test: The same.
    """
    from sklearn.metrics import matthews_corrcoef, precision_recall_fscore_support

    sides = []
    for table in (dev, test):
        scores = table["score_p_or_s"].to_numpy(float)
        if not np.isfinite(scores).any():
            return {}
        sides.append(((table["phase_label"] == "P").to_numpy(), np.clip(scores, -1e100, 1e100)))
    (dev_p, dev_score), (test_p, test_score) = sides
    known, test_known = ~np.isnan(dev_score), ~np.isnan(test_score)
    best = best_f1(dev_p[known], dev_score[known])
    # As in the original, of all windows: a comparison with nan is false.
    level = mcc_threshold(dev_p, dev_score)
    at_threshold = precision_recall_fscore_support(
        test_p[test_known], test_score[test_known] > best[3], average="binary", zero_division=0
    )
    values = [*best, matthews_corrcoef(dev_p, dev_score > level), level, *at_threshold[:3]]
    values.append(matthews_corrcoef(test_p, test_score > level))
    return dict(zip(PHASE, map(float, values), strict=True))


def onset_scores(dev: pd.DataFrame, test: pd.DataFrame) -> dict[str, float]:
    """
    Mean, root mean square and mean absolute value of the differences of task 3, in seconds.

    :param dev: Predictions, with phase_label, phase_onset, sampling_rate and the predicted samples.
    :param test: The same.
    """
    scores = {}
    for side, table in zip(SETS, (dev, test), strict=True):
        for phase in "PS":
            rows = table[table["phase_label"] == phase]
            if len(rows):
                away = onset_differences(rows, phase)
                values = away.mean(), np.sqrt((away**2).mean()), away.abs().mean()
                for name, value in zip(("mean", "std", "mae"), values, strict=True):
                    scores[f"{side}_{phase}_{name}_s"] = float(value)
    return scores


def onset_differences(rows: pd.DataFrame, phase: str) -> pd.Series:
    """Seconds from the true onset to the predicted one."""
    away = rows[f"{phase.lower()}_sample_pred"] - rows["phase_onset"]
    return away / rows["sampling_rate"]


def seislm_scores(folder: Path, side: str = "test") -> dict[str, float]:
    """
    The scores that SeisLM (Liu et al. 2024, arXiv 2410.15765) reports of the same files.

    Detection and identification by AUC and the best F1 of the side itself, without a threshold from
    elsewhere, a score that is not known as zero; onsets by root mean square.

    :param folder: ``CONFIG/version_N``.
    :param side: dev or test.
    """
    from sklearn.metrics import roc_auc_score

    figures = {}
    questions = {"detection": ("task1", "trace_type", "earthquake", "score_detection")}
    questions["phase"] = ("task23", "phase_label", "P", "score_p_or_s")
    for name, (file, column, positive, score) in questions.items():
        path = folder / f"{side}_{file}.csv"
        if path.is_file():
            table = pd.read_csv(path)
            truth = table[column] == positive
            scores = np.clip(table[score].fillna(0), -1e100, 1e100)
            figures[f"{side}_{name}_auc"] = float(roc_auc_score(truth, scores))
            figures[f"{side}_{name}_best_f1"] = float(best_f1(truth, scores)[2])
            for phase in "PS" if name == "phase" else "":
                away = onset_differences(table[table[column] == phase], phase)
                figures[f"{side}_{phase}_rmse_s"] = float(np.sqrt((away**2).mean()))
    return figures


def estimate_scores(task: str, dev: pd.DataFrame, test: pd.DataFrame) -> dict[str, float]:
    """
    Scores of one of the other tasks.

    Polarity: AUC, and F1, accuracy and Matthews' coefficient at the threshold of the best F1 of up
    on dev. The others, of prediction minus truth: mean, standard deviation, mean absolute error,
    its median, R2, and the mean absolute error of always answering the median of dev, for
    back-azimuth its circular mean (by chance that is 90 degrees).

    :param task: polarity, magnitude, distance or back_azimuth.
    :param dev: Predictions.
    :param test: Predictions.
    """
    if task == "polarity":
        return _polarity_scores(dev, test)
    column = ANSWERS[task]
    truth, predicted = (test[name].to_numpy(float) for name in (column, f"{column}_pred"))
    away, known = predicted - truth, dev[column].to_numpy(float)
    if task == "back_azimuth":
        away = wrap(away)
        angle = np.angle(np.exp(1j * np.radians(known)).mean(), deg=True)
        trivial, around = wrap(truth - angle), wrap(truth - truth.mean())
    else:
        trivial, around = truth - np.median(known), truth - truth.mean()
    values = {
        "mean": away.mean(),
        "std": away.std(),
        "mae": np.abs(away).mean(),
        "median_ae": np.median(np.abs(away)),
        "r2": 1 - (away**2).sum() / max((around**2).sum(), 1e-300),
        "mae_trivial": np.abs(trivial).mean(),
    }
    return {f"test_{task}_{name}": float(value) for name, value in values.items()}


def _polarity_scores(dev: pd.DataFrame, test: pd.DataFrame) -> dict[str, float]:
    from sklearn.metrics import matthews_corrcoef, roc_auc_score

    truth, score = test["polarity"] == "U", test["score_up"]
    threshold = best_f1(dev["polarity"] == "U", dev["score_up"])[3]
    up = score > threshold
    scores = {
        "auc": roc_auc_score(truth, score) if truth.nunique() > 1 else np.nan,
        "f1": 2 * (up & truth).sum() / max((up.sum() + truth.sum()), 1),
        "accuracy": (up == truth).mean(),
        "mcc": matthews_corrcoef(truth, up),
        "accuracy_trivial": max(truth.mean(), 1 - truth.mean()),
    }
    return {
        "polarity_threshold": float(threshold),
        **{f"test_polarity_{name}": float(value) for name, value in scores.items()},
    }


def scores_of(folder: Path) -> dict[str, float]:
    """
    Scores of pick-benchmark of all predictions in a folder.

    :param folder: ``CONFIG/version_N``.
    """
    scores = {}
    tables = _read(folder, "task1")
    if tables:
        scores |= detection_scores(*tables)
    tables = _read(folder, "task23")
    if tables:
        dev, test = (_answered(table) for table in tables)
        if len(dev):
            scores |= phase_scores(dev, test) | onset_scores(dev, test)
    return scores


def estimates_of(folder: Path) -> dict[str, float]:
    """Scores of the other tasks whose predictions are in a folder."""
    scores = {}
    for task, name in FILES.items():
        tables = _read(folder, name)
        if tables:
            scores |= estimate_scores(task, *tables)
    return scores


def collect(root: Path, cross: bool = False, resampled: bool = False) -> pd.DataFrame:
    """
    The results of all predictions below a folder, in the columns of pick-benchmark.

    :param root: ``pred``, ``pred_cross`` or another.
    :param cross: Whether the folders are of models of another data set; see :py:func:`identity`.
    :param resampled: Whether they are of another sampling rate.
    :raises FileNotFoundError: If there are no predictions.
    """
    folders = sorted(path for path in Path(root).glob("*/version_*") if path.is_dir())
    if not folders:
        raise FileNotFoundError(f"{root} has no predictions, CONFIG/version_N.")
    rows = [{**identity(f, cross, resampled), **scores_of(f)} for f in folders]
    order = ["data", "model", *(["target"] if cross else []), "lr", "version"]
    return pd.DataFrame(rows).sort_values(order)


def collect_beside(root: Path, cross: bool = False, resampled: bool = False) -> pd.DataFrame:
    """What pick-benchmark has no columns for: SeisLM's scores, and those of the other tasks."""
    folders = sorted(path for path in Path(root).glob("*/version_*") if path.is_dir())
    rows = [
        {**identity(f, cross, resampled), **seislm_scores(f), **estimates_of(f)} for f in folders
    ]
    return pd.DataFrame(rows)


def mcc_threshold(truth, score) -> float:
    """
    The threshold of the best Matthews' coefficient, out of 50 quantiles of the scores.

    :param truth: Whether each is a positive.
    :param score: Higher for positives.
    :return: nan without any score.
    """
    from sklearn.metrics import matthews_corrcoef

    if not len(score):
        return np.nan
    candidates = np.sort(score)
    candidates = candidates[np.linspace(0, len(candidates) - 1, MCC_CANDIDATES, dtype=int)]
    found = [matthews_corrcoef(truth, score > level) for level in candidates]
    return float(candidates[int(np.argmax(found))])


def best_f1(truth, score) -> tuple[float, float, float, float]:
    """
    Precision, recall and F1 at the threshold where F1 is best, and that threshold.

    :param truth: Whether each is a positive.
    :param score: Higher for positives.
    """
    from sklearn.metrics import precision_recall_curve

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        precision, recall, thresholds = precision_recall_curve(truth, score)
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = 2 * precision * recall / (precision + recall)
    best = int(np.nanargmax(f1))
    threshold = thresholds[min(best, len(thresholds) - 1)]
    return precision[best], recall[best], f1[best], threshold


def _read(folder: Path, name: str) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    files = [folder / f"{side}_{name}.csv" for side in SETS]
    if not all(file.is_file() for file in files):
        return None
    dev, test = (pd.read_csv(file) for file in files)
    return (dev, test) if len(dev) and len(test) else None


def _answered(table: pd.DataFrame) -> pd.DataFrame:
    """Windows of which a model says anything."""
    columns = ["p_sample_pred", "s_sample_pred", "score_p_or_s"]
    table = table.assign(**{c: np.nan for c in columns if c not in table})
    return table[table[columns].notna().any(axis=1)]
