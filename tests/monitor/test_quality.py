import numpy as np
import obspy
import pandas as pd
import pytest

from seisbench_llm.export.tables import EVENT_TYPES, typed
from seisbench_llm.monitor.association import associate
from seisbench_llm.monitor.location import REGION
from seisbench_llm.monitor.quality import quality_class, with_quality, without_poor
from seisbench_llm.stations import Stations
from tests.helpers.monitor import MEDIUM, NETWORK, NO_ERRORS, START, VP, VP_VS, picks_of

BEST = {
    "rms": 0.15,
    "ellipse_major_km": 1.0 * REGION,
    "depth_uncertainty_km": 2.0,
    "azimuthal_gap": 90.0,
    "nearest_station_km": 5.0,
    "depth_km": 4.0,
    "picks": 6,
    "stations": 3,
    "at_edge": False,
}


@pytest.mark.parametrize(
    "change, expected",
    [
        ({}, "A"),
        ({"rms": 0.16}, "B"),
        ({"rms": 0.31}, "C"),
        ({"rms": 0.51}, "D"),
        ({"ellipse_major_km": 1.01 * REGION}, "B"),
        ({"ellipse_major_km": 2.51 * REGION}, "C"),
        ({"ellipse_major_km": 5.01 * REGION}, "D"),
        ({"depth_uncertainty_km": 2.1}, "B"),
        ({"depth_uncertainty_km": 5.1}, "C"),
        ({"depth_uncertainty_km": np.nan}, "C"),
        ({"azimuthal_gap": 91}, "B"),
        ({"azimuthal_gap": 136}, "C"),
        ({"azimuthal_gap": 181}, "D"),
        ({"picks": 5}, "D"),
        ({"stations": 1}, "S"),
        ({"nearest_station_km": 6.0}, "B"),
        ({"nearest_station_km": 6.0, "depth_km": 6.0}, "A"),
        ({"nearest_station_km": 11.0}, "C"),
        ({"nearest_station_km": 11.0, "depth_km": 6.0}, "B"),
        ({"nearest_station_km": 51.0, "depth_km": 20.0}, "D"),
        ({"nearest_station_km": 20.0, "depth_km": np.nan}, "C"),
        ({"at_edge": True}, "D"),
        ({"rms": np.nan}, "D"),
        ({"ellipse_major_km": np.nan}, "D"),
    ],
)
def test_classes(change, expected):
    assert quality_class({**BEST, **change}) == expected


def test_no_events_have_no_classes():
    assert with_quality(typed([], EVENT_TYPES)).quality.dtype == object


def test_a_depth_that_is_not_resolved_is_not_told():
    """Stations in a row and far away, at about one distance: any depth fits."""
    row = pd.DataFrame(
        {
            "id": [f"XX.S{i}" for i in range(4)],
            "latitude": 50.0 + np.array([0.0, 0.02, 0.04, 0.06]),
            "longitude": 10.0,
            "elevation": 0.0,
        }
    )
    picks = picks_of(50.03, 10.6, 8.0, START, stations=row)
    events, _ = associate(picks, Stations.read(row), VP, VP_VS)
    assert len(events) == 1 and np.isnan(events.depth_km[0])
    assert not events.depth_resolved[0]
    assert events.depth_high_km[0] - events.depth_low_km[0] > 10
    assert np.isnan(events.depth_uncertainty_km[0]) and np.isfinite(events.latitude[0])
    assert with_quality(events).quality[0] == "D"


def test_a_depth_that_is_resolved_is_told():
    clear = {"layers": MEDIUM, "errors": NO_ERRORS}
    picks = picks_of(50.1, 10.1, 8.0, START)
    events, _ = associate(picks, Stations.read(NETWORK), VP, VP_VS, **clear)
    assert events.depth_low_km[0] <= events.depth_km[0] <= events.depth_high_km[0]
    assert events.depth_km[0] == pytest.approx(8, abs=3)
    assert 0 < events.depth_uncertainty_km[0] < 8.7
    assert obspy.UTCDateTime(ns=events.time[0].value) - START == pytest.approx(0, abs=0.5)


def test_poor_events_are_left_out_and_counted():
    events = typed(
        [{**BEST, "event_id": "good"}, {**BEST, "event_id": "poor", "rms": 9.0}], EVENT_TYPES
    )
    arrivals = pd.DataFrame({"event_id": ["good", "poor", "good"], "pick": [0, 1, 2]})
    kept, members, count = without_poor(events, arrivals)
    assert list(kept.event_id) == ["good"] and list(members["pick"]) == [0, 2] and count == 1
