"""A task that the package does not know: its head, label, loss and metric come from outside."""

import numpy as np
import pandas as pd
import pytest
import torch

from seisbench_llm.data import open_dataset
from seisbench_llm.evaluate import evaluate
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.tasks import TASKS, TaskSpec, register_task
from seisbench_llm.training.fit import fit
from seisbench_llm.training.run_folder import logged_metrics
from seisbench_llm.training.to_weights import export_run
from tests.helpers.training import run_config, synthetic_records


def focal_loss(predicted, target):
    """Cross-entropy that forgets what is right already (Lin et al. 2017)."""
    probability = (predicted * target).sum(dim=-1).clamp(min=1e-6)
    return -((1 - probability) ** 2 * probability.log()).mean()


def balanced_accuracy(target, predicted):
    right = np.argmax(target, axis=1) == np.argmax(predicted, axis=1)
    return {"balanced": float(np.mean([right[target[:, i]].mean() for i in range(2)]))}


@pytest.fixture
def event_type():
    spec = TaskSpec(
        name="event_type",
        head="class",
        outputs=("earthquake", "explosion"),
        loss=focal_loss,
        metric=balanced_accuracy,
        columns=("source_type",),
        class_of=lambda entry: {"eq": 0, "ex": 1}.get(str(entry)[:2]),
    )
    yield register_task(spec)
    TASKS.pop("event_type")


@pytest.fixture
def records(tmp_path):
    """Every other event is a quarry blast; of the last one nobody knows."""
    folder = synthetic_records(tmp_path / "records", 60)
    metadata = pd.read_csv(folder / "metadata.csv")
    number = pd.factorize(metadata["source_id"])[0]
    metadata["source_type"] = np.where(number % 2, "ex. quarry", "eq. local")
    metadata.loc[number == number.max(), "source_type"] = None
    metadata.to_csv(folder / "metadata.csv", index=False)
    return folder


def test_from_registration_to_figures(event_type, records, tmp_path):
    config = run_config(tmp_path / "config.yaml", records, trainer={"limit_train_batches": 2})
    run = fit(["--config", str(config), "--task", "event_type"])
    logged = logged_metrics(run)
    assert logged["train/loss"].notna().sum() == 2 and np.isfinite(logged["val/loss"].max())
    assert logged["val/accuracy"].between(0, 1).any()
    export_run(run, tmp_path / "weights" / "mine", checkpoint="last.ckpt")

    model = SeisMoLLM.from_pretrained(str(tmp_path / "weights" / "mine"))
    assert model.task is event_type and model.labels == ["earthquake", "explosion"]
    with torch.no_grad():
        probabilities = model(torch.randn(2, 3, model.in_samples))
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(2))
    result = evaluate(model, open_dataset(records), resamples=20)
    truth = open_dataset(records).metadata.set_index("trace_name")["source_type"]
    names = truth[result.table["trace_name"]].str[:2].map({"eq": "earthquake", "ex": "explosion"})
    assert result.table["true"].tolist() == names.tolist()
    assert truth.notna().sum() >= len(result.table) > 30
    said = result.table[["earthquake", "explosion"]].to_numpy().argmax(axis=1)
    right = (result.table["true"] == "explosion").to_numpy() == said
    assert result.measures["event_type"]["accuracy"] == pytest.approx(right.mean())
    assert 0 <= result.published["event_type"]["balanced"] <= 1
    result.write(tmp_path / "report")
    assert (tmp_path / "report" / "confusion.png").is_file()
    assert "precision_explosion" in result.summary()
