"""Curves that figures draw."""

import numpy as np
import pytest

from seisbench_llm.evaluate.evaluation import Evaluation
from seisbench_llm.evaluate.figures import precision_recall
from seisbench_llm.evaluate.metrics import NO_PICK
from tests.helpers.evaluation import pick_table


def test_precision_recall_passes_through_the_threshold():
    rng = np.random.default_rng(0)
    true, height = rng.integers(100, 5900, 300), rng.uniform(0.05, 1, 300).round(2)
    peak = true + rng.integers(-20, 21, 300)
    said = np.where(height >= 0.3, peak, NO_PICK)
    table = pick_table(true, said, p_peak=peak, p_probability=height)
    own = Evaluation.from_predictions("picking", table, resamples=0).measures["P"]
    curve = precision_recall(table, "P", 6000, 100)
    row = curve[curve["threshold"] >= 0.3].iloc[-1]
    assert row["recall"] == pytest.approx(own["recall_0.1s"])
    assert row["precision"] == pytest.approx(own["precision_0.1s"])
    assert curve["recall"].is_monotonic_increasing and curve["threshold"].is_unique
