"""Waveforms by distance."""

import numpy as np
import obspy
import pytest

from seisbench_llm.plotting.section import plot_section
from tests.helpers.figures import DAY, STATIONS, pick_at
from tests.helpers.streams import make_stream


def test_section_distances():
    stream = make_stream() + make_stream(station="TWO")
    origin = obspy.core.event.Origin(time=DAY + 10, latitude=64.0, longitude=-17.0)
    event = obspy.core.event.Event(origins=[origin])
    figure = plot_section(stream, [pick_at(20)], stations=STATIONS, origin=event)
    axis = figure.axes[0]
    levels = sorted({round(float(np.median(line.get_ydata())), 0) for line in axis.lines})
    assert levels == [0, 15]
    assert axis.get_xlim()[0] == pytest.approx(-10)
    assert [c.get_segments()[0][0, 0] for c in axis.collections] == [10]
    with pytest.raises(ValueError, match="None of the stations"):
        plot_section(stream, [], distances={"XX.OTHER": 1.0})
    partly = plot_section(stream, [], distances={"TWO": 1.0})
    assert "without distance: XX.STA" in partly.axes[0].get_title(loc="left")
    with pytest.raises(ValueError, match="needs? an origin"):
        plot_section(stream, [], stations=STATIONS)
    with pytest.raises(ValueError, match="no waveforms of component T"):
        plot_section(stream, [], component="T")


def test_section_without_distances_is_in_the_order_of_first_p():
    stream = make_stream(station="A") + make_stream(station="B") + make_stream(station="C")
    picks = [pick_at(20, trace_id="XX.B.00"), pick_at(30, trace_id="XX.A.00")]
    names = [text.get_text() for text in plot_section(stream, picks).axes[0].texts]
    assert names == ["XX.B.00", "XX.A.00", "XX.C.00"]
