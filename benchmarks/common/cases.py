"""
Records with a P pick and a truth to estimate, split as in training.

Real ones are ObsPy streams of whole length and native rate. The split is that of
``making/data.py``, whose ``dev`` records ``records.py`` does not know of.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import seisbench.data as sbd
from seisbench.util import Pick

from benchmarks.common.records import NOT_NOISE, SETS, load_noise, load_set
from seisbench_llm.data.metadata import polarity_letter, usable
from seisbench_llm.tasks import PUBLISHED_TASKS, TASKS
from seisbench_llm.trace_ids import TraceId, codes_of

TRUTHS = {name: TASKS[name].columns[0] for name in PUBLISHED_TASKS if TASKS[name].columns}
SYNTHETIC, FIRST_MOTION = "synthetic", "first motions"
# A first motion is clear if the half cycle that leaves the noise is as many times larger.
LEAST_SWING = 3.0
# dB; a P that is worth a look.
CLEAR_P = 10.0


@dataclass(frozen=True)
class Case:
    """
    One record.

    :param split: ``train``, ``dev``, ``test`` or ``unused`` (station or event held out, not both).
    :param pick: The analyst's P.
    :param truth: In the unit of the task; for polarity 1 (up) or 0 (down).
    :param snr: Of P on the vertical component in dB, see :py:func:`signal_to_noise`.
    """

    dataset: str
    station: str
    event: str
    split: str
    stream: obspy.Stream
    pick: Pick
    truth: float
    snr: float


def real_folder(data: Path) -> Path:
    """Where the real records are that making/data.py wrote."""
    nested = data / "real" / "records"
    return nested if nested.is_dir() else data / "records"


@cache
def split_records(folder: Path, data: Path) -> list[tuple]:
    """
    All real records with their rows in what making/data.py wrote, which say what is ``dev``.

    :raises ValueError: If the two do not belong together.
    """
    metadata = pd.read_csv(real_folder(data) / "metadata.csv", low_memory=False)
    found = []
    for name in SETS:
        rows = metadata[metadata["trace_parent_dataset"] == name]
        records = load_set(folder, name)
        stations = [codes_of(record.station).station for record in records]
        if stations != rows["station_code"].astype(str).tolist():
            raise ValueError(
                f"{real_folder(data)} was not made from {folder}/{name}: make it again."
            )
        found += [(r, row) for r, (_, row) in zip(records, rows.iterrows(), strict=True)]
    return found


def split_noise(folder: Path, data: Path, split: str) -> list:
    """Noise records of one split: ``test``, or ``train`` and ``dev`` of DATA/noise."""
    records = [r for r in load_noise(folder) if len(r.stream) and r.name not in NOT_NOISE]
    if split == "test":
        return [record for record in records if record.split == "test"]
    rows = pd.read_csv(data / "noise" / "metadata.csv", low_memory=False)
    rows = rows[rows["split"] == split]
    names = set(zip(rows["trace_parent_dataset"], rows["trace_name_original"], strict=True))
    return [record for record in records if (record.dataset, record.name) in names]


def real_cases(folder: Path, data: Path, task: str, splits: tuple[str, ...]) -> list[Case]:
    """
    Real records of some splits that have a P pick and a truth.

    There are no polarities by hand, so that these are clear first motions
    (:py:func:`first_motion`).
    """
    cases = []
    for record, row in split_records(folder, data):
        if row["split"] not in splits or not record.picks["P"] or not len(record.stream):
            continue
        time = record.picks["P"][0]
        truth = first_motion(record.stream, time) if task == "polarity" else row[TRUTHS[task]]
        low, high = TASKS[task].value_range
        enough = len(record.stream) >= TASKS[task].components
        if not enough or not np.isfinite(truth) or not low <= truth <= high:
            continue
        snr = signal_to_noise(record.stream, time)
        pick = pick_at(record.stream, time)
        place = (record.dataset, record.station, str(row["source_id"]), row["split"])
        cases.append(Case(*place, record.stream, pick, float(truth), snr))
    return cases


def synthetic_cases(data: Path, task: str, split: str, count: int, seed: int = 0) -> list[Case]:
    """Some synthetic records of a split, chosen by the seed."""
    dataset = sbd.WaveformDataset(data / SYNTHETIC, component_order="ZNE", cache=None)
    metadata = dataset.metadata
    chosen = metadata.index[usable(task, metadata) & (metadata["split"] == split)]
    chosen = np.random.default_rng(seed).permutation(chosen)[:count]
    cases = []
    for i in sorted(chosen):
        row = metadata.loc[i]
        header = {
            "network": row["station_network_code"],
            "station": row["station_code"],
            "sampling_rate": row["trace_sampling_rate_hz"],
        }
        stream = obspy.Stream(
            obspy.Trace(samples.copy(), {**header, "channel": f"HH{component}"})
            for component, samples in zip("ZNE", dataset.get_waveforms(int(i)), strict=True)
            if component in row["trace_components_available"]
        )
        time = stream[0].stats.starttime + row["trace_p_arrival_sample"] / header["sampling_rate"]
        letter = polarity_letter(row[TRUTHS["polarity"]])
        truth = float(letter == "U") if task == "polarity" else row[TRUTHS[task]]
        place = (SYNTHETIC, header["station"], str(row["source_id"]), split)
        pick, snr = pick_at(stream, time), float(row["trace_p_snr_db"])
        cases.append(Case(*place, stream, pick, float(truth), snr))
    return cases


def pick_at(stream: obspy.Stream, time: obspy.UTCDateTime) -> Pick:
    """A P pick of SeisBench."""
    return Pick(TraceId.of(stream[0]).location_id, time, peak_time=time, phase="P")


def _vertical(stream: obspy.Stream) -> obspy.Trace | None:
    traces = stream.select(component="Z")
    if not traces:
        return None
    trace = traces[0].copy().detrend("constant")
    return trace.filter("highpass", freq=1.0, corners=2)


def signal_to_noise(stream: obspy.Stream, time: obspy.UTCDateTime) -> float:
    """Power on Z above 1 Hz in 1 s from P against that in 5 s before it, in dB; nan if unknown."""
    trace = _vertical(stream)
    if trace is None:
        return np.nan
    signal = trace.slice(time, time + 1).data
    noise = trace.slice(time - 5.5, time - 0.5).data
    if not signal.size or not noise.any():
        return np.nan
    return float(10 * np.log10(np.mean(signal**2) / np.mean(noise**2)))


def first_motion(stream: obspy.Stream, time: obspy.UTCDateTime) -> float:
    """
    1 for up, 0 for down, nan unless it is unmistakable.

    Unmistakable is the half cycle (Z, above 1 Hz, causal filter) that first exceeds all of the 3 s
    before P, if it does so within 0.3 s of the pick and goes on to ``LEAST_SWING`` times as much.
    This is no analyst: it can take the second half cycle for the first where that drowns in noise.
    """
    trace = _vertical(stream)
    if trace is None:
        return np.nan
    noise = trace.slice(time - 3.2, time - 0.2).data
    part = trace.slice(time - 0.2, time + 1)
    if noise.size < 2.5 * trace.stats.sampling_rate or part.stats.npts < 2:
        return np.nan
    level, z = np.abs(noise).max(), part.data
    out = np.flatnonzero(np.abs(z) > level)
    if not level or not out.size or part.times()[out[0]] > 0.5:
        return np.nan
    swing = z[out[0] :]
    turns = np.flatnonzero(np.sign(swing) != np.sign(swing[0]))
    swing = swing[: turns[0]] if turns.size else swing
    return float(swing[0] > 0) if np.abs(swing).max() >= LEAST_SWING * level else np.nan
