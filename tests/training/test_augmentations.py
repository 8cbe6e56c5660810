# ruff: noqa: NPY002
import numpy as np
import pytest

from seisbench_llm.training import augmentations as aug
from seisbench_llm.training.augmentations.base import sometimes
from seisbench_llm.training.augmentations.events import AddEvent, NoiseOnly, ShiftEvent, Stretch

RATE = 100.0
ALL = {
    "shift": ShiftEvent(),
    "shift out": ShiftEvent(circular=False),
    "noise only": NoiseOnly(),
    "event": AddEvent(),
    "white": aug.AddNoise(),
    "white peak": aug.AddNoise(snr=(35, 50), reference="peak"),
    "coloured": aug.ColouredNoise((35, 50)),
    "pre-emphasis": aug.PreEmphasis(),
    "low pass": aug.LowPass(),
    "scale": aug.Scale(),
    "flip": aug.FlipPolarity(),
    "rotate": aug.RotateHorizontals(),
    "stretch": Stretch(),
    "gap": aug.Gap(),
    "short gap": aug.Gap(20.0, protect=(0.5, 1.0)),
    "gap between": aug.Gap(between_onsets=True),
    "end": aug.EndEarly(),
    "drop": aug.DropComponents(),
    "spike": aug.Spike(),
}


class Records:
    """As much of a SeisBench data set as the augmentations use."""

    def __init__(self, *records):
        self.records = records

    def __len__(self):
        return len(self.records)

    def get_sample(self, i):
        return self.records[i]


@pytest.fixture(autouse=True)
def seed():
    np.random.seed(0)


def record(samples=1200, p=400.0, s=700.0, noise=0.01, **metadata):
    """Weak noise, in which an impulse of ten samples marks either onset."""
    x = noise * np.random.standard_normal((3, samples))
    for onset, height in ((p, 5.0), (s, 8.0)):
        if np.isfinite(onset):
            x[:, int(onset) : int(onset) + 10] += height
    return x, {
        "trace_name": "test",
        "trace_sampling_rate_hz": RATE,
        "trace_p_arrival_sample": p,
        "trace_s_arrival_sample": s,
        **metadata,
    }


def apply(augmentation, x, metadata):
    state = {"X": (x, metadata)}
    augmentation(state)
    return state["X"]


@pytest.mark.parametrize("name", ALL)
def test_onsets_stay_true(name):
    kept = 0
    for _ in range(40):
        x, metadata = apply(ALL[name], *record())
        for phase in "ps":
            at = metadata[f"trace_{phase}_arrival_sample"]
            if np.isnan(at):
                continue
            kept += 1
            ahead = np.abs(x[:, max(int(at) - 25, 0) : max(int(at) - 2, 0)])
            there = np.abs(x[:, int(at) : int(at) + 4]).max(initial=0)
            # By the ratio after any filter; a second event or a glitch may precede.
            assert name in ("event", "spike") or at < 5 or there > 2 * ahead.max(initial=0)
    assert (kept == 0) == (name == "noise only")


@pytest.mark.parametrize("name", ALL)
def test_promises(name):
    rng = np.random.default_rng(1)
    for samples in [1, 2, 3, 7, 60, 300, 1201] * 6:
        live = rng.random(3) < 0.7
        x = rng.standard_normal((3, samples)) * live[:, None] * 10.0 ** rng.uniform(-9, 6)
        x[:, : rng.integers(samples) * (rng.random() < 0.3)] = 0
        onsets = rng.choice([np.nan, -5.0, 0.0, samples / 2, samples - 1, samples + 40.5], 4)
        metadata = {
            "trace_sampling_rate_hz": RATE,
            "trace_p_arrival_sample": onsets[0],
            "trace_Sg_arrival_sample": onsets[1],
            "trace_p2_arrival_sample": np.float32(onsets[2]),
            "trace_s_unsure_sample": np.array(onsets[3]),
            "trace_odd_sample": None,
            "path_back_azimuth_deg": None,
            "trace_polarity": np.nan,
        }
        before, kept = x.copy(), dict(metadata)
        x.setflags(write=False)
        changed, found = apply(ALL[name], x, metadata)
        assert np.isfinite(changed).all() and changed.ndim == 2
        assert not changed[~before.any(axis=1)].any()
        np.testing.assert_array_equal(x, before)
        assert str(metadata) == str(kept)
        assert (changed.shape == x.shape) or name == "stretch"
        assert "trace_p_arrival_sample" in found
    assert type(ALL[name]).__name__ in str(ALL[name])


def test_keys():
    x, metadata = record()
    state = {"X": (x, metadata)}
    aug.Scale(key=("X", "other"))(state)
    assert state["X"][0] is x and not np.allclose(state["other"][0], x)


def test_shift_out_of_the_window():
    lost = [
        np.isnan(apply(ShiftEvent(circular=False), *record())[1]["trace_s_arrival_sample"])
        for _ in range(200)
    ]
    assert 0.3 < np.mean(lost) < 0.7
    _, metadata = apply(ShiftEvent(), *record(p=-20.0))
    assert np.isnan(metadata["trace_p_arrival_sample"])
    shifts = [
        apply(ShiftEvent(max_shift=5), *record())[1]["trace_p_arrival_sample"] - 400
        for _ in range(50)
    ]
    assert min(shifts) == -5 and max(shifts) == 5


def test_noise_only_has_the_level_of_the_noise():
    for p in (400.0, 100.0):  # enough ahead of P, too little
        x, metadata = apply(NoiseOnly(), *record(p=p, trace_s_unsure_sample=3.0))
        assert 0.005 < x.std() < 0.02
        assert all(np.isnan(v) for c, v in metadata.items() if c.endswith("_sample"))
    x, metadata = record(p=np.nan)
    assert np.abs(apply(NoiseOnly(), x, metadata)[0]).max() > 0.1  # P may be unpicked
    x, metadata = record(p=np.nan, s=np.nan)
    np.testing.assert_array_equal(apply(NoiseOnly(), x, metadata)[0], x)


@pytest.mark.parametrize("other", [False, True])
def test_added_events_bring_their_onsets(other):
    added = 0
    dataset = Records(record(900, 300.0, 500.0), record(p=np.nan, s=np.nan)) if other else None
    for _ in range(60):
        x, metadata = record(trace_p2_arrival_sample=np.nan)
        changed, found = apply(AddEvent(dataset, taper=0.5), x, metadata)
        difference = changed - x
        for phase in "ps":
            at = found.get(f"trace_{phase}2_arrival_sample", np.nan)
            if np.isfinite(at) and 5 <= at < x.shape[1] - 5:
                added += 1
                at = int(at)
                ratio = np.abs(difference[:, at : at + 5]).max()
                assert ratio > 10 * np.abs(difference[:, at - 5 : at]).max()
        again = apply(AddEvent(dataset), changed, found)[1]
        assert again["trace_p_arrival_sample"] == 400
    assert added > 20


def test_added_event_in_the_taper_is_unsure():
    x, metadata = record(p=10.0)
    found = [apply(AddEvent(), x, metadata)[1] for _ in range(40)]
    assert any("trace_p2_unsure_sample" in m for m in found)
    assert not any("trace_p2_arrival_sample" in m for m in found)


def test_unlabelled_phase_of_an_added_event():
    other = Records(record(trace_p_unlabelled=np.True_))
    found = apply(AddEvent(other), *record())[1]
    assert found["trace_p_unlabelled"] is True


@pytest.mark.parametrize("reference", ["power", "peak"])
@pytest.mark.parametrize("length", [50, 1200, 5000, None])
def test_signal_to_noise_ratio(reference, length):
    noise = None
    if length:
        noise = Records((np.random.standard_normal((3, length)).astype(np.float32) + 7, {}))
    x, metadata = record(noise=1.0)
    x[0] = 0
    changed, _ = apply(aug.AddNoise(noise, (20, 20), reference), x, metadata)
    assert not changed[0].any()
    signal = np.abs(x).max() if reference == "peak" else np.sqrt((x[1] ** 2).mean())
    assert 20 * np.log10(signal / (changed - x)[1].std()) == pytest.approx(20, abs=1.5)


def test_noise_without_signal_or_numbers():
    for part in (np.zeros((3, 30)), np.full((3, 30), np.nan)):
        x, metadata = record()
        changed, _ = apply(aug.AddNoise(Records((part, {}))), x, metadata)
        np.testing.assert_allclose(changed, x)


def test_coloured_noise_has_its_spectrum():
    noise = aug.coloured_noise(3, 20000, 1.0)
    power = (np.abs(np.fft.rfft(noise)) ** 2).mean(axis=0)
    ratio = power[1000:1400].mean() / power[4000:5600].mean()
    assert 10 < ratio < 24 and noise.std() == pytest.approx(1)


def test_rotation_turns_the_back_azimuth():
    for angle in (None, 30.0, 200.0):
        back_azimuth = 70.0
        wave = np.random.standard_normal(200)
        # Upward motion of P is away from the source.
        away = np.radians(back_azimuth + 180)
        x = np.stack([wave, wave * np.cos(away), wave * np.sin(away)])
        metadata = {"path_back_azimuth_deg": back_azimuth}
        turned, found = apply(aug.RotateHorizontals(angle), x, metadata)
        z, n, e = turned[:, np.argmax(np.abs(turned[0]))]
        measured = np.degrees(np.arctan2(-e * np.sign(z), -n * np.sign(z))) % 360
        assert found["path_back_azimuth_deg"] == pytest.approx(measured)
    x[1] = 0
    same, found = apply(aug.RotateHorizontals(), x, metadata)
    np.testing.assert_array_equal(same, x)
    assert found["path_back_azimuth_deg"] == back_azimuth


@pytest.mark.parametrize(
    "before, after", [("U", "D"), ("down", "U"), ("positive", "D"), ("N", "N"), (None, None)]
)
def test_flip(before, after):
    x, metadata = record(trace_polarity=before)
    flipped, found = apply(aug.FlipPolarity(), x, metadata)
    np.testing.assert_array_equal(flipped, -x)
    assert found["trace_polarity"] == after


def test_stretch_moves_onsets():
    x, metadata = apply(Stretch((2.0, 2.0)), *record())
    assert x.shape == (3, 2399) and metadata["trace_s_arrival_sample"] == 1400


def test_gap():
    for _ in range(100):
        x, metadata = apply(aug.Gap(), *record())
        for phase, at in (("p", 400), ("s", 700)):
            kept = np.isfinite(metadata[f"trace_{phase}_arrival_sample"])
            assert kept == x[:, at : at + 10].all()
        x, metadata = apply(aug.Gap(3.0, protect=(0.5, 1.0)), *record())
        assert (x[:, 351:500] != 0).all() and (x == 0).all(axis=0).sum() <= 300
        x, metadata = apply(aug.Gap(between_onsets=True), *record())
        assert (x[:, :410] != 0).all() and (x[:, 700:710] != 0).all()


def test_dropped_components():
    x, metadata = record()
    for _ in range(50):
        left = apply(aug.DropComponents(), x, metadata)[0].any(axis=1)
        assert 1 <= left.sum() <= 2
        left = apply(aug.DropComponents({"N": 1, "NE": 2}), x, metadata)[0]
        assert left[0].any() and not left[1].any()
    x[1:] = 0
    for _ in range(20):  # never the last one, be the unit as small as it may
        assert apply(aug.DropComponents(), x * 1e-12, metadata)[0].any()


def test_spike_keeps_off_p():
    for _ in range(300):
        x, metadata = record()
        at = np.flatnonzero((apply(aug.Spike(protect=1.0), x, metadata)[0] != x).any(axis=0))
        assert len(at) <= 1 and (np.abs(at - 400) >= 100).all()


def test_sometimes():
    step = sometimes(aug.FlipPolarity(), 0.3)
    x = np.ones((3, 4))
    share = np.mean([apply(step, x, {})[0][0, 0] < 0 for _ in range(2000)])
    assert share == pytest.approx(0.3, abs=0.04)


def test_wrong_reference():
    with pytest.raises(ValueError, match="'power' or 'peak'"):
        aug.AddNoise(reference="rms")


def test_a_record_ends_after_p():
    """Everything from some time after P on is zero, with the S in it; P stays."""
    ends = []
    for _ in range(200):
        x, metadata = apply(aug.EndEarly(1.0), *record())
        ends.append(np.flatnonzero(x.any(axis=0))[-1] + 1)
        assert metadata["trace_p_arrival_sample"] == 400
        assert np.isfinite(metadata["trace_s_arrival_sample"]) == (ends[-1] > 700)
    assert min(ends) >= 500 and max(ends) > 1000
    assert 500 < np.median(ends) < 800
    late = record(p=1150.0, s=np.nan)
    np.testing.assert_array_equal(apply(aug.EndEarly(1.0), late[0].copy(), late[1])[0], late[0])
