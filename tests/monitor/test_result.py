import re
import warnings

import numpy as np
import obspy
import pytest
from obspy.geodetics import kilometers2degrees
from obspy.io.quakeml.core import _validate as validate_quakeml

from seisbench_llm.export import export, picks_to_dataframe
from seisbench_llm.monitor.location import REGION
from seisbench_llm.monitor.monitor import SeismicMonitor
from seisbench_llm.monitor.result import EDGE_NOTE, SINGLE_STATION_NOTE
from tests.helpers.models import tiny_model
from tests.helpers.monitor import EXACT, NETWORK, START, make_pick, network_monitor, stub_monitor
from tests.helpers.streams import make_stream


@pytest.fixture(scope="module")
def result():
    """One event of PyOcto, one of a single station, and an S that belongs to none."""
    errors = {"picking": 0.1, "magnitude": 0.3}
    return network_monitor(errors).classify(obspy.Stream(), NETWORK, **EXACT)


def of_method(catalog, word):
    return [e for e in catalog if e.origins and word in str(e.origins[0].method_id)]


def written(catalog, tmp_path):
    path = tmp_path / "catalog.xml"
    catalog.write(path, format="QUAKEML")
    assert validate_quakeml(path, verbose=True)
    return obspy.read_events(path)


def test_reads_back_equal(result, tmp_path):
    catalog = result.to_catalog()
    assert [len(event.picks) for event in catalog] == [16, 2]
    assert written(catalog, tmp_path) == catalog
    free = result.to_catalog(unassociated=True)
    assert [len(event.picks) for event in free] == [1]
    assert written(free, tmp_path) == free


def test_all_ids_are_valid_unique_and_the_same_again(result, tmp_path):
    texts = []
    for name in "ab":
        # Objects of the same id are what is wanted, and ObsPy must not complain.
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result.to_catalog().write(tmp_path / name, format="QUAKEML")
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1]
    ids = re.findall(r'(?:publicID|id)="([^"]*)"', texts[0])
    assert len(ids) > 60 and len(ids) == len(set(ids))
    assert all(re.fullmatch(r"smi:local/seisbench_llm/[\w\-./]+", one) for one in ids)


def test_nothing_is_lost(result):
    catalog, free = result.to_catalog(), result.to_catalog(unassociated=True)
    told = sorted((str(p.time), p.phase_hint) for event in catalog + free for p in event.picks)
    assert told == sorted((str(p.peak_time), p.phase) for p in result.picks)
    (lone,) = free[0].picks
    assert lone.phase_hint == "S" and "1 picks not associated" in free[0].comments[0].text
    assert not free[0].origins


def test_other_programs_take_the_events(result, tmp_path):
    catalog = result.to_catalog()
    for form, name in (("KML", "a.kml"), ("CNV", "a.cnv"), ("ZMAP", "a.zmap")):
        catalog[:1].write(str(tmp_path / name), format=form)
        assert (tmp_path / name).stat().st_size > 50
    # The result's own tables are as good.
    read = obspy.read_events(export(result.picks, tmp_path / "a.pha", events=result.events))
    located = result.events[result.events.depth_km.notna()]
    assert [len(event.picks) for event in read] == list(located.picks) == [16]
    blocks = export(result.picks, tmp_path / "a.obs", events=result.events).read_text()
    assert [block.count("GAU") for block in blocks.split("\n\n")] == [16, 2]
    table = picks_to_dataframe(result.picks)
    assert table.event_id.notna().sum() == 18 and set(table.event_id.dropna()) == set(
        result.events.event_id
    )


def test_picks_hold_every_answer(result):
    event = result.to_catalog()[0]
    for pick in event.picks:
        assert pick.evaluation_mode == "automatic"
        assert pick.time_errors.uncertainty == 0.1
        assert str(pick.method_id) == "smi:local/seisbench_llm/Stub/7"
    onsets = {p.waveform_id.station_code: p for p in event.picks if p.phase_hint == "P"}
    rows = result.table.set_index("trace_id")
    for code, pick in onsets.items():
        row = rows.loc[[f"XX.{code}.00"]].iloc[0]
        assert pick.waveform_id.get_seed_string().startswith(f"XX.{code}.00")
        assert pick.backazimuth == row.back_azimuth and pick.backazimuth_errors.uncertainty == 5
        assert pick.polarity == {"U": "positive", "D": "negative"}[row.polarity]
        texts = " ".join(comment.text for comment in pick.comments)
        assert f"magnitude {row.magnitude:.2f} +- 0.36, Stub/7" in texts
        assert f"distance {row.distance_km:.1f} +- 3.0 km, Stub/7" in texts
        assert "probability 0.900" in texts and f"polarity {row.polarity}" in texts
    assert all(p.backazimuth is None for p in event.picks if p.phase_hint == "S")


def test_located_event(result):
    event = of_method(result.to_catalog(), "network")[0]
    row = result.events[result.events.method == "network"].iloc[0]
    origin = event.preferred_origin()
    assert origin is event.origins[0]
    assert (origin.latitude, origin.longitude) == (row.latitude, row.longitude)
    assert origin.depth == row.depth_km * 1000
    assert origin.depth_errors.uncertainty == row.depth_uncertainty_km * 1000
    assert origin.time.ns == row.time.value
    assert origin.quality.used_station_count == 8 and origin.quality.used_phase_count == 16
    assert origin.evaluation_status is None
    texts = [comment.text for comment in origin.comments]
    assert texts[0] == f"quality {row.quality}" and texts[-1].startswith("associated by PyOcto/")
    errors = origin.depth_errors
    assert origin.depth - errors.lower_uncertainty == pytest.approx(row.depth_low_km * 1000)
    assert origin.depth + errors.upper_uncertainty == pytest.approx(row.depth_high_km * 1000)
    assert origin.quality.minimum_distance < origin.quality.maximum_distance
    assert origin.origin_uncertainty.max_horizontal_uncertainty == row.ellipse_major_km * 1000
    km = np.hypot(
        origin.latitude_errors.uncertainty,
        origin.longitude_errors.uncertainty * np.cos(np.radians(row.latitude)),
    ) / kilometers2degrees(1)
    assert km == pytest.approx(np.hypot(row.ellipse_major_km, row.ellipse_minor_km) / REGION)
    picks = {p.resource_id: p for p in event.picks}
    assert len(origin.arrivals) == 16 and {a.pick_id for a in origin.arrivals} == set(picks)
    for arrival in origin.arrivals:
        assert arrival.phase == picks[arrival.pick_id].phase_hint
        assert 0 < arrival.distance < 1 and 0 <= arrival.azimuth < 360
        assert abs(arrival.time_residual) < 1 and 0 < arrival.time_weight <= 1
    magnitude = event.preferred_magnitude()
    assert magnitude.mag == pytest.approx(2.35) and magnitude.station_count == 8
    assert magnitude.magnitude_type == "ML"
    assert len(event.station_magnitudes) == len(magnitude.station_magnitude_contributions) == 8
    for one, share in zip(
        event.station_magnitudes, magnitude.station_magnitude_contributions, strict=True
    ):
        assert one.origin_id == origin.resource_id and share.station_magnitude_id == one.resource_id
        assert one.mag_errors.uncertainty == pytest.approx(np.hypot(0.2, 0.3))
        assert share.residual == pytest.approx(one.mag - 2.35)


def test_single_station_origin_says_so(result):
    event = of_method(result.to_catalog(), "single_station")[0]
    origin = event.origins[0]
    assert origin.depth is None and origin.evaluation_status == "preliminary"
    assert [comment.text for comment in origin.comments] == ["quality S", SINGLE_STATION_NOTE]
    assert origin.quality.used_station_count == 1
    assert origin.origin_uncertainty.horizontal_uncertainty > 4000
    assert {arrival.phase for arrival in origin.arrivals} == {"P", "S"}
    assert event.magnitudes[0].station_count == 1


def test_edge_of_the_search_is_marked(result):
    copy = network_monitor().classify(obspy.Stream(), NETWORK, **EXACT)
    copy.events.loc[copy.events.method == "network", "at_edge"] = True
    origin = of_method(copy.to_catalog(), "network")[0].origins[0]
    assert [c.text for c in origin.comments][-1] == EDGE_NOTE
    assert origin.evaluation_status == "preliminary"


def test_any_weight_name_makes_a_valid_file(result, tmp_path):
    monitor = network_monitor()
    monitor.methods = dict.fromkeys(monitor.methods, "C:\\weights\\my pïcker #1/2.0 beta")
    catalog = monitor.classify(obspy.Stream(), NETWORK, **EXACT).to_catalog()
    assert written(catalog, tmp_path) == catalog
    assert str(catalog[0].picks[0].method_id).endswith("/C__weights_my_p_cker__1/2.0_beta")


def test_unknown_uncertainties_are_left_out(tmp_path):
    monitor = stub_monitor(
        [make_pick("XX.S0.00", "P", START), make_pick("XX.S0.00", "S", START + 7)],
        distance={"XX.S0.00": (60.0, np.nan)},
        back_azimuth={"XX.S0.00": (90.0, np.nan)},
        magnitude={"XX.S0.00": (1.0, np.nan)},
    )
    result = monitor.classify(obspy.Stream(), NETWORK, **EXACT)
    catalog = result.to_catalog()
    assert len(result.to_catalog(unassociated=True)) == 0
    origin = catalog[0].origins[0]
    assert origin.origin_uncertainty is None and origin.latitude_errors.uncertainty is None
    assert catalog[0].station_magnitudes[0].mag_errors.uncertainty is None
    text = (written(catalog, tmp_path), (tmp_path / "catalog.xml").read_text())[1]
    assert "nan" not in text and "None" not in text
    assert ">magnitude 1.00, Stub/7<" in text


def test_a_pick_of_two_events_is_kept_once(result, tmp_path):
    copy = network_monitor().classify(obspy.Stream(), NETWORK, **EXACT)
    other = copy.arrivals.event_id.unique()[1]
    copy.arrivals.loc[len(copy.arrivals)] = [other, 0, 10.0, 20.0, 0.1, 1.0]
    catalog = copy.to_catalog() + copy.to_catalog(unassociated=True)
    assert sum(len(event.picks) for event in catalog) == len(copy.picks)
    catalog = copy.to_catalog()
    assert written(catalog, tmp_path) == catalog


def test_real_answers_without_coordinates(tmp_path):
    models = {"polarity": tiny_model("polarity"), "magnitude": tiny_model("magnitude")}
    monitor = SeismicMonitor(tiny_model(), **models)
    stream = make_stream() + make_stream(code="HN", seed=1)
    result = monitor.classify(stream, P_threshold=0.9)
    assert len(result.to_catalog()) == 0
    catalog = result.to_catalog(unassociated=True)
    assert len(catalog) == 1 and len(catalog[0].picks) == len(result.picks)
    assert written(catalog, tmp_path) == catalog
    codes = {pick.waveform_id.channel_code for pick in catalog[0].picks}
    assert codes == {"HH", "HN"}
    onsets = [pick for pick in catalog[0].picks if pick.phase_hint == "P"]
    assert onsets
    for pick in onsets:
        texts = [comment.text for comment in pick.comments]
        assert texts[1].startswith("polarity ") and "SeisMoLLM/untrained" in texts[1]
        assert texts[2].startswith("magnitude ") and "SeisMoLLM/untrained" in texts[2]


def test_single_stations_apart(result):
    network, single = (result.to_catalog(single_station=which) for which in (False, True))
    assert [len(event.picks) for event in network] == [16]
    assert [len(event.picks) for event in single] == [2]
    assert list(result.network_events.method) == ["network"]
    assert list(result.single_station_events.quality) == ["S"]
    assert "1 located events, 1 of a single station" in str(result)


def test_a_result_is_short_in_a_session_and_a_table_in_a_notebook():
    result = network_monitor().classify(obspy.Stream(), NETWORK)
    assert repr(result) == f"MonitorResult({result})" and len(repr(result)) < 120
    html = result._repr_html_()
    assert "located events" in html and html.count("<tr") == 1 + len(result.events)
