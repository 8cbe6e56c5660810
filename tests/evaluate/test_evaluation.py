import json

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import circmean, circstd
from typer.testing import CliRunner

from seisbench_llm import cli
from seisbench_llm.data.datasets import open_dataset
from seisbench_llm.data.synthetic.records import Synthetic
from seisbench_llm.evaluate.bootstrap import _quantile
from seisbench_llm.evaluate.evaluation import Evaluation, evaluate
from seisbench_llm.evaluate.figures import precision_recall
from seisbench_llm.evaluate.measures import confusion
from seisbench_llm.evaluate.metrics import NO_PICK, wrap
from seisbench_llm.evaluate.picks import judged, matched, parse_numbers
from seisbench_llm.evaluate.predict import decode, highest_peak, predict, thresholds_of
from seisbench_llm.tasks import TASKS
from seisbench_llm.weights import WeightRecord
from tests.helpers.models import tiny_model
from tests.helpers.parity import golden, official

FIGURES = {
    "picking": {"residuals", "precision_recall", "recall"},
    "polarity": {"confusion", "reliability"},
    "magnitude": {"estimates", "errors"},
    "distance": {"estimates", "errors"},
    "back_azimuth": {"estimates", "errors"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("synthetic") / "records"
    Synthetic(40, seed=3).write(path)
    return path


def pick_table(p_true, p_predicted, **columns):
    none = np.full(len(p_true), NO_PICK)
    return pd.DataFrame(
        {"p_true": p_true, "p_predicted": p_predicted, "s_true": none, "s_predicted": none}
        | columns
    )


# Published metrics


@pytest.mark.parametrize("task", TASKS)
def test_published_metrics_are_the_golden_ones(shared, task):
    parity = official()
    data, expected = golden(parity, "golden_metrics.npz"), golden(parity, "golden_metrics.json")
    key = TASKS[task].published

    def columns(key):
        return data[f"{key}_target"].squeeze(), data[f"{key}_pred"].squeeze()

    if task == "picking":
        (p_true, p_said), (s_true, s_said) = columns("ppk"), columns("spk")
        table = pick_table(p_true, p_said, s_true=s_true, s_predicted=s_said)
        expected = {"P": expected["ppk"], "S": expected["spk"]}
    elif task == "polarity":
        true, said = columns(key)
        letters = np.where(true[:, 0] > 0, "U", "D")
        table = pd.DataFrame({"true": letters, "up": said[:, 0], "down": said[:, 1]})
        expected = {task: expected[key]}
    else:
        table = pd.DataFrame(dict(zip(("true", "predicted"), columns(key), strict=True)))
        expected = {task: expected[key]}
    result = Evaluation.from_predictions(task, table, resamples=0)
    for group, values in expected.items():
        assert result.published[group] == pytest.approx(values, rel=1e-5, abs=1e-5)


# Decoding


def test_highest_peak_of_at_least_the_threshold():
    curves = np.zeros((4, 3, 100), dtype=np.float32)
    curves[0, 1, [20, 60]] = 0.5, 0.9
    curves[0, 2, 40] = 0.3
    curves[1, 1, 30] = 0.29
    # Neither a rise to the window's end nor a constant is a peak.
    curves[1, 2] = np.linspace(0, 1, 100)
    curves[2, 1] = 0.8
    curves[3, 1, 50:53] = 0.7
    said = decode("picking", torch.from_numpy(curves), threshold=np.float32(0.3))
    assert said.tolist() == [[60, 40], [NO_PICK, NO_PICK], [NO_PICK, NO_PICK], [50, NO_PICK]]
    assert decode("picking", curves, threshold=0.95).max() == NO_PICK
    sample, height = highest_peak(curves[:, 1])
    assert sample.tolist() == [60, 30, NO_PICK, 50]
    np.testing.assert_allclose(height, [0.9, 0.29, 0, 0.7], rtol=1e-6)


def test_decode_other_tasks():
    vectors = torch.tensor([[0.0, 0.2], [-0.5, 0.0], [0.3, -0.3]])
    np.testing.assert_allclose(decode("back_azimuth", vectors), [90, 180, 315], atol=1e-4)
    assert decode("magnitude", torch.tensor([[2.5], [1.0]])).tolist() == [2.5, 1.0]
    assert decode("polarity", torch.tensor([[0.25, 0.75]])).tolist() == [[0.25, 0.75]]
    with pytest.raises(ValueError, match="Unknown task"):
        decode("volcano", vectors)


# Measures


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


def test_precision_recall_passes_through_the_threshold():
    rng = np.random.default_rng(0)
    true, height = rng.integers(100, 5900, 300), rng.uniform(0.05, 1, 300).round(2)
    peak = true + rng.integers(-20, 21, 300)
    said = np.where(height >= 0.3, peak, NO_PICK)
    table = pick_table(true, said, p_peak=peak, p_probability=height)
    own = Evaluation.from_predictions("picking", table, resamples=0).measures["P"]
    curve = precision_recall(table, "P", 6000, 100)
    row = curve[curve["threshold"] >= 0.3].iloc[-1]
    assert row["recall"] == pytest.approx(own["recall_0.1s"])
    assert row["precision"] == pytest.approx(own["precision_0.1s"])
    assert curve["recall"].is_monotonic_increasing and curve["threshold"].is_unique


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


# All picks of a window


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


def test_each_onset_and_each_pick_in_one_pair():
    assert matched([100, 150], [110, 112, 145], 50) == {2: -5, 0: 10}
    assert matched([100], [200], 50) == {} == matched([], [1], 5)


def test_what_is_judged():
    picks, labelled, none = np.array([100, 1000, 1290, 2000]), np.array([1000, 1100]), np.array([])

    def flags(**changes):
        given = {"labelled": labelled, "unsure": none, "complete": False, "unlabelled": False}
        return judged(picks, **{**given, **changes}, sampling_rate=100.0).tolist()

    assert flags() == [False, True, True, False]
    assert flags(complete=True) == [True] * 4
    assert flags(complete=True, unsure=np.array([1950.0])) == [True, True, True, False]
    assert flags(unlabelled=True) == [False] * 4 == flags(labelled=none)


def test_aftershocks_of_which_nobody_made_a_label(monkeypatch, folder):
    """Every event is found; in a quarter of the records there is another one without a label."""
    dataset, model = open_dataset(folder), tiny_model(in_samples=3008, sampling_rate=50)
    dataset.metadata["trace_completely_labelled"] = False
    alone = [c for c in dataset.metadata if "2_" in c]
    dataset._metadata = dataset.metadata.drop(columns=alone)

    def all_found(self, x, **_):
        curves = torch.zeros(len(x), 3, 3008)
        curves[:, 1:, 2900] = 0.9
        return curves

    monkeypatch.setattr(type(model), "forward", all_found)
    table = predict(model, dataset)
    assert (table["p_picks"] == "2900").all()
    noise = dataset.metadata["trace_category"].str.contains("noise").to_numpy()
    assert (table["p_judged"][noise] == "1").all() and noise.any()
    last = table[["p_onsets", "s_onsets"]].agg(" ".join, axis=1).map(parse_numbers)
    near = np.array([bool(o) and abs(2900 - max(o)) <= 100 for o in last])
    assert ((table["p_judged"] == "1").to_numpy() == (near | noise)).all()
    assert (predict(model, dataset, complete=True)["p_judged"] == "1").all()


def test_device_that_is_not_there(folder):
    model = tiny_model().train()
    for device in ("abacus", "cuda:77"):
        with pytest.raises(ValueError, match=f"Device '{device}'"):
            predict(model, open_dataset(folder), device=device, limit=2)
    assert model.training and model.device.type == "cpu"


@pytest.mark.parametrize("fails", [False, True])
def test_model_is_left_as_it_was(folder, fails, monkeypatch):
    model = tiny_model("magnitude").train()
    # Frozen, as in fine-tuning: a part in evaluation mode, one without gradients.
    model.network.embedder.eval()
    model.network.head.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    gradients = [parameter.requires_grad for parameter in model.parameters()]
    if fails:
        monkeypatch.setattr(type(model), "forward", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            predict(model, open_dataset(folder), limit=2)
    else:
        predict(model, open_dataset(folder), limit=2)
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == gradients
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_thresholds_of_the_weight():
    model = tiny_model()
    assert thresholds_of(model).tolist() == [0.3, 0.3]
    model.default_args["S_threshold"] = 0.6
    assert thresholds_of(model).tolist() == [0.3, 0.6]
    assert thresholds_of(model, 0.5).tolist() == [0.5, 0.5]


def test_records_of_the_training_are_named(folder, warnings_of, monkeypatch):
    dataset, model = open_dataset(folder), tiny_model()
    name = dataset.name

    def trained_on(data):
        record = WeightRecord("tiny", "picking", "1", 100.0, 30.0, data)
        monkeypatch.setattr(type(model), "record", record)

    trained_on(f"{name}2 (3 records)")
    evaluate(model, dataset, limit=3, resamples=0)
    trained_on(f"{name} (3 records)")
    evaluate(model, dataset, limit=3, resamples=0, held_out=True)
    assert "was trained on" not in warnings_of()
    evaluate(model, dataset, limit=3, resamples=0)
    assert f"was trained on {name}" in warnings_of()


# Bootstrap


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


# Data sets


@pytest.mark.parametrize("task", TASKS)
def test_data_set(folder, task, tmp_path):
    dataset = open_dataset(folder)
    model = tiny_model(task, in_samples=3008, sampling_rate=50)
    result = evaluate(model, dataset, batch_size=16, resamples=50)
    metadata, table = dataset.metadata.set_index("trace_name"), result.table
    assert dataset.sampling_rate is None and len(dataset) == 40
    own = metadata.loc[table["trace_name"]]
    assert (own["source_id"].to_numpy() == table["source_id"].to_numpy()).all()
    if task == "picking":
        assert len(table) == 40
        for phase in "ps":
            onset = own[f"trace_{phase}_arrival_sample"].to_numpy()
            assert ((table[f"{phase}_true"] == NO_PICK) == np.isnan(onset)).all()
        both = (table[["p_true", "s_true"]] != NO_PICK).all(axis=1).to_numpy()
        gap = (own["trace_s_arrival_sample"] - own["trace_p_arrival_sample"]).to_numpy() / 2
        # Where a second event is in the window, the nearest onset may be that.
        same = np.abs((table["s_true"] - table["p_true"]).to_numpy() - gap) < 2
        alone = own[["trace_p2_arrival_sample", "trace_s2_arrival_sample"]].isna().all(axis=1)
        assert same[both & alone.to_numpy()].all() and both.sum() > 20
        said = np.where(table["p_probability"] >= 0.3, table["p_peak"], NO_PICK)
        assert (table["p_predicted"] == said).all()
    elif task == "polarity":
        assert (table["true"].to_numpy() == own["trace_polarity"].to_numpy()).all()
    else:
        names = {"magnitude": "source_magnitude", "distance": "path_ep_distance_km"}
        truth = own[names.get(task, "path_back_azimuth_deg")]
        np.testing.assert_allclose(table["true"], truth, rtol=1e-5)

    result.write(tmp_path)
    assert {f.stem for f in tmp_path.glob("*.png")} == FIGURES[task]
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["task"] == task and content["settings"]["records"] == len(table)
    assert {"distance", "magnitude", "snr"} <= set(content["breakdown"])
    read = Evaluation.from_predictions(
        task, pd.read_csv(tmp_path / "predictions.csv"), 3008, 50, resamples=50
    )
    assert str(read.summary()) == str(result.summary())


def test_result_depends_neither_on_batches_nor_on_mode(folder):
    dataset, model = open_dataset(folder), tiny_model("magnitude").train()
    first = predict(model, dataset, batch_size=7)
    assert model.training
    pd.testing.assert_frame_equal(first, predict(model.eval(), dataset, batch_size=64), rtol=1e-4)
    few = predict(model, dataset, limit=5, seed=1)
    assert len(few) == 5 and set(few["trace_name"]) < set(first["trace_name"])


def test_what_is_missing_is_named(folder):
    dataset = open_dataset(folder)
    dataset.metadata["source_magnitude"] = np.nan
    with pytest.raises(ValueError, match=r"None of the 40 records .*'source_magnitude': 0"):
        evaluate(tiny_model("magnitude"), dataset)
    dataset._metadata = dataset.metadata.drop(columns="source_magnitude")
    with pytest.raises(ValueError, match="no column source_magnitude"):
        evaluate(tiny_model("magnitude"), dataset)
    with pytest.raises(ValueError, match="No predictions of picking: s_predicted missing"):
        Evaluation.from_predictions("picking", pick_table([1], [1]).drop(columns="s_predicted"))


def test_phase_that_no_one_labelled_is_unknown(folder):
    dataset = open_dataset(folder)
    columns = [c for c in dataset.metadata if c.startswith("trace_s") and "arrival" in c]
    dataset._metadata = dataset.metadata.drop(columns=columns)
    table = predict(tiny_model(), dataset)
    own = dataset.metadata.set_index("trace_name").loc[table["trace_name"]]
    noise = own["trace_category"].str.contains("noise").to_numpy()
    assert (table["s_true"].isna().to_numpy() == ~noise).all() and noise.any()


# Command line


def test_command(folder, tmp_path):
    tiny_model().save(tmp_path / "tiny")
    out = tmp_path / "out"
    arguments = ["evaluate", "--weights", str(tmp_path / "tiny"), "--data", str(folder)]
    run = CliRunner().invoke
    result = run(cli.app, [*arguments, "--split", "all", "--out", str(out), "--threshold", "0.9"])
    assert result.exit_code == 0, result.output
    assert "P measures" in result.stdout and "recall_0.1s" in result.stdout
    assert {f.stem for f in out.glob("*.png")} == FIGURES["picking"]
    assert json.loads((out / "metrics.json").read_text())["settings"]["threshold"] == 0.9
    table = pd.read_csv(out / "predictions.csv")
    assert len(table) == 40
    assert (table["p_predicted"] == NO_PICK).equals(table["p_probability"] < 0.9)

    # By default the data set's own split, which for synthetic records is by event.
    metadata = open_dataset(folder).metadata
    own = run(cli.app, [*arguments, "--split", "train", "--json"])
    content = json.loads(own.stdout)
    assert content["settings"]["records"] == (metadata["split"] == "train").sum()
    by_row = run(cli.app, [*arguments, "--split-by", "row", "--limit", "3", "--quiet"])
    assert by_row.exit_code == 0 and not by_row.stdout


def test_command_errors_are_one_line(folder, tmp_path, monkeypatch, capsys):
    tiny_model().save(tmp_path / "tiny")
    arguments = ["evaluate", "--weights", str(tmp_path / "tiny"), "--data"]
    monkeypatch.setattr("sys.argv", ["seisbench-llm", *arguments, "nowhere"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "no data set 'nowhere'" in capsys.readouterr().err
    monkeypatch.setattr(
        "seisbench_llm.data.splits.split_by_event", lambda m, seed: m["split"] + "?"
    )
    monkeypatch.setattr(
        "sys.argv", ["seisbench-llm", *arguments, str(folder), "--split-by", "event"]
    )
    with pytest.raises(SystemExit):
        cli.main()
    assert "No record is in the split 'test'" in capsys.readouterr().err
    assert "Example: seisbench-llm" in CliRunner().invoke(cli.app, ["evaluate", "--help"]).stdout
