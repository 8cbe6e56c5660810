"""
The picture of the dashboard in the documentation: a swarm that is replayed, as a browser shows it.

    python -m benchmarks.making.dashboard --data DATA --out docs/figures

Writes dashboard.png. DATA holds quakemigrate_iceland and continuous/ as the other scripts take
them (swarm at Askja, Iceland, 2014). Needs the programs chromium and chromedriver, and selenium.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import obspy
import pandas as pd
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from seisbench_llm.live import Live, Replay
from seisbench_llm.live.dashboard import Dashboard
from seisbench_llm.models.seismollm import SeisMoLLM

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run")
# Seconds of the record that are replayed.
SECONDS = 200

# JavaScript: whether all figures are there.
DRAWN = "return document.querySelectorAll('.main-svg').length > 5"


def swarm(data: Path) -> tuple[obspy.Stream, pd.DataFrame]:
    """
    Waveforms of the swarm, and where the stations are.

    :param data: Folder of the real records.
    """
    stream = obspy.read(data / "continuous/quakemigrate_iceland/*.mseed")
    table = pd.read_csv(data / "quakemigrate_iceland/metadata.csv").drop_duplicates("station_code")
    stations = pd.DataFrame(
        {
            "id": table["station_network_code"] + "." + table["station_code"],
            "latitude": table["station_latitude_deg"],
            "longitude": table["station_longitude_deg"],
            "elevation": 0.0,
        }
    )
    there = {f"{trace.stats.network}.{trace.stats.station}" for trace in stream}
    return stream, stations[stations["id"].isin(there)]


def browser(width: int, height: int, profile: str) -> webdriver.Chrome:
    """
    Chromium of this machine, without a window.

    :param width, height: In pixels.
    :param profile: Folder for its files.
    """
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    sizes = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sizes)
    return driver


def picture(data: Path, files: dict[Path, tuple[int, int]]) -> None:
    """
    Replay the swarm, and take pictures of the page in the midst of it.

    :param data: Folder of the real records.
    :param files: File -> width and height in pixels.
    """
    stream, stations = swarm(data)
    start = min(trace.stats.starttime for trace in stream)
    stream.trim(start, start + SECONDS)
    model = SeisMoLLM.from_pretrained("compact_picking")
    live = Live(model, lambda pick: None, weight=f"compact_picking/{model.weights_version}")
    source = Replay(stream, speed=0)
    live.data_now = source.data_now
    with Dashboard(live, stations=stations, source=source) as dashboard:
        while not source.ended:
            packet = source.get(timeout=1)
            live.feed(packet.trace, source.clock(), packet.wall)
            if not source.more():
                live.process(source.clock())
        for file, size in files.items():
            with tempfile.TemporaryDirectory() as folder:
                driver = browser(*size, folder)
                try:
                    driver.get(dashboard.url)
                    WebDriverWait(driver, 120).until(lambda d: d.execute_script(DRAWN))
                    # Figures take their place as they are drawn.
                    time.sleep(3)
                    driver.save_screenshot(str(file))
                finally:
                    driver.quit()


def main() -> None:
    """Take the picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real records")
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    parser.add_argument("--phone", type=Path, help="also a picture of a phone, to this file")
    args = parser.parse_args()
    files = {args.out / "dashboard.png": (1280, 1180)}
    if args.phone:
        files[args.phone] = (390, 3000)
    picture(args.data, files)


if __name__ == "__main__":
    main()
