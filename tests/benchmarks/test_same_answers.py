import copy

import pytest

from benchmarks.quality.same_answers import compare

ANSWERS = {
    "picks": {
        "a P 2020-01-01T00:00:01.000000Z": {"probability": 0.5, "end": "2020-01-01T00:00:02Z"},
        "b S 2020-01-01T00:00:03.000000Z": {"probability": 0.7, "curve": [0.1, float("nan")]},
    }
}


def change(row, column, value):
    changed = copy.deepcopy(ANSWERS)
    changed["picks"][row][column] = value
    return changed


FIRST, SECOND = ANSWERS["picks"]


def test_equal_answers(capsys):
    assert compare(ANSWERS, change(FIRST, "probability", 0.5 + 1e-7), 1e-4, 1e-6, 5) == 0
    assert "2 rows, 5 values, largest difference of numbers 1e-07; 0 " in capsys.readouterr().out


@pytest.mark.parametrize(
    "after",
    [
        change(FIRST, "probability", 0.51),
        change(FIRST, "probability", float("nan")),
        change(FIRST, "end", "2020-01-01T00:00:02.01Z"),
        change(FIRST, "further", 1),
        change(SECOND, "curve", [0.2, float("nan")]),
        change(SECOND, "curve", [0.1]),
        {"picks": {FIRST: ANSWERS["picks"][FIRST]}},
        {"picks": {**ANSWERS["picks"], "c": {}}},
        {},
    ],
)
def test_each_difference_counts(after, capsys):
    assert compare(ANSWERS, after, 1e-4, 1e-6, 5) == 1
    assert compare(after, ANSWERS, 1e-4, 1e-6, 5) == 1
    assert ": 0 differences" not in capsys.readouterr().out
