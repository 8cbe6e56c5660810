"""Metrics against loops over records that anyone can follow."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seisbench_llm.evaluate.metrics import (
    NO_PICK,
    angle_metrics,
    class_metrics,
    hits,
    picking_metrics,
    published_metrics,
    regression_metrics,
    wrap,
)
from tests.properties.count import count
from tests.properties.profiles import PROFILE

SAMPLES = st.one_of(
    st.sampled_from([NO_PICK, -1, 0, 1, 10, 11, 499, 500]), st.integers(480, 500), st.integers(0, 9)
)
PAIRS = st.lists(st.tuples(SAMPLES, SAMPLES), min_size=1, max_size=12)
NUMBERS = st.one_of(st.integers(-4, 4), st.floats(-1e3, 1e3)).map(float)


def ratio(numerator, denominator):
    return numerator / denominator if denominator else 0.0


def of_residuals(residuals):
    mean = sum(residuals) / len(residuals)
    return {
        "mean": mean,
        "std": math.sqrt(sum((r - mean) ** 2 for r in residuals) / len(residuals)),
        "mae": sum(abs(r) for r in residuals) / len(residuals),
        "rmse": math.sqrt(sum(r * r for r in residuals) / len(residuals)),
    }


def approx(values):
    return pytest.approx(values, rel=1e-9, abs=1e-9)


@PROFILE
@given(PAIRS, st.sampled_from([500, 490]), st.sampled_from([(100, 0.1), (50, 0.1), (100, 0.005)]))
def test_picking(pairs, window, tolerance):
    rate, seconds = tolerance
    found, true, picked, residuals, shares = 0, 0, 0, [], []
    for target, predicted in pairs:
        there, said = 0 <= target < window, 0 <= predicted < window
        hit = there and said and abs(target - predicted) <= round(seconds * rate)
        true, picked, found = true + there, picked + said, found + hit
        residuals.append(target - predicted if hit else 0)
        # Sample 0 has no relative error.
        shares.append(abs(target - predicted) / target if hit and target else 0)
    precision, recall = ratio(found, picked), ratio(found, true)
    target, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    options = {"in_samples": window, "sampling_rate": rate, "tolerance": seconds}
    assert hits(target, predicted, *options.values()).sum() == found
    metrics = picking_metrics(target, predicted, **options)
    assert metrics == approx(
        {
            "precision": precision,
            "recall": recall,
            "f1": ratio(2 * precision * recall, precision + recall),
            "mape": sum(shares) / len(shares),
            **of_residuals(residuals),
        }
    )
    assert published_metrics("picking", target, predicted, **options) == metrics


@PROFILE
@given(
    st.integers(2, 4).flatmap(
        lambda n: st.lists(st.tuples(st.integers(0, n - 1), st.permutations(range(n))), min_size=1)
    )
)
def test_classes(rows):
    number = len(rows[0][1])
    target = np.array([[float(i == true) for i in range(number)] for true, _ in rows])
    scores = np.array([list(scores) for _, scores in rows], float)
    sums = {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    for name in range(number):
        true = [index for index, row in enumerate(rows) if row[0] == name]
        said = [index for index, row in enumerate(rows) if row[1][name] == number - 1]
        right = len(set(true) & set(said))
        precision, recall = ratio(right, len(said)), ratio(right, len(true))
        sums["precision"] += precision
        sums["recall"] += recall
        sums["f1"] += ratio(2 * precision * recall, precision + recall)
    assert class_metrics(target, scores) == approx({k: v / number for k, v in sums.items()})


@PROFILE
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=9))
def test_numbers(pairs):
    mean = sum(target for target, _ in pairs) / len(pairs)
    spread = sum((target - mean) ** 2 for target, _ in pairs)
    rest = sum((target - predicted) ** 2 for target, predicted in pairs)
    found = regression_metrics(*(np.array(column) for column in zip(*pairs, strict=True)))
    r2 = found.pop("r2")
    assert found == approx(of_residuals([target - predicted for target, predicted in pairs]))
    if spread > 1e-9:
        assert r2 == pytest.approx(1 - rest / spread, rel=1e-6)


@PROFILE
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=9), st.integers(-2, 2))
def test_angles(pairs, turns):
    def short(angle):
        """The angle of the same direction that is at least -180 and below 180."""
        while angle >= 180:
            angle -= 360
        while angle < -180:
            angle += 360
        return angle

    target, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    np.testing.assert_allclose(wrap(target), [short(t) for t in target], atol=1e-9)
    found = angle_metrics(target, predicted + 360.0 * turns)
    residuals = [short(t - p) for t, p in pairs]
    # Just on the edge, rounding decides between the two ends.
    if all(abs(abs(r) - 180) > 1e-6 for r in residuals):
        assert {k: v for k, v in found.items() if k != "r2"} == approx(of_residuals(residuals))
        mean = sum(target) / len(target)
        spread = sum(short(t - mean) ** 2 for t in target)
        if spread > 1e-9 and all(abs(abs(short(t - mean)) - 180) > 1e-6 for t in target):
            expected = 1 - sum(r * r for r in residuals) / spread
            assert found["r2"] == pytest.approx(expected, rel=1e-6)


def test_ends_of_a_turn():
    assert wrap(np.array([-180.0, 180.0, 540.0, 0.0, 179.0])).tolist() == [-180, -180, -180, 0, 179]


def test_defaults_are_those_of_the_published_code():
    """Windows of a minute at 100 Hz, and a tenth of a second."""
    found = picking_metrics([5999, 5000, 6000, 100], [5989, 5011, 6000, NO_PICK])
    assert (found["precision"], found["recall"]) == (0.5, pytest.approx(1 / 3))
    assert found["mean"] == 2.5 and found["mape"] == pytest.approx(10 / 5999 / 4)

    assert picking_metrics([1000, 1000], [900, 899], tolerance=1.0)["recall"] == 0.5


def test_nothing_to_compare():
    nothing = np.zeros(0)
    for found in (regression_metrics(nothing, nothing), angle_metrics(nothing, nothing)):
        assert sorted(found) == ["mae", "mean", "r2", "rmse", "std"]
        assert all(math.isnan(value) for value in found.values())
    found = picking_metrics(nothing, nothing)
    assert math.isnan(found["mape"]) and found["f1"] == 0
    assert regression_metrics([1.0, 1.0], [0.0, 2.0])["r2"] == 1.0
    with pytest.raises(ValueError, match="Unknown task"):
        published_metrics("volcano", nothing, nothing)


@pytest.mark.parametrize("task", ["magnitude", "distance", "back_azimuth", "polarity"])
def test_each_task_has_its_metric(task):
    target, said = np.array([[0.0, 359.0], [1.0, 0.0]]), np.array([[3.0, 1.0], [0.0, 2.0]])
    functions = {"polarity": class_metrics, "back_azimuth": angle_metrics}
    expected = functions.get(task, regression_metrics)(target, said)
    assert published_metrics(task, target, said) == expected


def test_examples_are_counted():
    """As Hypothesis prints them now, and as it did in its oldest version allowed."""
    output = """.. [100%]
tests/properties/test_a.py::test_one:

  - during generate phase (0.03 seconds):
    - 7 passing, 0 failing, and 3 invalid test cases
  - during shrink phase (0.01 seconds):
    - 2 passing, 0 failing, and 0 invalid test cases

tests/properties/test_a.py::test_two[x]:

  - during generate phase (0.03 seconds):
    - 10 passing examples, 0 failing examples, 1 invalid examples
"""
    assert count(output) == {"test_one": 9, "test_two[x]": 10}
