import io
import sys

import numpy as np
import obspy
import pandas as pd
import pytest
from matplotlib.figure import Figure
from seisbench.util import Pick

from seisbench_llm.plotting.base import COLORS, envelope
from seisbench_llm.plotting.day import plot_day
from seisbench_llm.plotting.map import plot_map
from seisbench_llm.plotting.picks import plot_picks
from seisbench_llm.plotting.section import plot_section
from tests.helpers.models import tiny_model
from tests.helpers.streams import make_stream

DAY = obspy.UTCDateTime(2020, 1, 1)
STATIONS = pd.DataFrame(
    {"id": ["XX.STA.", "XX.TWO."], "latitude": [64.0, 64.1], "longitude": [-17.0, -16.8]}
)


def pick_at(seconds, phase="P", trace_id="XX.STA.00", probability=0.8):
    time = DAY + seconds
    return Pick(trace_id, time, time, time, probability, phase)


def drawn(figure):
    """The figure as it is drawn, which is where mistakes come out."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="rgba", dpi=40)
    pixels = np.frombuffer(buffer.getvalue(), np.uint8)
    assert isinstance(figure, Figure) and "matplotlib.pyplot" not in str(type(figure.canvas))
    return pixels.reshape(-1, 4)


def colored(figure, color):
    """Number of pixels of nearly a colour."""
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return (np.abs(drawn(figure)[:, :3].astype(int) - wanted).max(axis=1) < 60).sum()


@pytest.mark.parametrize("samples", [1, 99, 100, 101, 4096, 4097, 123_457])
def test_envelope_keeps_peaks_and_gaps(samples):
    data = np.random.default_rng(0).standard_normal(samples)
    data[samples // 2] = 99
    trace = obspy.Trace(np.ma.masked_array(data, np.arange(samples) < samples // 4))
    seconds, thin = envelope(trace, columns=100)
    assert len(seconds) == len(thin) <= max(400, 202)
    assert np.nanmax(thin) == data[samples // 4 :].max()
    assert np.nanmin(thin) == data[samples // 4 :].min()
    assert np.isnan(thin).any() == (samples >= 4)
    # Each sample is drawn where it was.
    at = seconds[np.nanargmax(thin)]
    assert abs(at - samples // 2) <= max(samples / 100, 1)


def test_plot_picks_draws_few_as_lines_and_many_as_ticks():
    stream = make_stream(60_000)
    few = plot_picks(stream, [pick_at(100), pick_at(200, "S")])
    lines = [c for c in few.axes[0].collections for c in c.get_segments()]
    assert all(line[:, 1].min() == 0 for line in lines)
    assert [text.get_text() for text in few.axes[0].texts] == ["P 0.80", "S 0.80"]
    many = plot_picks(stream, [pick_at(i / 10) for i in range(5000)])
    lines = [c for c in many.axes[0].collections for c in c.get_segments()]
    assert len(lines) == 5000 and min(line[:, 1].min() for line in lines) == 0.85
    assert not many.axes[0].texts
    drawn(many)


@pytest.mark.parametrize("components", ["Z", "ZNE"])
@pytest.mark.parametrize("picks", [[], None, [pick_at(25)]])
def test_all_figures_with_and_without_picks(components, picks):
    stream = make_stream(components=components)
    for figure in (
        plot_picks(stream, picks or []),
        plot_section(stream, picks),
        plot_day(stream, picks),
        plot_map(STATIONS, picks),
    ):
        drawn(figure)


def test_result_table_and_curves_are_taken():
    model, stream = tiny_model(), make_stream()
    result = model.classify(stream, P_threshold=0.9)
    figure = plot_picks(stream, result, model.annotate(stream))
    assert len(figure.axes) == 4
    of_seisbench = plot_picks(stream, result.picks.to_dataframe())
    assert len(of_seisbench.axes) == 3
    ticks = [
        sum(len(c.get_segments()) for c in f.axes[0].collections) for f in (of_seisbench, figure)
    ]
    assert ticks == [len(result.picks)] * 2


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_gaps_and_broken_samples_stay_empty(value):
    stream = make_stream(components="Z")
    stream[0].data[1000:2000] = value
    drawn(plot_picks(stream, []))
    hole = make_stream(components="Z").cutout(DAY + 10, DAY + 20)
    axis = plot_picks(hole, []).axes[0]
    times = np.concatenate([line.get_xdata() for line in axis.lines])
    inside = (times - DAY.matplotlib_date) * 86400
    assert not ((inside > 10.02) & (inside < 19.98)).any()
    masked = make_stream(components="Z").cutout(DAY + 10, DAY + 20).merge()
    assert len(plot_picks(masked, []).axes[0].lines) == 2
    # The stream is the caller's.
    assert np.ma.isMaskedArray(masked[0].data)


def long_stream(hours):
    stream = make_stream(hours * 360_000, components="Z")
    return stream.cutout(DAY + 3600, DAY + 5400)


def test_a_long_record_is_thinned_and_its_gap_grey():
    figure = plot_day(long_stream(4), [pick_at(100), pick_at(7000, "S")])
    axis = figure.axes[0]
    assert sum(len(line.get_xdata()) for line in axis.lines) < 4 * 4100
    grey = [
        c.get_segments() for c in axis.collections if len(c.get_segments()) and c.get_zorder() == 1
    ]
    second = np.concatenate([s for row in grey for s in row if s[0][1] == 1])
    assert np.allclose(second[:, 0], [0, 30], atol=0.01)
    assert colored(figure, COLORS["P"]) and colored(figure, COLORS["S"])
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["P (1)", "S (1)"]


def test_day_takes_the_channel_with_most_picks_and_counts_the_day_only():
    stream = make_stream() + make_stream(station="TWO")
    picks = [pick_at(5, trace_id="XX.TWO.00"), pick_at(86405, trace_id="XX.TWO.00")]
    axis = plot_day(stream, picks).axes[0]
    assert axis.get_title(loc="left").startswith("XX.TWO.00.HHZ  2020-01-01")
    late = make_stream(components="Z")
    late[0].stats.starttime = DAY - 1
    assert "2020-01-01" in plot_day(late, []).axes[0].get_title(loc="left")
    with pytest.raises(ValueError, match="no data of XX.NO"):
        plot_day(stream, [], trace_id="XX.NO..HHZ")
    with pytest.raises(ValueError, match="on 2021-01-01"):
        plot_day(stream, [], day="2021-01-01")
    with pytest.raises(ValueError, match="whole number of lines"):
        plot_day(stream, [], minutes=7)


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


def test_map_has_the_shape_of_the_earth_and_crosses_the_date_line():
    figure = plot_map(STATIONS, [pick_at(1)])
    drawn(figure)
    axis = figure.axes[0]
    assert axis.get_aspect() == pytest.approx(1 / np.cos(np.radians(64.05)))
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["no picks", "1 picks"]
    fiji = plot_map(STATIONS.assign(latitude=[-17, -18], longitude=[179.9, -179.9]))
    drawn(fiji)
    assert np.ptp(fiji.axes[0].get_xlim()) < 3
    labels = [float(t.get_text().replace("−", "-")) for t in fiji.axes[0].get_xticklabels()]
    assert max(map(abs, labels)) <= 180


def test_map_of_events_of_any_kind():
    table = pd.DataFrame({"latitude": [64.05], "longitude": [-16.9], "depth": [5.0]})
    assert len(plot_map(STATIONS, events=table.assign(magnitude=2.0)).axes) == 2
    catalog = obspy.read_events()
    drawn(plot_map(None, events=catalog))
    catalog[0].origins = []
    drawn(plot_map(obspy.read_inventory(), events=catalog))
    with pytest.raises(ValueError, match="nothing with coordinates"):
        plot_map(None, events=[])


def test_an_event_without_a_depth_can_be_seen():
    table = pd.DataFrame({"latitude": [64.05], "longitude": [-16.9], "depth_km": [np.nan]})
    table["magnitude"] = 5.0
    shown, without = (drawn(plot_map(STATIONS, events=e))[:, 0] for e in (table, table[:0]))
    middle = (slice(len(shown) // 3, 2 * len(shown) // 3),)
    assert (shown[middle] < 150).sum() > (without[middle] < 150).sum() + 10


def test_coast_lines_are_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, "cartopy", None)
    drawn(plot_map(STATIONS))
    with pytest.raises(ImportError, match="pip install cartopy"):
        plot_map(STATIONS, coastlines=True)


def test_no_figure_leaves_a_trace_in_pyplot():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    plot_picks(make_stream(), [])
    plot_day(make_stream(), [])
    assert plt.get_fignums() == before
