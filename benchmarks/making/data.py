"""
Write the data sets from which the packaged weights are trained.

    python -m benchmarks.making.data --data RECORDS --weights WEIGHTS --out DATA \
        --synthetic 40000 --long 10000

Folders in SeisBench's format, at 100 Hz, components Z, N, E, unfiltered:

real/records
    The records of ``common/records.py`` with its split, a tenth of train for development;
    continuous data are cut into pieces. Labels are the analysts' picks, which are incomplete:
    confident ones of the published PhaseNet (MIT licence) are added, except to test records, and
    what it is unsure of is marked by ``trace_p_unsure_sample`` and so on.
real/unlabelled
    Pieces of the continuous data that no analyst has picked, with PhaseNet's picks only.
noise
    Noise of the training part, from before P and from where PhaseNet sees nothing for minutes.
synthetic
    Synthetic records over synthetic and real noise.
synthetic_long
    The same at 50 Hz, 150 s long, to 800 km and M 7.6, for magnitude and distance.

Folders that are there already are left alone; one that was cut short is ``*.partial``.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import shutil
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import seisbench
import seisbench.data as sbd
from tqdm import tqdm

from benchmarks.common.records import (
    SETS,
    AnalystRecord,
    check_trainable,
    load_continuous,
    load_noise,
    load_set,
    noise_held_out,
)
from benchmarks.making.labels import (
    RATE,
    SILENT_BELOW,
    Teacher,
    adopt,
    events_of,
    label_columns,
    load_teacher,
    picks_of,
    time_span,
)
from seisbench_llm.data.metadata import (
    COLUMNS,
    SOURCE_COORDINATES,
    STATION_COORDINATES,
    polarity_letter,
    usable,
)
from seisbench_llm.data.splits import check_leakage, split_by_event, split_by_station
from seisbench_llm.data.synthetic.records import Synthetic
from seisbench_llm.streams.preprocessing import resample_stream
from seisbench_llm.trace_ids import TraceId, codes_of, component_index

# Seconds; pieces overlap within a block, but blocks do not, so that blocks can be split.
PIECE, STEP, PIECES_PER_BLOCK = 150, 120, 3
BLOCK = round(((PIECES_PER_BLOCK - 1) * STEP + PIECE) * RATE)  # samples
UNLABELLED = "iquique_cx"
NOISE_SECONDS, QUIET_PIECES = 90, 300
LONG_RATE, LONG_SECONDS = 50.0, 150.0
DEV_FRACTION = 0.1
CARRIED_COLUMNS = [
    *("trace_start_time", "trace_channel", "station_location_code", "source_origin_time"),
    *STATION_COORDINATES,
    *SOURCE_COORDINATES,
    *("source_depth_km", "source_magnitude_type"),
    *(COLUMNS[quantity][0] for quantity in ("magnitude", "distance", "back_azimuth")),
]
# Records that are there as 05-0208-14L too, with picks 0.7 s later on the same waveforms.
MISTIMED = ("05-0208-15L.S201309", "05-0208-16L.S201309")


def waveforms_of(stream: obspy.Stream) -> np.ndarray:
    """
    A stream as float32 (3, samples), zero-mean, in units of its scatter; missing components zero.

    :raises ValueError: If a sample is not finite.
    """
    start, end = time_span(stream)
    stream = stream.copy()
    for trace in stream:
        trace.data = np.asarray_chkfinite(trace.data, np.float64)
        trace.data = trace.data - trace.data.mean() if np.ptp(trace.data) else 0 * trace.data
    resample_stream(stream, RATE)
    data = np.zeros((3, round((end - start) * RATE) + 1))
    for trace in stream:
        component = component_index(TraceId.of(trace).component, "ZNE", flexible=True)
        offset = round((trace.stats.starttime - start) * RATE)
        part = data[component, offset : offset + trace.stats.npts]
        part[:] = trace.data[: part.size]
    return (data / (data[data.any(axis=1)].std() if data.any() else 1)).astype(np.float32)


def _row(record: AnalystRecord, data: np.ndarray, source_id: str) -> dict:
    network, station, *_ = codes_of(record.station)
    return {
        "trace_parent_dataset": record.dataset,
        "trace_name_original": f"{source_id}_{station}" if record.name == "nan" else record.name,
        "trace_component_order": "ZNE",
        "trace_sampling_rate_hz": RATE,
        "trace_npts": data.shape[1],
        "trace_components_available": "".join(
            name for name, samples in zip("ZNE", data, strict=True) if samples.any()
        ),
        "station_network_code": network,
        "station_code": station,
        "source_id": source_id,
        "split": record.split,
        **{f"trace_{phase.lower()}_unlabelled": phase in record.unknown for phase in "PS"},
    }


def set_rows(folder: Path, name: str, teacher: Teacher):
    """Rows of metadata and waveforms of one set of records."""
    check_trainable([name])
    metadata = sbd.WaveformDataset(folder / name, cache=None).metadata
    pairs = zip(load_set(folder, name), metadata.iterrows(), strict=True)
    for record, (_, source) in tqdm(pairs, name, len(metadata)):
        data = waveforms_of(record.stream)
        own, added, unsure = picks_of(record, teacher)
        row = _row(record, data, f"{name}_{record.event}")
        row |= {column: source.get(column, np.nan) for column in CARRIED_COLUMNS}
        row["trace_category"] = "earthquake"
        row["trace_polarity"] = polarity_letter(source.get("trace_polarity")) or np.nan
        if not oriented(source):
            row["path_back_azimuth_deg"] = np.nan
        # The first event is the analyst's, to which magnitude and place belong.
        first = {phase: at for at, phase in own}
        names = ("source_origin_time", "trace_start_time")
        origin, start = (pd.Timestamp(source.get(name, pd.NaT)) for name in names)
        others = events_of(adopt(first, added, (origin - start).total_seconds() * RATE))
        yield row | label_columns([first, *others], unsure, data.shape[1]), data


def oriented(source: pd.Series) -> bool:
    """Whether there are three components and the horizontals are north and east by their codes."""
    names = f"{source.get('trace_channel')},{str(source.get('trace_source')).split('__')[0]}"
    codes = pd.Series(names.replace("_", ",").replace(".", ",").split(","))
    numbered = codes.str.fullmatch("[A-Z][HNL][123]").any()
    return set("ZNE") <= set(str(source.get("trace_components_available"))) and not numbered


def continuous_rows(record: AnalystRecord, teacher: Teacher):
    """Pieces of a continuous record, with the picks in each."""
    data = waveforms_of(record.stream)
    own, added, unsure = picks_of(record, teacher)
    start = time_span(record.stream)[0]
    size, step = round(PIECE * RATE), round(STEP * RATE)
    blocks = range(0, data.shape[1], BLOCK)
    firsts = [begin + k * step for begin in blocks for k in range(PIECES_PER_BLOCK)]
    for number, first in enumerate(f for f in firsts if f + size <= data.shape[1]):
        piece = data[:, first : first + size]
        events = events_of([(at - first, p) for at, p in own + added if 0 <= at - first < size])
        labels = label_columns(events, [(at - first, p) for at, p in unsure], size)
        # The teacher has not looked at test records.
        category = "unknown" if record.split == "test" else "noise"
        row = _row(record, piece, f"{record.event}_{first // BLOCK}")
        row |= {
            "trace_name_original": f"{record.name}_{number}",
            "trace_start_time": str(start + first / RATE),
            "trace_channel": ",".join(sorted(t.stats.channel for t in record.stream)),
            "trace_category": "earthquake" if labels else category,
        }
        yield row | labels, _scaled(piece)


def _scaled(data: np.ndarray) -> np.ndarray:
    data = data - data.mean(axis=1, keepdims=True) * data.any(axis=1, keepdims=True)
    return data / (data[data.any(axis=1)].std() if data.any() else 1)


def make_real(out: Path, folder: Path, teacher: Teacher) -> None:
    """Write the records and the pieces of continuous data, in two folders."""
    found = [row for name in SETS for row in set_rows(folder, name, teacher)]
    for record in tqdm(load_continuous(folder), "continuous"):
        found += continuous_rows(record, teacher)
    metadata = pd.DataFrame([row for row, _ in found])
    continuous = ~metadata["trace_parent_dataset"].isin(SETS)
    merge_events(metadata)
    held_out = metadata.loc[~continuous & (metadata["split"] == "test"), "source_id"]
    leaves = metadata["source_id"].isin(held_out) & (metadata["split"] == "train")
    leaves |= metadata["trace_name_original"].str.startswith(MISTIMED)
    metadata.loc[leaves, "split"] = "unused"
    # Apart, lest all of dev come from the longer one.
    for part in (continuous, ~continuous):
        train = metadata[part & (metadata["split"] == "train")]
        side = split_by_event(train, (1 - DEV_FRACTION, DEV_FRACTION, 0))
        metadata.loc[train.index, "split"] = side
    # Of the continuous data, records.py holds out one station of several.
    check_leakage(metadata[~continuous], metadata["split"][~continuous])
    # Apart, so that a training can draw them as often as it likes.
    unlabelled = metadata["trace_parent_dataset"] == UNLABELLED
    for name, part in (("records", ~unlabelled), ("unlabelled", unlabelled)):
        rows = metadata[part].dropna(axis=1, how="all")
        (out / name).mkdir()
        write(out / name, rows, [found[i][1] for i in rows.index])


def merge_events(metadata: pd.DataFrame) -> None:
    """Give what catalogues list twice, with origins less than a second apart, one identifier."""
    times = pd.to_datetime(metadata["source_origin_time"], format="mixed", utc=True)
    dated = metadata.assign(time=times).dropna(subset="time")
    for _, rows in dated.groupby("trace_parent_dataset"):
        events = rows.sort_values("time").drop_duplicates("source_id")
        number = (events["time"].diff() > pd.Timedelta(seconds=1)).cumsum()
        first = events.groupby(number)["source_id"].transform("first")
        names = dict(zip(events["source_id"], first, strict=True))
        metadata.loc[rows.index, "source_id"] = rows["source_id"].map(names)


def make_noise(out: Path, folder: Path, real: Path, teacher: Teacher, seed: int) -> None:
    """Write noise of the training part."""
    samples = round(NOISE_SECONDS * RATE)
    rows = []
    for record in tqdm(load_noise(folder), "noise before P"):
        held_out = record.split != "train" or noise_held_out(record.event)
        if held_out or len(record.stream) < 3:
            continue
        data = waveforms_of(record.stream)
        data = np.concatenate([data, data[:, ::-1]], axis=1)
        data = np.tile(data, -(-samples // data.shape[1]))[:, :samples]
        rows.append((_row(record, data, f"{record.dataset}_{record.event}"), data))
    tables = [real / name / "metadata.csv" for name in ("records", "unlabelled")]
    found = pd.concat([pd.read_csv(table, low_memory=False) for table in tables])
    seen = set(found.loc[found["split"] != "train", "source_id"])
    quiet = [
        row
        for record in tqdm(load_continuous(folder), "quiet pieces")
        if record.dataset == UNLABELLED and record.split == "train"
        for row in quiet_rows(record, samples, teacher)
        if row[0]["source_id"] not in seen
    ]
    order = np.random.default_rng(seed).permutation(len(quiet))[:QUIET_PIECES]
    rows += [quiet[i] for i in sorted(order)]
    metadata = pd.DataFrame([row for row, _ in rows]).assign(trace_category="noise")
    metadata["split"] = split_by_station(metadata, (1 - DEV_FRACTION, DEV_FRACTION, 0))
    write(out, metadata, [data for _, data in rows])


def quiet_rows(record: AnalystRecord, samples: int, teacher: Teacher):
    """Pieces in which the teacher sees nothing, nor half a minute before; each within a block."""
    data = waveforms_of(record.stream)
    start = time_span(record.stream)[0]
    picks = sorted((time - start) * RATE for time, _, _ in teacher(record.stream, SILENT_BELOW))
    firsts = [
        first
        for before, after in pairwise([0.0, *picks, float(data.shape[1])])
        for first in range(round(before + 30 * RATE), round(after - 3 * RATE) - samples, samples)
    ]
    for first in (f for f in firsts if f // BLOCK == (f + samples) // BLOCK):
        piece = _scaled(data[:, first : first + samples])
        row = _row(record, piece, f"{record.event}_{first // BLOCK}")
        named = {"trace_name_original": f"{record.name}_quiet_{first}"}
        yield row | named | {"trace_start_time": str(start + first / RATE)}, piece


def make_synthetic(out: Path, count: int, seed: int, noise: Path) -> None:
    """Write synthetic records; arrivals that one cannot see are unsure ones."""
    dataset = sbd.WaveformDataset(noise, component_order="ZNE").train()
    records = Synthetic.noise_from(dataset, RATE, NOISE_SECONDS)
    Synthetic(count, seed, extra_events=0.3, noise=records, real_noise=0.5).write(out)
    metadata = pd.read_csv(out / "metadata.csv")
    for phase in "ps":
        metadata[f"trace_{phase}_unsure_sample"] = metadata[f"trace_{phase}_theoretical_sample"]
    metadata.to_csv(out / "metadata.csv", index=False)


def make_long(out: Path, count: int, seed: int, noise: Path) -> None:
    """Write long synthetic records, with distant and large earthquakes too."""
    dataset = sbd.WaveformDataset(noise, component_order="ZNE").train()
    records = Synthetic.noise_from(dataset, LONG_RATE, NOISE_SECONDS)
    Synthetic(
        count,
        seed,
        sampling_rate=LONG_RATE,
        seconds=LONG_SECONDS,
        magnitude=(-0.3, 7.6),
        max_distance=800.0,
        extra_events=0.3,
        noise=np.concatenate([records, records[..., ::-1]], axis=-1),
        real_noise=0.5,
    ).write(out)


def write(out: Path, metadata: pd.DataFrame, waveforms: list[np.ndarray]) -> None:
    """Write a folder in SeisBench's format."""
    with sbd.WaveformDataWriter(out / "metadata.csv", out / "waveforms.hdf5") as writer:
        writer.data_format = {"dimension_order": "CW", "component_order": "ZNE"}
        for (_, row), data in zip(metadata.iterrows(), waveforms, strict=True):
            writer.add_trace(row.to_dict(), data.astype(np.float32))


def write_by_station(out: Path, rows: list[tuple[dict, np.ndarray]]) -> pd.DataFrame:
    """
    Write a folder in which one station in ten is for development.

    :param rows: Metadata and waveforms of each record.
    :return: The metadata as written.
    """
    metadata = pd.DataFrame([row for row, _ in rows])
    stations = metadata["station_code"].astype(str)
    order = np.random.default_rng(0).permutation(sorted(stations.unique()))
    metadata["split"] = np.where(stations.isin(order[: len(order) // 10]), "dev", "train")
    out.mkdir(parents=True)
    write(out, metadata, [data for _, data in rows])
    return metadata


def make(out: Path, function, *args) -> None:
    """Let a function write a folder, unless it is there; it gets its name when it is complete."""
    if out.is_dir():
        print(f"{out} is there already.", file=sys.stderr)
        return
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    function(partial, *args)
    partial.rename(out)


def table(folder: Path) -> pd.DataFrame:
    """Number of records, and of those that can train a task, by source and split."""
    metadata = pd.read_csv(folder / "metadata.csv", low_memory=False)
    source = metadata.get("trace_parent_dataset", pd.Series(folder.name, metadata.index))
    counts = pd.DataFrame({"records": True}, index=metadata.index)
    for task in ("picking", "polarity", "magnitude", "distance", "back_azimuth"):
        with contextlib.suppress(ValueError):  # no column to train it from
            counts[task] = usable(task, metadata)
    return counts.groupby([source.rename("set"), metadata["split"]]).sum()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real records")
    parser.add_argument("--weights", type=Path, help="folder with phasenet/original")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--synthetic", type=int, default=0, help="number of synthetic records")
    parser.add_argument("--long", type=int, default=0, help="number of long synthetic records")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    seisbench.logger.setLevel(logging.ERROR)

    teacher = load_teacher(args.weights)
    names = ("real", "noise", "synthetic", "synthetic_long")
    real, noise, synthetic, long = [args.out / name for name in names]
    make(real, make_real, args.data, teacher)
    make(noise, make_noise, args.data, real, teacher, args.seed)
    if args.synthetic:
        make(synthetic, make_synthetic, args.synthetic, args.seed, noise)
    if args.long:
        make(long, make_long, args.long, args.seed + 2, noise)
    folders = [real / "records", real / "unlabelled", noise, synthetic, long]
    for folder in filter(Path.is_dir, folders):
        print(f"\n{folder.name}\n{table(folder).to_string()}")


if __name__ == "__main__":
    main()
