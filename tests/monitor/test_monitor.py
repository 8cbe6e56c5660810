import functools
import sys

import numpy as np
import obspy
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obspy.geodetics import gps2dist_azimuth
from obspy.io.quakeml.core import _validate as validate_quakeml

from seisbench_llm.export.tables import ARRIVAL_TYPES, ESTIMATE_TYPES, EVENT_TYPES
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.monitor.location import sp_distance
from seisbench_llm.monitor.monitor import SeismicMonitor, pair
from seisbench_llm.tasks import TASKS
from seisbench_llm.weights import WeightsError
from tests.helpers.models import save_family
from tests.helpers.models import tiny_model as make_tiny_model
from tests.helpers.monitor import (
    EXACT,
    NETWORK,
    SOURCE,
    START,
    VP,
    VP_VS,
    Stub,
    make_pick,
    network_monitor,
    picks_of,
    stub_monitor,
)
from tests.helpers.streams import make_stream

# Built once; no test changes them.
tiny_model = functools.cache(make_tiny_model)

# Pairs of P and S


def test_pairs_follow_the_rule():
    def times(trace_id, phase, *seconds):
        return [make_pick(trace_id, phase, START + s) for s in seconds]

    picks = [
        *times("A.B.", "P", 10, 20, 100, 200),
        *times("A.B.", "S", 5, 22, 25, 161, 200, 250),
        *times("A.B..HN", "P", 12),
        *times("A.C.", "S", 21),
    ]
    seconds = [(picks[p].trace_id, picks[p].peak_time - START) for p, _ in pair(picks)]
    partners = [s if s is None else picks[s].peak_time - START for _, s in pair(picks)]
    assert seconds == [("A.B.", 10), ("A.B..HN", 12), ("A.B.", 20), ("A.B.", 100), ("A.B.", 200)]
    # 10: the next P intervenes; 12: another instrument; 100: too late; 200: not at the same time.
    assert partners == [None, None, 22, None, 250]
    assert [s is None for _, s in pair(picks, max_sp_time=1)] == [True] * 5


@given(
    st.lists(st.tuples(st.sampled_from("PS"), st.integers(0, 200), st.sampled_from("AB"))),
    st.integers(1, 100),
)
@settings(max_examples=100, deadline=None)
def test_pairs_never_break_the_rule(entries, longest):
    picks = [make_pick(f"X.{code}.", phase, START + t) for phase, t, code in entries]
    pairs = pair(picks, longest)
    assert sorted(p for p, _ in pairs) == [i for i, one in enumerate(picks) if one.phase == "P"]
    used = [s for _, s in pairs if s is not None]
    assert len(used) == len(set(used))
    for p, s in pairs:
        if s is not None:
            onset, later = picks[p].peak_time, picks[s].peak_time
            assert picks[s].trace_id == picks[p].trace_id and 0 < later - onset <= longest
            others = [o for o in picks if o.phase == "P" and o.trace_id == picks[p].trace_id]
            assert not any(onset < o.peak_time < later for o in others)


# The monitor


def test_models_must_fit_their_task():
    picker, magnitude = tiny_model(), tiny_model("magnitude")
    with pytest.raises(ValueError, match="given for picking is for magnitude"):
        SeismicMonitor(magnitude)
    with pytest.raises(ValueError, match="given for distance is for magnitude"):
        SeismicMonitor(picker, distance=magnitude)
    with pytest.raises(ValueError, match="given for picking is for NoneType"):
        SeismicMonitor(None)
    for errors in ({"magnitude": -1}, {"magnitude": np.nan}, {"polarity": 1}, {"volcano": 1}):
        with pytest.raises(ValueError, match="standard error"):
            SeismicMonitor(picker, errors=errors)


def test_family_of_weights(tmp_path, warnings_of):
    family = save_family(tmp_path, ("picking", "distance"))
    monitor = SeismicMonitor.from_pretrained(family)
    assert list(monitor.models) == ["picking", "distance"]
    assert monitor.methods == {"picking": "tiny_picking/1", "distance": "tiny_distance/1"}
    for task in ("polarity", "magnitude", "back_azimuth"):
        assert f"tiny_{task}" in warnings_of()
    with pytest.raises(WeightsError, match="No weights for polarity, magnitude, back_azimuth"):
        SeismicMonitor.from_pretrained(family, strict=True)
    with pytest.raises(WeightsError):
        SeismicMonitor.from_pretrained(str(tmp_path / "nothing"))


def test_mapping_of_weights(tmp_path):
    family = save_family(tmp_path, ("picking", "magnitude"))
    names = {"picking": f"{family}_picking", "magnitude": f"{family}_magnitude"}
    assert list(SeismicMonitor.from_pretrained(names).models) == ["picking", "magnitude"]
    with pytest.raises(ValueError, match="Unknown task 'volcano'"):
        SeismicMonitor.from_pretrained({**names, "volcano": "x"})
    with pytest.raises(ValueError, match="needs a weight for picking"):
        SeismicMonitor.from_pretrained({"magnitude": names["magnitude"]})
    with pytest.raises(ValueError, match="for distance is for magnitude"):
        SeismicMonitor.from_pretrained({**names, "distance": names["magnitude"]})


def test_answers_are_the_models_own():
    models = {task: tiny_model(task) for task in TASKS if task != "picking"}
    stream = make_stream(6000) + make_stream(6000, station="TWO", components="Z", seed=1)
    before = stream.copy()
    level = {"P_threshold": 0.9, "S_threshold": 0.9}
    result = SeismicMonitor(tiny_model(), **models).classify(stream, **level)
    assert stream == before
    picks = tiny_model().classify(stream, **level).picks
    told = [[(p.trace_id, p.phase, p.peak_time) for p in some] for some in (result.picks, picks)]
    assert told[0] == told[1]
    assert list(result.table) == list(ESTIMATE_TYPES)
    onsets = [pick for pick in picks if pick.phase == "P"]
    assert len(result.table) == len(onsets) > 3
    assert list(result.table.p_time) == [pd.Timestamp(p.peak_time.ns, tz="UTC") for p in onsets]
    columns = {"magnitude": "magnitude", "distance": "distance_km", "back_azimuth": "back_azimuth"}
    for task, column in columns.items():
        expected = models[task].classify(stream, picks=onsets).estimates
        assert len(expected) > 1
        table = result.table.dropna(subset=column)
        assert list(table[column]) == [one.value for one in expected]
        assert list(table[f"{task}_spread"]) == [one.spread for one in expected]
    models["polarity"].classify(stream, picks=onsets)
    assert list(result.table.polarity) == [p.polarity for p in onsets]
    assert list(result.table.polarity_probability) == [p.polarity_value for p in onsets]
    # One component has no back-azimuth, which is no reason to lose the rest.
    single = result.table[result.table.trace_id == "XX.TWO.00"]
    assert len(single) and single.back_azimuth.isna().all() and single.magnitude.notna().all()


def test_a_trace_will_do():
    models = {task: tiny_model(task) for task in TASKS if task in ("magnitude", "distance")}
    monitor, stream = SeismicMonitor(tiny_model(), **models), make_stream(6000, components="Z")
    expected = monitor.classify(stream, NETWORK, P_threshold=0.9).table
    assert len(expected)
    pd.testing.assert_frame_equal(
        monitor.classify(stream[0], NETWORK, P_threshold=0.9).table, expected
    )


@pytest.mark.parametrize("stream", [obspy.Stream(), make_stream()])
def test_nothing_is_a_table_with_all_columns(stream, tmp_path):
    models = {task: tiny_model(task) for task in TASKS if task != "picking"}
    # Tiny models are certain of something anywhere but in an empty stream.
    picker = Stub("picking", []) if stream else tiny_model()
    result = SeismicMonitor(picker, **models).classify(stream, NETWORK)
    for table, types in (
        (result.table, ESTIMATE_TYPES),
        (result.events, EVENT_TYPES),
        (result.arrivals, ARRIVAL_TYPES),
    ):
        assert len(table) == 0
        assert {name: str(kind) for name, kind in table.dtypes.items()} == types
    result.to_csv(tmp_path / "empty.csv")
    assert list(pd.read_csv(tmp_path / "empty.csv")) == list(ESTIMATE_TYPES)
    result.to_catalog().write(tmp_path / "empty.xml", format="QUAKEML")
    assert validate_quakeml(tmp_path / "empty.xml")


def test_two_instruments_at_one_location_have_their_own_rows():
    stream = make_stream(9000) + make_stream(9000, code="HN", seed=3)
    result = SeismicMonitor(tiny_model(), tiny_model("polarity")).classify(stream, P_threshold=0.9)
    assert set(result.table.trace_id) == {"XX.STA.00", "XX.STA.00.HN"}
    assert result.table.polarity.notna().all()
    for trace_id, group in result.table.groupby("trace_id"):
        s_times = {p.peak_time.ns for p in result.picks if p.trace_id == trace_id}
        assert {time.value for time in group.s_time.dropna()} <= s_times


def test_arguments_reach_the_models_they_are_for():
    monitor = network_monitor()
    monitor.classify(
        obspy.Stream(),
        overlap=0.2,
        blinding=(9, 9),
        P_threshold=0.5,
        windows_per_pick=3,
        batch_size=2,
    )
    own = {"windows_per_pick": 3, "batch_size": 2}
    # The S of a distance is that of the monitor's picker.
    assert monitor.models["magnitude"].arguments == {**own, "s_picker": None}
    assert monitor.models["picking"].arguments.items() >= {**own, "overlap": 0.2}.items()
    # A blinding for the picker's window may be too long for the others'.
    short = tiny_model("polarity", in_samples=512, pred_sample=256)
    monitor = SeismicMonitor(tiny_model(), short)
    assert len(monitor.classify(make_stream(), P_threshold=0.9, blinding=(400, 400)).table)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"vp_vs": 1.0}, "vp_vs=1.0 is not possible"),
        ({"vp": -6}, "vp=-6 is not possible"),
        ({"max_sp_time": np.nan}, "max_sp_time=nan"),
        ({"picks": []}, "makes its own picks"),
        ({"inventory": NETWORK.drop(columns="id")}, "no column id"),
    ],
)
def test_impossible_arguments_fail_before_anything_runs(arguments, message):
    monitor = network_monitor()
    with pytest.raises(ValueError, match=message):
        monitor.classify(obspy.Stream(), **arguments)
    assert monitor.models["picking"].arguments is None


# Where


def test_single_station_epicentres():
    result = network_monitor().classify(obspy.Stream(), NETWORK, associate=False)
    own = result.table[result.table.p_time < pd.Timestamp((START + 100).ns, tz="UTC")]
    assert len(own) == 8
    for row in own.itertuples():
        metres, _, _ = gps2dist_azimuth(row.latitude, row.longitude, *SOURCE[:2])
        assert metres < 50
        assert 3 < row.uncertainty_km < 30 and row.uncertainty_region.startswith("POLYGON")
        assert row.sp_distance_km == pytest.approx(np.hypot(row.distance_km, 8), rel=0.02)
        assert row.distances_agree
    assert (result.events.method == "single station").all() and len(result.events) == 9
    assert set(result.events.event_id) == set(result.table.event_id)
    assert result.events.depth_km.isna().all()
    for time in result.events.time[:8]:
        assert abs(obspy.UTCDateTime(ns=time.value) - SOURCE[3]) < 0.01
    # Its S-P time of 7 s means 58 km.
    last = result.table.iloc[-1]
    assert last.sp_distance_km == pytest.approx(sp_distance(7.0)) and not last.distances_agree


def test_errors_of_the_models_widen_the_region():
    narrow = network_monitor().classify(obspy.Stream(), NETWORK, associate=False)
    errors = {"distance": 4.0, "back_azimuth": 12.0, "picking": 0.1}
    wide = network_monitor(errors).classify(obspy.Stream(), NETWORK, associate=False)
    assert (wide.table.uncertainty_km > narrow.table.uncertainty_km).all()
    minor = wide.events[["ellipse_minor_km", "ellipse_major_km"]].to_numpy()
    assert np.isclose(minor, 5 * 1.5152, rtol=1e-3).any(axis=1).all()
    expected = 0.1 * np.hypot(VP_VS, 1) / (VP_VS - 1)
    assert wide.events.time_uncertainty.to_numpy() == pytest.approx(expected)
    assert narrow.events.time_uncertainty.isna().all()


def test_a_p_without_s_makes_no_event():
    """Whatever its probability: it may be anything. Its epicentre is in the table all the same."""
    monitor = stub_monitor(
        [make_pick("XX.S0.00", "P", START + 20, 0.99)],
        distance={"XX.S0.00": (60.0, 6.0)},
        back_azimuth={"XX.S0.00": (90.0, 5.0)},
    )
    result = monitor.classify(obspy.Stream(), NETWORK)
    assert len(result.events) == len(result.arrivals) == 0
    row = result.table.iloc[0]
    assert row.event_id is None and result.picks[0].event_id is None
    assert np.isfinite([row.latitude, row.longitude, row.uncertainty_km]).all()


def test_time_error_of_a_single_station():
    picks = [make_pick("XX.S0.00", "P", START + 20), make_pick("XX.S0.00", "S", START + 27.3)]
    answers = {"distance": {"XX.S0.00": (60.0, 6.0)}, "back_azimuth": {"XX.S0.00": (9.0, np.nan)}}
    result = stub_monitor(picks, **answers).classify(obspy.Stream(), NETWORK, vp_vs=1.73)
    event = result.events.iloc[0]
    assert obspy.UTCDateTime(ns=event.time.value) == START + 10
    assert np.isnan(event.uncertainty_km) and np.isnan(event.time_uncertainty)
    assert event.quality == "S"


def test_association_takes_precedence_over_single_stations(warnings_of):
    monitor = network_monitor(noise=(5.0, 3.0))
    result = monitor.classify(obspy.Stream(), NETWORK.iloc[:-1], vp=VP, vp_vs=VP_VS, **EXACT)
    located = result.events[result.events.method == "network"]
    assert len(located) == 1 and located.stations.iloc[0] == 7
    metres, _, _ = gps2dist_azimuth(
        *SOURCE[:2], located.latitude.iloc[0], located.longitude.iloc[0]
    )
    assert metres < 2000
    assert located.magnitude.iloc[0] == pytest.approx(2.3)
    assert located.magnitude_spread.iloc[0] == pytest.approx(np.std(np.arange(7) / 10, ddof=1))
    assert located.magnitude_stations.iloc[0] == 7
    # The later pair at one station is nobody else's event.
    single = result.events[result.events.method == "single station"]
    assert (
        len(single) == 1
        and single.magnitude.iloc[0] == 2
        and single.magnitude_stations.iloc[0] == 1
    )
    assert single.magnitude_spread.iloc[0] == 0.2
    ids = result.table.set_index("trace_id").event_id
    assert (ids.loc["XX.S1.00"], ids.loc["XX.S0.00"].iloc[-1]) == (
        located.event_id.iloc[0],
        single.event_id.iloc[0],
    )
    assert ids.loc["XX.S7.00"] is None and "XX.S7.00" in warnings_of()
    assert list(result.events.time) == sorted(result.events.time)


def test_without_coordinates_there_are_no_places():
    result = network_monitor().classify(obspy.Stream())
    assert len(result.events) == 0 and len(result.table) == 9
    assert result.table[["latitude", "uncertainty_km", "station_latitude"]].isna().all(axis=None)
    assert result.table.sp_distance_km.notna().all()


@pytest.mark.parametrize("package", ["pyproj", "pyocto"])
def test_missing_packages_fail_before_anything_runs(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    monitor = network_monitor()
    with pytest.raises(ImportError, match="pip install .*'pyocto"):
        monitor.classify(obspy.Stream(), NETWORK)
    assert monitor.models["picking"].arguments is None
    assert len(monitor.classify(obspy.Stream()).table) == 9


def sorted_onsets(result):
    return sorted((p for p in result.picks if p.phase == "P"), key=lambda p: p.peak_time)


def test_csv_reads_back(tmp_path):
    result = network_monitor().classify(obspy.Stream(), NETWORK, **EXACT)
    result.to_csv(tmp_path / "table.csv")
    read = pd.read_csv(tmp_path / "table.csv")
    assert list(read) == list(ESTIMATE_TYPES)
    times = [obspy.UTCDateTime(text) for text in read.p_time]
    assert times == [pick.peak_time for pick in sorted_onsets(result)]
    assert read.magnitude.to_list() == result.table.magnitude.to_list()
    assert read.event_id.to_list() == result.table.event_id.to_list()
    copy = result.to_dataframe()
    copy.loc[0, "magnitude"] = 9
    assert result.table.magnitude[0] != 9


def test_packaged_picker_at_a_known_station():
    monitor = SeismicMonitor(SeisMoLLM.from_pretrained("compact_picking"))
    version = monitor.models["picking"].weights_version
    assert monitor.methods == {"picking": f"compact_picking/{version}"}
    row = monitor.classify(obspy.read(), obspy.read_inventory()).table.iloc[0]
    assert row.trace_id == "BW.RJOB."
    assert row.station_latitude == pytest.approx(47.737167)
    assert 7 < row.sp_distance_km < 9


def test_what_is_left_out_is_told_once_for_all_models(warnings_of):
    models = {task: tiny_model(task) for task in TASKS if task != "picking"}
    stream = make_stream(station="Z", components="Z") + make_stream(station="THREE")
    for i in range(3):
        stream += make_stream(60, rate=1.0, station=f"S{i}", components="Z", code="LH")
    # An S picker of its own looks at parts of the stream.
    models["distance"].default_args.update(textbook=True)
    result = SeismicMonitor(tiny_model(), **models).classify(stream, P_threshold=0.9)
    assert len(result.picks) > 0
    told = [(entry.trace_id, entry.cause[:30]) for entry in result.skipped]
    slow = "its sampling rate is 1 Hz; at least 10 Hz are needed"[:30]
    assert told == [
        *((f"XX.S{i}.00.LHZ", slow) for i in range(3)),
        ("XX.Z.00.HH?", "back_azimuth needs three components"[:30]),
    ]
    lines = {line for line in warnings_of().splitlines() if "ignored" in line}
    assert len(lines) == 2


def test_poor_events_are_kept_if_asked_for():
    """Stations in a row, far away: a gap above 180 degrees is class D."""
    row = NETWORK.assign(latitude=50 + np.arange(8) / 50, longitude=10.0, elevation=0.0)
    monitor = stub_monitor(picks_of(50.08, 10.5, 8.0, START, stations=row))
    result = monitor.classify(obspy.Stream(), row)
    assert len(result.events) == 0 and result.left_out == 1 and "1 of quality D" in str(result)
    assert all(pick.event_id is None for pick in result.picks)
    kept = monitor.classify(obspy.Stream(), row, keep_poor=True)
    assert list(kept.events.quality) == ["D"] and kept.left_out == 0
    assert kept.earth_model.startswith("continental crust")
