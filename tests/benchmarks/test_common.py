"""What the benchmarks share: records, cases, matching, pickers, intervals."""

import numpy as np
import obspy
import pandas as pd
import pytest
import seisbench.models as sbm
import torch

from benchmarks.common import bootstrap, cases, estimating, matching, records
from benchmarks.common.pickers import Picker
from benchmarks.making import first_motions
from seisbench_llm.weights import WeightsError
from tests.helpers.models import tiny_model
from tests.helpers.streams import make_stream


def test_first_motions_are_those_of_the_synthetic_records(data):
    some = [
        case
        for split in ("train", "dev", "test")
        for case in cases.synthetic_cases(data, "polarity", split, 100)
    ]
    found = np.array([cases.first_motion(c.stream, c.pick.peak_time) for c in some])
    clear = np.isfinite(found)
    assert clear.sum() >= 5
    assert np.mean(found[clear] == np.array([c.truth for c in some])[clear]) >= 0.9


def test_first_motion_of_a_small_or_late_swing_is_unknown():
    first_motion = cases.first_motion
    start = obspy.UTCDateTime(0)

    def swing(height, at=10.0):
        data = np.random.default_rng(0).uniform(-1, 1, 2000)
        onset = round(at * 100)
        data[onset : onset + 10] += height * np.sin(np.linspace(0, np.pi, 10))
        return obspy.Stream([obspy.Trace(data, {"channel": "HHZ", "sampling_rate": 100})])

    assert first_motion(swing(50), start + 10) == 1
    assert first_motion(swing(-50), start + 10) == 0
    assert np.isnan(first_motion(swing(2), start + 10))
    assert np.isnan(first_motion(swing(50, at=12), start + 10))
    assert np.isnan(first_motion(swing(50, at=1), start + 1))


def test_outcomes_count_near_an_analysts_pick_only():
    peaks = {"P": np.array([[10.2, 0.9], [15.0, 0.4], [40.0, 0.8]])}
    rows = matching.outcomes([peaks, peaks], [np.array([10.0]), np.array([])], "P")
    assert rows.tolist() == [[0.9, 1.0], [0.4, 0.0]]


def test_angles_differ_by_the_shorter_way():
    table = pd.DataFrame({"value": [350.0, 10, 180], "truth": [10.0, 350, 0]})
    assert np.abs(estimating.errors_of("back_azimuth", table)).tolist() == [20, 20, 180]


def test_missed_and_false_picks():
    peaks = np.array([[10.1, 0.9], [14.0, 0.5], [80.0, 0.9]])
    missed, false = matching.match(peaks[:, 0], np.array([10.0, 20.0]), 0.5)
    assert missed.tolist() == [False, True] and false.tolist() == [False, True, False]


def peaks_at(*rows):
    return {"P": np.array(rows, float).reshape(-1, 2), "S": np.zeros((0, 2))}


def record_with(picks, dataset="a"):
    stream = obspy.Stream([obspy.Trace(np.zeros(3000), {"channel": "HHZ", "sampling_rate": 100})])
    start = stream[0].stats.starttime
    times = {"P": [start + at for at in picks], "S": []}
    return records.AnalystRecord(dataset, "n", "XX.A", "e", stream, times)


def test_f1_is_at_the_threshold_that_is_best_over_all_sets():
    some = [record_with([10]), record_with([10], "b")]
    found = [peaks_at((10.1, 0.8), (12, 0.5)), peaks_at((10.3, 0.4), (25, 0.9))]
    result = matching.score(found, some, "P", 0.5)
    # Beyond 10 s of a pick nothing is false; at 0.3 there is a false pick, at 0.5 or less one miss.
    assert result["at 0.3"] == {"a": round(2 / 3, 3), "b": 1.0, "all": 0.8}
    assert result["best"]["all"] == 0.8 and result["picks"] == {"a": 1, "b": 1}
    assert matching.score(found, some, "P", 0.1)["at 0.3"]["b"] == 0.0


def test_each_pick_is_hit_once():
    counts = matching.count(np.array([[9.9, 0.9], [10.1, 0.9]]), np.array([10.0]), 0.5, 0.3)
    assert counts.tolist() == [1, 1, 0]


def test_mirrored_noise_has_no_joint():
    stream = obspy.Stream([obspy.Trace(np.arange(500.0), {"sampling_rate": 10})])
    out = matching.mirrored(stream)
    assert matching.hours([out]) == 90 / 3600
    assert np.abs(np.diff(out[0].data)).max() == 1


def test_peaks_of_a_picker_are_those_of_its_annotation():
    model, stream = tiny_model(), make_stream(9000)
    picker = Picker("tiny", [model])
    picks = model.classify(stream, P_threshold=0.02, S_threshold=0.02, min_separation=1.0).picks
    found = picker.peaks(stream)
    for phase in "PS":
        own = [p for p in picks if p.phase == phase]
        assert len(found[phase]) == len(own) > 2
        seconds = [p.peak_time - stream[0].stats.starttime for p in own]
        np.testing.assert_allclose(found[phase][:, 0], seconds, atol=1e-6)
        np.testing.assert_allclose(found[phase][:, 1], [p.peak_value for p in own])


def test_a_mean_of_a_picker_and_itself_is_that_picker():
    model, stream = tiny_model(), make_stream(9000)
    one, two = Picker("a", [model]).peaks(stream), Picker("a+a", [model, model]).peaks(stream)
    for phase in "PS":
        np.testing.assert_allclose(one[phase], two[phase], atol=1e-5)


def test_published_models_see_short_records_and_small_units():
    torch.manual_seed(0)
    picker, stream = Picker("untrained", [sbm.PhaseNet().eval()]), make_stream(1500)
    assert len(stream[0].data) < 3001
    counts = picker.peaks(stream)
    assert len(counts["P"]) and counts["P"][:, 0].min() >= 0 and counts["P"][:, 0].max() <= 15
    for trace in stream:
        trace.data = 1e-12 * trace.data
    np.testing.assert_allclose(picker.peaks(stream)["P"], counts["P"], atol=1e-4)


def test_a_fingerprint_tells_weights_apart():
    one, other = tiny_model(), tiny_model()
    assert Picker("a", [one]).fingerprint() == Picker("b", [other]).fingerprint()
    other.network.head.out.bias.data += 1
    assert Picker("a", [one]).fingerprint() != Picker("a", [other]).fingerprint()


def test_a_weight_that_is_not_there(tmp_path):
    with pytest.raises(WeightsError, match="phasenet/none"):
        Picker.load("phasenet/none", tmp_path)


def test_no_unseen_region_can_be_trained_on():
    records.check_trainable([*records.SETS, *first_motions.SETS, "noise_eqcorrscan_nz"])
    assert not set(records.SETS) & set(records.UNSEEN_REGIONS)
    for region in records.UNSEEN_REGIONS:
        for name in (region, f"noise_{region}"):
            with pytest.raises(ValueError, match="never trained on"):
                records.check_trainable([name])


def test_what_is_kept_out_of_training_is_about_a_fifth_and_a_third(shared):
    noise = records.load_noise(shared / "data")
    assert 0.15 < np.mean([records.noise_held_out(record.event) for record in noise]) < 0.27
    negatives = records.load_negatives(shared / "data")
    assert 0.28 < np.mean([record.split == "test" for record in negatives]) < 0.4
    # A station is on one side.
    sides = {record.split: set() for record in negatives}
    for record in negatives:
        sides[record.split].add(record.station)
    assert not sides["train"] & sides["test"]


def test_intervals_are_wider_if_records_share_events():
    rng = np.random.default_rng(0)
    events = np.repeat(np.arange(20), 10)
    values = rng.standard_normal(20)[events] + 0.1 * rng.standard_normal(200)
    stations = [str(i) for i in range(200)]

    def width(names):
        drawn = bootstrap.record_weights(names, ["same"] * 200, ["here"] * 200)
        low, high = bootstrap.interval(drawn, lambda rows: values[rows].mean())
        return high - low

    assert width(events.astype(str)) > 2 * width(stations)
    drawn = bootstrap.record_weights(events.astype(str), stations, ["here"] * 200)
    assert drawn.shape == (1000, 200) and abs(drawn.mean() - 1) < 0.05
