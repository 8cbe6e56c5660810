import numpy as np
import obspy
import pandas as pd
import pytest

from seisbench_llm.export import export, picks_to_catalog, read_events
from seisbench_llm.export.files import write_csv, write_parquet
from seisbench_llm.export.origins import COVARIANCE, catalog_to_events, covariance_of, origin_fields
from seisbench_llm.export.tables import EVENT_TYPES, typed

ROW = {
    "event_id": "abc",
    "time": pd.Timestamp("2020-01-01T00:00:10.123456Z"),
    "time_uncertainty": 0.12,
    "latitude": 64.8,
    "longitude": -16.9,
    "depth_km": 6.2,
    "depth_uncertainty_km": 1.4,
    "depth_low_km": 5.1,
    "depth_high_km": 7.7,
    "depth_resolved": True,
    "uncertainty_km": 1.9,
    "ellipse_major_km": 1.9,
    "ellipse_minor_km": 0.7,
    "ellipse_azimuth": 33.0,
    "picks": 12,
    "stations": 6,
    "rms": 0.11,
    "azimuthal_gap": 97.0,
    "nearest_station_km": 8.5,
    "map_latitude": 64.801,
    "map_longitude": -16.902,
    "map_depth_km": 6.0,
    **dict(zip([f"cov_{n}" for n in COVARIANCE], [0.5, 1.0, 2.0, 0.4, -0.3, 0.6], strict=True)),
    "method": "network",
    "at_edge": False,
    "quality": "B",
    "magnitude": 1.3,
    "magnitude_spread": 0.2,
    "magnitude_stations": 7,
    "magnitude_source": "amplitudes and models",
    "ml": 1.25,
    "ml_spread": 0.21,
    "ml_stations": 4,
    "model_magnitude": 2.5,
    "model_magnitude_spread": 0.6,
    "model_magnitude_stations": 7,
}
# Without a depth that the picks resolve; and of other programs.
FLAT = {**ROW, "event_id": "flat", "depth_km": np.nan, "depth_uncertainty_km": np.nan}
FLAT |= {"depth_resolved": False, "depth_low_km": 0.5, "depth_high_km": 19.0}
# A magnitude of one kind only.
ONLY = {"magnitude": 1.25, "magnitude_spread": 0.21, "magnitude_stations": 4}
FLAT |= {**ONLY, "magnitude_source": "amplitudes", "model_magnitude_stations": 0}
FLAT |= {"model_magnitude": np.nan, "model_magnitude_spread": np.nan}
PLAIN = {k: ROW[k] for k in ("time", "latitude", "longitude", "depth_km")} | {"event_id": "plain"}
EVENTS = typed([ROW, FLAT, PLAIN], EVENT_TYPES)
PICKS = pd.DataFrame(
    {
        "trace_id": ["XX.A.", "XX.B."],
        "phase": "P",
        "time": pd.Timestamp("2020-01-01T00:00:12Z"),
        "event_id": ["abc", "flat"],
    }
)
NOT_IN_QUAKEML = {"method"}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_read_back_equal(tmp_path, suffix):
    path = tmp_path / f"events.{suffix}"
    {"csv": write_csv, "parquet": write_parquet}[suffix](EVENTS, path)
    pd.testing.assert_frame_equal(read_events(path), EVENTS)


def test_quakeml_reads_back_equal(tmp_path):
    path = export(PICKS, tmp_path / "events.xml", events=EVENTS)
    read = read_events(path)
    columns = [name for name in EVENT_TYPES if name not in NOT_IN_QUAKEML]
    full = read[read.event_id != "plain"]
    expected = EVENTS[EVENTS.event_id != "plain"]
    pd.testing.assert_frame_equal(full[columns], expected[columns], atol=1e-6, rtol=1e-6)
    plain = read.set_index("event_id").loc["plain"]
    assert plain.depth_km == ROW["depth_km"] and np.isnan(plain.ellipse_major_km)


def test_origin_says_what_is_known():
    fields = origin_fields(ROW)
    region = fields["origin_uncertainty"]
    assert region.max_horizontal_uncertainty == 1900 and region.confidence_level == 68.27
    assert fields["depth"] == 6200 and fields["depth_errors"].lower_uncertainty == pytest.approx(
        1100
    )
    assert fields["quality"].minimum_distance == pytest.approx(8.5 / 111.19, rel=1e-3)
    axes = region.confidence_ellipsoid
    assert axes.semi_major_axis_length >= axes.semi_intermediate_axis_length
    flat = origin_fields(FLAT)
    assert flat["depth"] is None and flat["depth_errors"].uncertainty is None


def test_depth_is_uncertain_by_the_ends_of_its_range():
    def ends(low, high):
        found = origin_fields(ROW | {"depth_low_km": low, "depth_high_km": high})["depth_errors"]
        return found.lower_uncertainty, found.upper_uncertainty

    assert ends(6.0, 6.3) == pytest.approx((200, 100))
    # The best depth may lie outside of the range.
    assert ends(6.4, 7.0) == pytest.approx((0, 800))
    assert ends(5.0, 6.1) == pytest.approx((1200, 0))


def test_ellipsoid_of_a_plunging_axis():
    """The largest axis to the north, 30 degrees down; the smallest one in the vertical plane."""
    north, down = np.cos(np.radians(30)), np.sin(np.radians(30))
    axes = np.array([[0, north, down], [1, 0, 0], [0, -down, north]]).T
    matrix = axes @ np.diag([9.0, 4.0, 1.0]) @ axes.T
    row = {**ROW, **{f"cov_{name}": matrix[at] for name, at in COVARIANCE.items()}}
    found = origin_fields(row)["origin_uncertainty"].confidence_ellipsoid
    assert found.major_axis_plunge == pytest.approx(30)
    assert found.major_axis_azimuth == pytest.approx(0, abs=1e-6)
    assert found.major_axis_rotation % 180 == pytest.approx(0, abs=1e-6)
    assert found.semi_major_axis_length / found.semi_minor_axis_length == pytest.approx(3)
    assert np.allclose(covariance_of(row), matrix)


def test_catalogues_of_others():
    catalog = obspy.read_events()
    table = catalog_to_events(catalog)
    assert list(table) == list(EVENT_TYPES) and len(table) == len(catalog)
    assert table.magnitude.notna().all() and not table.at_edge.any()


def test_no_events_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        read_events(tmp_path / "none.csv")
    for name, text in (("bad.csv", "a,b\n1,2\n"), ("bad.xml", "no xml")):
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=f"{name} is no file of events"):
            read_events(tmp_path / name)


def test_events_are_part_of_a_catalogue():
    (event, flat, plain) = picks_to_catalog(PICKS, "x/1", EVENTS)
    assert event.origins[0].origin_uncertainty.azimuth_max_horizontal_uncertainty == 33
    assert "depth not resolved, 68 % from 0.500 to 19.000 km" in [
        c.text for c in flat.origins[0].comments
    ]
    assert plain.origins[0].origin_uncertainty is None
