"""A day of one channel, line by line."""

import numpy as np
import pytest

from seisbench_llm.plotting.base import COLORS
from seisbench_llm.plotting.day import plot_day
from tests.helpers.figures import DAY, colored, pick_at
from tests.helpers.streams import make_stream


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


@pytest.mark.parametrize(("scale", "said"), [(2213.4, "2,213"), (4.321e-6, "4.32e-06")])
def test_the_title_says_the_amplitude_of_a_line(scale, said):
    figure = plot_day(make_stream(), [], scale=scale)
    assert f", {said} from line to line (unit of the data)" in figure.axes[0].get_title(loc="left")
