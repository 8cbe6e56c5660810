"""The window layout against the windows that SeisBench really cuts."""

import numpy as np
import obspy
import pytest

from seisbench_llm.streams.arguments import Arguments
from seisbench_llm.streams.windows import WindowLayout, filter_reach
from tests.helpers.models import tiny_model
from tests.helpers.streams import make_stream


def layout_of(model, **kwargs):
    return WindowLayout.of(model, Arguments.of(model, kwargs))


def reach(model, headers):
    return filter_reach(model, Arguments.of(model, {}), headers)


@pytest.fixture
def cut(monkeypatch):
    """Annotate, and return the sample counts and the offsets of the windows that SeisBench cut."""

    def annotate(model, stream, **kwargs):
        groups = []
        name = f"_cut_fragments_{model.output_type}"
        original = getattr(model, name)

        def watch(group, argdict):
            segments = original(group, argdict)
            groups.append((group, [segment.window_offset for segment in segments]))
            return segments

        monkeypatch.setattr(model, name, watch)
        model.annotate(stream, **kwargs)
        return groups

    return annotate


@pytest.mark.parametrize("start", [0.0, 0.005, 0.00871])
@pytest.mark.parametrize("samples", [100, 3000, 6001])
@pytest.mark.parametrize("overlap", [0.5, 0.3333, 2001, 1500.0])
def test_windows_are_those_that_seisbench_cuts(cut, samples, start, overlap):
    model, kwargs = tiny_model(), {"overlap": overlap}
    stream = make_stream(samples)
    for trace in stream:
        trace.stats.starttime += start
    ((group, offsets),) = cut(model, stream, **kwargs)
    layout = layout_of(model, **kwargs)
    assert len(offsets) == layout.count(group.data.shape[-1])
    assert np.unique(np.diff(offsets[:-1])).tolist() in ([layout.hop], [])
    first = round(stream[0].stats.starttime.ns * layout.rate / 1e9)
    before = first - layout.padding[0]
    assert layout.last(first, first + samples) - before == offsets[-1]
    for sample in (0, layout.size - 1, layout.size, samples):
        seen = [o for o in offsets[:-1] if o <= sample < o + layout.size]
        assert not seen or layout.first_seeing(sample) == seen[0]


@pytest.mark.parametrize("samples", [1, 2999, 3000, 4000, 9001])
def test_estimates(cut, samples):
    model = tiny_model("magnitude")
    ((group, offsets),) = cut(model, make_stream(samples), stride=499)
    layout = layout_of(model, stride=499)
    assert len(offsets) == layout.count(group.data.shape[-1]) >= 2
    assert group.data.shape[-1] in (layout.padded(samples), layout.padded(samples) - 1)


@pytest.mark.parametrize("extra, segments", [(-1, 1), (1, 2)])
def test_gaps_up_to_the_bridge_are_filled(cut, extra, segments):
    model = tiny_model()
    layout = layout_of(model)
    stream = make_stream()
    later = make_stream()
    for trace in later:
        trace.stats.starttime = stream[0].stats.endtime + layout.bridge + extra / layout.rate
    assert len(cut(model, stream + later)) == segments


def test_strict_pads_nothing():
    layout = layout_of(tiny_model(), strict=True)
    assert layout.padding == (0, 0)
    assert layout.bridge == layout.size / layout.rate
    assert layout.count(layout.size - 1) == 0


def header(code="HHZ"):
    return obspy.Trace(header={"sampling_rate": 100.0, "channel": code}).stats


def test_filter_reach_is_where_the_response_ends():
    assert reach(tiny_model(), [header()]) == 1
    short = tiny_model(filter_args=["highpass"], filter_kwargs={"freq": 1.0, "corners": 2})
    assert 300 < reach(short, [header()]) < 1000
    # What is done per channel is measured per channel.
    vertical = tiny_model(filter_args={"??Z": ["highpass"]}, filter_kwargs={"??Z": {"freq": 0.3}})
    assert reach(vertical, [header("HHN")]) == 1
    assert reach(vertical, [header("HHN"), header("HHZ")]) > 1000
    endless = tiny_model(filter_args=["highpass"], filter_kwargs={"freq": 0.0003})
    assert reach(endless, [header()]) is None
