import numpy as np
import obspy
import pytest
from obspy import UTCDateTime

from seisbench_llm.streams import spans
from seisbench_llm.streams.arguments import Arguments
from seisbench_llm.streams.picks import classify_picks, peaks, separate
from tests.helpers.models import tiny_model
from tests.helpers.streams import make_stream

START = UTCDateTime(2020, 1, 1)


def curves(peaks, samples=6000, **header):
    """P, S and detection curves with Gaussians at (phase, sample, height)."""
    stream = obspy.Stream()
    for label in ("P", "S", "Detection"):
        data = np.zeros(samples, np.float32)
        for phase, at, height in peaks:
            if label in (phase, "Detection"):
                bump = height * np.exp(-((np.arange(samples) - at) ** 2) / 200)
                data = np.maximum(data, bump.astype(np.float32))
        stats = {
            "network": "XX",
            "station": "STA",
            "channel": f"SeisMoLLM_{label}",
            "sampling_rate": 100,
            "starttime": START,
            "instrument": "HH",
            **header,
        }
        stream.append(obspy.Trace(data, stats))
    return stream


def classify(stream, **kwargs):
    model = tiny_model()
    return classify_picks(model, stream, Arguments.of(model, kwargs))


def test_times_values_and_bounds():
    result = classify(curves([("P", 1000, 0.9), ("S", 2000, 0.5)]))
    first, second = result.picks
    assert (first.phase, first.trace_id) == ("P", "XX.STA.")
    assert first.peak_time == START + 10 and second.peak_time == START + 20
    assert first.peak_value == pytest.approx(0.9)
    # Half the threshold, 0.15 of 0.9, is 18.9 samples from the peak.
    assert first.start_time == START + 10 - 0.18 and first.end_time == START + 10 + 0.18
    # From P to 1.4 times S minus P after S.
    (found,) = result.detections
    assert START + 9.8 < found.start_time < first.peak_time and found.peak_value > 0.89
    assert found.end_time == START + 20 + 14


def test_detections_of_one_onset_and_of_earthquakes_that_follow_each_other():
    onsets = [("S", 300, 0.9), ("P", 1000, 0.9), ("S", 1500, 0.9), ("P", 1800, 0.9)]
    alone, whole, last = classify(curves(onsets)).detections
    assert START + 2.7 < alone.start_time < START + 3 < alone.end_time < START + 3.3
    # The coda ends at the next P at the latest.
    assert whole.start_time < START + 10 and whole.end_time == START + 18
    assert last.start_time < START + 18 < last.end_time < START + 18.3
    # The S reaches the threshold of detections, the P does not.
    weak = curves([("P", 1000, 0.4), ("S", 1500, 0.9)])
    (found,) = classify(weak, detection_threshold=0.8).detections
    assert found.start_time < START + 10 and found.end_time == START + 22
    assert classify(weak, detection_threshold=0.95).detections == []


def test_a_trained_curve_of_detections_is_taken_as_it_is():
    model = tiny_model(detection=True)
    stream = curves([("P", 1000, 0.9), ("S", 1500, 0.9)])
    found = classify_picks(model, stream, Arguments.of(model, {})).detections
    assert [d.end_time < START + 16 for d in found] == [True, True]


@pytest.mark.parametrize("year", [2, 1600, 2400, 9998])
def test_parts_that_are_centuries_apart(year):
    """Nanoseconds between them do not fit in 64 bits."""
    far = curves([("P", 1000, 0.9), ("P", 1050, 0.8)], starttime=UTCDateTime(year, 1, 1))
    for stream in (curves([("P", 1000, 0.7)]) + far, far + curves([("P", 1000, 0.7)])):
        picks = classify(stream).picks
        assert sorted(pick.peak_time for pick in picks) == sorted(
            [START + 10, UTCDateTime(year, 1, 1) + 10]
        )


def test_thresholds_per_phase():
    stream = curves([("P", 1000, 0.25), ("S", 2000, 0.25), ("S", 3000, 0.6)])
    assert [p.phase for p in classify(stream).picks] == ["S"]
    assert [p.phase for p in classify(stream, P_threshold=0.2).picks] == ["P", "S"]
    assert [p.phase for p in classify(stream, S_threshold=0.2).picks] == ["S", "S"]
    assert len(classify(stream, detection_threshold=0.2).detections) == 3


def test_uncertainty_of_times_comes_with_a_calibration():
    stream = curves([("P", 1000, 0.9), ("P", 2000, 0.45), ("S", 3000, 0.5)])
    assert [p.time_uncertainty for p in classify(stream).picks] == [None] * 3
    calibration = {"P": 0.05, "P_power": 2, "S": 0.1}
    found = classify(stream, calibration=calibration).picks
    expected = [0.05 / 0.9**2, 0.05 / 0.45**2, 0.1]
    assert [p.time_uncertainty for p in found] == pytest.approx(expected, rel=1e-4)
    only_p = classify(stream, calibration={"P": 0.05}).picks
    assert [p.time_uncertainty for p in only_p] == [0.05, 0.05, None]


def test_minimum_separation():
    stream = curves([("P", 1000, 0.9), ("P", 1080, 0.8), ("P", 1150, 0.7)])
    assert [p.peak_value for p in classify(stream).picks] == pytest.approx([0.9, 0.7])
    assert len(classify(stream, min_separation=0.5).picks) == 3
    assert len(classify(stream, min_separation=2).picks) == 1


@pytest.mark.parametrize("at", [0, 5999])
def test_peak_at_the_very_edge(at):
    pick = classify(curves([("P", at, 0.9)])).picks[0]
    assert pick.peak_time == START + at / 100
    assert pick.start_time >= START and pick.end_time <= START + 59.99


def test_no_duplicate_across_a_gap():
    whole = curves([("P", 3000, 0.9)])
    parts = whole.slice(endtime=START + 30) + whole.slice(starttime=START + 30.05)
    assert len(classify(parts).picks) == 1


def test_nan_is_not_a_pick():
    stream = curves([("P", 1000, 0.9)])
    stream[0].data[995:1006] = np.nan
    assert all(np.isfinite(p.peak_value) for p in classify(stream).picks)


def test_order_and_instruments():
    stream = curves([("P", 1000, 0.9)], instrument="HN") + curves([("S", 500, 0.9)])
    stream += curves([("P", 700, 0.9)], station="OTHER")
    picks = classify(stream).picks
    assert [p.trace_id for p in picks] == ["XX.STA.", "XX.OTHER.", "XX.STA..HN"]


def test_many_picks_are_separated_quickly():
    stream = curves([("P", at, 0.9) for at in range(100, 5900, 150)])
    picks = classify(stream).picks
    assert len(separate(picks * 500, 1.0)) == len(picks)


def test_zero_threshold_gives_peaks_not_every_sample():
    picks = tiny_model().classify(make_stream(), P_threshold=0, S_threshold=0).picks
    assert 0 < len(picks) < 200


def test_of_equal_peaks_the_later_is_kept_however_long_the_curve():
    for samples in (1500, 6000, 50_000):
        stream = curves([("P", 1000 + 60 * i, 1.0) for i in range(5)], samples)
        assert [p.peak_time - START for p in classify(stream).picks] == [10.0, 11.2, 12.4]


@pytest.mark.parametrize("start", [UTCDateTime(1900, 1, 1), UTCDateTime(2299, 12, 31, 23, 59, 1)])
@pytest.mark.parametrize("late", [0.0, 0.0037, 0.123457])
def test_exactly_the_smallest_separation_is_enough_at_any_time(start, late):
    peaks = [("P", 1000, 0.8), ("P", 1100, 0.9), ("P", 1200, 0.7), ("P", 1299, 0.6)]
    result = classify(curves(peaks, starttime=start + late))
    assert len(result.picks) == 3


def test_a_peak_that_gives_way_across_a_gap_displaces_nothing():
    """0.9 beside 0.8 behind a gap, which is nearer to 0.7 than 0.9 is."""
    whole = curves([("P", 1000, 0.9), ("P", 1060, 0.8), ("P", 1130, 0.7)])
    expected = [p.peak_time for p in classify(whole).picks]
    assert expected == [START + 10, START + 11.3]
    parts = whole.slice(endtime=START + 10.3) + whole.slice(START + 10.31)
    assert [p.peak_time for p in classify(parts).picks] == expected


def sample_by_sample(curve, level):
    """First sample above half the threshold, peak, last one, and height, found in the plain way."""
    x = [0.0, *np.nan_to_num(curve).tolist(), 0.0]
    found, first = [], 1
    while first < len(x) - 1:
        last = first
        while last + 2 < len(x) and x[last + 1] == x[first]:
            last += 1
        if x[first - 1] < x[first] > x[last + 1] and x[first] >= max(level, 1e-6):
            begin = end = middle = (first + last) // 2
            while begin > 1 and x[begin - 1] >= level / 2:
                begin -= 1
            while end + 2 < len(x) and x[end + 1] >= level / 2:
                end += 1
            found.append((begin - 1, middle - 1, end - 1, x[middle]))
        first = last + 1
    return found


def uneven_curve(seed):
    """Slopes, flat tops, holes, exact thresholds and their neighbours in single precision."""
    rng = np.random.default_rng(seed)
    near = np.float32([0.3, 0.15, 0.6, 0.1])
    values = [near, np.nextafter(near, np.float32(0)), np.nextafter(near, np.float32(1))]
    special = np.concatenate([*values, np.float32([0, 0, 1e-6, 0.9, np.nan, np.nan, np.inf])])
    curve = np.repeat(rng.choice(special, 150), rng.integers(1, 4, 150))
    slope = np.interp(np.arange(200), np.arange(0, 200, 4), rng.random(50)).astype(np.float32)
    return np.concatenate([slope, curve, slope] if seed % 2 else [curve, slope, curve])


@pytest.mark.parametrize("level", [0.0, 1e-7, 0.2, 0.3, 0.6])
@pytest.mark.parametrize("block", [5, 64, spans.BLOCK])
def test_peaks_are_those_found_sample_by_sample(level, block, monkeypatch):
    monkeypatch.setattr(spans, "BLOCK", block)
    for seed in range(10):
        curve = uneven_curve(seed)
        before = curve.copy()
        trace = obspy.Trace(curve, {"starttime": START})
        picks = peaks([trace], "XX.STA.", "P", level, 0.0)
        places = [(p.start_time, p.peak_time, p.end_time, p.peak_value) for p in picks]
        expected = sample_by_sample(curve, level)
        assert places == [(*(START + at for at in found[:3]), found[3]) for found in expected]
        assert len(expected) > 20 and np.array_equal(curve, before, equal_nan=True)


@pytest.mark.parametrize("level", [0.0, 0.2, 0.3, 0.6])
def test_detections_are_those_of_seisbench(level, monkeypatch):
    monkeypatch.setattr(spans, "BLOCK", 64)
    model = tiny_model()
    for seed in range(10):
        stream = curves([])
        stream[2].data = uneven_curve(seed)
        expected = model.detections_from_annotations(stream[2:], level)
        found = classify(stream, detection_threshold=level).detections
        assert [vars(d) for d in found] == [{**vars(d), "trace_id": "XX.STA."} for d in expected]
        assert len(expected) > 3
