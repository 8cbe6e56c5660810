"""
The figures of the documentation, from real records.

    python -m benchmarks.making.figures --data DATA --out docs/figures

DATA holds quakemigrate_iceland and continuous/, as the other scripts take them. Writes
picks.png and section.png (swarm at Askja, Iceland, 2014), day.png (12 h at CX.PB01 or PB02, Chile,
2014) and map.png (the same swarm).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import obspy
import pandas as pd

from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.plotting.day import plot_day
from seisbench_llm.plotting.map import plot_map
from seisbench_llm.plotting.picks import plot_picks
from seisbench_llm.plotting.section import plot_section


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
    plot_map(stations, picks, events).savefig(out / "map.png", dpi=110)


def chile(model: SeisMoLLM, data: Path, out: Path) -> None:
    """Day overview."""
    stream = obspy.read(data / "continuous/iquique_cx/CX_20140501_0000_12h.mseed")
    picks = model.classify(stream).picks
    plot_day(stream, picks).savefig(out / "day.png", dpi=110)


def main() -> None:
    """Draw all figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("docs/figures"))
    args = parser.parse_args()
    model = SeisMoLLM.from_pretrained("compact_picking")
    args.out.mkdir(parents=True, exist_ok=True)
    iceland(model, args.data, args.out)
    chile(model, args.data, args.out)


if __name__ == "__main__":
    main()
