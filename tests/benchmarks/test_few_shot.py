"""The study of few records: the band that is left, shares within each other, two beginnings."""

import itertools
import json

import numpy as np
import pytest
import torch
from obspy.signal.filter import bandpass

from benchmarks.quality import few_shot
from benchmarks.quality.language_model import split
from seisbench_llm import SeisMoLLM
from seisbench_llm.data.datasets import open_dataset


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return few_shot.records(tmp_path_factory.mktemp("few"), 40)


def test_one_octave_is_left(folder):
    raw = open_dataset(folder.with_name("few_shot_40"), sampling_rate=100)
    found = open_dataset(folder, sampling_rate=100)
    assert len(found) == len(raw) == 40
    x, y = raw.get_waveforms(3).astype(float), found.get_waveforms(3)
    expected = bandpass(x - x.mean(-1, keepdims=True), 1, 2, df=100)
    np.testing.assert_allclose(y, expected, atol=1e-3 * np.abs(expected).max())
    columns = ["source_id", "trace_p_arrival_sample"]
    assert found.metadata[columns].equals(raw.metadata[columns])


def test_shares_lie_within_each_other_and_apart_from_test(folder):
    metadata = open_dataset(folder, sampling_rate=100).metadata
    sides = {share: split(metadata, "picking", share, 0) for share in few_shot.SHARES}
    train = [set(s.index[s == "train"]) for s in sides.values()]
    assert all(a <= b for a, b in itertools.pairwise(train)) and len(train[0]) == 1
    assert len({tuple(s.index[s == "test"]) for s in sides.values()}) == 1
    events = metadata["source_id"]
    last = sides[1.0]
    assert not set(events[last == "test"]) & set(events[last == "train"])


def test_one_network_with_two_beginnings():
    tuned, random = (few_shot.build(variant, 0).model for variant in few_shot.VARIANTS)
    given = SeisMoLLM.from_pretrained(few_shot.WEIGHT).state_dict()
    same = {name: torch.equal(value, given[name]) for name, value in tuned.state_dict().items()}
    assert all(same.values())
    assert random.network.config == tuned.network.config
    assert not torch.equal(next(random.parameters()), next(tuned.parameters()))
    assert (tuned.in_samples, tuned.filter_args) == (few_shot.WINDOW, random.filter_args)


def test_a_run_goes_on_and_is_drawn(folder, tmp_path, monkeypatch):
    out, figure = tmp_path / "few_shot.json", tmp_path / "few_shot.png"
    monkeypatch.setattr(few_shot, "SHARES", (0.1, 1.0))
    monkeypatch.setattr(few_shot, "STEPS", 8)
    arguments = ["few_shot", "--work", str(folder.parent), "--records", "40"]
    arguments += ["--seeds", "0", "--out", str(out), "--figure", str(figure)]
    monkeypatch.setattr("sys.argv", [*arguments, "run"])
    few_shot.main()
    rows = json.loads(out.read_text())
    assert [(row["variant"], row["share"]) for row in rows] == [
        (few_shot.AS_IT_IS, 0.0),
        *((variant, share) for variant in few_shot.VARIANTS for share in (0.1, 1.0)),
    ]
    assert [row["train"] for row in rows[1:3]] == [row["train"] for row in rows[3:]]
    assert rows[0]["train"] == 0 < rows[1]["train"] < rows[2]["train"]
    assert len({row["test"] for row in rows}) == 1
    out.write_text(json.dumps(rows[:-1]))
    few_shot.main()
    assert json.loads(out.read_text())[-1]["score"] == rows[-1]["score"]
    monkeypatch.setattr("sys.argv", [*arguments, "report"])
    few_shot.main()
    assert figure.stat().st_size > 10_000
