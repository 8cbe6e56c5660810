"""Stations and events on a map."""

import sys

import numpy as np
import obspy
import pandas as pd
import pytest

from seisbench_llm.plotting.map import plot_map
from tests.helpers.figures import STATIONS, drawn, pick_at


def test_map_has_the_shape_of_the_earth_and_crosses_the_date_line():
    figure = plot_map(STATIONS, [pick_at(1)])
    drawn(figure)
    axis = figure.axes[0]
    assert axis.get_aspect() == pytest.approx(1 / np.cos(np.radians(64.05)))
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["1 station, no picks", "1 station, 1 pick"]
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


def test_events_are_drawn_above_stations():
    figure = plot_map(STATIONS, events=STATIONS.assign(depth_km=[5.0, 9.0], magnitude=1.0))
    drawn(figure)
    events, stations = figure.axes[0].collections
    assert events.get_zorder() > stations.get_zorder()
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["2 events, M 1.0", "2 stations"]


def test_regions_kinds_and_keys_of_events():
    table = pd.DataFrame(
        {
            "latitude": [64.0, 64.05, 64.1],
            "longitude": [-17.0, -16.9, -16.8],
            "depth_km": [5.0, np.nan, np.nan],
            "magnitude": [1.2, 2.0, 2.9],
            "method": ["network", "network", "single station"],
            "ellipse_major_km": [4.0, 2.0, np.nan],
            "ellipse_minor_km": [1.0, 2.0, np.nan],
            "ellipse_azimuth": [90.0, 0.0, np.nan],
        }
    )
    figure = plot_map(STATIONS, events=table)
    drawn(figure)
    above, sizes = ([t.get_text() for t in legend.get_texts()] for legend in figure.legends)
    assert above == [
        "2 events, M 1.2 to 2.0",
        "without a depth (1)",
        "1 event of a single station",
        "68 % regions",
        "2 stations",
    ]
    # That of the single station, 2.9, is not drawn by its size.
    assert sizes == ["M 1", "M 2"]
    shapes = next(c for c in figure.axes[0].collections if "PolyCollection" in str(type(c)))
    long, round_ = (path.vertices for path in shapes.get_paths())
    # 8 km from west to east and 2 km from south to north, in degrees.
    assert np.ptp(long, axis=0) == pytest.approx([8 / 111.19 / 0.4384, 2 / 111.19], rel=0.01)
    assert np.ptp(round_[:, 1]) == pytest.approx(4 / 111.19, rel=0.01)
    without = plot_map(STATIONS, events=table, regions=False)
    assert "68 % regions" not in [t.get_text() for t in without.legends[0].get_texts()]


def test_names_of_near_stations_do_not_overlap():
    ids = [f"XX.STA{i}" for i in range(4)]
    near = pd.DataFrame({"id": ids, "latitude": [64.0, 64.0, 64.0, 65.0]})
    near["longitude"] = [-17.0, -16.98, -16.96, -16.0]
    figure = plot_map(near)
    drawn(figure)
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 4
    pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[i + 1 :]]
    assert not any(a.overlaps(b) for a, b in pairs)


def test_the_scale_is_in_km():
    figure = plot_map(STATIONS)
    drawn(figure)
    axis = figure.axes[0]
    bar = axis.artists[0]
    label = bar.txt_label.get_text()
    degrees = bar.size_bar.get_children()[0].get_width()
    assert label == "2 km"
    assert degrees * 111.19 * np.cos(np.radians(64.05)) == pytest.approx(2.0, rel=0.01)


def test_notebooks_show_figures():
    assert plot_map(STATIONS)._repr_png_().startswith(b"\x89PNG")


def test_coast_lines_are_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, "cartopy", None)
    drawn(plot_map(STATIONS))
    with pytest.raises(ImportError, match="pip install cartopy"):
        plot_map(STATIONS, coastlines=True)
