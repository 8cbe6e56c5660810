"""Calibration and packaging of weights, on what is known beforehand."""

import json
import shutil
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import pytest
import torch
import yaml

from benchmarks.common import cases, estimating, matching, records
from benchmarks.making import calibration, package
from seisbench_llm import weights
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.streams.picks import time_uncertainty
from tests.helpers.models import tiny_model


@pytest.mark.parametrize("tail", ["normal", "heavy"])
def test_fitted_spread_covers_what_it_says(tail):
    fit = package.fit_calibration
    rng = np.random.default_rng(0)
    value = rng.uniform(5, 200, 1500)
    windows = rng.uniform(0.1, 1, value.size)
    true = np.sqrt(3**2 + (0.2 * value) ** 2)
    unit = rng.standard_normal(value.size) if tail == "normal" else rng.standard_t(3, value.size)
    terms = {"floor": np.ones(value.size), "relative": value, "windows": windows}
    found = fit(true * unit, terms, np.ones(value.size))
    spread = np.sqrt(sum((factor * terms[name]) ** 2 for name, factor in found.items()))
    # No one scale brings Student's t to both shares: what is between the two is right.
    margin = 0.06 if tail == "normal" else 0.1
    for near in (value < 40, value > 150):
        ratio = np.abs(true * unit)[near] / spread[near]
        assert np.mean(ratio <= 1) == pytest.approx(0.683, abs=margin)
        assert np.mean(ratio <= 2) == pytest.approx(0.954, abs=0.04)
    if tail == "normal":
        assert found["relative"] == pytest.approx(0.2, rel=0.1)
    json.dumps(found)


def test_shares_weigh_groups_of_records():
    fit = package.fit_calibration
    rng = np.random.default_rng(0)
    errors = np.concatenate([rng.standard_normal(2000), 10 * rng.standard_normal(50)])
    terms = {"floor": np.ones(errors.size)}
    ignored = np.repeat([1.0, 1e-9], [2000, 50])
    assert fit(errors, terms, ignored)["floor"] == pytest.approx(1, rel=0.1)
    assert fit(errors, terms, 1 - ignored + 1e-9)["floor"] == pytest.approx(10, rel=0.3)


def test_temperature_makes_probabilities_of_the_answers(data, monkeypatch):
    model = tiny_model("polarity")
    model.network.head.linear.weight.data *= 8
    # Windows that disagree would weigh otherwise afterwards.
    model.default_args["window_jitter"] = 0.0
    some = cases.synthetic_cases(data, "polarity", "train", 100)
    # Truths of which the untrained model's answers are right with a probability of 0.7.
    rng = np.random.default_rng(0)
    values = estimating.estimate(model, some)["value"]
    truths = np.where(rng.random(len(some)) < 0.7, values >= 0.5, values < 0.5)
    drawn = [replace(c, truth=float(t)) for c, t in zip(some, truths, strict=True)]
    monkeypatch.setattr(package, "synthetic_cases", lambda *args: drawn)
    text = package.calibrate_polarity(model, data, 100)
    after = estimating.estimate(model, drawn)["value"]
    assert np.array_equal(after >= 0.5, values >= 0.5)
    right = np.mean((after >= 0.5) == truths)
    assert np.mean(np.maximum(after, 1 - after)) == pytest.approx(right, abs=0.1)
    assert np.mean(np.maximum(values, 1 - values)) > right + 0.1
    assert f"on {len(some)} synthetic" in text


def test_the_pickers_best_threshold_becomes_the_default(monkeypatch):
    model = tiny_model("picking")
    stream = obspy.Stream([obspy.Trace(np.zeros(3000), {"channel": "HHZ"})])
    start = stream[0].stats.starttime
    picks = {phase: [start + 10] for phase in "PS"}
    record = records.AnalystRecord(records.SETS[0], "a", "XX.A", "e", stream, picks)
    monkeypatch.setattr(calibration, "calibration_records", lambda *args: [record] * 40)
    monkeypatch.setattr(calibration, "noise_before", lambda *args: None)
    # Hits at 0.6 to 0.9, false peaks at 0.1 to 0.55, some of either where the others are.
    rng = np.random.default_rng(0)
    hits, false = rng.uniform(0.6, 0.9, 40), rng.uniform(0.1, 0.55, 40)
    hits[0], false[0] = false[0], hits[0]
    peaks = iter(
        [{p: np.array([[10, h], [15, f]]) for p in "PS"} for h, f in zip(hits, false, strict=True)]
    )
    monkeypatch.setattr(calibration.Picker, "peaks", lambda *args: next(peaks))
    x = torch.randn(2, 3, model.in_samples)
    with torch.no_grad():
        before = model(x, logits=True)
        text = calibration.calibrate_picker(model, Path())
        after = model(x, logits=True)
    level = float(text.split("P threshold ")[1].split(" to")[0])
    scale = float(text.split("slope ")[1].split(";")[0])
    assert 0.5 <= level <= 0.66 and scale > 0
    logit = calibration.logits_of
    for output in (1, 2):
        expected = scale * (before[:, output] - logit(level)) + logit(0.3)
        torch.testing.assert_close(after[:, output], expected, atol=0.05, rtol=0.01)
    torch.testing.assert_close(after[:, 0], before[:, 0])
    assert set(model.default_args["calibration"]) == {"P", "P_power", "S", "S_power"}


def test_uncertainty_of_times_holds_what_it_promises():
    rng = np.random.default_rng(0)
    probability = rng.uniform(0.3, 1, 4000)
    away = 0.05 / probability * rng.standard_normal(4000)
    value, power = calibration.fit_time_uncertainty(away, probability)
    assert value == pytest.approx(0.05, rel=0.1) and power == pytest.approx(1, abs=0.15)
    for times, least, most in ((1, 0.66, 0.70), (2, 0.93, 0.97)):
        inside = [
            abs(error) <= times * time_uncertainty({"P": value, "P_power": power}, "P", p)
            for error, p in zip(away, probability, strict=True)
        ]
        assert least < np.mean(inside) < most


def test_residuals_are_those_of_the_peak_next_to_a_pick():
    peaks = [
        {"P": np.array([[9.9, 0.8], [10.8, 0.9], [30.0, 0.9]])},
        {"P": np.array([[20.0, 0.9]])},
        {"P": np.zeros((0, 2))},
        {"P": np.array([[5.0, 0.1]])},
    ]
    truth = [np.array([10.0]), np.array([10.0]), np.array([1.0]), np.array([5.0])]
    away, probability = matching.residuals(peaks, truth, "P")
    np.testing.assert_allclose([away, probability], [[-0.1], [0.8]])


def test_noise_is_what_precedes_p():
    samples = np.arange(6000.0)
    trace = obspy.Trace(samples, {"channel": "HHZ", "sampling_rate": 100})
    stream, start = obspy.Stream([trace]), trace.stats.starttime
    record = records.AnalystRecord("x", "a", "XX.A", "e", stream, {"P": [start + 30], "S": []})
    noise = calibration.noise_before(record)
    assert noise[0].stats.npts == 9000 and noise[0].data.max() == 2700
    record.picks = {"P": [start + 10], "S": []}
    assert calibration.noise_before(record) is None
    record.picks = {"P": [], "S": [start + 30]}
    assert calibration.noise_before(record) is None


@pytest.fixture
def run(tmp_path, data):
    """A run folder of a tiny distance model, as fit leaves it."""
    folder = tmp_path / "distance"
    (folder / "checkpoints").mkdir(parents=True)
    model = tiny_model("distance")
    state = {
        "hyper_parameters": {"built_args": model.get_model_args()},
        "state_dict": {f"model.{name}": value for name, value in model.state_dict().items()},
        "global_step": 123,
    }
    torch.save(state, folder / "checkpoints" / "best.ckpt")
    config = {
        "seed_everything": 7,
        "task": "distance",
        "trainer": {"precision": "bf16-mixed"},
        "model": {
            "preset": "compact",
            "weights": None,
            "model_args": {"pretrained": False},
            "language_model": "full",
            "optimizer": "adamw",
            "schedule": "onecycle",
            "learning_rate": 1e-3,
        },
        "data": {"batch_size": 16, "recipe": "compact", "noise": None, "shares": None},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "versions.json").write_text(json.dumps({"torch": "2.0"}))
    metadata = pd.read_csv(data / "synthetic" / "metadata.csv")
    split = metadata[["trace_name", "split"]].assign(dataset="synthetic")
    split.to_csv(folder / "split_0.csv.gz", index=False)
    return folder


def arguments(run, data, out, **kwargs):
    options = {
        "task": "distance",
        "run": run,
        "records": None,
        "data": data,
        "out": out,
        "checkpoint": "best.ckpt",
        "synthetic": 50,
        "version": "1",
        "average": None,
        "start": None,
    }
    return Namespace(**{**options, **kwargs})


def test_a_run_becomes_a_calibrated_weight_with_an_exact_record(run, data, tmp_path, monkeypatch):
    for name in ("real_cases", "region_cases"):
        monkeypatch.setattr(package, name, lambda *args: [])
    out = tmp_path / "out" / "compact_distance"
    package.package(arguments(run, data, out))
    model = SeisMoLLM.from_pretrained(str(out))
    calibration = model.default_args["calibration"]
    assert set(calibration) <= {"floor", "relative", "windows"} and max(calibration.values()) > 0
    record = model.record
    counts = pd.read_csv(data / "synthetic" / "metadata.csv")["split"].value_counts()
    for part in (
        f"synthetic: {counts['train']} records to train on, {counts['dev']} for development",
        "random weights",
        "123 steps of 16 windows",
        "seed 7",
        "Calibration: spread {",
    ):
        assert part in record.data
    assert record.language_model is None and record.licence and record.limits
    assert str(tmp_path) not in out.with_suffix(".json").read_text()
    stored = weights.read_tensors(out.with_suffix(".safetensors"))
    assert all(value.dtype == torch.float16 for value in stored.values() if value.ndim)

    group = {"all": {"records": 20, "median error, km": 3.0}}
    results = {"compact_distance": {"test": {"analyst's P": group}}}
    figures = tmp_path / "results.json"
    figures.write_text(json.dumps(results))
    package.put_figures(arguments(None, None, out, figures=figures))
    again = SeisMoLLM.from_pretrained(str(out))
    assert again.record.figures["test"] == group["all"]
    assert again.record.data == record.data
    assert again.default_args["calibration"] == calibration


def test_runs_that_cannot_be_packaged(run, data, tmp_path):
    out = tmp_path / "compact_magnitude"
    with pytest.raises(SystemExit, match="a run for distance, not magnitude"):
        package.package(arguments(run, data, out, task="magnitude"))
    with pytest.raises(SystemExit, match=r"no last\.ckpt"):
        package.package(arguments(run, data, out, checkpoint="last.ckpt"))
    split = pd.read_csv(run / "split_0.csv.gz")
    split["trace_name"] += "x"
    split.to_csv(run / "split_0.csv.gz", index=False)
    checkpoint = {"global_step": 1}
    with pytest.raises(SystemExit, match="is not what"):
        package.described(run, data, checkpoint)


def test_windows_of_a_bank_are_summed_by_their_source(run, data, tmp_path):
    """A bank has a folder per part and seed."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["data"]["recipe"] = "taught"
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    split = pd.read_csv(run / "split_0.csv.gz")
    for i, name in enumerate(("taught/0/negatives", "taught/1/negatives")):
        (tmp_path / name).mkdir(parents=True)
        shutil.copy(data / "synthetic" / "metadata.csv", tmp_path / name / "metadata.csv")
        split.assign(dataset=name).to_csv(run / f"split_{i}.csv.gz", index=False)
    built = tiny_model("distance").get_model_args()
    checkpoint = {"global_step": 5, "hyper_parameters": {"built_args": built}}
    text = package.described(run, tmp_path, checkpoint)
    count = 2 * (split["split"] == "train").sum()
    assert f": {count} rockfalls" in text and "PhaseNet/volpick" in text and "5 steps of 16" in text
