"""Answers on real earthquakes stay the same, whatever changes below them: see helpers/golden.py."""

import json

import pytest
import torch

from seisbench_llm.tasks import TASKS
from seisbench_llm.weights import packaged_names
from tests.helpers.golden import FILE, answers, differing

# Of probabilities and estimates; other processors and versions of torch stay far below.
TOLERANCE = 1e-3

GOLDEN = json.loads(FILE.read_text())


def test_answers_are_those_of_the_golden_file():
    assert GOLDEN.keys() == set(packaged_names())
    assert {name.partition("_")[2] for name in GOLDEN} == set(TASKS)
    assert differing(GOLDEN, answers(), TOLERANCE) == []


def scale_a_layer(model):
    """Two per cent more in the largest layer of the head."""
    with torch.no_grad():
        max(model.network.head.parameters(), key=torch.numel).mul_(1.02)


def move_the_filter(model):
    model.filter_kwargs = {**model.filter_kwargs, "freq": 1.1 * model.filter_kwargs["freq"]}


@pytest.mark.parametrize("change", [scale_a_layer, move_the_filter])
@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_a_small_change_would_be_seen(name, change):
    assert differing({name: GOLDEN[name]}, answers([name], change), TOLERANCE)


def test_what_is_a_difference():
    one = {"a": {"version": "1", "answers": {"P": [0.5], "S": [100.0]}}}
    assert differing(one, one, 1e-3) == []
    for other, tolerance in [
        ({"a": {"version": "2", "answers": {"P": [0.5], "S": [100.0]}}}, 1e-3),
        ({"a": {"version": "1", "answers": {"P": [0.5]}}}, 1e-3),
        ({"a": {"version": "1", "answers": {"P": [0.5], "S": [100.0], "X": [1.0]}}}, 1e-3),
        ({"a": {"version": "1", "answers": {"P": [0.5011], "S": [100.0]}}}, 1e-3),
        ({"a": {"version": "1", "answers": {"P": [0.5], "S": [100.11]}}}, 1e-3),
        ({"a": {"version": "1", "answers": {"P": [float("nan")], "S": [100.0]}}}, 1e-3),
        ({}, 1e-3),
    ]:
        assert len(differing(one, other, tolerance)) >= 1
        assert len(differing(other, one, tolerance)) >= 1
    almost = {"a": {"version": "1", "answers": {"P": [0.5009], "S": [100.09]}}}
    assert differing(one, almost, 1e-3) == []
