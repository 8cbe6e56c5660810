"""Any SeisBench picker through one interface, read by its labels."""

import json

import numpy as np
import pandas as pd
import pytest
import seisbench.generate as sbg
import seisbench.models as sbm
import torch
from seisbench.data import WaveformDataset

from seisbench_llm.benchmark import scores, training
from seisbench_llm.benchmark.datasets import open_for_benchmark
from seisbench_llm.benchmark.estimators import BenchmarkEstimator
from seisbench_llm.benchmark.making import make_targets, predict_with_weights
from seisbench_llm.benchmark.pickers import BenchmarkPicker, make_picker
from seisbench_llm.benchmark.predictions import (
    TargetWindows,
    predict,
    predict_targets,
    read_targets,
)
from tests.helpers.benchmark import Oracle, write_records
from tests.helpers.models import TINY, TINY_SHAPE, tiny_model

SMALL = {
    key: list(value) if isinstance(value, tuple) else value
    for key, value in TINY.items()
    if key not in ("backbone_layers", "pred_sample")
}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Records and their targets."""
    folder = tmp_path_factory.mktemp("toy")
    (folder / "records").mkdir()
    write_records(folder / "records")
    make_targets(str(folder / "records"), folder / "targets" / "toy", ["1", "23", "magnitude"])
    return folder


def fixed(model, curves):
    """A model whose network always gives the same curves."""
    model.forward = lambda x: curves if isinstance(curves, tuple) else curves.expand(len(x), -1, -1)
    return BenchmarkPicker(model)


@pytest.mark.parametrize("order", ["NPS", "PSN", "SNP"])
def test_labels_are_read_by_name(order):
    curves = {phase: torch.zeros(3001) for phase in "PSN"}
    curves["P"][1200], curves["S"][1500], curves["P"][50] = 0.8, 0.4, 0.9
    curves["N"] += 1
    curves["N"][1300] = 0.3
    module = fixed(
        sbm.PhaseNet(phases=order), torch.stack([curves[label] for label in order])[None]
    )
    batch = {"X": torch.randn(2, 3, 3001), "window_borders": torch.tensor([[1000, 2000]] * 2)}
    detection, ratio, p, s = module.predict_step(batch)
    assert detection.tolist() == pytest.approx([0.7] * 2)
    assert ratio.tolist() == pytest.approx([2.0] * 2)
    # Sample 50 is higher, but outside of the window.
    assert (p.tolist(), s.tolist()) == ([200] * 2, [500] * 2)


def test_detection_of_each_kind():
    borders = torch.tensor([[0, 6000]])
    curves = [torch.zeros(1, 6000) for _ in range(3)]
    for curve, height in zip(curves, (0.9, 0.6, 0.3), strict=True):
        curve[0, 77] = height
    module = fixed(sbm.EQTransformer(), tuple(curves))
    batch = {"X": torch.randn(1, 3, 6000), "window_borders": borders}
    assert module.predict_step(batch)[0].item() == pytest.approx(0.9)
    # SeisMoLLM's own detection is not trained: P or S.
    model = tiny_model()
    batch = {"X": torch.randn(1, 3, 3000), "window_borders": borders}
    detection, *_ = BenchmarkPicker(model).predict_step(batch)
    with torch.no_grad():
        curves = BenchmarkPicker(model)(batch["X"])
    assert curves.shape == (1, 2, 3000)
    assert detection.item() == pytest.approx(curves.max().item())


def test_a_model_of_another_kind_is_refused():
    for model in (sbm.CRED(), tiny_model("magnitude")):
        with pytest.raises(ValueError, match="not a picker of P and S"):
            BenchmarkPicker(model)
    with pytest.raises(ValueError, match="no model 'Nothing'"):
        make_picker("Nothing")
    with pytest.raises(ValueError, match="is a picker"):
        BenchmarkEstimator(tiny_model())


def test_windows_are_those_of_seisbench(toy):
    dataset = open_for_benchmark(str(toy / "records"))
    targets = read_targets(toy / "targets/toy/task23.csv", "test")
    steps = [sbg.SteeredWindow(windowlen=3001, strategy="pad"), sbg.ChangeDtype(np.float32)]
    ours = TargetWindows(dataset, targets, steps)
    theirs = sbg.SteeredGenerator(dataset, targets)
    theirs.add_augmentations(steps)
    for i in range(len(targets)):
        for name in ("X", "window_borders"):
            np.testing.assert_array_equal(ours[i][name], theirs[i][name])


def test_units_do_not_matter(toy):
    dataset = WaveformDataset(toy / "records", component_order="ZNE", dimension_order="NCW")
    targets = read_targets(toy / "targets/toy/task23.csv", "test").head(3)
    module = BenchmarkPicker(sbm.PhaseNet(phases="PSN").eval())
    plain = predict(module, dataset, targets)
    get = dataset.get_sample
    dataset.get_sample = lambda i: (get(i)[0] * 1e-12 + 5e-9, get(i)[1])
    for a, b in zip(plain, predict(module, dataset, targets), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3)


def test_files_of_predictions(toy, tmp_path):
    folder = toy / "targets" / "toy"
    dataset = open_for_benchmark(str(toy / "records"))
    for task in ("task1", "task23"):
        for side in ("dev", "test"):
            table = read_targets(folder / f"{task}.csv", side)
            values = predict(Oracle(table), dataset, table, batch_size=5)
            assert len(values[0]) == len(table) > 0

    class Knows(Oracle):
        def get_eval_augmentations(self):
            self.targets, self.at = next(tables), 0
            return super().get_eval_augmentations()

    tables = iter(
        read_targets(folder / f"{task}.csv", side)
        for task in ("task1", "task23")
        for side in ("dev", "test")
    )
    out = tmp_path / "pred" / "toy_oracle" / "version_0"
    files = predict_targets(Knows(None), dataset, folder, out)
    assert [f.name for f in files] == [
        f"{side}_{task}.csv" for task in ("task1", "task23") for side in ("dev", "test")
    ]
    assert list(pd.read_csv(files[0]).columns)[-4:] == [
        "score_detection",
        "score_p_or_s",
        "p_sample_pred",
        "s_sample_pred",
    ]
    found = scores.scores_of(out)
    assert found["test_det_auc"] == found["test_phase_mcc"] == 1
    assert found["test_P_mae_s"] == found["test_S_std_s"] == 0
    with pytest.raises(FileNotFoundError, match="has none of"):
        predict_targets(BenchmarkEstimator(tiny_model("distance")), dataset, folder, out)


@pytest.mark.parametrize("name, arguments", [("PhaseNet", {}), ("SeisMoLLM", SMALL)])
def test_training_and_evaluation(toy, tmp_path, monkeypatch, name, arguments):
    monkeypatch.chdir(tmp_path)
    config = {
        "model": name,
        "data": str(toy / "records"),
        "model_args": {"lr": 1e-3, **arguments},
        "trainer_args": {"gpus": 1, "max_epochs": 2},
        "batch_size": 4,
        "num_workers": 0,
    }
    if name == "SeisMoLLM":
        config["model_args"] |= {"backbone_layers": 1, "backbone_config": TINY_SHAPE}
    file = tmp_path / f"toy_{name.lower()}.json"
    file.write_text(json.dumps(config))
    folder = training.train(file)
    metrics = pd.read_csv(folder / "metrics.csv")
    assert {"train_loss", "val_loss"} <= set(metrics.columns)
    module, read = training.load_trained(folder.parent)
    assert read["data"] == config["data"] and module.sigma == (20 if name == "PhaseNet" else 10)
    assert json.loads((folder / "run.json").read_text())["sha256"]["weights"]

    result = training.evaluate(folder.parent, toy / "targets" / "toy")
    assert result.parts[-3:] == ("pred", f"toy_{name.lower()}", "version_0")
    table = scores.collect(result.parents[1])
    assert len(table) == 1 and np.isfinite(table["test_det_auc"]).all()
    again = training.evaluate(folder.parent, toy / "targets" / "toy", out=tmp_path / "again")
    for path in sorted(result.glob("*.csv")):
        assert path.read_text() == (again / path.name).read_text()
    # The same records under another name are another domain.
    (toy / "targets" / "toy").replace(toy / "targets" / "other")
    try:
        cross = training.evaluate(folder.parent, toy / "targets" / "other")
    finally:
        (toy / "targets" / "other").replace(toy / "targets" / "toy")
    assert cross.parts[-3:-1] == ("pred_cross", f"toy_{name.lower()}_other")
    assert scores.collect(cross.parents[1], cross=True)["target"].tolist() == ["other"]


def test_resampled(toy, tmp_path):
    records = str(toy / "records")
    tiny_model(sampling_rate=50).save(tmp_path / "slow")
    with pytest.raises(ValueError, match="works at 50 Hz; pass --rate 50"):
        predict_with_weights(str(tmp_path / "slow"), toy / "targets/toy", records, tmp_path)
    folder = predict_with_weights(
        str(tmp_path / "slow"), toy / "targets/toy", records, tmp_path, rate=50
    )
    assert folder.parts[-3:-1] == ("pred_cross_resampled", "slow_seismollm_toy_50")
    table = pd.read_csv(folder / "test_task23.csv")
    plain = read_targets(toy / "targets/toy/task23.csv", "test")
    assert (table["sampling_rate"] == 50).all()
    np.testing.assert_allclose(table["phase_onset"], plain["phase_onset"] / 2)
    found = scores.collect(folder.parents[1], cross=True, resampled=True)
    assert found["sampling_rate"].tolist() == ["50"]


def test_estimates(toy, tmp_path):
    tiny_model("magnitude", in_samples=3000).save(tmp_path / "size")
    folder = predict_with_weights(
        str(tmp_path / "size"), toy / "targets/toy", str(toy / "records"), tmp_path
    )
    table = pd.read_csv(folder / "test_task_magnitude.csv")
    assert table["magnitude_pred"].between(0, 8).all() and table["magnitude_pred"].nunique() > 1
    assert "test_magnitude_mae" in scores.collect_beside(folder.parents[1], cross=True)
    masked = predict_with_weights(
        str(tmp_path / "size"), toy / "targets/toy", str(toy / "records"), tmp_path, mask_s=True
    )
    # Without S the answers are others, as nothing of S is seen.
    other = pd.read_csv(masked / "test_task_magnitude.csv")
    assert (other["magnitude_pred"] != table["magnitude_pred"]).all()


def test_nothing_after_s_is_seen(toy):
    dataset = open_for_benchmark(str(toy / "records"))
    targets = read_targets(toy / "targets/toy/task_magnitude.csv", "test")
    steps = BenchmarkEstimator(tiny_model("distance"), mask_s=True).get_eval_augmentations()
    windows = TargetWindows(dataset, targets, steps)
    for i, row in targets.iterrows():
        x = windows[i]["X"]
        cut = 500 + int(row["s_onset"] - 100 - row["phase_onset"])
        assert x[:, 400:cut].any(axis=0).all() and not x[:, cut + 1 :].any()
