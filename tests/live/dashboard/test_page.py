"""The dashboard as a browser shows it."""

import threading

import pytest

from seisbench_llm.live import Live, Replay, feed_from
from seisbench_llm.live.dashboard import Dashboard
from tests.helpers.browser import faults, open_browser, resize, wait
from tests.helpers.live_stub import spike_model, spikes
from tests.live.dashboard.test_board import board_stations, make_pick, trace


def count(what):
    """JavaScript: how many elements there are."""
    return f"document.querySelectorAll('{what}').length"


def said_of(element):
    """JavaScript: what an element says."""
    return f"document.querySelector('{element}').textContent"


@pytest.mark.timeout(300)
def test_in_a_browser(tmp_path):
    said = []
    live = Live(spike_model(), said.append, weight="tiny/1")
    source = Replay(spikes(120, [50.0, 90.0], [54.0]), 0)
    hostile = "<img src=x onerror=alert(1)>"
    with Dashboard(live, stations=board_stations(), source=source) as dashboard:
        with open_browser(tmp_path / "profile") as driver:
            run = driver.execute_script
            driver.get(dashboard.url)
            wait(driver, f"{said_of('#connection')}.includes('connected')")
            feed_from(live, source, threading.Event())
            # Told of, not asked for; and without a click, the waveform of the newest pick.
            wait(driver, f"{count('#pick-rows tr')} === 3")
            wait(driver, f"{count('#waveform-plot .scatterlayer .trace')} === 3")

            run("document.querySelector('#pick-rows tr:last-child button').click()")
            first = min(said, key=lambda pick: pick.time)
            shown = f"P at {str(first.time)[11:22]}"
            wait(driver, f"{said_of('#waveform-text')}.includes('{shown}')")
            assert run("return !document.querySelector('#follow').checked")
            assert run(f"return {count('#pick-rows tr:last-child.chosen')}") == 1

            wait(driver, f"{count('#station-rows tr')} === 1")
            run("document.querySelector('#station-rows button').click()")
            wait(driver, f"{said_of('#waveform-text')}.includes('newest minute')")
            wait(driver, f"{count('#map-plot .main-svg')} > 0")
            wait(driver, f"{count('#latency-plot .scatterlayer .trace')} > 0")
            assert faults(driver) == []

            resize(driver, 390, 844)
            # What a server makes up is text.
            dashboard.board.packet(trace(0, 100, station=hostile), 0, 0)
            dashboard.board.report(make_pick(1, name=f"XX.{hostile}.00.HH"))
            wait(driver, f"{count('#pick-rows tr')} === 4")
            wait(driver, f"{count('#station-rows tr')} === 2")
            assert run(f"return {count('td img, th img')}") == 0
            assert faults(driver) == []

            show = "const s = document.querySelector('#show'); s.value = 'preliminary';"
            run(show + "s.dispatchEvent(new Event('change'))")
            assert run(f"return {count('#pick-rows tr')}") == 1
            # All that can be used has a name.
            used = "[...document.querySelectorAll('button, input, select')]"
            assert run(f"return {used}.every((x) => x.labels?.length || x.textContent)")
