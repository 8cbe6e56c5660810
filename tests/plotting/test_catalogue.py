"""Magnitudes over time, and sections of depth."""

import numpy as np
import obspy
import pandas as pd
import pytest

from seisbench_llm.export.origins import catalog_to_events
from seisbench_llm.plotting.catalogue import plot_depths, plot_magnitudes
from tests.helpers.figures import DAY, STATIONS, drawn


def events(n=5, **columns):
    times = pd.Timestamp(DAY.datetime, tz="UTC") + pd.to_timedelta(np.arange(n), unit="h")
    frame = pd.DataFrame(
        {
            "event_id": [str(i) for i in range(n)],
            "time": times,
            "latitude": 64.0 + 0.1 * np.arange(n),
            "longitude": 179.95 + 0.02 * np.arange(n),
            "depth_km": 5.0 + np.arange(n),
            "depth_low_km": 4.0 + np.arange(n),
            "depth_high_km": 7.0 + np.arange(n),
            "cov_ee": 4.0,
            "cov_nn": 1.0,
            "magnitude": 1.0 + np.arange(n) / 2,
            "magnitude_spread": 0.25,
            "method": "network",
        }
    )
    return frame.assign(**columns)


def test_magnitudes_have_their_errors_and_single_stations_are_marked():
    table = events(magnitude=[1.0, 2.0, np.nan, 3.0, 1.5])
    table["method"] = ["network", "network", "network", "network", "single station"]
    figure = plot_magnitudes(table)
    drawn(figure)
    axis, numbers = figure.axes
    bars = [segment[:, 1].tolist() for segment in axis.collections[0].get_segments()]
    assert bars == [[0.75, 1.25], [1.75, 2.25], [2.75, 3.25], [1.25, 1.75]]
    network, single = axis.lines
    assert list(network.get_ydata()) == [1, 2, 3] and list(single.get_ydata()) == [1.5]
    assert list(numbers.lines[0].get_ydata()) == [1, 2, 3, 4]
    assert axis.get_title(loc="left") == "4 events; 1 without a magnitude are not shown"
    assert "of a single station (1)" in figure.legends[0].get_texts()[0].get_text()
    with pytest.raises(ValueError, match="No event has a magnitude"):
        plot_magnitudes(table.assign(magnitude=np.nan))


def test_many_events_have_no_bars():
    many = pd.concat([events()] * 100, ignore_index=True)
    assert not plot_magnitudes(many).axes[0].collections
    assert len(plot_depths(many).axes[0].collections) == 1


def test_many_events_are_small():
    few, many = (plot_depths(pd.concat([events()] * n, ignore_index=True)) for n in (1, 400))
    sizes = [figure.axes[0].collections[-1].get_sizes().max() for figure in (few, many)]
    assert sizes[1] == pytest.approx(sizes[0] / 2)
    # The key of magnitudes has the same sizes.
    keys = [figure.legends[0].legend_handles[0].get_markersize() ** 2 for figure in (few, many)]
    assert keys[1] == pytest.approx(keys[0] / 2)


def test_depths_are_sections_in_km_with_their_intervals():
    table = events(depth_km=[5.0, 6.0, np.nan, 8.0, 9.0])
    figure = plot_depths(table, STATIONS.assign(latitude=64.0, longitude=-179.95, elevation=1500.0))
    drawn(figure)
    west_east, south_north = figure.axes
    # 0.02 degrees at 64.2 degrees north are 0.97 km, also across the date line.
    east = np.asarray(west_east.collections[-1].get_offsets())[:, 0]
    assert list(np.diff(east)) == pytest.approx([0.97, 1.94, 0.97], abs=0.02)
    north = south_north.collections[-1].get_offsets()[:, 0]
    assert np.ptp(north) == pytest.approx(44.5, abs=0.1)
    low, high = west_east.collections[0].get_segments()[0][:, 1]
    assert (low, high) == (4.0, 7.0)
    across = west_east.collections[1].get_segments()[0][:, 0]
    assert np.ptp(across) == pytest.approx(4.0)
    # Stations above, deep events below, all within the axes.
    top, bottom = west_east.get_ylim()[1], west_east.get_ylim()[0]
    assert top < -1.5 and bottom > 11.0
    assert list(west_east.lines[0].get_ydata()) == [-1.5, -1.5]
    for axis in figure.axes:
        left, right = axis.get_xlim()
        places = axis.collections[-1].get_offsets()[:, 0]
        assert left < places.min() and places.max() < right
    title = west_east.get_title(loc="left")
    assert "4 events; 1 without a depth are not shown" in title
    assert west_east.get_aspect() == 2 and "depths 2 times larger" in title
    with pytest.raises(ValueError, match="No event has a depth"):
        plot_depths(table.assign(depth_km=np.nan))


def test_a_single_event_is_shown_in_its_hour():
    axis = plot_magnitudes(events(1)).axes[0]
    assert np.ptp(axis.get_xlim()) == pytest.approx(2 / 24)


def test_any_catalogue_has_these_figures():
    catalog = obspy.read_events()
    drawn(plot_magnitudes(catalog))
    drawn(plot_depths(catalog))
    assert len(catalog_to_events(catalog)) == 3
