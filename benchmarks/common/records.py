"""
Real records with analysts' picks as ObsPy streams, and what is kept out of training.

The records are test data of public repositories and are not part of this package; every script
takes the folder that holds them, in SeisBench's format.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import seisbench.data as sbd

from seisbench_llm.tasks import TASKS
from seisbench_llm.trace_ids import TraceId, codes_of

# The regions that the packaged weights are trained on.
SETS = ("phasenet_ncedc154", "eqcorrscan_nz", "quakemigrate_iceland", "gmprocess_strongmotion")

# Those that pickers are taught on, too; whoever has labels from elsewhere needs none of theirs.
TAUGHT_SETS = ("deepdenoiser_ncedc", "uturuncu_plutons", "hengill_malmi")

DEVELOPMENT_REGION = "dev_sichuan"
# Set -> why it is kept apart. No weight may be trained or calibrated on these; only the first may
# be used to choose among trainings, the others are for reporting alone.
UNSEEN_REGIONS = {
    DEVELOPMENT_REGION: "Sichuan, Yunnan, Guizhou: analysts' P and S, a region that no other set "
    "covers; used to choose among trainings since version 4 of the picker",
    "samos2020_greece": "one earthquake of M 6.7 at 157 to 689 km: large and far",
    "openeew_mexico": "MEMS accelerometers in Mexico, 31.25 Hz, M 4.6 to 7.4",
    "hamm_mining_loki": "a coal mine in the Ruhr, 200 Hz, 0.3 to 2 km: small and near",
}
# Stations of negatives_misc that are kept out of training, a third of its records.
HELD_OUT_NEGATIVES = {"LH03", "LH04", "STN12", "COR", "DAN", "K20A", "NE81"} | {
    f"IL{number:02d}" for number in range(2, 20, 3)
}
# Seconds.
LARGEST_MOVE, LEAST_BEFORE_PICK = 9.5, 5.0
# Called noise, but it holds the S of a small earthquake, which all pickers find.
NOT_NOISE = {"noise_NC_GDXB_2017111608332923"}


@dataclass
class AnalystRecord:
    """
    One record and the picks that are known in it.

    :param stream: Whole length, native sampling rate.
    :param picks: Phase -> times of the picks.
    :param unknown: Phases that the analyst may have left out.
    :param doubtful: Phase -> (time, half width in seconds) about which nothing is known.
    :param split: ``train``, ``test``, ``unused``, or ``unseen`` for an unseen region.
    :param truths: Task -> magnitude, distance in km, back-azimuth in degrees; nan if not known.
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
    truths: dict[str, float] = field(default_factory=dict)


def fraction_of(name: str) -> float:
    """A number from 0 to 1 that depends on a name alone, evenly distributed over names."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 16**8


def check_trainable(datasets: Iterable[str]) -> None:
    """
    Refuse data sets of regions that no weight may be trained on.

    :param datasets: Names of sets; a prefix such as ``noise_`` does not hide one.
    :raises ValueError: If one is of :py:data:`UNSEEN_REGIONS`.
    """
    for dataset in datasets:
        for region, reason in UNSEEN_REGIONS.items():
            if region in str(dataset):
                raise ValueError(f"{dataset} is never trained on ({reason}).")


def split_of(station: str, event: str, single: bool) -> str:
    """
    Training and test records share neither a station nor an event.

    :param single: Whether the event was recorded at one station only and so goes with it.
    """
    station_out = fraction_of(station) < 0.3
    event_out = station_out if single else fraction_of(event) < 0.3
    if station_out != event_out:
        return "unused"
    return "test" if station_out else "train"


def event_held_out(event: str) -> bool:
    """Whether an event of the training's own regions is kept out of training, a tenth of them."""
    return fraction_of(f"teach/{event}") < 0.1


def noise_held_out(event: str) -> bool:
    """Whether noise before the P of an event is kept out of training; true for about a fifth."""
    return event_held_out(event) or fraction_of(f"noise/{event}") < 0.15


def load_set(folder: Path, name: str) -> list[AnalystRecord]:
    """All records of one SeisBench-format folder."""
    data = sbd.WaveformDataset(folder / name, component_order="ZNE", cache=None)
    metadata = data.metadata
    sizes = metadata.groupby(metadata["source_id"].astype(str))["station_code"].nunique()
    records = []
    for i, row in metadata.iterrows():
        # Components that are not real are zeros in the file.
        stream = _stream(row, data.get_waveforms(i), _text(row.get("trace_components_available")))
        picks = {}
        for phase in "PS":
            sample = row.get(f"trace_{phase.lower()}_arrival_sample")
            known = pd.notna(sample)
            start = obspy.UTCDateTime(0)
            picks[phase] = [start + sample / row.trace_sampling_rate_hz] if known else []
        station, event = _station(row), str(row.get("source_id"))
        split = split_of(station, event, sizes.get(event, 1) == 1)
        records.append(
            AnalystRecord(
                dataset=name,
                name=str(row.get("trace_name_original", row["trace_name"])),
                station=station,
                event=event,
                stream=stream,
                picks=picks,
                unknown={phase for phase, times in picks.items() if not times},
                split="unseen" if name in UNSEEN_REGIONS else split,
                truths={
                    task: float(row.get(TASKS[task].columns[0], np.nan))
                    for task in ("magnitude", "distance", "back_azimuth")
                },
            )
        )
    return records


def move_start(record: AnalystRecord) -> None:
    """
    Begin the stream up to 9.5 s later, but not within 5 s of the first pick.

    By how much, the name decides. Sets of records are cut with P at one and the same time, 30.00 s
    in dev_sichuan, and that is where the windows of PhaseNet, 3001 samples with an overlap of 1500,
    leave a single sample to one window alone: the mean of windows has a peak at 30.01 s, within
    0.1 s of P, on any record.
    """
    start = min(trace.stats.starttime for trace in record.stream)
    first = min(time - start for times in record.picks.values() for time in times)
    most = min(LARGEST_MOVE, first - LEAST_BEFORE_PICK)
    if most > 0:
        name = f"start/{record.dataset}/{record.name}/{record.station}"
        record.stream.trim(start + most * fraction_of(name))


def _text(value) -> str:
    return "" if value is None or pd.isna(value) else str(value)


def _station(row: pd.Series) -> str:
    return f"{_text(row.get('station_network_code'))}.{row.station_code}"


def _stream(row: pd.Series, waveform: np.ndarray, components: str) -> obspy.Stream:
    """A record as a stream; of no named components those that are not constant."""
    samples = waveform[:, : int(row.trace_npts)]
    header = {
        "network": _text(row.get("station_network_code")),
        "station": str(row.station_code),
        "sampling_rate": row.trace_sampling_rate_hz,
    }
    return obspy.Stream(
        obspy.Trace(data.copy(), {**header, "channel": f"HH{component}"})
        for component, data in zip("ZNE", samples, strict=True)
        if (component in components if components else np.any(data != data[0]))
    )


def load_continuous(folder: Path) -> list[AnalystRecord]:
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


def _continuous(folder: Path, held_out: set[str], half_width: float) -> list[AnalystRecord]:
    table = folder / "picks.csv"
    picks = pd.read_csv(table) if table.is_file() else pd.DataFrame()
    records = []
    for file in sorted(folder.glob("*.mseed")):
        stream = obspy.read(file)
        for station in sorted({TraceId.of(t).station_id for t in stream}):
            part = obspy.Stream([t for t in stream if t.id.startswith(f"{station}.")])
            record = AnalystRecord(
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


def _add_picks(record: AnalystRecord, table: pd.DataFrame, half_width: float) -> None:
    if table.empty:
        return
    rows = table[table["station"].astype(str).str.endswith(codes_of(record.station).station)]
    for row in rows.itertuples():
        time = obspy.UTCDateTime(row.time)
        # "predicted" picks of the Ridgecrest set are good to about a second.
        if getattr(row, "status", "") == "predicted":
            record.doubtful[row.phase].append((time, half_width))
        else:
            record.picks[row.phase].append(time)


def load_noise(folder: Path) -> list[AnalystRecord]:
    """Noise before P, without any pick."""
    data = sbd.WaveformDataset(folder / "noise_preevent", component_order="ZNE", cache=None)
    records = []
    for i, row in data.metadata.iterrows():
        station, event = _station(row), str(row.source_id).removeprefix("noise_of_")
        records.append(
            AnalystRecord(
                dataset=f"noise_{row.trace_parent_dataset}",
                name=str(row.trace_name_original),
                station=station,
                event=event,
                stream=_stream(row, data.get_waveforms(i), ""),
                picks={"P": [], "S": []},
                split=split_of(station, event, row.trace_parent_dataset == "phasenet_ncedc154"),
            )
        )
    return records


def load_negatives(folder: Path) -> list[AnalystRecord]:
    """Records without a local earthquake that look like one; the set is ``negatives CATEGORY``."""
    data = sbd.WaveformDataset(folder / "negatives_misc", component_order="ZNE", cache=None)
    return [
        AnalystRecord(
            dataset=f"negatives {row.trace_category}",
            name=str(row.trace_name_original),
            station=_station(row),
            event=str(row.trace_source),
            stream=_stream(row, data.get_waveforms(i), ""),
            picks={"P": [], "S": []},
            split="test" if row.station_code in HELD_OUT_NEGATIVES else "train",
        )
        for i, row in data.metadata.iterrows()
    ]
