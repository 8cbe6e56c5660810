"""Picks as a QuakeML catalogue."""

import obspy
import pandas as pd
import pytest

from seisbench_llm.export import export, picks_to_dataframe
from seisbench_llm.export.quakeml import build_pick, estimate_text, picks_to_catalog
from seisbench_llm.export.tables import COLUMNS
from tests.helpers.models import tiny_model
from tests.helpers.picks import T0, TWO
from tests.helpers.streams import make_stream


def test_tables_and_catalogues_without_picks():
    assert list(picks_to_dataframe([]).columns) == list(COLUMNS)
    assert len(picks_to_catalog([], "x/1")[0].picks) == 0


def test_catalogue_keeps_what_matters(tmp_path):
    picks = tiny_model().classify(make_stream(), P_threshold=0.9).picks
    picks[0].polarity, picks[1].trace_id = "U", "XX.STA.00.HN"
    picks_to_catalog(picks, "compact_picking/1").write(tmp_path / "a.xml", "QUAKEML")
    read = obspy.read_events(tmp_path / "a.xml")[0].picks
    assert read[0].polarity == "positive"
    assert read[0].evaluation_mode == "automatic"
    assert str(read[0].method_id) == "smi:local/seisbench_llm/compact_picking/1"
    assert read[1].waveform_id.get_seed_string() == "XX.STA.00.HN"
    assert read[0].comments[0].text == f"probability {picks[0].peak_value:.6f}"


def test_probability_goes_from_quakeml_into_other_formats(tmp_path):
    catalog = obspy.read_events(export(TWO, tmp_path / "a.xml"))
    table = pd.read_csv(export(catalog, tmp_path / "a.gamma.csv"))
    assert list(table["prob"]) == pytest.approx([0.8127, 0.5])
    catalog[0].picks[0].comments = []
    # GaMMA weighs with it: an analyst's pick is sure.
    assert list(pd.read_csv(export(catalog, tmp_path / "b.gamma.csv"))["prob"]) == [1.0, 0.5]


def test_quakeml_has_channel_codes_and_uncertainties(tmp_path):
    picks = obspy.read_events(export(TWO, tmp_path / "a.xml", uncertainty=0.07))[0].picks
    assert [pick.waveform_id.channel_code for pick in picks] == ["HN", "HH"]
    assert [pick.time_errors.uncertainty for pick in picks] == [0.07, 0.07]


def test_a_pick_has_the_id_of_its_content_and_the_same_pick_again_another():
    first, again = picks_to_catalog([TWO[0]] * 2, "x/1")[0].picks
    alone = build_pick(TWO[0].trace_id, "P", TWO[0].peak_time, "x/1")
    assert first.resource_id == alone.resource_id != again.resource_id


def test_a_pick_without_a_probability_weighs_one():
    frame = picks_to_dataframe(TWO).assign(event_id="a", probability=[0.25, None])
    events = pd.DataFrame(
        {"event_id": ["a"], "time": [T0], "latitude": 1.0, "longitude": 2.0, "depth_km": 3.0}
    )
    (event,) = picks_to_catalog(frame, "x/1", events=events)
    assert [arrival.time_weight for arrival in event.origins[0].arrivals] == [0.25, 1.0]


def test_texts_of_estimates_say_the_spread_that_is_known():
    assert estimate_text("distance", 23.44, 3.0, 1, "km") == "distance 23.4 +- 3.0 km"
    for unknown in (None, float("nan")):
        assert estimate_text("magnitude", 2.5, unknown, 2) == "magnitude 2.50"
