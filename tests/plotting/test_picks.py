"""Waveforms with picks."""

import numpy as np
import obspy
import pytest

from seisbench_llm.plotting.day import plot_day
from seisbench_llm.plotting.picks import plot_picks
from tests.helpers.figures import DAY, drawn, pick_at
from tests.helpers.models import tiny_model
from tests.helpers.streams import make_stream


def test_figure_limits_stations_and_refuses_nothing(warnings_of):
    model, stream = tiny_model(), make_stream(components="Z", station="S0")
    for i in range(1, 5):
        stream += make_stream(components="Z", station=f"S{i}")
    annotations = model.annotate(stream)
    figure = plot_picks(stream, model.classify(stream).picks, annotations, max_stations=3)
    assert len(figure.axes) == 6
    assert "3 of 5 stations" in figure.get_suptitle() and "3 of 5 stations" in warnings_of()
    with pytest.raises(ValueError, match="no waveforms"):
        plot_picks(obspy.Stream(), [])


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


def test_a_trace_will_do():
    trace = make_stream(components="Z")[0]
    assert len(plot_picks(trace, []).axes) == len(plot_picks(obspy.Stream([trace]), []).axes) == 1
    assert plot_day(trace, []).axes
    with pytest.raises(ValueError, match="lines of 0 minutes"):
        plot_day(trace, [], minutes=0)


def test_picks_outside_the_waveforms_are_left_out():
    part = make_stream().slice(DAY + 20, DAY + 40)
    picks = [pick_at(10), pick_at(20), pick_at(30, "S"), pick_at(50)]
    axis = plot_picks(part, picks).axes[0]
    assert [text.get_text() for text in axis.texts] == ["P 0.80", "S 0.80"]
    assert (np.array(axis.get_xlim()) - DAY.matplotlib_date) * 86400 == pytest.approx([20, 40])


def test_labels_of_p_and_s_do_not_overlap():
    # The label of P is left of it, that of S right of it.
    picks = [pick_at(30, "S", probability=0.9), pick_at(32, "P"), pick_at(50, "S")]
    figure = plot_picks(make_stream(), picks)
    drawn(figure)
    texts = figure.axes[0].texts
    assert [text.get_text() for text in texts] == ["S 0.90", "S 0.80"]
    near = plot_picks(make_stream(), [pick_at(30), pick_at(30.5, "S")]).axes[0].texts
    assert len(near) == 2
