"""The window layout by itself: each number against what can be counted, without a network."""

from types import SimpleNamespace

import numpy as np
import obspy
import pytest
from obspy import UTCDateTime

from seisbench_llm.streams import windows
from seisbench_llm.streams.arguments import Arguments
from seisbench_llm.streams.windows import (
    WindowLayout,
    counted,
    filter_reach,
    part_padding,
    place_on_grid,
)
from tests.helpers.formula import formula_model

START = UTCDateTime(2020, 1, 1)


def layout_of(task="picking", **kwargs):
    """Of a model with windows of 256 samples, 32 of which are blinded on either side."""
    model = formula_model(task)
    return WindowLayout.of(model, Arguments.of(model, kwargs))


def test_layout_of_curves():
    layout = layout_of(batch_size=7, overlap=0.25)
    assert (layout.size, layout.hop, layout.rate, layout.batch) == (256, 192, 100.0, 7)
    assert layout.curves and not layout.strict and layout.anchor == 0
    assert layout.blinding == layout.padding == (32, 32)
    assert layout.bridge == 3.2


def test_layout_of_estimates():
    layout = layout_of("distance", stride=17)
    assert (layout.size, layout.hop, layout.anchor, layout.curves) == (256, 17, 64, False)
    assert layout.padding == (64, 192) and layout.bridge == 5.12
    strict = layout_of("distance", stride=17, strict=True)
    assert strict.padding == (0, 0) and strict.bridge == 2.56 and strict.strict


def test_what_the_outputs_cover():
    # 64 are blinded of each window.
    assert layout_of(overlap=64).covers and not layout_of(overlap=63).covers
    assert not layout_of(overlap=128, strict=True).covers
    assert layout_of("distance", stride=1000).covers


def test_samples_for_seisbench():
    layout = layout_of()
    assert [layout.padded(n) for n in (1, 192, 193, 1000)] == [257, 257, 258, 1065]
    # SeisBench fails at a single estimate, so that there are two windows at least.
    layout = layout_of("distance", stride=50)
    assert [layout.padded(n) for n in (1, 50, 51, 1000)] == [307, 307, 308, 1257]


def test_number_of_windows():
    layout = layout_of(overlap=156)  # each 100 samples
    assert [layout.count(n) for n in (0, 255, 256, 257, 356, 357, 456)] == [0, 0, 1, 2, 2, 3, 3]
    layout = layout_of("distance", stride=100)
    # Estimates get no last window that ends with the data.
    assert [layout.count(n) for n in (255, 256, 257, 355, 356, 357)] == [0, 1, 1, 1, 2, 2]


def test_first_window_that_sees_a_sample():
    layout = layout_of(overlap=156)
    samples = (0, 255, 256, 355, 356, 455, 456)
    assert [layout.first_seeing(n) for n in samples] == [0, 0, 100, 100, 200, 200, 300]


@pytest.mark.parametrize("first", [0, 1, 157_788_000_000, -99])
def test_window_that_ends_with_the_data(first):
    layout = layout_of()
    # A record shorter than a window, and a longer one; 32 are padded to either side, and one more
    # in case that SeisBench's truncation takes it.
    assert layout.last(first, first + 5) == first - 32 + 1
    assert layout.last(first, first + 1000) == first - 32 + 1000 + 64 + 1 - 256


@pytest.mark.parametrize("batch, overlap, hops", [(32, 128, 5629), (1, 0, 2812), (10_000, 0, 9998)])
def test_hops_of_a_chunk_fill_whole_batches(monkeypatch, batch, overlap, hops):
    monkeypatch.setattr(windows, "MAX_WINDOWS_PER_CHUNK", 10**9)
    layout = layout_of(batch_size=batch, overlap=overlap)
    # Windows of a chunk also reach into the next, and one ends with the data.
    shared = -(-256 // layout.hop) + 1
    assert layout.hops_per_chunk == hops
    assert (layout.hops_per_chunk + shared) % batch == 0


def test_hops_of_a_chunk_have_a_limit():
    assert layout_of(batch_size=32, overlap=128).hops_per_chunk == 47 * 32 - 3
    assert layout_of("distance", stride=1, batch_size=32).hops_per_chunk == 47 * 32
    assert layout_of(batch_size=1, overlap=255).hops_per_chunk == 1500
    # However short: there is at least one.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "CHUNK_SECONDS", 0.1)
        assert layout_of(batch_size=1).hops_per_chunk == 1
        assert layout_of("distance", stride=400, batch_size=3).hops_per_chunk == 3


def test_samples_are_counted_as_seisbench_does():
    end = START + 9.99
    assert counted(START, end, 100.0) == 1000
    assert counted(START, end - 1e-6, 100.0) == 999
    assert counted(START, START, 100.0) == 1


def test_places_on_a_grid_of_samples():
    places, zero = place_on_grid([START + 0.02, START, START + 0.0349], 100.0)
    assert places == [2, 0, 3]
    # Half a sample at most, else the mean of what each is late.
    assert zero - START == pytest.approx(0.0049 / 3, abs=1e-6)
    places, zero = place_on_grid([START, START + 0.0049, START + 0.0051], 100.0)
    assert places == [0, 0, 1]
    assert zero - START == pytest.approx(0.0, abs=1e-6)
    # One is nearly half a sample late, and the other as early: none may be off by more.
    places, zero = place_on_grid([START] + 9 * [START + 0.0149], 100.0)
    assert places == [0] + 9 * [1]
    assert zero - START == pytest.approx(0.0044, abs=2e-4)
    places, zero = place_on_grid([START, START + 0.0049, START + 0.0151] + 8 * [START], 100.0)
    assert places == [0, 0, 2] + 8 * [0] and abs(zero - START) <= 0.0001
    assert zero.ns % 1000 == 0


class Filter:
    """A model that adds an echo of each sample, so many samples later and earlier."""

    component_order, sampling_rate, output_type = "ZNE", 1.0, "array"

    def __init__(self, later=0, earlier=0, share=0.5, length=0, bad=None):
        self.later, self.earlier, self.share = later, earlier, share
        self.length, self.bad = length, bad

    def annotate_stream_pre(self, stream, argdict):
        for trace in stream:
            before = trace.data.copy()
            if self.later:
                trace.data[self.later :] += self.share * before[: -self.later]
            if self.earlier:
                trace.data[: -self.earlier] += self.share * before[self.earlier :]
            if self.length:
                trace.data = trace.data[: -self.length]
            if self.bad is not None:
                trace.data[3] = self.bad
        if self.bad == 0:
            stream.pop()


HEADER = obspy.Trace(header={"sampling_rate": 1.0, "channel": "HHZ"}).stats
NO_ARGUMENTS = SimpleNamespace(argdict={})


@pytest.mark.parametrize(
    "changes, reach",
    [
        ({}, 1),
        ({"later": 40}, 41),
        ({"earlier": 40}, 41),
        ({"later": 7, "earlier": 300}, 301),
        # What is less than a ten-thousand-millionth of the whole is nothing.
        ({"later": 40, "share": 1e-12}, 1),
        ({"later": 40, "share": 1e-9}, 41),
        ({"earlier": 40, "share": 1e-12}, 1),
        ({"earlier": 40, "share": 1e-9}, 41),
        # Nearly as long as what is looked at (1800 samples): it may go on behind.
        ({"later": 1618}, 1619),
        ({"later": 1620}, None),
        ({"length": 1}, None),
        ({"bad": np.nan}, None),
        ({"bad": np.inf}, None),
        # A filter that drops a channel.
        ({"bad": 0}, None),
    ],
)
def test_reach_of_a_filter(changes, reach):
    assert filter_reach(Filter(**changes), NO_ARGUMENTS, [HEADER, HEADER]) == reach


def test_a_filter_that_leaves_nothing_reaches_nowhere():
    model = SimpleNamespace(annotate_stream_pre=lambda stream, _: stream[0].data.__imul__(0.0))
    assert filter_reach(model, NO_ARGUMENTS, [HEADER]) == 0


def test_what_picks_in_a_part_of_a_record_depend_on(monkeypatch):
    model = formula_model()
    arguments = Arguments.of(model, {"min_separation": 0.7})
    bridge = 3.2
    # The filter reaches less far than a window, or farther.
    for reach, around in [(None, bridge), (100, bridge), (900, 9.0)]:
        monkeypatch.setattr(windows, "filter_reach", lambda *_, reach=reach: reach)
        assert part_padding(model, arguments) == pytest.approx(bridge + around + 2.8)
