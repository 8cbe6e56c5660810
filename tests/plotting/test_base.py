"""What all figures share."""

import numpy as np
import obspy
import pytest

from seisbench_llm.plotting.base import envelope
from seisbench_llm.plotting.day import plot_day
from seisbench_llm.plotting.map import plot_map
from seisbench_llm.plotting.picks import plot_picks
from seisbench_llm.plotting.section import plot_section
from tests.helpers.figures import STATIONS, drawn, pick_at
from tests.helpers.streams import make_stream


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


def test_no_figure_leaves_a_trace_in_pyplot():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    plot_picks(make_stream(), [])
    plot_day(make_stream(), [])
    assert plt.get_fignums() == before
