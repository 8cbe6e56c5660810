"""The ratio of velocities from the times of picks."""

import numpy as np
import pandas as pd
import pytest

from seisbench_llm.plotting.wadati import plot_wadati, wadati_points
from tests.helpers.figures import DAY, drawn

START = pd.Timestamp(DAY.datetime, tz="UTC")


def simulated(ratio=1.78, wrong=0, origin_error=0.4):
    """Picks of three events at eight stations, and events with wrong origin times."""
    random = np.random.default_rng(0)
    rows, events = [], []
    for event in range(3):
        origin = START + pd.Timedelta(hours=event)
        shift = pd.Timedelta(seconds=(event - 1) * origin_error)
        events.append((str(event), origin + shift, 50.0, 10.0, 5.0))
        for station in range(8):
            travel = random.uniform(2, 20)
            for phase, seconds in (("P", travel), ("S", travel * ratio)):
                late = 8.0 if phase == "S" and station < wrong else 0.0
                time = origin + pd.Timedelta(seconds=seconds + late)
                rows.append((f"XX.S{station}.", phase, time, 0.9, str(event)))
    names = ["event_id", "time", "latitude", "longitude", "depth_km"]
    picks = pd.DataFrame(rows, columns=["trace_id", "phase", "time", "probability", "event_id"])
    return picks, pd.DataFrame(events, columns=names)


@pytest.mark.parametrize("wrong", [0, 1])
def test_the_ratio_is_that_of_the_medium(wrong):
    figure = plot_wadati(*simulated(wrong=wrong))
    drawn(figure)
    title = figure.axes[0].get_title(loc="left")
    assert float(title.split()[2]) == pytest.approx(1.78, abs=0.02)
    assert "24 pairs of P and S, 3 events" in title
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert names[1] == "2020-01-01 01:00:00" and len(names) == 3


def test_the_most_probable_pick_of_a_station_counts():
    picks, events = simulated()
    again = picks[picks["phase"] == "S"].assign(probability=0.3)
    again["time"] += pd.Timedelta(seconds=5)
    points = wadati_points(pd.concat([again, picks], ignore_index=True), events)
    assert points.equals(wadati_points(picks, events)) and len(points) == 24


def test_what_there_is_not_is_said():
    picks, events = simulated()
    for lacking in (picks[picks["phase"] == "P"], picks.drop(columns="event_id"), picks[:2]):
        with pytest.raises(ValueError, match="No event has P and S at two stations"):
            plot_wadati(lacking, events)


def test_many_points_are_drawn_at_random(monkeypatch):
    monkeypatch.setattr("seisbench_llm.plotting.wadati.MOST_POINTS", 10)
    figure = plot_wadati(*simulated())
    assert float(figure.axes[0].get_title(loc="left").split()[2]) == pytest.approx(1.78, abs=0.03)
