"""Scores are those of the original harness, from its files and in its columns."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seisbench_llm.benchmark import scores
from seisbench_llm.benchmark.predictions import folder_of

DATA = Path(__file__).parent / "data"
# A copy of the columns that collect_results.py of pick-benchmark (74ba196) writes.
# fmt: off
CONTRACT = [
    "experiment", "data", "model", "lr", "version", "dev_det_precision", "dev_det_recall",
    "dev_det_f1", "dev_det_auc", "det_threshold", "test_det_precision", "test_det_recall",
    "test_det_f1", "test_det_auc", "dev_phase_precision", "dev_phase_recall", "dev_phase_f1",
    "phase_threshold", "dev_phase_mcc", "phase_threshold_mcc", "test_phase_precision",
    "test_phase_recall", "test_phase_f1", "test_phase_mcc", "dev_P_mean_s", "dev_P_std_s",
    "dev_P_mae_s", "dev_S_mean_s", "dev_S_std_s", "dev_S_mae_s", "test_P_mean_s",
    "test_P_std_s", "test_P_mae_s", "test_S_mean_s", "test_S_std_s", "test_S_mae_s",
]
# fmt: on


def test_the_same_as_the_original(tmp_path):
    # results.csv was written by collect_results.py from the same predictions, some of which are
    # missing or infinite.
    scores.collect(DATA / "pred").to_csv(tmp_path / "results.csv", index=False)
    found, expected = (pd.read_csv(f / "results.csv") for f in (tmp_path, DATA))
    assert list(found.columns) == list(expected.columns) == CONTRACT
    pd.testing.assert_frame_equal(found, expected, rtol=1e-12)


def test_seislm():
    folder = DATA / "pred" / "toy_phasenet" / "version_0"
    found = scores.seislm_scores(folder)
    table = pd.read_csv(folder / "test_task23.csv")
    positive = table["score_p_or_s"][table["phase_label"] == "P"].to_numpy()
    negative = table["score_p_or_s"][table["phase_label"] == "S"].to_numpy()
    pairs = positive[:, None] - negative[None]
    assert found["test_phase_auc"] == pytest.approx((pairs > 0).mean() + (pairs == 0).mean() / 2)
    assert found["test_P_rmse_s"] == pytest.approx(scores.scores_of(folder)["test_P_std_s"])


@pytest.mark.parametrize(
    "name, options, expected",
    [
        ("ethz_phasenet", {}, ("ethz", "phasenet", 0.001)),
        ("ethz_phasenet_0.01", {}, ("ethz", "phasenet", 0.01)),
        ("stead_gpd_ethz", {"cross": True}, ("stead", "gpd", 0.001, "ethz")),
        ("stead_gpd_0.01_ethz", {"cross": True}, ("stead", "gpd", 0.01, "ethz")),
        (
            "stead_gpd_ethz_50",
            {"cross": True, "resampled": True},
            ("stead", "gpd", 0.001, "ethz", "50"),
        ),
    ],
)
def test_names(name, options, expected):
    found = scores.identity(Path(name) / "version_3", **options)
    keys = ("data", "model", "lr", "target", "sampling_rate")
    assert tuple(found[key] for key in keys if key in found) == expected
    assert found["version"] == "3"


def test_folders():
    assert folder_of("ethz_phasenet", "ethz", "ethz", 50)[0] == "pred_resampled"
    assert folder_of("ethz_phasenet", "stead", "ethz")[1] == "ethz_phasenet_stead"
    for config, target in (("phasenet", "ethz"), ("ethz_phasenet", "my_set")):
        with pytest.raises(ValueError, match="cannot hold both"):
            folder_of(config, target)
    with pytest.raises(ValueError, match="DATA_MODEL"):
        scores.identity(Path("a_b_c_d_e/version_0"))


def test_other_tasks():
    rng = np.random.default_rng(0)
    dev, test = (pd.DataFrame({"back_azimuth_deg": rng.uniform(0, 360, n)}) for n in (40, 60))
    for table in (dev, test):
        table["back_azimuth_deg_pred"] = (table["back_azimuth_deg"] + 5) % 360
    found = scores.estimate_scores("back_azimuth", dev, test)
    assert found["test_back_azimuth_mae"] == pytest.approx(5)
    assert found["test_back_azimuth_mean"] == pytest.approx(5)
    assert 60 < found["test_back_azimuth_mae_trivial"] < 120

    table = pd.DataFrame({"polarity": list("UUDDUD"), "score_up": [0.9, 0.8, 0.3, 0.2, 0.4, 0.6]})
    found = scores.estimate_scores("polarity", table, table)
    assert found["test_polarity_auc"] == pytest.approx(8 / 9)
    assert found["test_polarity_accuracy_trivial"] == 0.5

    table = pd.DataFrame({"magnitude": [1.0, 2.0, 3.0], "magnitude_pred": [1.5, 2.5, 3.5]})
    found = scores.estimate_scores("magnitude", table, table)
    assert (found["test_magnitude_mean"], found["test_magnitude_std"]) == (0.5, 0)
    assert found["test_magnitude_mae_trivial"] == pytest.approx(2 / 3)


def test_no_predictions(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no predictions"):
        scores.collect(tmp_path)
