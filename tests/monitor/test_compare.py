"""Catalogues compared, with pairs that are known."""

import numpy as np
import obspy
import pandas as pd
import pytest
from obspy.core.event import Catalog, Event, Magnitude, Origin

from seisbench_llm.monitor.compare import compare, completeness, events_of
from seisbench_llm.plotting.comparison import plot_comparison

START = obspy.UTCDateTime(2020, 1, 1)


def catalog_of(*rows):
    """Rows of seconds, latitude, longitude, depth in km and magnitude."""
    events = []
    for seconds, latitude, longitude, depth, size in rows:
        origin = Origin(time=START + seconds, latitude=latitude, longitude=longitude)
        origin.depth = None if depth is None else 1e3 * depth
        magnitudes = [] if size is None else [Magnitude(mag=size)]
        events.append(Event(origins=[origin], magnitudes=magnitudes))
    return Catalog(events)


def test_differences_are_ours_minus_theirs():
    ours = catalog_of((10.5, 50.0, 10.0, 8, 2.1), (500, 50, 10, 5, 1.0))
    theirs = catalog_of((100, 51, 10, 5, 3.0), (10.0, 50.1, 10.0, 6, 2.0))
    result = compare(ours, theirs)
    (row,) = result.matched.to_dict("records")
    assert row["time"] == pytest.approx(0.5) and row["distance_km"] == pytest.approx(
        11.12, abs=0.02
    )
    assert row["depth_km"] == 2 and row["magnitude"] == pytest.approx(0.1)
    assert result.missed["magnitude"].tolist() == [3.0] and result.new["magnitude"].tolist() == [1]
    assert repr(result) == "Comparison(matched=1, missed=1, new=1)"
    assert result.summary()["depth_km"]["median"] == 2


def test_as_many_as_possible_are_matched_and_the_nearest_of_them():
    # The first of ours is nearer to the second of theirs, which nobody else could be.
    ours = catalog_of((4, 50, 10, 5, 1), (8, 50, 10, 5, 2))
    theirs = catalog_of((0, 50, 10, 5, 1.1), (5, 50, 10, 5, 2.1))
    matched = compare(ours, theirs).matched
    assert matched["magnitude_theirs"].tolist() == [1.1, 2.1]
    # The order of their times is not that of their places.
    ours = catalog_of((5, 50.0, 10, 5, 1), (6, 50.3, 10, 5, 2))
    theirs = catalog_of((5.1, 50.3, 10, 5, 2.1), (6.1, 50.0, 10, 5, 1.1))
    assert compare(ours, theirs).matched["magnitude_theirs"].tolist() == [1.1, 2.1]
    swarm = [(10 * i, 50 + 0.001 * i, 10, 5, i / 10) for i in range(30)]
    near = [(s + 0.3, lat, lon, depth, size) for s, lat, lon, depth, size in swarm]
    matched = compare(catalog_of(*swarm), catalog_of(*reversed(near)), seconds=30).matched
    assert len(matched) == 30 and np.abs(matched["magnitude"]).max() < 1e-9


def test_clocks_may_be_far_off():
    century = 280 * 365.25 * 86400
    (event,) = events_of(catalog_of((century, 50, 10, 5, 1))).to_dict("records")
    assert obspy.UTCDateTime(event["time"].isoformat()) == START + century


@pytest.mark.parametrize("row", [(5.1, 50, 10, 5, 1), (0, 50.46, 10, 5, 1)])
def test_limits(row):
    ours = catalog_of((0, 50, 10, 5, 1))
    assert len(compare(ours, catalog_of(row)).matched) == 0
    assert len(compare(ours, catalog_of(row), seconds=6, km=60).matched) == 1
    with pytest.raises(ValueError, match="both must be above 0"):
        compare(ours, ours, km=0)


def test_what_is_not_known():
    unknown = catalog_of((0, 50, 10, None, None))
    unknown.append(Event())
    result = compare(unknown, catalog_of((1, 50, 10, 5, 1)))
    assert len(result.matched) == 1 and result.summary()["depth_km"]["count"] == 0
    assert result.summary()["completeness_ours"] is None
    nothing = compare(Catalog(), Catalog())
    assert nothing.summary()["matched"] == 0 and len(events_of(Catalog())) == 0
    assert plot_comparison(nothing) is not None


def test_magnitude_of_completeness():
    rng = np.random.default_rng(0)
    # Gutenberg-Richter with b = 1, of which fewer and fewer are seen below 1.5.
    magnitudes = rng.exponential(1 / np.log(10), 20_000)
    seen = rng.random(20_000) < np.clip((magnitudes - 0.5) / 1.0, 0, 1)
    value = completeness(pd.Series(magnitudes[seen]))
    # Most are seen where the density is largest, at 0.5 + 1 / ln(10).
    assert value == pytest.approx(0.5 + 1 / np.log(10) + 0.2, abs=0.2)
    assert np.isnan(completeness(pd.Series(magnitudes[:49])))
