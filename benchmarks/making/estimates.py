"""
Write a data set of real records with magnitudes and distances that no catalogue tells.

    python -m benchmarks.making.estimates --data RECORDS --cache CACHE --out DATA/estimates

Records with a magnitude of a catalogue are left out: making/data.py has them. Magnitudes of the
others, and of earthquakes that PhaseNet (volpick) finds in continuous data, are the mean of what
SeisT-L of DiTing (senli1073/SeisT, MIT) says with P at four places in its window, raw and above
0.5 Hz. Distances are those of catalogues or of the analyst's S minus P. RECORDS holds the data
sets, CACHE the published weights. Test records and regions that are declared unseen are not
touched.

    python -m benchmarks.making.estimates --synthetic DATA/synthetic_long --cache CACHE \
        --out DATA/synthetic_told

Synthetic records of making/data.py, with the magnitude that SeisT tells in place of their own, of
which a part is in the amplitude, which the network does not see.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import seisbench.data as sbd
import seisbench.models as sbm
import torch
from scipy.signal import butter, resample_poly, sosfilt
from tqdm import tqdm

from benchmarks.common.records import AnalystRecord, load_continuous, load_set
from benchmarks.making.data import RATE, waveforms_of, write, write_by_station
from benchmarks.making.first_motions import SETS, times_of_p
from benchmarks.peers.seist import SeisT
from seisbench_llm.streams.textbook import sp_epicentral_distance
from seisbench_llm.trace_ids import codes_of

# Seconds of what is written, before and after P.
BEFORE, AFTER = 20, 140
# Samples of SeisT's window at 50 Hz, and where P is put in it.
SEIST_WINDOW, SEIST_PLACES = 8192, (600, 1200, 1800, 2400)
# Small earthquakes of a volcano, with low frequencies: SeisT takes them for M 5.
NOT_TOLD = {"uturuncu_plutons"}
# s; further P within it belong to the same earthquake.
APART = 30.0


class MagnitudeTeacher:
    """
    Mean magnitude of SeisT over several windows.

    :param path: ``seist_l_emg_diting.safetensors``.
    """

    def __init__(self, path: Path):
        self.model = SeisT.from_safetensors(path)
        self.highpass = butter(2, 0.5, "highpass", fs=self.model.sampling_rate, output="sos")

    def magnitude(self, data: np.ndarray, onset: int) -> float:
        """
        :param data: Shape (3, samples) at RATE.
        :param onset: Sample of P.
        """
        raw = resample_poly(data, 1, 2, axis=-1, padtype="line")
        return self.at_own_rate(raw, round(onset / 2), SEIST_PLACES)

    def at_own_rate(self, data: np.ndarray, onset: int, places: tuple[int, ...]) -> float:
        """
        :param data: Shape (3, samples) at 50 Hz.
        :param onset: Sample of P.
        :param places: Samples of P in the network's windows.
        """
        windows = [
            _window(motion, onset - place)
            for motion in (data, sosfilt(self.highpass, data, axis=-1))
            for place in places
        ]
        return float(self.model.predict(torch.from_numpy(np.array(windows))).mean())


def _window(data: np.ndarray, first: int) -> np.ndarray:
    """SEIST_WINDOW samples from ``first`` on, without mean, zero beyond the data."""
    begin, end = max(first, 0), min(first + SEIST_WINDOW, data.shape[1])
    window = np.zeros((3, SEIST_WINDOW), np.float32)
    part = data[:, begin:end]
    window[:, begin - first : end - first] = part - part.mean(axis=1, keepdims=True)
    return window


def events_of(record: AnalystRecord, data: np.ndarray, picker: sbm.PhaseNet):
    """Samples of the P of earthquakes, each the first within APART."""
    start = min(trace.stats.starttime for trace in record.stream)
    last = None
    for time in times_of_p(record, picker):
        if last is None or time - last > APART:
            yield round((time - start) * RATE)
        last = time


def distance_of(record: AnalystRecord) -> tuple[float, str]:
    """Distance in km and who says so; nan if nobody does."""
    known = record.truths.get("distance", np.nan)
    if np.isfinite(known):
        return known, "catalogue"
    if record.doubtful or not record.picks["P"] or not record.picks["S"]:
        return np.nan, ""
    sp_time = record.picks["S"][0] - record.picks["P"][0]
    return float(sp_epicentral_distance(sp_time)[0]), "S minus P"


def rows(folder: Path, picker: sbm.PhaseNet, teacher: MagnitudeTeacher):
    records = [record for name in SETS for record in load_set(folder, name)]
    trained = [r for r in [*records, *load_continuous(folder)] if r.split == "train"]
    for record in tqdm(trained, "estimates"):
        if len(record.stream) < 3 or np.isfinite(record.truths.get("magnitude", np.nan)):
            continue
        data = waveforms_of(record.stream)
        distance, measured_by = distance_of(record)
        network, station, *_ = codes_of(record.station)
        for onset in events_of(record, data, picker):
            first, last = onset - round(BEFORE * RATE), onset + round(AFTER * RATE)
            first, last = max(first, 0), min(last, data.shape[1])
            window = data[:, first:last]
            # A window shorter than this holds no S coda.
            if last - onset < 15 * RATE or onset - first < 2 * RATE or not window.any():
                continue
            told = record.dataset not in NOT_TOLD
            magnitude = teacher.magnitude(data, onset) if told else np.nan
            yield (
                {
                    "trace_parent_dataset": record.dataset,
                    "trace_name_original": f"{record.name}_{onset}",
                    "trace_component_order": "ZNE",
                    "trace_sampling_rate_hz": RATE,
                    "trace_npts": window.shape[1],
                    "station_network_code": network,
                    "station_code": station,
                    "source_id": f"{record.dataset}_{record.event}_{onset}",
                    "trace_category": "earthquake",
                    "trace_p_arrival_sample": onset - first,
                    "source_magnitude": round(magnitude, 2),
                    "source_magnitude_author": "SeisT-L DiTing" if told else "",
                    "path_ep_distance_km": round(distance, 2),
                    "path_distance_author": measured_by,
                },
                window / window[window.any(axis=1)].std(),
            )


def tell_synthetic(folder: Path, teacher: MagnitudeTeacher, count: int, out: Path) -> None:
    """Write the first synthetic records that have a P, with magnitudes told."""
    dataset = sbd.WaveformDataset(folder, component_order="ZNE", cache=None)
    metadata, onset = dataset.metadata, "trace_p_arrival_sample"
    usable = metadata["source_magnitude"].notna() & metadata[onset].notna()
    chosen, waveforms = metadata[usable].iloc[:count].copy(), []
    for i, at in tqdm(chosen[onset].items(), "synthetic", len(chosen)):
        waveforms.append(dataset.get_waveforms(int(i)).astype(np.float32))
        told = teacher.at_own_rate(waveforms[-1], int(at), SEIST_PLACES[::2])
        chosen.loc[i, "source_magnitude"] = round(told, 2)
    dropped = ["trace_component_order", "trace_npts", "index"]
    chosen = chosen.drop(columns=dropped, errors="ignore")
    out.mkdir(parents=True)
    write(out, chosen.assign(source_magnitude_author="SeisT-L DiTing"), waveforms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the real records")
    parser.add_argument("--synthetic", type=Path, help="folder of synthetic records at 50 Hz")
    parser.add_argument("--count", type=int, default=5000, help="synthetic records to tell")
    parser.add_argument("--cache", type=Path, required=True, help="folder of published weights")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    args = parser.parse_args()
    if bool(args.data) == bool(args.synthetic):
        parser.error("Give --data or --synthetic.")
    torch.set_num_threads(1)
    teacher = MagnitudeTeacher(args.cache / "seist" / "seist_l_emg_diting.safetensors")
    if args.synthetic:
        tell_synthetic(args.synthetic, teacher, args.count, args.out)
        return
    picker = sbm.PhaseNet.load(args.cache / "phasenet" / "volpick", version_str="1")
    metadata = write_by_station(args.out, list(rows(args.data, picker, teacher)))
    named = metadata.groupby(["trace_parent_dataset", "source_magnitude_author"])
    print(named["source_magnitude"].describe()[["count", "mean", "std"]].to_string())
    named = metadata.groupby(["trace_parent_dataset", "path_distance_author"])
    print(named["path_ep_distance_km"].describe()[["count", "mean", "std"]].to_string())


if __name__ == "__main__":
    main()
