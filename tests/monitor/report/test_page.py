"""The page of a monitor, of a network of stubs, also as a browser shows it."""

import base64
import json
import re

import numpy as np
import obspy
import pytest

from seisbench_llm.monitor.report import write_report
from seisbench_llm.monitor.report.page import station_health, verdict
from seisbench_llm.monitor.report.scenes import NOTHING, encode, scenes_of_events
from seisbench_llm.pages import plotly_script
from seisbench_llm.stations import Stations
from tests.helpers.browser import faults, open_browser, resize, wait
from tests.helpers.models import tiny_model
from tests.helpers.monitor import NETWORK, START, make_pick, network_monitor, stub_monitor

HOSTILE = "</script><img src=x onerror=alert(1)>"


def waveforms(seconds=60):
    """Noise at all stations but the last, and a gap at the first."""
    rng, stream = np.random.default_rng(0), obspy.Stream()
    for name in NETWORK["id"][:-1]:
        network, station = name.split(".")
        for component in "ZNE":
            header = {"network": network, "station": station, "location": "00"}
            header |= {"channel": f"HH{component}", "starttime": START, "sampling_rate": 50.0}
            stream.append(obspy.Trace(rng.standard_normal(50 * seconds), header))
    first = stream.select(station="S0", component="Z")[0]
    stream.remove(first)
    return stream + first.slice(START, START + 20) + first.slice(START + 26.02)


@pytest.fixture(scope="module")
def result():
    pytest.importorskip("pyocto")
    return network_monitor().classify(obspy.Stream(), NETWORK)


def read_data(page):
    text = re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)[1]
    return json.loads(text)


def test_scenes_hold_what_was_picked(result):
    scenes = scenes_of_events(waveforms(), result)
    located = result.events[result.events["method"] != "single station"]["event_id"].iloc[0]
    scene = scenes[located]
    rows = scene["rows"]
    assert [row["distance"] for row in rows] == sorted(row["distance"] for row in rows)
    assert all([p["phase"] for p in row["picks"]] == ["P", "S"] for row in rows) and len(rows) == 8
    assert scene["start"] < min(row["picks"][0]["timestamp"] for row in rows) - 4
    channels = {row["id"]: [c["channel"] for c in row["channels"]] for row in rows}
    assert channels["XX.S1.00"] == ["HHZ", "HHN", "HHE"] and channels["XX.S7.00"] == []
    gap = next(row for row in rows if row["id"] == "XX.S0.00")["channels"][0]["parts"]
    assert len(gap) == 2
    assert scenes_of_events(waveforms(), result, most=1).keys() == {scenes_of_largest(result)}


def scenes_of_largest(result):
    return result.events.sort_values("magnitude", ascending=False)["event_id"].iloc[0]


def test_curves_are_those_of_the_picker(result):
    model, stream = tiny_model(), waveforms()
    scene = next(iter(scenes_of_events(stream, result, model.annotate, most=1).values()))
    (row, *_) = [row for row in scene["rows"] if row["id"] == "XX.S1.00"]
    (part,) = row["curves"]["P"]
    values = np.frombuffer(base64.b64decode(part["data"]), "<i2") / 32767
    curve = model.annotate(stream).select(station="S1", channel="*_P")[0]
    shown = curve.slice(obspy.UTCDateTime(scene["start"]), obspy.UTCDateTime(scene["end"]))
    assert np.nanmax(shown.data) == pytest.approx(values.max(), abs=0.05)


def test_waveforms_survive_the_way_to_the_page():
    trace = obspy.Trace(np.array([0.0, 1, -2, np.nan, np.inf, 2]), {"sampling_rate": 10})
    part = encode(trace, 2.0, columns=10)
    values = np.frombuffer(base64.b64decode(part["data"]), "<i2")
    assert values.tolist() == [0, 16384, -32767, NOTHING, NOTHING, 32767]
    long = encode(obspy.Trace(np.eye(1, 100_000, 4321)[0]), 1.0, columns=100)
    values = np.frombuffer(base64.b64decode(long["data"]), "<i2")
    assert len(values) <= 200 and values.max() == 32767
    assert long["step"] * len(values) == pytest.approx(100_000)


def test_verdict_and_health(result):
    said = " ".join(verdict(result))
    assert "9 P and 10 S picks at 8 stations" in said
    assert f"{len(result.events)} events were located" in said and "a single station" in said
    assert f"{len(result.events)} of the magnitudes are estimates of the models alone" in said
    rows = {r["id"]: r for r in station_health(result, waveforms(), Stations.read(NETWORK))}
    assert rows["XX.S0.00"]["gaps"] == 1
    assert rows["XX.S0.00"]["share"] == pytest.approx(0.9, abs=0.01)
    assert rows["XX.S1.00"]["share"] == 1 and rows["XX.S7.00"]["share"] is None
    assert rows["XX.S0.00"]["associated"] == 4 and rows["XX.S1.00"]["S"] == 2


def test_page_without_events_and_without_waveforms(tmp_path):
    pytest.importorskip("pyocto")
    pytest.importorskip("plotly")
    picks = [make_pick("XX.S0.00", "P", START + 10), make_pick("XX.S0.00", "S", START + 14)]
    result = stub_monitor(picks, magnitude={"XX.S0.00": (2.0, 0.1)}).classify(obspy.Stream())
    page = write_report(result, tmp_path / "page.html", waveforms())
    data = read_data(page)
    assert data["events"] == [] and list(data["scenes"]) == ["0"]
    assert "No event was located" in page.read_text()
    assert read_data(write_report(result, tmp_path / "bare.html"))["scenes"] == {}
    nothing = stub_monitor([]).classify(obspy.Stream())
    assert "There are no picks" in write_report(nothing, tmp_path / "no.html").read_text()


@pytest.mark.timeout(300)
def test_in_a_browser(result, tmp_path):
    pytest.importorskip("plotly")
    page = write_report(
        result, tmp_path / "page.html", waveforms(), NETWORK, tiny_model(), title=HOSTILE
    )
    assert HOSTILE not in page.read_text()
    links = re.findall(r'(?:src|href)="([^"]+)"', page.read_text().replace(plotly_script(), ""))
    assert links and all(link.startswith(("#", "data:")) for link in links)
    with open_browser(tmp_path / "profile") as driver:
        run = driver.execute_script
        driver.get(page.as_uri())
        wait(driver, "document.querySelectorAll('.plot .main-svg').length > 4")
        rows = "[...document.querySelectorAll('#event-table tbody tr')]"
        order = f"{rows}.map((row) => row.cells[1].textContent).join()"
        assert run(f"return {rows}.length") == len(result.events)
        button = "document.querySelectorAll('#event-table th button')[1].click();"
        up, down = run(button + f"return {order}"), run(button + f"return {order}")
        assert run(f"return {rows}.map((row) => row.cells[2].textContent)[0]") == "models"
        kinds = run("return document.querySelector('#map-plot').data.map((t) => t.name)")
        assert "events of a single station" in kinds and len(set(kinds)) == len(kinds)
        assert up != down and sorted(up.split(",")) == sorted(down.split(","))

        opener = f"{rows}.find((row) => row.cells[13].textContent !== 'single station')"
        run(f"{opener}.querySelector('button.open').click()")
        assert run("return document.querySelectorAll('#row option').length") == 8
        chosen = "const r = document.querySelector('#row'); r.value = 'XX.S1.00';"
        run(chosen + "r.dispatchEvent(new Event('change'))")
        assert run("return document.querySelector('#waveform-text').textContent").startswith(
            "XX.S1.00"
        )
        drawn = "document.querySelectorAll('#waveform-plot .scatterlayer .trace').length"
        wait(driver, f"{drawn} === 3")
        assert run("return document.querySelectorAll('img').length") == 0
        assert faults(driver) == []
        resize(driver, 390, 844)
        wait(driver, "innerWidth === 390")
        assert faults(driver) == []
