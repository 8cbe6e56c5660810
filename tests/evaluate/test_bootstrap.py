"""Intervals of measures, drawn by event."""

import numpy as np
import pandas as pd
import pytest

from seisbench_llm.evaluate.bootstrap import _quantile
from seisbench_llm.evaluate.evaluation import Evaluation


def test_interval_of_an_angle_goes_on_across_180_degrees():
    error = 179 + np.linspace(-12, 12, 20)
    table = pd.DataFrame({"true": np.zeros(20), "predicted": error % 360})
    result = Evaluation.from_predictions("back_azimuth", table, resamples=500)
    bias, (low, high) = (
        part["back_azimuth"]["bias"] for part in (result.measures, result.intervals)
    )
    assert bias == pytest.approx(179)
    # Bootstrap means scatter by 7.3 / sqrt(20) degrees to either side, across 180.
    assert low < bias < 180 < high
    assert high - low == pytest.approx(2 * 1.96 * np.std(error) / np.sqrt(20), rel=0.2)


def scalar(truth_of_events, records, spread, seed):
    """Errors that the records of an event share, and some of their own."""
    rng = np.random.default_rng(seed)
    events = np.repeat(np.arange(truth_of_events), records)
    shared = rng.normal(0, spread, truth_of_events)[events]
    error = shared + rng.normal(0, 1, len(events))
    true = rng.uniform(0, 5, len(events))
    return pd.DataFrame({"true": true, "predicted": true + error, "source_id": events})


def test_intervals_cover_the_truth():
    covered = []
    for seed in range(60):
        table = scalar(80, 4, 1.0, seed)
        result = Evaluation.from_predictions("magnitude", table, resamples=200)
        low, high = result.intervals["magnitude"]["bias"]
        covered.append(low <= 0 <= high)
    assert 0.85 <= np.mean(covered) <= 1.0


def test_events_widen_the_interval():
    table = scalar(60, 10, 2.0, 0)
    widths = {}
    for name, rows in (("event", table), ("row", table.assign(source_id=range(len(table))))):
        low, high = Evaluation.from_predictions("magnitude", rows).intervals["magnitude"]["mae"]
        widths[name] = high - low
    assert widths["event"] > 1.8 * widths["row"]


def test_bootstrap_is_seeded_and_quantiles_are_numpys():
    table = scalar(30, 3, 1.0, 0)
    first, again, other = (
        Evaluation.from_predictions("magnitude", table, seed=seed).intervals for seed in (1, 1, 2)
    )
    assert first == again != other
    rng = np.random.default_rng(0)
    values, weights = np.sort(rng.normal(size=50)), rng.integers(0, 4, 50)
    for q in (0.1, 0.5, 0.9):
        expected = np.quantile(np.repeat(values, weights), q)
        assert _quantile(values, weights, q) == pytest.approx(expected)


def test_few_events_have_no_interval():
    result = Evaluation.from_predictions("magnitude", scalar(4, 50, 1.0, 0))
    assert np.isfinite(result.measures["magnitude"]["mae"])
    assert np.isnan(result.intervals["magnitude"]["mae"]).all()


def test_without_source_id_rows_are_drawn(warnings_of):
    table = scalar(20, 5, 1.0, 0).drop(columns="source_id")
    result = Evaluation.from_predictions("magnitude", table)
    assert "no source_id" in warnings_of()
    assert result.settings["events"] == len(table)
    # An event that is not known is one of its own.
    table["source_id"] = ["a"] * 10 + [None] * 90
    assert Evaluation.from_predictions("magnitude", table).settings["events"] == 91
