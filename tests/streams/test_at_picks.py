import numpy as np
import obspy
import pytest

from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.streams import at_picks as module
from seisbench_llm.streams.arguments import Arguments
from seisbench_llm.streams.at_picks import WaveformsAtPicks
from seisbench_llm.streams.onsets import Onset
from tests.helpers.models import TINY
from tests.helpers.streams import make_stream

START = obspy.UTCDateTime(2020, 1, 1)
PICKS = (0.0, 3.004, 60, 62, 400, 599.99)


def anchors(trace_id="XX.STA.00", seconds=PICKS):
    return [Onset(None, trace_id, START + s) for s in seconds]


def both_ways(model, stream, picks, monkeypatch, **kwargs):
    """Windows from whole records, and from parts of them; and the samples held for the latter."""
    found = []
    for longest in (np.inf, 0):
        monkeypatch.setattr(module, "FILTER_AT_ONCE_S", longest)
        records = WaveformsAtPicks(model, stream, Arguments.of(model, kwargs), picks)
        found.append(np.stack([records.windows(pick) for pick in picks]))
    held = sum(trace.stats.npts for traces in records._traces.values() for trace in traces)
    return *found, held


@pytest.mark.parametrize("rate", [100.0, 125.0, 40.0])
@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"filter_args": ["highpass"], "filter_kwargs": {"freq": 1.0, "corners": 2}},
        {
            "filter_args": {"??Z": ["highpass"], "??[NE]": ["bandpass"]},
            "filter_kwargs": {
                "??Z": {"freq": 0.5, "zerophase": True},
                "??[NE]": {"freqmin": 1, "freqmax": 20},
            },
        },
    ],
)
def test_windows_are_those_of_the_whole_record(rate, filters, monkeypatch):
    model = SeisMoLLM("magnitude", **TINY, **filters)
    stream = make_stream(int(600 * rate) + 1, rate=rate)
    for i, trace in enumerate(stream):
        # Long periods, an offset, and another start: what a filter takes longest to forget.
        trace.data += 1e3 * (i + 1) + 500 * np.sin(2 * np.pi * trace.times() / 300)
        trace.stats.starttime += 0.003 * i
    before = stream.copy()
    whole, parts, held = both_ways(model, stream, anchors(), monkeypatch)
    assert stream == before
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-5 * np.abs(whole).max())
    # Five parts of half a minute and what the filter remembers, not ten minutes.
    assert held < 0.5 * 3 * 60_000
    assert np.abs(whole).max(axis=(1, 2, 3)).min() > 0


def test_gaps_and_instruments(monkeypatch):
    model = SeisMoLLM("distance", **TINY, filter_args=["highpass"], filter_kwargs={"freq": 1.0})
    stream = make_stream(60_000) + make_stream(60_000, code="HN", seed=1)
    stream = stream.slice(START, START + 70) + stream.slice(START + 80)
    picks = [*anchors("XX.STA.00.HN"), *anchors("XX.STA.00.HHZ", (69.9, 80.0))]
    whole, parts, _ = both_ways(model, stream, picks, monkeypatch)
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-5 * np.abs(whole).max())
    in_gap, later = anchors(seconds=(75, 300))
    records = WaveformsAtPicks(model, stream, Arguments.of(model, {}), [in_gap, later])
    assert records.find(in_gap) is None
    assert records.find(later).instrument_id == "XX.STA.00.HH"


def test_a_pick_may_be_half_a_sample_outside_of_the_data():
    model = SeisMoLLM("distance", **TINY)
    stream, picks = make_stream(60_000), anchors(seconds=(-0.004, 599.994, -0.006, 599.996))
    records = WaveformsAtPicks(model, stream, Arguments.of(model, {}), picks)
    assert [records.find(pick) is not None for pick in picks] == [True, True, False, False]


@pytest.mark.parametrize("rate, arguments", [(99.99, {}), (125.0, {"zerophase_resample": False})])
def test_what_cannot_be_cut_is_prepared_as_a_whole(rate, arguments, monkeypatch):
    model = SeisMoLLM("magnitude", **TINY)
    stream = make_stream(int(120 * rate), rate=rate)
    whole, parts, held = both_ways(model, stream, anchors(seconds=(60,)), monkeypatch, **arguments)
    np.testing.assert_array_equal(parts, whole)
    assert held >= 3 * 11_990


def test_only_records_with_picks_are_touched(monkeypatch):
    model = SeisMoLLM("magnitude", **TINY)
    stream = make_stream() + make_stream(station="TWO")
    touched = []
    monkeypatch.setattr(
        model, "annotate_stream_pre", lambda stream, _: touched.extend(t.id for t in stream)
    )
    WaveformsAtPicks(model, stream, Arguments.of(model, {}), anchors("XX.TWO.00", (30,)))
    assert sorted(touched) == ["XX.TWO.00.HHE", "XX.TWO.00.HHN", "XX.TWO.00.HHZ"]
