"""Measures of each task."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import circmean, circstd

from seisbench_llm.evaluate.evaluation import Evaluation
from seisbench_llm.evaluate.measures import confusion
from seisbench_llm.evaluate.metrics import NO_PICK, wrap
from tests.helpers.evaluation import pick_table


def test_misses_cost_what_is_said():
    # Right, 0.2 s late, 30 s off, missed; the last window has no onset.
    true = np.array([1000, 2000, 3000, 4000, NO_PICK])
    said = np.array([1000, 2020, 6000 - 1, NO_PICK, 500])
    result = Evaluation.from_predictions("picking", pick_table(true, said), resamples=0).measures[
        "P"
    ]
    assert result["mae_capped"] == pytest.approx((0 + 0.2 + 1 + 1) / 4)
    assert result["recall_0.1s"] == 1 / 4 and result["recall_0.5s"] == 2 / 4
    assert result["precision_0.1s"] == 1 / 4 and result["precision_0.5s"] == 2 / 4
    assert result["mae_matched_0.5s"] == pytest.approx(0.1)
    assert result["bias_matched_0.5s"] == pytest.approx(0.1)
    assert result["false_picks"] == 1
    assert (result["truths"], result["picks"], result["without"]) == (4, 4, 1)
    # To leave out the doubtful ones must not pay.
    said[[1, 2]] = NO_PICK
    fewer = Evaluation.from_predictions("picking", pick_table(true, said), resamples=0).measures[
        "P"
    ]
    assert fewer["mae_matched_0.5s"] < result["mae_matched_0.5s"]
    assert fewer["mae_capped"] > result["mae_capped"]


def test_unknown_onsets_do_not_count():
    table = pick_table(np.array([100, np.nan, NO_PICK]), np.array([100, 200, NO_PICK]))
    result = Evaluation.from_predictions("picking", table, resamples=0)
    assert result.measures["P"]["precision_0.1s"] == result.published["P"]["precision"] == 1
    assert result.measures["P"]["false_picks"] == 0 and result.measures["P"]["without"] == 1
    table["s_true"] = np.nan
    result = Evaluation.from_predictions("picking", table, resamples=0)
    assert np.isnan(result.published["S"]["f1"]) and np.isnan(result.measures["S"]["recall_0.1s"])


def test_circular_statistics_are_scipys():
    rng = np.random.default_rng(0)
    true = rng.uniform(0, 360, 500)
    error = np.degrees(rng.vonmises(np.radians(170), 1.0, 500))
    table = pd.DataFrame({"true": true, "predicted": (true + error) % 360})
    result = Evaluation.from_predictions("back_azimuth", table, resamples=0)
    found = result.measures["back_azimuth"]
    assert found["bias"] == pytest.approx(circmean(error, high=180, low=-180), abs=1e-6)
    assert found["std"] == pytest.approx(circstd(error, high=360), abs=1e-6)
    size = np.abs(wrap(error))
    assert found["median_ae"] == pytest.approx(np.median(size))
    assert found["opposite"] == pytest.approx(np.mean(size > 135))


def test_scalar_metrics():
    true = np.array([2.0, 10, 100, 200])
    table = pd.DataFrame({"true": true, "predicted": true + [4, 6, -24, 60]})
    result = Evaluation.from_predictions("distance", table, resamples=0).measures["distance"]
    assert result["mae"] == pytest.approx(23.5) and result["bias"] == pytest.approx(11.5)
    assert result["median_ae"] == pytest.approx(15)
    assert result["p90_ae"] == pytest.approx(np.quantile([4, 6, 24, 60], 0.9))
    assert result["within_25pct_or_5km"] == 2 / 4
    assert result["mae_trivial"] == pytest.approx(np.mean(np.abs(true - 55)))
    assert result["r2"] == pytest.approx(
        1 - np.square([4, 6, 24, 60]).sum() / np.square(true - true.mean()).sum()
    )


def test_polarity_confusion_confidence_and_threshold():
    up = np.array([0.9, 0.6, 0.2, 1.0, 0.45])
    table = pd.DataFrame({"true": list("UUDDD"), "up": up, "down": 1 - up})
    result = Evaluation.from_predictions("polarity", table, threshold=0.7, resamples=0)
    found = result.measures["polarity"]
    assert found["accuracy"] == 4 / 5 and found["undecided"] == 2 / 5
    assert found["accuracy_decided"] == pytest.approx(2 / 3)
    assert found["precision_U"] == pytest.approx(2 / 3)
    assert found["recall_D"] == pytest.approx(2 / 3)
    assert confusion("polarity", table).to_numpy().tolist() == [[2, 0], [1, 2]]
    rows = result.breakdown["confidence"]
    assert rows["records"].sum() == 5
    assert rows.iloc[-1][["records", "accuracy"]].tolist() == [2, 0.5]


def several(onsets, picks, judged, name="p"):
    """One row per window, from lists of sample numbers."""
    cells = {"onsets": onsets, "picks": picks, "judged": judged}
    table = pick_table([o[0] if o else NO_PICK for o in onsets], [NO_PICK] * len(onsets))
    return table.assign(
        **{f"{name}_{k}": [" ".join(map(str, v)) for v in values] for k, values in cells.items()}
    )


def test_all_picks_of_a_window_count():
    # Two events, both found; a third pick that nobody has judged, a fourth that is false.
    table = several([[1000, 3000], []], [[1004, 3030, 4500], [200]], [[1, 1, 0], [1]])
    result = Evaluation.from_predictions("picking", table, resamples=0).measures["P"]
    assert next(iter(result)) == "f1_0.1s"
    assert result["recall_0.1s"] == 1 / 2 and result["recall_0.5s"] == 1
    assert result["precision_0.5s"] == 2 / 3 and result["precision_all_0.5s"] == 2 / 4
    assert result["f1_0.5s"] == pytest.approx(0.8)
    assert (result["truths"], result["picks"], result["not_judged"]) == (2, 4, 1)
    assert result["mae_capped"] == pytest.approx((0.04 + 0.3) / 2)
    assert result["false_picks"] == 1
