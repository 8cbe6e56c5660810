import numpy as np
import pandas as pd
import pytest
import seisbench.generate as sbg

from seisbench_llm.data.metadata import onsets_of, phase_of, polarity_letter, usable
from seisbench_llm.training.labellers import OnsetLabeller, TruthLabeller
from tests.helpers.paths import SHARED

X = np.zeros((3, 1000), np.float32)


def label(labeller, metadata, x=X):
    state = {"X": (x, {"trace_name": "a1", "trace_sampling_rate_hz": 100.0, **metadata})}
    labeller(state)
    return {key: value[0] for key, value in state.items()}


def onsets(p=np.nan, s=np.nan, **more):
    return {"trace_p_arrival_sample": p, "trace_s_arrival_sample": s, **more}


def test_published_labels(shared):
    data = np.load(SHARED / "parity" / "golden_losses.npz")
    expected = data["picking_label"]
    for (p, s), curves in zip(data["picking_onsets"], expected, strict=True):
        y = label(OnsetLabeller(), onsets(p, s), np.zeros((3, expected.shape[-1])))["y"]
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, curves, atol=1e-5)


@pytest.mark.parametrize(
    "phase, wave",
    [
        *[(name, "P") for name in ("p", "P", "Pg", "Pn", "pn", "p2", "P1", "PmP", "pwP", "sP")],
        *[(name, "S") for name in ("s", "S", "Sg", "Sn", "s3", "SmS", "pS", "PcS")],
        *[(name, None) for name in ("phase", "Lg", "start", "surface")],
    ],
)
def test_phases(phase, wave):
    assert phase_of(f"trace_{phase}_arrival_sample") == wave
    assert phase_of(f"trace_{phase}_arrival_time") is None


def test_several_onsets():
    metadata = onsets(100, np.nan, trace_Pn_arrival_sample=110.0, trace_p2_arrival_sample="?")
    metadata |= {"trace_s2_arrival_sample": np.float32(500), "trace_Sg_arrival_sample": 2000.0}
    assert len(onsets_of(metadata)) == 4 and len(onsets_of(metadata, "S")) == 2
    y = label(OnsetLabeller(), metadata)["y"]
    assert y.shape == (3, 1000)
    assert y[1, 100] == y[1, 110] == y[2, 500] == 1 and y[2].sum() == pytest.approx(24.8, abs=0.5)
    alone = label(OnsetLabeller(), onsets(100))["y"][1]
    assert y[1, 105] == alone[105]
    np.testing.assert_allclose(y[0], 1 - y[1] - y[2], atol=1e-6)
    assert label(OnsetLabeller(), {})["y"][0].all()


@pytest.mark.parametrize("p, s", [(100, 200), (-50, 60), (100.7, 900.2), (-80, -20), (100, np.nan)])
def test_detection_is_that_of_seisbench(p, s):
    state = {"X": (X, onsets(p, s))}
    sbg.DetectionLabeller("trace_p_arrival_sample", "trace_s_arrival_sample")(state)
    y = label(OnsetLabeller(detection=True), onsets(p, s))["y"]
    np.testing.assert_array_equal(y[0], state["y"][0][0])


def test_detection_of_two_events():
    metadata = onsets(100, 150, trace_p2_arrival_sample=500.0, trace_s2_arrival_sample=600.0)
    y = label(OnsetLabeller(detection=True), metadata)["y"]
    assert np.flatnonzero(np.diff(y[0])).tolist() == [99, 219, 499, 739]


def test_weights():
    labeller = OnsetLabeller(weights=True, detection=True)
    metadata = onsets(100, 300, trace_p_unsure_sample=180.0, trace_s2_unsure_sample=700.0)
    w = label(labeller, metadata | {"trace_p2_unsure_sample": np.nan})["w"]
    assert w.shape == (3, 1000) and w.dtype == np.float32 and w[0].all()
    # One near a sure onset, though an unsure one is there as well.
    assert np.flatnonzero(w[1] == 0).tolist() == list(range(126, 280))
    assert np.flatnonzero(w[2] == 0).tolist() == list(range(601, 800))
    assert "w" not in label(OnsetLabeller(), metadata)

    w = label(labeller, onsets(100, trace_s_unlabelled=np.True_))["w"]
    assert w[1].all() and not w[2].any() and not w[0].any()
    # Of a phase that was not looked for, what was found is known nevertheless.
    w = label(labeller, onsets(100, 500, trace_s_unlabelled=True))["w"]
    assert np.flatnonzero(w[2]).tolist() == list(range(475, 526))
    assert not label(labeller, onsets(100))["w"][0].any()
    assert label(labeller, onsets())["w"].all()


def test_polarity():
    for value, expected in (("u", [1, 0]), ("Negative", [0, 1])):
        y = label(TruthLabeller("polarity"), {"trace_polarity": value})["y"]
        assert y.tolist() == expected and y.dtype == np.float32
    with pytest.raises(ValueError, match="Trace a1: trace_polarity is nan, not Up or Down"):
        label(TruthLabeller("polarity"), {"trace_polarity": np.nan})
    with pytest.raises(ValueError, match="Trace a1: .*trace_polarity or"):
        label(TruthLabeller("polarity"), {})


def test_polarity_words():
    words = ["U", "up", "Positive", "C", "c", "D", "down", "NEGATIVE", "R", "r"]
    assert [polarity_letter(word) for word in words] == ["U"] * 5 + ["D"] * 5
    assert polarity_letter("N") is None and polarity_letter(np.nan) is None


def test_values():
    y = label(TruthLabeller("distance"), {"source_distance_km": 12})["y"]
    assert y.tolist() == [12] and y.dtype == np.float32
    with pytest.raises(ValueError, match="Trace a1: source_magnitude is None"):
        label(TruthLabeller("magnitude"), {"source_magnitude": None})
    with pytest.raises(ValueError, match="a1: There is no column path_ep_distance_km or source_d"):
        label(TruthLabeller("distance"), {})


@pytest.fixture
def metadata():
    return pd.DataFrame(
        {
            "trace_Pg_arrival_sample": [10.0, 20, np.nan, 40, np.nan],
            "trace_s_arrival_sample": [50.0, np.nan, 60, np.nan, np.nan],
            "trace_category": ["earthquake_local"] * 4 + ["noise"],
            "trace_polarity": ["U", "negative", "U", "N", None],
            "source_magnitude": ["1.5", "9", "2", "-1", None],
            "source_distance_km": [0.0, 400, 20, np.nan, np.nan],
            "path_back_azimuth_deg": [0.0, 350, 3, 4, np.nan],
            "trace_components_available": ["ZNE", None, "ZNE", "Z", "ZNE"],
        },
        index=[7, 3, 5, 1, 2],
    )


@pytest.mark.parametrize(
    "task, expected",
    [
        ("picking", [True] * 5),
        ("polarity", [True, True, False, False, False]),
        ("magnitude", [True, False, False, False, False]),
        ("distance", [True, True, False, False, False]),
        ("back_azimuth", [True, True, False, False, False]),
    ],
)
def test_usable(metadata, task, expected):
    found = usable(task, metadata)
    assert found.tolist() == expected and found.dtype == bool
    assert found.index.equals(metadata.index)


def test_usable_for_picking(metadata):
    metadata.loc[5, "trace_s_arrival_sample"] = np.nan  # an event without any onset
    assert usable("picking", metadata).tolist() == [True, True, False, True, True]
    assert usable("picking", metadata.assign(trace_p_unsure_sample=1.0)).all()
    flags = metadata.assign(trace_p_unlabelled=True, trace_s_unlabelled=[True] + [False] * 4)
    assert usable("picking", flags).tolist() == [False, True, False, True, True]
    assert usable("picking", metadata.drop(columns="trace_category")).all()
    inside = usable("magnitude", metadata.assign(trace_npts=10))
    assert not inside.any() and usable("magnitude", metadata.assign(trace_npts=11)).any()


@pytest.mark.parametrize(
    "task, dropped, named",
    [
        ("polarity", "trace_polarity", "trace_polarity or trace_p_polarity"),
        ("magnitude", "source_magnitude", "source_magnitude"),
        ("distance", "source_distance_km", "path_ep_distance_km or source_distance_km"),
        ("back_azimuth", "path_back_azimuth_deg", "path_back_azimuth_deg or"),
        ("magnitude", "trace_Pg_arrival_sample", "trace_<phase>_arrival_sample"),
    ],
)
def test_missing_columns_are_named(metadata, task, dropped, named):
    with pytest.raises(ValueError, match=named):
        usable(task, metadata.drop(columns=dropped))
    with pytest.raises(ValueError, match="no trace_category"):
        usable("picking", metadata[["source_magnitude"]])
    with pytest.raises(ValueError, match="Unknown task"):
        usable("depth", metadata)
