"""Metrics as the paper defines them."""

import numpy as np
import pandas as pd
import pytest

from seisbench_llm.evaluate.evaluation import Evaluation
from seisbench_llm.tasks import TASKS
from tests.helpers.evaluation import pick_table
from tests.helpers.parity import golden, official


@pytest.mark.parametrize("task", TASKS)
def test_published_metrics_are_the_golden_ones(shared, task):
    parity = official()
    data, expected = golden(parity, "golden_metrics.npz"), golden(parity, "golden_metrics.json")
    key = TASKS[task].published

    def columns(key):
        return data[f"{key}_target"].squeeze(), data[f"{key}_pred"].squeeze()

    if task == "picking":
        (p_true, p_said), (s_true, s_said) = columns("ppk"), columns("spk")
        table = pick_table(p_true, p_said, s_true=s_true, s_predicted=s_said)
        expected = {"P": expected["ppk"], "S": expected["spk"]}
    elif task == "polarity":
        true, said = columns(key)
        letters = np.where(true[:, 0] > 0, "U", "D")
        table = pd.DataFrame({"true": letters, "up": said[:, 0], "down": said[:, 1]})
        expected = {task: expected[key]}
    else:
        table = pd.DataFrame(dict(zip(("true", "predicted"), columns(key), strict=True)))
        expected = {task: expected[key]}
    result = Evaluation.from_predictions(task, table, resamples=0)
    for group, values in expected.items():
        assert result.published[group] == pytest.approx(values, rel=1e-5, abs=1e-5)
