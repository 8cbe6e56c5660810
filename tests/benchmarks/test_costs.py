"""What models cost: operations as one counts them by hand, and a table of all of them."""

import torch
from torch import nn

from benchmarks.common import timing
from benchmarks.speed import costs, memory
from benchmarks.tables import cost
from benchmarks.tables.markdown import results
from seisbench_llm.tasks import TASKS

SAMPLES, WIDTH, HEADS = 12, 4, 2


class Small(nn.Module):
    """A convolution, an LSTM in both directions, attention and a linear layer."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, WIDTH, 5, padding=2)
        self.lstm = nn.LSTM(WIDTH, 6, batch_first=True, bidirectional=True)
        self.lin = nn.Linear(12, WIDTH)

    def forward(self, x):
        x, _ = self.lstm(torch.relu(self.conv(x)).transpose(1, 2))
        x = self.lin(x).reshape(1, SAMPLES, HEADS, WIDTH // HEADS).transpose(1, 2)
        return nn.functional.scaled_dot_product_attention(x, x, x)


def test_flops_are_two_for_each_multiply_add():
    expected = {
        "conv": 3 * 5 * WIDTH * SAMPLES,
        "lstm": 2 * 4 * 6 * (WIDTH + 6) * SAMPLES,
        "lin": 12 * WIDTH * SAMPLES,
        "attention": 2 * WIDTH * SAMPLES**2,
    }
    enabled = torch.backends.mkldnn.enabled
    assert costs.flops(Small().eval(), torch.randn(1, 3, SAMPLES)) == 2 * sum(expected.values())
    assert torch.backends.mkldnn.enabled == enabled


def test_counts_are_those_of_all_models(monkeypatch):
    found = results("costs")["counts"]
    assert set(found) - {"threads"} == set(costs.MODELS)
    assert {name.split(", ")[0] for name in costs.MODELS} == set(TASKS)
    few = ["picking, packaged", "picking, PhaseNet", "back_azimuth, BAZ network"]
    few += ["polarity, DiTingMotion", "magnitude, MagNet"]
    monkeypatch.setattr(costs, "MODELS", {name: costs.MODELS[name] for name in few})
    assert costs.counts(None) == {name: found[name] for name in few}


def test_ratios_are_of_the_same_round(monkeypatch):
    taken = {costs.BASE: [1.0, 2.0, 4.0], "other": [3.0, 6.0, 12.0]}
    clock = iter(t for pair in zip(*taken.values(), strict=True) for s in pair for t in (0.0, s))
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    found = costs._turns({name: lambda: None for name in taken}, 3, 10.0)
    assert found["other"] == {"value": [60.0, 45.0, 90.0], "times PhaseNet": [3.0, 3.0, 3.0]}


def test_a_peak_is_what_was_held_meanwhile():
    above = [memory.fresh(held, mib) for mib in (20, 200)]
    assert 160 < above[1] - above[0] < 200


def held(mib):
    return memory.peak(lambda: torch.ones(mib, 2**18).sum())[1]


def test_what_was_not_measured_has_no_column(monkeypatch):
    row = {"parameters": 1234, "flops": 2_500_000, "seconds of window": 60.0}
    found = {"counts": {"threads": 1, "distance, full": row, costs.BASE: row}, "memory": {}}
    monkeypatch.setattr(cost, "results", {"costs": found}.get)
    assert cost.models().splitlines() == [
        "| Task | Network | Window | Parameters | MFLOPs |",
        "| --- | --- | ---: | ---: | ---: |",
        "| picking | PhaseNet | 60 s | 1,234 | 2 |",
        "| distance | published size | 60 s | 1,234 | 2 |",
    ]
    time = {"value": [1.0, 0.9, 1.23], "times PhaseNet": [1.0, 1.0, 1.0]}
    found |= {"windows": {"threads": 2, costs.BASE: time}, "day": {costs.BASE: time}}
    assert "| 2 | 1 (0.9, 1.23) |" in cost.models()
    assert cost.pickers().splitlines()[-1] == "| PhaseNet | 1 (0.9, 1.23) | 1.00 |"
