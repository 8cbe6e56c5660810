"""A picker taught by other pickers."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import seisbench.models as sbm
import torch
import yaml

from benchmarks.making.taught import SHARES, TEACHERS
from seisbench_llm.data import open_dataset
from seisbench_llm.training import teachers as module
from seisbench_llm.training.augmentations import CalibrationPulse, Disturb, LateComponents, Step
from seisbench_llm.training.augmentations.windows import Prepare
from seisbench_llm.training.fit import fit
from seisbench_llm.training.labellers import OnsetLabeller
from seisbench_llm.training.recipes import steps_before_teaching
from seisbench_llm.training.run_folder import logged_metrics
from seisbench_llm.training.teachers import Teach, Teachers, write_taught
from tests.helpers.training import WINDOW, run_config, synthetic_records

RATE = 100.0
CONFIG = Path(__file__).parents[2] / "benchmarks" / "configs" / "packaged" / "picking_taught.yaml"


class Loud(sbm.PhaseNet):
    """Sees P at the loudest sample of Z, with a probability of 0.8, and S 200 samples later."""

    delay, height = 0, 0.8

    def forward(self, x, logits=False):
        samples = torch.arange(x.shape[-1])
        z = x[:, self.component_order.index("Z")].abs()
        at = z.argmax(dim=-1, keepdim=True) + self.delay
        loud = (z.amax(-1, keepdim=True) > 6 * z.std(-1, keepdim=True)).float() * self.height
        p, s = (loud * torch.exp(-0.5 * ((samples - at - d) / 10) ** 2) for d in (0, 200))
        return torch.stack([1 - p.clamp(max=1), p, s], dim=1)


class Late(Loud):
    """Another kind, later and less sure."""

    delay, height = 8, 0.4


def record(at=700, samples=2000):
    x = 0.01 * np.random.default_rng(0).standard_normal((3, samples))
    x[:, at : at + 300] += np.exp(-np.arange(300) / 60) * np.cos(np.arange(300))
    return x


def taught(x, teachers=None, **metadata):
    state = {"X": (x, {"trace_name": "a1", "trace_sampling_rate_hz": RATE, **metadata})}
    Teach(teachers or Teachers([Loud(phases="NPS")]))(state)
    return state["X"][1]


def test_kinds_share_the_work():
    """The first kind tells when, all of them how probable."""
    for samples in (2000, 9000):
        teachers = Teachers([Loud(phases="NPS"), Late(phases="NPS")])
        ((p, s),) = teachers.peaks(record(1500, samples).astype(np.float32)[None])
        assert [at for at, _ in p] == [1500] and [at for at, _ in s] == [1700]
        assert p[0][1] == pytest.approx(0.6, abs=0.05)


def test_analysts_confirm():
    found = taught(record())
    assert found["trace_p_arrival_sample"] == 700
    assert found["trace_p_probability"] == pytest.approx(0.8, abs=0.01)
    weak = Teachers([Late(phases="NPS")])
    assert taught(record(), weak)["trace_p_probability"] == pytest.approx(0.4, abs=0.01)
    both = taught(record(), weak, trace_Pg_arrival_sample=715.0, trace_s_arrival_sample=1500.0)
    # Confirmed, at the teachers' time; what only the analyst saw is doubtful.
    assert both["trace_p_arrival_sample"] == 708 and both["trace_p_probability"] == 0.6
    assert "trace_Pg_arrival_sample" not in both and both["trace_s90_unsure_sample"] == 1500
    assert np.isnan(taught(record(), weak, trace_category="noise")["trace_p_arrival_sample"])


def test_height_of_the_label_is_the_probability():
    state = {"X": (np.zeros((3, 1000)), {"trace_p_arrival_sample": 300.0})}
    state["X"][1].update(trace_p_probability=0.4, trace_p2_arrival_sample=600.0)
    OnsetLabeller()(state)
    y = state["y"][0]
    assert y[1, 300] == pytest.approx(0.4) and y[1, 600] == 1 and y[0, 300] == pytest.approx(0.6)


def disturbed(x, steps, **metadata):
    state = {"X": (x, {"trace_sampling_rate_hz": RATE, **metadata})}
    Disturb(steps, Prepare(RATE, ["highpass"], {"freq": 1.0, "corners": 2}))(state)
    return state["X"]


def cut(*firsts):
    def step(state):
        for component, first in enumerate(firsts):
            state["X"][0][component, :first] = np.nan

    return step


@pytest.mark.parametrize(
    "firsts, onset, unsure",
    [
        ((0, 0, 0), True, False),
        ((690, 690, 690), False, False),
        ((800, 800, 800), False, False),
        ((620, 620, 620), False, True),
        # Enough before it on one component.
        ((690, 690, 100), True, False),
    ],
)
def test_where_components_begin_is_no_onset(firsts, onset, unsure):
    x, metadata = disturbed(record(), [cut(*firsts)], trace_p_arrival_sample=700.0)
    assert np.isfinite(metadata["trace_p_arrival_sample"]) == onset
    assert any(c.endswith("_unsure_sample") for c in metadata) == unsure
    for component, first in enumerate(firsts):
        assert not x[component, :first].any() and x[component, first + 1 :].all()


def test_a_piece_is_filtered_from_its_own_start():
    """As annotate does: an offset does not become a step where a component begins."""
    x, _ = disturbed(record() + 1000, [cut(0, 300, 300)])
    assert np.abs(x[:, :650]).max() < 0.1


def test_padding_is_not_data():
    x = record()
    x[:, :650] = 0
    x, metadata = disturbed(x, [], trace_p_arrival_sample=700.0)
    assert not x[:, :650].any() and np.isnan(metadata["trace_p_arrival_sample"])


def test_noise_hides():
    def loud(state):
        state["X"][0][:] += np.random.default_rng(1).standard_normal(state["X"][0].shape)

    before = {"trace_p_arrival_sample": 700.0, "trace_p_probability": 0.9}
    assert disturbed(record(), [], **before)[1]["trace_p_probability"] == pytest.approx(0.9)
    assert disturbed(record(), [loud], **before)[1]["trace_p_probability"] < 0.4


@pytest.mark.parametrize("step", [LateComponents(), Step(), CalibrationPulse()])
def test_disturbances_are_finite_and_leave_missing_components(step):
    for _ in range(30):
        x = record()
        x[1] = 0
        y, _ = disturbed(x, [step], trace_p_arrival_sample=700.0)
        assert np.isfinite(y).all() and not y[1].any() and y.shape == x.shape


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return synthetic_records(tmp_path_factory.mktemp("records"), 40)


def test_two_steps_with_the_committed_configuration(records, tmp_path, monkeypatch):
    entries = yaml.safe_load(CONFIG.read_text())
    names = list(TEACHERS)
    assert all(hasattr(sbm, name.partition("/")[0]) for name in names)
    assert {Path(folder).name for folder in entries["data"]["dataset"]} == set(SHARES)
    made = {"PhaseNet": Loud, "EQTransformer": Late}
    for name, kind in made.items():
        stub = type(name, (kind,), {"from_pretrained": classmethod(lambda c, w: c(phases="NPS"))})
        monkeypatch.setattr(module.sbm, name, stub)
    config = run_config(
        tmp_path / "config.yaml",
        records,
        data={
            "teachers": names,
            **{key: entries["data"][key] for key in ("recipe", "plain_copies")},
        },
        trainer={"limit_train_batches": 2},
    )
    run = fit(["--config", str(config)])
    logged = logged_metrics(run)
    assert logged["train/loss"].notna().sum() == 2 and np.isfinite(logged["val/loss"].max())
    assert json.loads((run / "metrics.json").read_text())["steps"] == 2


def test_labels_are_written_once(records, tmp_path):
    """A data set of labelled windows trains without teachers."""
    dataset = open_dataset(records, sampling_rate=RATE)
    steps, teachers = steps_before_teaching(WINDOW, RATE), Teachers([Loud(phases="NPS")])
    folder = write_taught(dataset, steps, teachers, tmp_path / "taught", 50)
    metadata = pd.read_csv(folder / "metadata.csv")
    assert len(metadata) == 50 and metadata["trace_p_probability"].max() > 0.5
    assert metadata["trace_name"].is_unique and "source_id" in metadata
    config = run_config(
        tmp_path / "config.yaml", folder, data={"recipe": "taught", "plain_copies": 0}
    )
    assert fit(["--config", str(config), "--fast-dev-run"]) is None
    # What is known to hold no earthquake needs no teacher.
    silent = pd.read_csv(
        write_taught(dataset, steps, None, tmp_path / "silent", 5) / "metadata.csv"
    )
    assert silent["trace_p_arrival_sample"].isna().all()


def test_windows_looked_at_together_are_labelled_as_alone(records, tmp_path):
    dataset = open_dataset(records, sampling_rate=RATE)
    steps, teachers = steps_before_teaching(WINDOW, RATE), Teachers([Loud(phases="NPS")])
    tables = [
        pd.read_csv(write_taught(dataset, steps, teachers, folder, 12, batch=n) / "metadata.csv")
        for n, folder in ((1, tmp_path / "alone"), (5, tmp_path / "together"))
    ]
    pd.testing.assert_frame_equal(*tables, rtol=1e-4)


def test_no_peak_where_a_part_of_a_window_ends():
    """A network that sees the same everywhere has a curve without steps."""

    class Even(Loud):
        def forward(self, x, logits=False):
            ramp = torch.linspace(0, 0.9, x.shape[-1]).expand(len(x), -1)
            return torch.stack([1 - ramp, ramp, 0 * ramp], dim=1)

    timing, _ = Teachers([Even(phases="NPS")]).curves(np.ones((1, 3, 7500), np.float32))
    assert timing[0, 0].diff().abs().max() < 0.01


def test_what_is_no_teacher_is_named():
    for name in ("PhaseNet", "Oracle/delphi", "torch/x"):
        with pytest.raises(ValueError, match=f"Teacher '{name}' is not CLASS/WEIGHT"):
            Teachers.load([name])
    with pytest.raises(ValueError, match="not P and S"):
        Teachers([sbm.GPD(classes=2, phases="XY")])
    with pytest.raises(ValueError, match="one sampling rate"):
        Teachers([Loud(phases="NPS"), Late(phases="NPS", sampling_rate=50)])
