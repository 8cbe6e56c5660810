# ruff: noqa: NPY002
import numpy as np
import obspy
import pytest
import seisbench.data as sbd
import torch

from seisbench_llm.data.metadata import COLUMNS, usable
from seisbench_llm.data.synthetic.records import Synthetic
from seisbench_llm.tasks import TASKS
from seisbench_llm.training import augmentations as aug
from seisbench_llm.training import recipes
from seisbench_llm.training.augmentations.events import AddEvent, NoiseOnly, ShiftEvent
from seisbench_llm.training.augmentations.windows import PickWindow, Prepare
from seisbench_llm.training.generator import SeededGenerator
from seisbench_llm.training.recipes import recipe
from tests.helpers.models import tiny_model

RATE = 100.0
SETTINGS = {"sampling_rate": RATE, "pred_sample": 500}


def open_dataset(folder):
    return sbd.WaveformDataset(folder, component_order="ZNE", cache="full")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    Synthetic(60, seed=3, extra_events=0.4).write(folder / "events")
    Synthetic(6, seed=4, noise_only=1.0, seconds=20.0).write(folder / "noise")
    return folder


@pytest.fixture(scope="module")
def dataset(folders):
    return open_dataset(folders / "events")


@pytest.fixture(scope="module")
def noise(folders):
    return open_dataset(folders / "noise")


def generator(dataset, task, steps, seed=0):
    mask = usable(task, dataset.metadata).to_numpy()
    return SeededGenerator(dataset.filter(mask, inplace=False), steps, seed)


def make_record(samples, **metadata):
    x = np.random.default_rng(0).standard_normal((3, samples))
    return {"X": (x, {"trace_name": "test", "trace_sampling_rate_hz": RATE, **metadata})}


@pytest.mark.parametrize(
    "task, name",
    [(t, n) for t in TASKS for n in recipes.RECIPES if t == "picking" or n != "taught"],
)
def test_samples(dataset, noise, task, name):
    steps = recipe(
        name,
        task,
        in_samples=3000,
        **SETTINGS,
        noise=noise,
        detection=name == "compact",
        filter_args=["highpass"],
        filter_kwargs={"freq": 1.0},
    )
    samples, again = generator(dataset, task, steps, 5), generator(dataset, task, steps, 5)
    shapes = {"picking": (3, 3000), "polarity": (2,)}
    assert len(samples) > 15
    for i in range(len(samples)):
        sample = samples[i]
        assert set(sample) == ({"X", "y", "w"} if task == "picking" else {"X", "y"})
        assert sample["X"].shape == (3, 3000) and sample["y"].shape == shapes.get(task, (1,))
        for value in sample.values():
            assert value.dtype == np.float32 and np.isfinite(value).all()
    # What was drawn before does not matter, nor does a change of what was returned.
    sample = samples[3]
    kept = {key: value.copy() for key, value in sample.items()}
    sample["X"][:] = 0
    for key, value in again[3].items():
        np.testing.assert_array_equal(value, kept[key])
    second_epoch = [samples[i + len(samples)]["X"] for i in range(8)]
    same = [np.array_equal(x, samples[i]["X"]) for i, x in enumerate(second_epoch)]
    assert all(same) == (name == "plain" and task != "picking")
    batch = torch.utils.data.default_collate([samples[i] for i in range(4)])
    assert batch["X"].shape == (4, 3, 3000)


def test_taught_is_for_picking():
    with pytest.raises(ValueError, match="'taught' is for picking, not for polarity"):
        recipe("taught", "polarity", in_samples=3000, **SETTINGS)


@pytest.mark.parametrize("name", ["paper", "compact"])
@pytest.mark.parametrize("task", TASKS)
def test_short_records_without_anything(task, name):
    steps = recipe(name, task, in_samples=800, sampling_rate=RATE, pred_sample=200)
    answers = {column: 5.0 for columns in COLUMNS.values() for column in columns}
    for seed in range(60):
        np.random.seed(seed)
        samples = [1, 5, 300, 800, 2000][seed % 5]
        state = make_record(samples, **{**answers, "trace_polarity": "U"})
        state["X"][1]["trace_p_arrival_sample"] = np.nan if task == "picking" else samples // 2
        state["X"][0][seed % 3] = 0
        if seed % 7 == 0:
            state["X"][0][:, 0] = np.nan
        for step in steps:
            step(state)
        assert state["X"][0].shape == (3, 800)
        assert all(np.isfinite(value).all() for value, _ in state.values())
        assert not state["X"][0][seed % 3].any()


def test_plain_is_what_annotate_feeds(monkeypatch):
    stream = obspy.read()
    onset, kind = 450.0, {"filter_args": ["bandpass"]}
    kind["filter_kwargs"] = {"freqmin": 1.0, "freqmax": 20.0, "corners": 3}
    model = tiny_model()
    model.filter_args, model.filter_kwargs = kind["filter_args"], kind["filter_kwargs"]
    fed = []
    monkeypatch.setattr(
        model, "forward", lambda x, **_: fed.append(x) or torch.zeros(len(x), 3, 3000)
    )
    model.annotate(stream, blinding=(0, 0), strict=True)
    x = np.stack([stream.select(component=c)[0].data for c in "ZNE"])
    header = {"trace_sampling_rate_hz": RATE, "trace_p_arrival_sample": onset}
    state = {"X": (x, header)}
    for step in recipe("plain", "picking", in_samples=3000, **SETTINGS, **kind):
        step(state)
    np.testing.assert_allclose(state["X"][0], fed[0][0].numpy(), atol=1e-6)
    assert np.abs(state["X"][0]).max() > 3


@pytest.mark.parametrize("pattern", ["??Z", "*"])
def test_filter_by_channel(pattern):
    plain, filtered = make_record(1000), make_record(1000)
    Prepare(RATE)(plain)
    Prepare(RATE, {pattern: ("highpass",)}, {pattern: {"freq": 5.0}})(filtered)
    same = [np.allclose(a, b) for a, b in zip(plain["X"][0], filtered["X"][0], strict=True)]
    assert same == [False, pattern == "??Z", pattern == "??Z"]


def test_padding_stays_zero():
    state = make_record(1000)
    state["X"][0][:] += 1e4
    state["X"][0][:, :300] = state["X"][0][1] = 0
    Prepare(RATE, ["highpass"], {"freq": 1.0})(state)
    x = state["X"][0]
    assert not x[:, :300].any() and not x[1].any() and np.abs(x).max() < 10


def test_onsets_as_text_are_shifted_too():
    state = make_record(900, trace_p_arrival_sample="300.0", trace_s_arrival_sample=None)
    for step in recipe("plain", "distance", in_samples=600, **SETTINGS)[:2]:
        step(state)
    assert state["X"][1]["trace_p_arrival_sample"] == 500
    assert np.isnan(state["X"][1]["trace_s_arrival_sample"])


def test_wrong_records_are_named():
    with pytest.raises(ValueError, match="Trace test has shape"):
        Prepare(RATE)({"X": (np.zeros((1, 9)), make_record(9)["X"][1])})
    with pytest.raises(ValueError, match="Trace test has 100 Hz, the model 50 Hz"):
        Prepare(50.0)(make_record(9))
    steps = recipe("plain", "distance", in_samples=500, sampling_rate=RATE, pred_sample=100)
    with pytest.raises(ValueError, match="Trace test has no onset of P"):
        steps[1](make_record(900))


def test_wrong_arguments():
    with pytest.raises(ValueError, match="Unknown recipe"):
        recipe("best", "picking", in_samples=500, **SETTINGS)
    with pytest.raises(ValueError, match="pred_sample is 500"):
        recipe("plain", "polarity", in_samples=500, **SETTINGS)
    with pytest.raises(ValueError, match="Unknown task"):
        recipe("plain", "depth", in_samples=500, **SETTINGS)


@pytest.mark.parametrize("training", [False, True])
def test_pick_windows(training):
    np.random.seed(0)
    window, starts, held = PickWindow(1000, 50, training), [], []
    for _ in range(400):
        state = make_record(3000, trace_p_arrival_sample=1800.0, trace_s_arrival_sample=2300.0)
        x = state["X"][0]
        window(state)
        part, metadata = state["X"]
        p, s = metadata["trace_p_arrival_sample"], metadata["trace_s_arrival_sample"]
        assert part.shape == (3, 1000) and s - p == 500
        if 0 <= p < 1000:
            np.testing.assert_array_equal(part[:, int(p)], x[:, 1800])
        starts.append(p)
        held.append((50 <= p < 950) or (50 <= s < 950))
        assert training or (p >= 50 and s < 950)
    assert min(starts) < (-300 if training else 60)
    assert max(starts) > (850 if training else 440)
    assert 0.88 < np.mean(held) <= 1
    window(state := make_record(1000, trace_p_arrival_sample=999.0))
    assert state["X"][1]["trace_p_arrival_sample"] == 999


def test_pick_window_prefers_the_record():
    np.random.seed(0)
    for onset in (10.0, 1490.0, 700.0):
        state = make_record(1500, trace_s_arrival_sample=onset)
        PickWindow(1000, 50, False)(state)
        assert state["X"][0].all()


@pytest.mark.parametrize("p", [10.0, 700.4, 1190.0])
@pytest.mark.parametrize("training", [False, True])
def test_p_is_at_its_sample(p, training):
    name, found = "compact" if training else "plain", []
    step = recipe(name, "magnitude", in_samples=800, sampling_rate=RATE, pred_sample=200)[1]
    np.random.seed(0)
    for _ in range(200):
        state = make_record(
            1200, trace_Pg_arrival_sample=p, trace_p2_arrival_sample=2.0, trace_sP_arrival_sample=p
        )
        x = state["X"][0]
        step(state)
        part, metadata = state["X"]
        found.append(metadata["trace_Pg_arrival_sample"])
        at = round(found[-1] - p % 1)
        np.testing.assert_array_equal(part[:, at], x[:, int(p)])
    spread = 50 if training else 0
    assert min(found) == pytest.approx(200 - spread, abs=0.5)
    assert max(found) == pytest.approx(200 + spread, abs=0.5)


def test_published_probabilities(monkeypatch):
    counts = {}

    def count(kind):
        original = kind.apply

        def apply(self, x, metadata):
            counts[kind.__name__] = counts.get(kind.__name__, 0) + 1
            return original(self, x, metadata)

        monkeypatch.setattr(kind, "apply", apply)

    kinds = {
        "noise_only": NoiseOnly,
        "add_event": AddEvent,
        "shift_event": ShiftEvent,
        "drop_components": aug.DropComponents,
        "scale": aug.Scale,
        "pre_emphasis": aug.PreEmphasis,
        "add_noise": aug.AddNoise,
        "gap": aug.Gap,
    }
    for kind in kinds.values():
        count(kind)
    np.random.seed(0)
    draws = 2000
    steps = recipe("paper", "picking", in_samples=64, **SETTINGS)[2:-3]
    for _ in range(draws):
        state = make_record(64, trace_p_arrival_sample=20.0, trace_s_arrival_sample=40.0)
        for step in steps:
            step(state)
    for name, kind in kinds.items():
        chance = recipes.PAPER_PROBABILITIES[name]
        if name not in ("noise_only", "drop_components", "scale"):
            chance *= 1 - recipes.PAPER_PROBABILITIES["noise_only"]
        bound = 4 * np.sqrt(chance * (1 - chance) / draws)
        assert counts.get(kind.__name__, 0) / draws == pytest.approx(chance, abs=bound)


def listed(steps):
    """Names of all augmentations, through Chain and OneOf."""
    names = set()
    for step in steps:
        names |= {type(step).__name__} | listed(getattr(step, "augmentations", []))
    return names


@pytest.mark.parametrize("name", ["paper", "compact"])
def test_what_would_spoil_a_label_is_left_out(name):
    for task in TASKS:
        found = listed(recipe(name, task, in_samples=600, **SETTINGS, add_event=0.5))
        if task != "picking":
            assert not found & {"NoiseOnly", "ShiftEvent", "AddEvent", "Stretch"}
        assert ("DropComponents" in found) == (task != "back_azimuth")
    assert "Stretch" in listed(recipe("compact", "picking", in_samples=600, **SETTINGS))


@pytest.mark.parametrize("name", ["paper", "compact"])
def test_p_survives(name):
    """Polarity and the others never lose the onset, nor polarity the vertical."""
    for task in ("polarity", "distance"):
        steps = recipe(name, task, in_samples=600, sampling_rate=RATE, pred_sample=200)
        np.random.seed(0)
        for _ in range(150):
            state = make_record(900, trace_p_arrival_sample=300.0, source_distance_km=1.0)
            state["X"][1]["trace_polarity"] = "U"
            for step in steps:
                step(state)
            x = state["X"][0]
            assert x[:, 150:250].any(axis=0).all()
            assert task != "polarity" or x[0].any()


def test_polarity_and_first_motion_agree():
    np.random.seed(0)
    for name in ("paper", "compact"):
        steps = recipe(name, "polarity", in_samples=600, sampling_rate=RATE, pred_sample=200)
        steps[1].jitter = 0  # the onset's place is gone from the output
        right = []
        for _ in range(200):
            state = make_record(900, trace_p_arrival_sample=300.0, trace_polarity="D")
            state["X"][0][0, 300:] -= 100 * np.sin(np.arange(600) / 4)
            state["X"][0][0, :300] *= 0.1
            for step in steps:
                step(state)
            swing = state["X"][0][0, 201:209].sum() - 8 * state["X"][0][0, 195:200].mean()
            right.append((swing > 0) == state["y"][0][0])
        assert np.mean(right) > 0.97
