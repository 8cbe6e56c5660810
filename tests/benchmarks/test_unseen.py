"""Benchmarks of unseen regions, clear P and disturbances, on what is known beforehand."""

import json

import numpy as np
import obspy
import pytest

from benchmarks.common import disturbances
from benchmarks.common.pickers import Picker
from benchmarks.common.records import AnalystRecord, move_start
from benchmarks.making import tables
from benchmarks.making.record import figures_of
from benchmarks.peers.pnsn import window_at
from benchmarks.quality import clear_p, unseen_estimates, unseen_regions
from benchmarks.tables import markdown, unseen
from tests.helpers.models import tiny_model
from tests.helpers.streams import make_stream


def record_of(stream, p=None, s=None, dataset="openeew_mexico", event="e", **truths):
    start = stream[0].stats.starttime
    picks = {"P": [] if p is None else [start + p], "S": [] if s is None else [start + s]}
    return AnalystRecord(dataset, "n", "XX.A", event, stream, picks, truths=truths)


def noise(seconds=90, rate=100.0, seed=0):
    rng = np.random.default_rng(seed)
    return obspy.Stream(
        obspy.Trace(
            rng.standard_normal(round(seconds * rate)),
            {"channel": f"HH{component}", "sampling_rate": rate},
        )
        for component in "ZNE"
    )


def test_starts_move_but_not_up_to_the_pick():
    moved = {}
    for name in ("a", "b"):
        for p in (30.0, 8.0, 3.0):
            record = record_of(noise(60), p=p)
            record.name = name
            start = record.stream[0].stats.starttime
            move_start(record)
            moved[name, p] = record.stream[0].stats.starttime - start
            assert record.picks["P"] == [start + p]
    assert 0 < moved["a", 30] != moved["b", 30] <= 9.5
    assert 0 <= moved["a", 8] <= 3 and moved["a", 3] == 0


@pytest.mark.parametrize("name", disturbances.DISTURBANCES)
def test_disturbances_change_the_record_where_they_say(name):
    for seed in range(5):
        stream = noise(seed=seed)
        before = stream.copy()
        out, times = disturbances.DISTURBANCES[name](stream, np.random.default_rng(seed))
        assert stream == before and out != before
        assert times and all(10 < time < 85 for time in times)
        first = stream[0].stats.starttime + min(times)
        early = out.slice(endtime=first - 0.02)
        for trace in early if name != "gap filled with zeros" else []:
            if trace.stats.starttime == stream[0].stats.starttime:
                same = before.select(channel=trace.stats.channel)[0].data[: trace.stats.npts]
                np.testing.assert_array_equal(trace.data, same)


def test_picks_of_the_noise_itself_are_no_false_picks(monkeypatch):
    monkeypatch.setattr(clear_p, "DISTURBANCES", {"none": lambda stream, rng: (stream, [45.0])})
    picker = Picker("tiny", [tiny_model()])
    found = clear_p.disturbed(picker, [make_stream(9000)], repeats=2)
    assert found == {"none": {"cases": 2, "P": 0, "S": 0}}


def test_clear_p_are_those_above_20_db_with_an_s_behind():
    stream = noise(60)
    vertical = stream[0]
    vertical.data[3000:3200] += 40 * np.sin(2 * np.pi * 5 * np.arange(200) / 100)
    case = clear_p.clear_p("synthetic", "x", stream, 30.0, 10.0)
    assert case.snr > 25 and case.frequency == pytest.approx(5, abs=1) and case.rise < 0.1
    assert clear_p.clear_p("synthetic", "x", stream, 30.0, 41.0) is None
    assert clear_p.clear_p("synthetic", "x", stream, 10.0, 10.0) is None
    variants = clear_p.variants(case)
    assert {len(variants[name]) for name in ("ZNE", "ZN", "Z")} == {1, 2, 3}
    assert variants["250 Hz"][0].stats.sampling_rate == 250
    # 5 Hz is not to be seen at 10 Hz, but is at 20 Hz.
    assert variants["20 Hz"][0].stats.npts == 1200 and "100 Hz" not in variants


def test_false_picks_are_counted_per_hour():
    records = [record_of(noise(90), dataset="a"), record_of(noise(90), dataset="b")]
    found = [{"P": np.array([[10, 0.9], [20, 0.2]])}, {"P": np.array([[10, 0.25]])}]
    rates = unseen_regions.false_picks(found, records, "P", {"at 0.3": 0.3, "best": 0.1})
    assert rates["at 0.3"]["a"] == 40 and rates["at 0.3"]["all"] == 20
    assert rates["best"]["b"] == 40 and rates["best"]["all"] == 60


def test_peaks_are_computed_once_for_a_weight(tmp_path, monkeypatch):
    picker, records = Picker("tiny", [tiny_model()]), [record_of(make_stream(6000))]
    first = unseen_regions.cached_peaks(picker, records, "unseen", tmp_path)
    monkeypatch.setattr(Picker, "peaks", lambda *args: pytest.fail("computed again"))
    again = unseen_regions.cached_peaks(picker, records, "unseen", tmp_path)
    np.testing.assert_array_equal(first[0]["P"], again[0]["P"])
    with pytest.raises(ValueError, match="not of 2"):
        unseen_regions.cached_peaks(picker, records * 2, "unseen", tmp_path)


def test_wood_anderson_magnitude_of_a_known_amplitude():
    # 1 mm of ground motion at 5 Hz, far above the pendulum's 1.25 Hz, is 1 mm on it.
    rate, frequency = 100.0, 5.0
    times = np.arange(6000) / rate
    displacement = 1e-3 * np.sin(2 * np.pi * frequency * times) * np.hanning(times.size)
    gal = 100 * np.gradient(np.gradient(displacement, 1 / rate), 1 / rate)
    stream = obspy.Stream(
        obspy.Trace(gal, {"channel": f"HN{c}", "sampling_rate": rate}) for c in "ZNE"
    )
    # 8 s are 64 km.
    record = record_of(stream, p=10, s=18)
    expected = np.log10(1e6) + 1.11 * np.log10(64) + 0.00189 * 64 - 2.09
    assert unseen_estimates.wood_anderson_magnitude(record)[0] == pytest.approx(expected, abs=0.05)
    record.dataset = "samos2020_greece"
    assert np.isnan(unseen_estimates.wood_anderson_magnitude(record)[0])


def test_sign_rule_tells_up_from_down():
    for sign in (1, -1):
        stream = noise(30)
        stream[0].data[1500:1510] += sign * 50
        assert unseen_estimates.sign_rule(record_of(stream, p=15))[0] == (sign > 0)


def test_figures_of_estimates():
    import pandas as pd

    table = pd.DataFrame(
        {
            "truth": [10.0, 350, 90, np.nan],
            "value": [350.0, 10, 95, 1],
            "spread": [15.0, 25, 4, 1],
            "event": list("abcd"),
            "station": list("xyzx"),
            "dataset": ["s"] * 4,
        }
    )
    found = unseen_estimates.figures("back_azimuth", table)
    assert found["records"] == 3 and found["median error, degrees"] == 20
    assert found["within 1 spreads"] == pytest.approx(1 / 3, abs=1e-3)
    assert found["within 2 spreads"] == 1
    assert unseen_estimates.figures("polarity", table.assign(truth=np.nan)) == {"records": 0}


def test_figures_of_unseen_regions_go_on_record():
    column = {"at 0.3": {"all": 0.9}}
    picker = dict.fromkeys(unseen.COLUMNS, column)
    picker["false picks per hour"] = {phase: {"at 0.3": {"all": 1.5}} for phase in "PS"}
    results = {"regions": {}, "pickers": {"mine 4": picker}}
    found = figures_of("picking", "mine 4", results)
    assert found["P@0.1"] == 0.9 and "unseen_regions.py" in found["protocol"]
    assert found["false picks per hour of noise"] == {"P": 1.5, "S": 1.5}
    with pytest.raises(SystemExit, match="know mine 4, but not mine 3"):
        figures_of("picking", "mine 3", results)
    results = {"regions": {}, "distance": {"mine": {"all": {"records": 3}}}}
    assert figures_of("distance", "mine", results)["all"] == {"records": 3}


def test_windows_about_a_time_are_resampled_and_padded():
    stream = obspy.Stream([obspy.Trace(np.arange(100.0), {"sampling_rate": 50})])
    window = window_at(stream, stream[0].stats.starttime + 1, 100.0, 300, 150)
    assert window.shape == (1, 300)
    assert not window[0, :50].any() and not window[0, 250:].any()
    assert window[0, 150] - window[0, 148] == pytest.approx(1, abs=0.05)


def test_tables_are_put_between_their_marks(tmp_path, monkeypatch):
    monkeypatch.setattr(markdown, "RESULTS", tmp_path)
    rate = {"noise before P": 1.0, "all": 2.0}
    rates = {phase: {"at 0.3": rate, "best": rate} for phase in "PS"}
    columns = {c: {"at 0.3": {"all": 0.5, "limits": [0.4, 0.6]}} for c in unseen.COLUMNS}
    results = {"pickers": {"mine": {**columns, "false picks per hour": rates}}}
    (tmp_path / "unseen_regions.json").write_text(json.dumps(results))
    page = "a\n<!-- table unseen-picking -->\nold\n<!-- end -->\nb\n"
    new = tables.filled(page)
    assert "| `mine` | 0.50 (0.40, 0.60) |" in new
    assert "| 1.0 / 1.0 | 2.0 / 2.0 |" in tables.filled(page.replace("picking", "false-picks"))
    assert "old" not in new and new.startswith("a\n") and new.endswith("b\n")
    assert tables.filled(new) == new
    with pytest.raises(ValueError, match="No table 'none'"):
        tables.filled("<!-- table none -->\n<!-- end -->")
