"""Record section of one event, with a zoom on P."""

import numpy as np
import obspy
import pandas as pd
import pytest

from seisbench_llm.plotting.event import ZOOM, plot_event
from tests.helpers.figures import DAY, STATIONS, drawn, pick_at
from tests.helpers.streams import make_stream


def table_of(*picks):
    """Picks with the event of each."""
    rows = [(*pick, event) for event, *pick in picks]
    columns = ["trace_id", "phase", "time", "probability", "event_id"]
    frame = pd.DataFrame(rows, columns=columns)
    start = pd.Timestamp(DAY.datetime, tz="UTC")
    return frame.assign(time=start + pd.to_timedelta(frame["time"], unit="s"))


EVENT = obspy.core.event.Event(
    resource_id="smi:local/event/a",
    origins=[obspy.core.event.Origin(time=DAY + 10, latitude=64.0, longitude=-17.0, depth=7000.0)],
    magnitudes=[obspy.core.event.Magnitude(mag=2.34)],
)
PICKS = table_of(
    ("a", "XX.TWO.00", "P", 14.0, 0.9),
    ("a", "XX.TWO.00", "S", 17.0, 0.8),
    (None, "XX.TWO.00", "P", 18.0, 0.7),
)


def test_section_and_zoom():
    stream = make_stream() + make_stream(station="TWO")
    figure = plot_event(stream, PICKS, EVENT, STATIONS)
    drawn(figure)
    left, right = figure.axes
    assert figure.get_suptitle() == "2020-01-01 00:00:10, M 2.3, depth 7.0 km"
    # Seconds after the origin, up to 8 s after the last pick of the event.
    assert left.get_xlim() == (-2.0, 15.0)
    lines = {(c.get_segments()[0][0, 0], c.get_alpha()) for c in left.collections}
    assert lines == {(4.0, 1.0), (7.0, 1.0), (8.0, 0.35)}
    assert [text.get_text() for text in left.texts] == ["XX.STA.00", "XX.TWO.00"]
    # The only station with a P has it at zero.
    assert [text.get_text() for text in right.texts] == ["TWO 0.90"]
    assert right.get_xlim() == ZOOM and len(right.lines) == 1
    assert np.ptp(right.lines[0].get_xdata()) == pytest.approx(ZOOM[1] - ZOOM[0], abs=0.02)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["P (1)", "S (1)"]


def test_stations_with_picks_come_first_and_their_number_is_said():
    stream = make_stream() + make_stream(station="TWO")
    figure = plot_event(stream, PICKS, EVENT, STATIONS, max_stations=1)
    assert [text.get_text() for text in figure.axes[0].texts] == ["XX.TWO.00"]
    assert "1 of 2 stations, the nearest with picks" in figure.get_suptitle()


def test_curves_are_drawn_above_the_traces():
    stream = make_stream(station="TWO")
    curve = obspy.Trace(np.where(np.arange(6000) == 1400, 1.0, 0.0), stream[0].stats)
    curve.stats.channel = "SeisMoLLM_P"
    with_curves = plot_event(stream, PICKS, EVENT, STATIONS, obspy.Stream([curve]))
    heights = [line.get_ydata() for line in with_curves.axes[0].lines if line.get_lw() == 1.0]
    distance = with_curves.axes[0].lines[0].get_ydata().mean()
    assert len(heights) == 1 and np.isfinite(heights[0]).sum() == 1
    assert np.nanmax(heights[0]) == pytest.approx(distance + 0.7, abs=0.01)
    drawn(with_curves)


def test_an_event_of_a_table_and_picks_of_no_event():
    row = pd.DataFrame(
        {"event_id": ["b"], "time": [pd.Timestamp((DAY + 10).datetime, tz="UTC")],
         "latitude": [64.0], "longitude": [-17.0], "depth_km": [np.nan], "magnitude": [np.nan]}
    )  # fmt: skip
    figure = plot_event(make_stream(), [pick_at(20)], next(row.itertuples()), STATIONS)
    drawn(figure)
    assert figure.get_suptitle() == "2020-01-01 00:00:10"
    assert [text.get_text() for text in figure.axes[1].texts] == ["STA 0.80"]
    without = plot_event(make_stream(), [], EVENT.origins[0], STATIONS)
    assert "no P" in without.axes[1].get_title(loc="left")
    with pytest.raises(ValueError, match="no origin with a time"):
        plot_event(make_stream(), [], obspy.core.event.Event(), STATIONS)
    with pytest.raises(ValueError, match="no waveforms"):
        plot_event(make_stream().slice(endtime=DAY - 1), [], EVENT, STATIONS)
