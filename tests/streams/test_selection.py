"""Which records of a stream are used, under which names, and what is said of the others."""

import numpy as np
import obspy
import pytest

from tests.helpers.models import tiny_model
from tests.helpers.streams import assert_same, make_stream

LOW = {"P_threshold": 0.01, "S_threshold": 1.0}


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def renamed(stream, *codes):
    for trace, code in zip(stream, codes, strict=True):
        trace.stats.channel = code
    return stream


def lines(text, cause):
    """Different lines of a log; it comes twice where loggers propagate."""
    return {line for line in text.splitlines() if cause in line}


def ids_of(model, stream):
    return {pick.trace_id for pick in model.classify(stream, **LOW).picks}


def test_name_of_a_trace_depends_on_it_alone(model):
    hh, hn = make_stream(), make_stream(code="HN", seed=1)
    others = make_stream(components="Z", code="LC") + make_stream(components="Z", code="VM")
    slow = make_stream(200, rate=1.0, code="LH")
    assert ids_of(model, hh) == {"XX.STA.00"}
    assert ids_of(model, hn) == {"XX.STA.00.HN"}
    assert ids_of(model, hh + hn) == {"XX.STA.00", "XX.STA.00.HN"}
    assert ids_of(model, others + hh + slow) == {"XX.STA.00"}


def test_order_of_traces_does_not_matter(model):
    stream = make_stream() + make_stream(code="HN", seed=1) + make_stream(station="B", seed=2)
    expected = [str(p) for p in model.classify(stream, **LOW).picks]
    mixed = obspy.Stream([stream[i] for i in np.random.default_rng(0).permutation(len(stream))])
    assert [str(p) for p in model.classify(mixed, **LOW).picks] == expected != []


def test_k_net_and_kik_net(model):
    stream = make_stream()
    expected = model.annotate(stream)
    assert_same(model.annotate(renamed(stream.copy(), "UD", "NS", "EW")), expected)
    surface = renamed(make_stream(seed=3), "UD2", "NS2", "EW2")
    both = renamed(stream.copy(), "UD1", "NS1", "EW1") + surface
    annotations = model.annotate(both)
    assert {t.stats.instrument for t in annotations} == {"1", "2"}
    borehole = obspy.Stream([t for t in annotations if t.stats.instrument == "1"])
    assert_same(borehole, expected)
    assert ids_of(model, both) == {"XX.STA.00.1", "XX.STA.00.2"}


@pytest.mark.parametrize(
    "codes", [("SZ", "SN", "SE"), ("Z", "1", "2"), ("U-D", "N-S", "E-W"), ("HHZ ", "HH1", "HH2")]
)
def test_short_and_odd_channel_codes_make_one_instrument(model, codes):
    stream = make_stream()
    expected = model.annotate(stream)
    annotations = model.annotate(renamed(stream.copy(), *codes))
    assert_same(annotations, expected)
    assert not annotations.skipped
    # What is estimated at these picks finds the same instrument.
    picks = model.classify(renamed(stream, *codes), **LOW).picks
    estimates = tiny_model("magnitude").classify(stream, picks=picks).estimates
    assert len(estimates) == sum(pick.phase == "P" for pick in picks) > 0


def test_stations_whose_codes_hold_dots_are_not_mixed(model):
    one, other = make_stream(), make_stream(seed=1)
    for trace in one:
        trace.stats.update({"network": "X.Y", "station": "A"})
    for trace in other:
        trace.stats.update({"network": "X", "station": "Y.A"})
    annotations = model.annotate(one + other)
    assert len(annotations) == 6
    for stream in (one, other):
        network = stream[0].stats.network
        assert_same(annotations.select(network=network), model.annotate(stream))


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (3, 0, 4, 2, 1)])
@pytest.mark.parametrize("strict", [False, True])
def test_horizontals_of_both_names(model, order, strict, warnings_of):
    stream = make_stream(components="ZNE")
    expected = model.annotate(stream, strict=strict)
    both = stream + make_stream(components="12", seed=3)
    annotations = model.annotate(obspy.Stream([both[i] for i in order]), strict=strict)
    assert_same(annotations, expected)
    assert [s.trace_id for s in annotations.skipped] == ["XX.STA.00.HH1", "XX.STA.00.HH2"]
    assert len(lines(warnings_of(), "another channel of the same component")) == 1
    assert "undefined behavior" not in warnings_of()


def test_horizontals_that_were_renamed(model, warnings_of):
    stream = make_stream(9000)
    time = stream[0].stats.starttime + 45
    for trace in stream:
        # Each record is taken without its mean.
        trace.data[:4500] -= trace.data[:4500].mean()
        trace.data[4500:] -= trace.data[4500:].mean()
    before, after = stream.slice(endtime=time - 0.01), stream.slice(time)
    parts = renamed(before.copy(), "HHZ", "HH1", "HH2") + after
    assert_same(model.annotate(parts), model.annotate(stream))
    # They overlap by five seconds.
    parts = renamed(stream.slice(endtime=time + 5).copy(), "HHZ", "HH1", "HH2") + after
    annotations = model.annotate(parts)
    assert_same(annotations, model.annotate(stream))
    spans = [(s.trace_id[-1], s.start, s.end) for s in annotations.skipped]
    assert spans == [(code, time, time + 5) for code in "12"]
    assert "undefined behavior" not in warnings_of()


def test_horizontals_that_point_somewhere(warnings_of):
    stream = obspy.Stream()
    for number in range(5):
        stream += make_stream(components="12Z", station=f"S{number}")
    annotations = tiny_model("back_azimuth").annotate(stream + make_stream())
    assert {trace.stats.station for trace in annotations} == {"STA"}
    assert [s.trace_id for s in annotations.skipped] == [f"XX.S{i}.00.HH?" for i in range(5)]
    assert len(lines(warnings_of(), "their directions are unknown")) == 1
    assert len(lines(warnings_of(), "ignored")) == 1


def test_fractions_of_a_sample(model):
    """No component is off by more than half a sample, nor further from the others than it is."""
    stream = make_stream()
    start = stream[0].stats.starttime
    for trace, late in zip(stream, (0.0049, 0.0002, 0.0049), strict=True):
        trace.stats.starttime += late
    annotation = model.annotate(stream)[0]
    for trace in stream:
        assert abs(trace.stats.starttime - annotation.stats.starttime) <= 0.005
    # Half a sample off the grid of SeisBench, where rounding would set components a sample apart.
    shifted = make_stream()
    shifted[1].trim(start + 0.01)
    whole = model.annotate(shifted)
    for trace in shifted:
        trace.stats.starttime += 0.005
    for one, other in zip(model.annotate(shifted), whole, strict=True):
        assert one.stats.starttime - other.stats.starttime == pytest.approx(0.005, abs=1e-6)
        np.testing.assert_allclose(one.data, other.data, atol=1e-5)


def test_rate_beyond_all_reason(model, warnings_of):
    stream = make_stream(station="ODD") + make_stream()
    for trace in stream.select(station="ODD"):
        trace.stats.sampling_rate = 1e9
    assert {t.stats.station for t in model.annotate(stream)} == {"STA"}
    assert "its sampling rate is 1e+09 Hz; at most 100000 Hz are possible" in warnings_of()


@pytest.mark.parametrize("seconds", [-62_135_596_800, -1e11, 253_402_300_700, 1e13])
def test_impossible_times_are_named_and_others_go_on(model, seconds, warnings_of):
    """All stations were lost to an error of Python's calendar."""
    stream = make_stream(station="ODD") + make_stream()
    for trace in stream.select(station="ODD"):
        trace.stats.starttime = obspy.UTCDateTime(0) + seconds
    assert ids_of(model, stream) == ids_of(model, make_stream()) != set()
    assert "XX.ODD" in warnings_of() and "outside of the years 2 to 9998" in warnings_of()


@pytest.mark.parametrize("codes", [("[a]", "A.B", "*"), ("", "", ""), ("?", "12345678", "--")])
def test_odd_codes(model, codes):
    stream = make_stream()
    expected = model.annotate(stream)
    for trace in stream:
        trace.stats.network, trace.stats.station, trace.stats.location = codes
    annotations = model.annotate(stream)
    assert {(t.stats.network, t.stats.station, t.stats.location) for t in annotations} == {codes}
    for one, other in zip(annotations, expected, strict=True):
        np.testing.assert_allclose(one.data, other.data, atol=1e-6)


def test_locations_are_not_mixed(model):
    stream = make_stream()
    other = make_stream(seed=4)
    for trace in stream:
        trace.stats.location = "0"
    expected = model.annotate(stream)
    found = [t for t in model.annotate(stream + other) if t.stats.location == "0"]
    assert_same(obspy.Stream(found), expected)


@pytest.mark.parametrize("rate", [0.1, 1.0, 9.9])
def test_low_rate_is_named_and_others_go_on(model, rate, warnings_of):
    stream = make_stream(400, rate=rate, station="SLOW") + make_stream()
    result = model.classify(stream, **LOW)
    assert {pick.trace_id for pick in result.picks} == {"XX.STA.00"}
    cause = f"its sampling rate is {rate:g} Hz; at least 10 Hz are needed"
    assert {s.cause for s in result.skipped} == {cause} and len(result.skipped) == 3
    assert len(lines(warnings_of(), cause)) == 1
    assert "3 traces with 3 ids are ignored, the first: XX.SLOW.00.HHE at" in warnings_of()


@pytest.mark.parametrize("rate", [10.0, 20.0])
def test_poor_rate_is_used_and_named(model, rate, warnings_of):
    annotations = model.annotate(make_stream(int(60 * rate), rate=rate))
    assert len(annotations) == 3
    assert [s.used for s in annotations.skipped] == [True] * 3
    assert len(lines(warnings_of(), f"its sampling rate is {rate:g} Hz")) == 1


def test_high_rate(model):
    stream = make_stream(60_000, rate=1000.0)
    annotations = model.annotate(stream)
    assert len(annotations) == 3 and annotations[0].stats.npts in (6000, 6001)


def test_a_trace_will_do_and_nothing_else(model):
    trace = make_stream(components="Z")[0]
    assert_same(model.annotate(trace), model.annotate(obspy.Stream([trace])))
    with pytest.raises(TypeError, match=r"an obspy.Stream or Trace, not ndarray"):
        model.annotate(trace.data)


def test_one_warning_per_cause(model, warnings_of):
    stream = make_stream()
    for i in range(20):
        stream += renamed(make_stream(200, station=f"S{i}", components="Z"), "HHX")
    annotations = model.annotate(stream)
    assert len(annotations.skipped) == 20
    assert len(lines(warnings_of(), "its component is not one of")) == 1
    assert "20 traces with 20 ids are ignored" in warnings_of()


def test_header_with_a_response_costs_nothing(model):
    stream = make_stream()
    for trace in stream:
        # Whoever copies headers fails.
        trace.stats.response = NotToBeCopied()
    assert len(model.annotate(stream)) == 3


class NotToBeCopied:
    def __deepcopy__(self, memo):
        raise AssertionError("a response was copied")


def test_channels_of_one_component_may_have_several_rates():
    """HH2 at 1000 Hz goes on where HHE at 100 Hz ends."""
    stream = make_stream(3000)
    east = stream.select(channel="HHE")[0]
    other = east.copy()
    other.stats.channel, other.stats.sampling_rate = "HH2", 1000
    other.stats.starttime = east.stats.starttime + 15
    other.data = np.random.default_rng(0).standard_normal(20_000)
    east.data = east.data[:2000]
    output = tiny_model().annotate(stream + other)
    assert {trace.stats.sampling_rate for trace in output} == {100}
    end = max(trace.stats.endtime for trace in output)
    assert abs(end - (east.stats.starttime + 35)) < 0.02


def test_no_record_is_lost_where_a_faster_channel_begins(warnings_of):
    """HH2 at 40 Hz ends 15 ms before HHE begins; resampled to 100 Hz, it would overlap HHE."""
    stream = make_stream(3000)
    east = stream.select(channel="HHE")[0]
    slow = east.copy()
    slow.stats.channel, slow.stats.sampling_rate = "HH2", 40
    slow.data = np.random.default_rng(0).standard_normal(401)
    east.stats.starttime += 10.015
    curve = tiny_model().annotate(stream.select(channel="HHE") + slow).select(channel="*_P")[0]
    assert "agree" not in warnings_of()
    assert np.ptp(curve.slice(endtime=slow.stats.endtime).data) > 0
