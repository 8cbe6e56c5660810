"""
The figures of the documentation, from real records.

    python -m benchmarks.making.figures [--data DATA] --out docs/figures

Writes first_picks.png, an earthquake that comes with ObsPy. With DATA, which holds
quakemigrate_iceland and continuous/ as the other scripts take them, also picks.png and section.png
(swarm at Askja, Iceland, 2014), day.png (12 h at CX.PB01 or PB02, Chile, 2014), and of the swarm as
the monitor locates it map.png, event.png, magnitudes.png, depths.png and wadati.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import obspy
import pandas as pd

from benchmarks.quality.locations import ASKJA
from benchmarks.quality.monitor import stations as coordinates
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.monitor import SeismicMonitor
from seisbench_llm.plotting import (
    COLORS,
    plot_day,
    plot_depths,
    plot_event,
    plot_magnitudes,
    plot_map,
    plot_picks,
    plot_section,
    plot_wadati,
)

# Inches of a figure that is as wide as the page of a phone, where 12 points can be read.
PHONE = 5.4


def first_picks(model: SeisMoLLM, out: Path) -> None:
    """An earthquake at BW.RJOB, filtered, with P and S and the curves they were made from."""
    stream = obspy.read()
    picks, curves = model.classify(stream).picks, model.annotate(stream)
    first = min(pick.peak_time for pick in picks)
    start, end = first - 2, first + 8
    shown = stream.copy().detrend().filter("highpass", freq=1.0).slice(start, end)
    with plt.rc_context({"font.size": 12}):
        figure, axes = plt.subplots(
            4, sharex=True, figsize=(PHONE, 4.8), layout="constrained", height_ratios=[1, 1, 1, 0.8]
        )
        largest = max(abs(trace.data).max() for trace in shown)
        for axis, component in zip(axes, "ZNE", strict=False):
            trace = shown.select(component=component)[0]
            axis.plot(trace.times(reftime=start), trace.data / largest, color="0.2", lw=0.8)
            axis.set(ylabel=trace.stats.channel, yticks=[], ylim=(-1.05, 1.05))
        for phase in "PS":
            curve = curves.select(channel=f"*_{phase}").slice(start, end)[0]
            times = curve.times(reftime=start)
            axes[3].plot(times, curve.data, color=COLORS[phase], label=phase, lw=1.8)
        axes[3].set(
            ylabel="prob.", ylim=(0, 1.05), xlabel=f"Seconds after {start.strftime('%H:%M:%S')}"
        )
        for pick in picks:
            seconds, color = pick.peak_time - start, COLORS[pick.phase]
            for axis in axes[:3]:
                axis.axvline(seconds, color=color, lw=1.8)
            axes[0].text(seconds - 0.1, 0.95, pick.phase, color=color, ha="right", va="top")
        axes[3].legend(frameon=False)
        axes[0].set_title("P and S at BW.RJOB", loc="left")
        for axis in axes:
            axis.spines[["top", "right"]].set_visible(False)
            axis.margins(x=0)
        figure.savefig(out / "first_picks.png", dpi=150)


def iceland(model: SeisMoLLM, data: Path, out: Path) -> None:
    """Waveforms, record section and map of a swarm."""
    stream = obspy.read(data / "continuous/quakemigrate_iceland/*.mseed")
    annotations = model.annotate(stream)
    picks = model.classify(stream).picks
    table = pd.read_csv(data / "quakemigrate_iceland/metadata.csv", dtype={"source_id": str})
    columns = ["station_network_code", "station_code", "station_latitude_deg"]
    stations = table[[*columns, "station_longitude_deg"]].drop_duplicates("station_code")
    stations = stations.set_axis(["network", "station", "latitude", "longitude"], axis=1)
    events = table.drop_duplicates("source_id").filter(regex="^source_")
    events = events.rename(columns=lambda name: name.removeprefix("source_"))
    events = events.rename(
        columns={"latitude_deg": "latitude", "longitude_deg": "longitude", "depth_km": "depth"}
    )
    event = events[events["id"] == "20140824000301960"].iloc[0]
    time = obspy.UTCDateTime(event["origin_time"])
    origin = obspy.core.event.Origin(
        time=time, latitude=event["latitude"], longitude=event["longitude"]
    )

    some = stream.select(station="DYJN") + stream.select(station="FLUR")
    some = some.slice(time - 5, time + 55)
    curves = annotations.slice(time - 5, time + 55)
    shown = [pick for pick in picks if time - 5 < pick.peak_time < time + 55]
    plot_picks(some, shown, curves, highpass=1).savefig(out / "picks.png", dpi=110)
    figure = plot_section(
        stream, picks, stations=stations, origin=origin, start=time - 2, end=time + 25
    )
    figure.savefig(out / "section.png", dpi=110)
    located(stream, table, annotations, out)


def located(stream, table: pd.DataFrame, annotations, out: Path) -> None:
    """The swarm as the monitor locates it in the medium of the region."""
    stations = coordinates(table)
    result = SeismicMonitor.from_pretrained("compact").classify(stream, stations, layers=ASKJA)
    most = result.network_events.sort_values("picks").iloc[-1]
    figures = {
        "map": plot_map(stations, result.picks, result.events),
        "event": plot_event(stream, result, most, stations, annotations),
        "magnitudes": plot_magnitudes(result.events),
        "depths": plot_depths(result.events, stations),
        "wadati": plot_wadati(result.picks, result.events),
    }
    for name, figure in figures.items():
        figure.savefig(out / f"{name}.png", dpi=90)


def chile(model: SeisMoLLM, data: Path, out: Path) -> None:
    """Day overview."""
    stream = obspy.read(data / "continuous/iquique_cx/CX_20140501_0000_12h.mseed")
    picks = model.classify(stream).picks
    figure = plot_day(stream, picks)
    # Without the hours that have no data.
    figure.axes[0].set_ylim(11.7, -0.7)
    figure.set_size_inches(11, 5.1)
    figure.savefig(out / "day.png", dpi=110)


def main() -> None:
    """Draw all figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the real records")
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    args = parser.parse_args()
    model = SeisMoLLM.from_pretrained("compact_picking")
    args.out.mkdir(parents=True, exist_ok=True)
    first_picks(model, args.out)
    if args.data is not None:
        iceland(model, args.data, args.out)
        chile(model, args.data, args.out)


if __name__ == "__main__":
    main()
