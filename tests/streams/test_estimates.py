import numpy as np
import obspy
import pytest
import torch
from obspy.core.event import Pick as ObsPyPick
from obspy.core.event import WaveformStreamID
from seisbench.util import Pick

from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.preprocess import normalize
from seisbench_llm.streams.estimates import Estimate, EstimateList, summarize
from seisbench_llm.tasks import TASKS
from tests.helpers.models import tiny_model
from tests.helpers.streams import make_stream

POINT_TASKS = [name for name, spec in TASKS.items() if spec.output_type == "point"]
START = obspy.UTCDateTime(2020, 1, 1)


def pick(seconds=60.0, trace_id="XX.STA.00", phase="P"):
    return Pick(trace_id, START + seconds, peak_time=START + seconds, phase=phase)


@pytest.mark.parametrize("task", POINT_TASKS)
def test_one_typed_estimate_per_p_pick(task):
    model, stream = tiny_model(task), make_stream(12000)
    before = stream.copy()
    picks = [pick(60), pick(65, phase="S"), pick(20), pick(30, phase=None), pick(90, phase="Pn")]
    result = model.classify(stream, picks=picks)
    assert result.picks is picks
    assert [e.time - START for e in result.estimates] == [20, 30, 60, 90]
    for estimate in result.estimates:
        assert isinstance(estimate, Estimate)
        assert estimate.quantity == task
        assert estimate.unit == TASKS[task].unit
        low, high = TASKS[task].value_range
        assert low <= estimate.value <= high
        assert estimate.spread >= 0
    assert stream == before
    assert list(result.estimates.to_dataframe().quantity) == [task] * 4
    assert task in str(result.estimates)


def test_window_is_anchored_as_in_training():
    model, stream = tiny_model("distance"), make_stream(12000)
    found = model.classify(stream, picks=[pick(60)], windows_per_pick=1).estimates[0]
    data = np.stack([stream.select(component=c)[0].data for c in "ZNE"])
    data -= data.mean(axis=1, keepdims=True)
    window = data[None, :, 6000 - 500 : 6000 + 2500]
    with torch.no_grad():
        expected = model(normalize(torch.from_numpy(window).float())).item()
    assert found.value == pytest.approx(expected, abs=5e-3)
    assert np.isnan(found.spread)


def test_value_and_spread_are_over_shifted_windows():
    model, stream = tiny_model("magnitude"), make_stream(12000)
    arguments = {"windows_per_pick": 3, "window_jitter": 1.0}
    found = model.classify(stream, picks=[pick(60)], **arguments).estimates[0]
    single = [
        model.classify(stream, picks=[pick(60 + s)], windows_per_pick=1).estimates[0].value
        for s in (-1, 0, 1)
    ]
    assert found.value == pytest.approx(np.mean(single), abs=1e-4)
    assert found.spread == pytest.approx(np.std(single, ddof=1), abs=1e-4)


@pytest.mark.parametrize("task", ["magnitude", "distance"])
def test_calibrated_spread_of_numbers(task):
    model = tiny_model(task)
    # Mean 8, standard deviation 6.
    outputs = np.array([[2.0], [8.0], [14.0]])

    def spread(**factors):
        estimate = summarize(model, "XX.STA.", START, outputs, factors)
        assert estimate.value == 8
        return estimate.spread

    assert spread(floor=3) == pytest.approx(3)
    assert spread(relative=0.5) == pytest.approx(4)
    assert spread(windows=2) == pytest.approx(12)
    # In quadrature: 3, 4 and 5; 5, 12 and 13.
    assert spread(floor=3, relative=0.5) == pytest.approx(5)
    assert spread(floor=3, relative=0.5, windows=2) == pytest.approx(13)


def test_calibration_is_an_argument_of_classify():
    model, stream = tiny_model("magnitude"), make_stream(12000)
    bare = model.classify(stream, picks=[pick()]).estimates[0]
    found = model.classify(stream, picks=[pick()], calibration={"windows": 3}).estimates[0]
    assert found.value == bare.value and found.spread == pytest.approx(3 * bare.spread)


def test_calibrated_spread_of_angles_knows_how_long_the_vector_is():
    model = tiny_model("back_azimuth")

    def spread(size, **factors):
        outputs = size * np.array([[1.0, 0], [np.cos(0.2), np.sin(0.2)]])
        return summarize(model, "XX.STA.", START, outputs, factors).spread

    # R of the mean of two vectors 0.2 rad apart is their length times cos(0.1).
    expected = np.degrees(np.sqrt(-2 * np.log(0.5 * np.cos(0.1))))
    assert spread(0.5, length=1) == pytest.approx(expected)
    assert spread(0.5, length=1, floor=20) == pytest.approx(np.hypot(expected, 20))
    assert spread(0.2, length=1) > spread(0.9, length=1)
    assert spread(0.2, windows=1) == pytest.approx(spread(0.9, windows=1))
    assert spread(1e-6, length=5) == 180


def test_calibration_comes_with_the_weights_and_can_be_switched_off(tmp_path):
    stream = make_stream(12000)
    model = tiny_model("distance")
    bare = model.classify(stream, picks=[pick()]).estimates[0].spread
    model.default_args["calibration"] = {"floor": 30.0}
    model.save(tmp_path / "weights")
    loaded = SeisMoLLM.load(tmp_path / "weights")
    assert loaded.classify(stream, picks=[pick()]).estimates[0].spread == pytest.approx(30)
    off = loaded.classify(stream, picks=[pick()], calibration=None).estimates[0]
    assert off.spread == pytest.approx(bare)
    # One window tells nothing of the spread that the calibration rests on.
    single = loaded.classify(stream, picks=[pick()], windows_per_pick=1).estimates[0]
    assert np.isnan(single.spread)
    assert np.isnan([e.spread for e in loaded.classify(stream).estimates]).all()


@pytest.mark.parametrize(
    "task, calibration",
    [
        ("magnitude", {"length": 1}),
        ("back_azimuth", {"relative": 1}),
        ("distance", {"floor": -1}),
        ("distance", {"floor": np.inf}),
        ("distance", {}),
        ("distance", 3),
        ("polarity", {"floor": 1}),
    ],
)
def test_impossible_calibrations(task, calibration):
    with pytest.raises(ValueError, match="calibration=.*must be None"):
        tiny_model(task).classify(make_stream(), picks=[pick(10)], calibration=calibration)


def test_angles_are_averaged_as_vectors():
    model = tiny_model("back_azimuth")
    angles = np.radians([350, 10, 0])
    outputs = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    estimate = summarize(model, "XX.STA.", START, outputs)
    assert min(estimate.value, 360 - estimate.value) < 1e-6
    assert estimate.spread == pytest.approx(8.2, abs=0.1)
    # Opposite answers have no direction to speak of.
    assert summarize(model, "XX.STA.", START, np.array([[1.0, 0], [-1.0, 0]])).spread > 180


def test_polarity_fills_the_pick():
    model, stream = tiny_model("polarity"), make_stream(12000)
    p = pick(60)
    up = model.classify(stream, picks=[p]).estimates[0].value
    assert p.polarity == ("U" if up >= 0.5 else "D")
    assert p.polarity_value == pytest.approx(max(up, 1 - up))
    model.classify(stream, picks=[p], polarity_threshold=1.0)
    assert p.polarity == "N"


def test_polarity_flips_with_the_record():
    # Not a property of the network but of the way to it: sign and order survive.
    model, stream = tiny_model("polarity"), make_stream(12000)
    flipped = stream.copy()
    for trace in flipped:
        trace.data = -trace.data
    one = model.classify(stream, picks=[pick()]).estimates[0].value
    other = model.classify(flipped, picks=[pick()]).estimates[0].value
    assert abs(one - other) > 1e-4


def test_picks_of_obspy_and_full_ids():
    model, stream = tiny_model("magnitude"), make_stream(12000)
    reference = model.classify(stream, picks=[pick()]).estimates[0].value
    for seed_id in ("XX.STA.00.HHZ", "XX.STA.00.HH"):
        other = ObsPyPick(
            time=START + 60,
            waveform_id=WaveformStreamID(seed_string=seed_id),
            phase_hint="P",
        )
        assert model.classify(stream, picks=[other]).estimates[0].value == pytest.approx(reference)
        assert model.classify(stream, picks=[pick(trace_id=seed_id)]).estimates


def test_instruments_at_one_location():
    model = tiny_model("magnitude")
    hh, hn = make_stream(12000, seed=1), make_stream(12000, code="HN", seed=2)
    for code, alone in (("HH", hh), ("HN", hn)):
        both = model.classify(hh + hn, picks=[pick(trace_id=f"XX.STA.00.{code}")]).estimates[0]
        expected = model.classify(alone, picks=[pick()]).estimates[0]
        assert both.value == pytest.approx(expected.value)


@pytest.mark.parametrize("seconds", [0, 1, 119.9])
def test_pick_near_the_ends_of_the_record(seconds):
    estimate = tiny_model("distance").classify(make_stream(12000), picks=[pick(seconds)])
    assert len(estimate.estimates) == 1


def test_picks_without_data_are_named(warnings_of):
    picks = [pick(500), pick(501), pick(10, trace_id="XX.OTHER.00")]
    result = tiny_model("magnitude").classify(make_stream(), picks=picks)
    assert len(result.estimates) == 0
    left_out = [("XX.OTHER.00", START + 10), ("XX.STA.00", START + 500), ("XX.STA.00", START + 501)]
    assert [(entry.trace_id, entry.start) for entry in result.skipped] == left_out
    cause = "it has no usable data at this pick, so there is no magnitude"
    assert {line for line in warnings_of().splitlines() if cause in line} != set()
    assert "3 traces with 2 ids are ignored, the first: XX.OTHER.00 at" in warnings_of()


def test_a_trace_will_do():
    trace = make_stream(components="Z")[0]
    arguments = {"textbook": True, "s_picker": "compact_picking"}
    model = tiny_model("distance")
    found = [
        model.classify(stream, picks=[pick(10)], **arguments).estimates
        for stream in (trace, obspy.Stream([trace]))
    ]
    assert found[0] == found[1] != []


@pytest.mark.parametrize("network, station", [("A.B", "STA"), ("XX", "S.1"), ("[a]", "*")])
def test_codes_that_hold_dots(network, station):
    stream = make_stream() + make_stream(code="HN", seed=1)
    for trace in stream:
        trace.stats.update({"network": network, "station": station})
    picks = tiny_model().classify(stream, P_threshold=0.9).picks
    onsets = [found for found in picks if found.phase == "P"]
    result = tiny_model("distance").classify(stream, picks=onsets, textbook=True)
    assert len(result.estimates) == len(onsets) > 1 and not result.skipped


def test_why_there_are_no_data_at_a_pick_is_said_once(warnings_of):
    stream = make_stream(components="Z")
    result = tiny_model("back_azimuth").classify(stream, picks=[pick(10), pick(20)])
    assert [entry.trace_id for entry in result.skipped] == ["XX.STA.00.HH?"]
    assert "at this pick" not in warnings_of()


def test_back_azimuth_with_fewer_components(warnings_of):
    result = tiny_model("back_azimuth").classify(make_stream(components="Z"), picks=[pick(10)])
    assert len(result.estimates) == 0
    assert "needs three components" in warnings_of()


def test_without_picks_estimates_are_those_of_annotate():
    model, stream = tiny_model("magnitude"), make_stream(12000)
    estimates = model.classify(stream).estimates
    np.testing.assert_allclose([e.value for e in estimates], model.annotate(stream)[0].data)


def test_empty_pick_list():
    assert tiny_model("magnitude").classify(make_stream(), picks=[]).estimates == []


def test_rotations_do_not_favour_a_direction():
    model, stream = tiny_model(task="back_azimuth"), obspy.read()
    for trace in stream:
        trace.stats.sampling_rate = model.sampling_rate
    time = stream[0].stats.starttime + 10
    picks = [Pick("BW.RJOB.", time, time, time, 0.9, "P")]
    turned = stream.copy()
    north, east = (turned.select(component=code)[0] for code in "NE")
    # A quarter clockwise: what is north for this seismometer was east.
    north.data, east.data = east.data.copy(), -north.data

    def estimate(stream, rotations):
        found = model.classify(stream, picks=picks, rotations=rotations, windows_per_pick=1)
        return found.estimates[0].value

    for rotations in (4, 8):
        change = estimate(turned, rotations) - estimate(stream, rotations)
        assert change % 360 == pytest.approx(270, abs=0.1)
    assert abs((estimate(turned, 1) - estimate(stream, 1)) % 360 - 270) > 0.5


def test_upside_down_the_first_motion_is_the_opposite_one():
    model, stream = tiny_model(task="polarity"), make_stream()
    upside_down = stream.copy()
    for trace in upside_down:
        trace.data = -trace.data

    def up(stream, mirror):
        found = model.classify(stream, picks=[pick(10), pick(20)], mirror=mirror).estimates
        return np.array([estimate.value for estimate in found])

    np.testing.assert_allclose(up(stream, True) + up(upside_down, True), 1, atol=1e-6)
    expected = (up(stream, False) + 1 - up(upside_down, False)) / 2
    np.testing.assert_allclose(up(stream, True), expected, atol=1e-6)
    assert np.abs(up(stream, False) + up(upside_down, False) - 1).max() > 1e-3


def test_a_long_list_is_short_in_a_session():
    estimates = EstimateList(
        Estimate(f"XX.S{i}.", obspy.UTCDateTime(i), "distance", i, "km", 1.0) for i in range(500)
    )
    text = repr(estimates)
    assert "with 500 entries" in text and "480 more" in text and len(text.splitlines()) < 30
    assert len(str(estimates).splitlines()) > 500 and estimates._repr_html_().count("<tr") == 21
    assert repr(EstimateList(estimates[:3])) == str(EstimateList(estimates[:3]))
