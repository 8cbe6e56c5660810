"""Answers on real earthquakes stay the same, whatever changes below them: see helpers/golden.py."""

import json

import pytest

from tests.helpers.golden import FILE, answers

# Of probabilities and estimates, relative; other processors and versions of torch stay far below.
TOLERANCE = 1e-3


def test_answers_are_those_of_the_golden_file():
    golden, now = json.loads(FILE.read_text()), answers()
    assert {n: now[n]["version"] for n in golden} == {n: golden[n]["version"] for n in golden}
    for name in golden:
        # Which picks there are, and their times, exactly.
        assert now[name]["answers"].keys() == golden[name]["answers"].keys()
        for key, numbers in golden[name]["answers"].items():
            assert now[name]["answers"][key] == pytest.approx(
                numbers, rel=TOLERANCE, abs=TOLERANCE
            ), (name, key)
