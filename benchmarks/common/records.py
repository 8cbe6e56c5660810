"""
Real records with picks, as ObsPy streams, and their split into training and held-out part.

Used by the scripts beside it. The records are test data of public repositories and are not part of
this package; every script takes the folder that holds them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import seisbench.data as sbd

SETS = ("phasenet_ncedc154", "eqcorrscan_nz", "quakemigrate_iceland", "gmprocess_strongmotion")


@dataclass
class Record:
    """
    One record.

    :param stream: Whole length, native sampling rate.
    :param picks: Phase -> times of the picks.
    :param unknown: Phases that the analyst may have left out.
    :param doubtful: Phase -> (time, half width in seconds) about which nothing is known.
    :param split: ``train``, ``test`` or ``unused``.
    """

    dataset: str
    name: str
    station: str
    event: str
    stream: obspy.Stream
    picks: dict[str, list[obspy.UTCDateTime]]
    unknown: set[str] = field(default_factory=set)
    doubtful: dict[str, list[tuple[obspy.UTCDateTime, float]]] = field(default_factory=dict)
    split: str = "train"


def _held_out(name: str, fraction: float = 0.3) -> bool:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 16**8 < fraction


def split_of(station: str, event: str, single: bool) -> str:
    """
    Training and test records share neither a station nor an event.

    :param single: Whether the event was recorded at one station only and so goes with it.
    """
    station_out = _held_out(station)
    event_out = station_out if single else _held_out(event)
    if station_out != event_out:
        return "unused"
    return "test" if station_out else "train"


def load_set(folder: Path, name: str) -> list[Record]:
    """All records of one SeisBench-format folder."""
    data = sbd.WaveformDataset(folder / name, component_order="ZNE", cache=None)
    metadata = data.metadata
    sizes = metadata.groupby(metadata["source_id"].astype(str))["station_code"].nunique()
    records = []
    for i, row in metadata.iterrows():
        waveform = data.get_waveforms(i)[:, : int(row.trace_npts)]
        rate = row.trace_sampling_rate_hz
        station = f"{_text(row.get('station_network_code'))}.{row.station_code}"
        start = obspy.UTCDateTime(0)
        # Components that are not real are zeros in the file.
        available = _text(row.get("trace_components_available")) or "ZNE"
        code = "HH"
        stream = obspy.Stream(
            obspy.Trace(
                samples.copy(),
                {
                    "network": station.split(".")[0],
                    "station": row.station_code,
                    "channel": code + component,
                    "sampling_rate": rate,
                    "starttime": start,
                },
            )
            for component, samples in zip("ZNE", waveform, strict=True)
            if component in available
        )
        picks = {}
        for phase in "PS":
            sample = row.get(f"trace_{phase.lower()}_arrival_sample")
            picks[phase] = [start + sample / rate] if pd.notna(sample) else []
        event = str(row.get("source_id"))
        records.append(
            Record(
                dataset=name,
                name=str(row.trace_name_original),
                station=station,
                event=event,
                stream=stream,
                picks=picks,
                unknown={phase for phase, times in picks.items() if not times},
                split=split_of(station, event, sizes.get(event, 1) == 1),
            )
        )
    return records


def _text(value) -> str:
    return "" if value is None or pd.isna(value) else str(value)


def load_continuous(folder: Path) -> list[Record]:
    """
    Continuous data, one record per station and file.

    One Ridgecrest station and the two single hours of Iquique are held out. The Iceland swarm is
    left out: its events and stations are those of the records.
    """
    base = folder / "continuous"
    held_out = {"PB.B918", "CX_20140301_0200", "CX_20140401_0200"}
    return [
        *_continuous(base / "ridgecrest_pb", held_out, 1.5),
        *_continuous(base / "iquique_cx", held_out, 0.5),
    ]


def _continuous(folder: Path, held_out: set[str], half_width: float) -> list[Record]:
    table = folder / "picks.csv"
    picks = pd.read_csv(table) if table.is_file() else pd.DataFrame()
    records = []
    for file in sorted(folder.glob("*.mseed")):
        stream = obspy.read(file)
        for station in sorted({f"{t.stats.network}.{t.stats.station}" for t in stream}):
            part = obspy.Stream([t for t in stream if t.id.startswith(f"{station}.")])
            record = Record(
                dataset=folder.name,
                name=f"{file.stem}_{station}",
                station=station,
                event=file.stem,
                stream=part,
                picks={"P": [], "S": []},
                doubtful={"P": [], "S": []},
                split="test" if {station, file.stem} & held_out else "train",
            )
            _add_picks(record, picks, half_width)
            records.append(record)
    return records


def _add_picks(record: Record, table: pd.DataFrame, half_width: float) -> None:
    if table.empty:
        return
    rows = table[table["station"].astype(str).str.endswith(record.station.split(".")[1])]
    for row in rows.itertuples():
        time = obspy.UTCDateTime(row.time)
        # "predicted" picks of the Ridgecrest set are good to about a second.
        if getattr(row, "status", "") == "predicted":
            record.doubtful[row.phase].append((time, half_width))
        else:
            record.picks[row.phase].append(time)


def load_noise(folder: Path) -> list[Record]:
    """Noise before P, without any pick."""
    data = sbd.WaveformDataset(folder / "noise_preevent", component_order="ZNE", cache=None)
    records = []
    for i, row in data.metadata.iterrows():
        station = f"{_text(row.get('station_network_code'))}.{row.station_code}"
        waveform = data.get_waveforms(i)[:, : int(row.trace_npts)]
        stream = obspy.Stream(
            obspy.Trace(
                samples.copy(),
                {
                    "network": station.split(".")[0],
                    "station": row.station_code,
                    "channel": f"HH{component}",
                    "sampling_rate": row.trace_sampling_rate_hz,
                },
            )
            for component, samples in zip("ZNE", waveform, strict=True)
            if np.any(samples != samples[0])
        )
        event = str(row.source_id).removeprefix("noise_of_")
        records.append(
            Record(
                dataset=f"noise_{row.trace_parent_dataset}",
                name=str(row.trace_name_original),
                station=station,
                event=event,
                stream=stream,
                picks={"P": [], "S": []},
                split=split_of(station, event, row.trace_parent_dataset == "phasenet_ncedc154"),
            )
        )
    return records
