import copy
import json

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
    counts = "2 rows, 5 values, 1e-07 largest difference, 0 differences"
    assert counts in capsys.readouterr().out


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
    assert " 0 differences" not in capsys.readouterr().out


def test_what_is_meant_to_differ(tmp_path, capsys):
    after = change(FIRST, "probability", 0.51)
    purpose = {"picks/a *: probability": "calibrated anew"}
    assert compare(ANSWERS, after, purpose=purpose, out=tmp_path / "counts.json") == 0
    assert "1 on purpose: calibrated anew" in capsys.readouterr().out
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert counts["on purpose"] == {"calibrated anew": 1}
    assert counts["sections"]["picks"]["differences"] == 1
    assert compare(ANSWERS, after, purpose={"picks/a *: end": "calibrated anew"}) == 1
