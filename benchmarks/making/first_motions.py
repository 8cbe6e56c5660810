"""
Write a data set of first motions on real records, told by a published network.

    python -m benchmarks.making.first_motions --data RECORDS --cache CACHE --out DATA/first_motions

There are hardly any polarities by hand among the records at hand. So the P of the analysts, and
those that PhaseNet (volpick) finds in continuous data, get the polarity of ``pnsn_polar.onnx``
(cangyeone/pnsn, GPL-3.0). It is asked eleven times, with the pick moved and the record turned
upside down; where the answers do not agree the record is left out. RECORDS holds the data sets,
CACHE the published weights. Regions that are declared unseen are not touched.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import obspy
import onnxruntime
import pandas as pd
import seisbench.models as sbm
from tqdm import tqdm

from benchmarks.common.records import load_continuous, load_set
from benchmarks.making.data import RATE, waveforms_of, write
from seisbench_llm.trace_ids import codes_of

SETS = (
    *("phasenet_ncedc154", "deepdenoiser_ncedc", "eqcorrscan_nz", "quakemigrate_iceland"),
    *("gmprocess_strongmotion", "uturuncu_plutons", "hengill_malmi"),
)
# Samples at RATE: what is written, and what the teacher sees.
WINDOW, TEACHER_WINDOW = 1280, 1024
SHIFTS = range(-5, 6)
# Mean probability from which a polarity counts.
SURE = 0.8
PICKED = 0.5
DEV_FRACTION = 10  # one in so many


class PolarityTeacher:
    """
    ``pnsn_polar.onnx``: 1024 samples of the vertical at 100 Hz, P in the middle, peak of one.

    :param path: The ONNX file.
    """

    def __init__(self, path: Path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(path), options)

    def up(self, vertical: np.ndarray, onset: int) -> float:
        """Mean probability of an upward first motion over shifts and both signs."""
        answers = []
        for shift in SHIFTS:
            first = onset + shift - TEACHER_WINDOW // 2
            wave = vertical[first : first + TEACHER_WINDOW]
            wave = wave - wave.mean()
            wave = (wave / np.abs(wave).max()).astype(np.float32)
            for sign in (1, -1):
                up, down = self.session.run(["prob"], {"wave": sign * wave})[0]
                answers.append(up if sign == 1 else down)
        return float(np.mean(answers))


def onsets_of(stream: obspy.Stream, times: list[obspy.UTCDateTime]):
    """Windows of WINDOW samples with P in the middle, of onsets that have so much about them."""
    data = waveforms_of(stream)
    start = min(trace.stats.starttime for trace in stream)
    for time in times:
        first = round((time - start) * RATE) - WINDOW // 2
        window = data[:, max(first, 0) : first + WINDOW]
        if first >= 0 and window.shape[1] == WINDOW and np.ptp(window[0]) > 0:
            yield time, window


def rows(folder: Path, picker: sbm.PhaseNet, teacher: PolarityTeacher):
    records = [record for name in SETS for record in load_set(folder, name)]
    for record in tqdm([*records, *load_continuous(folder)], "first motions"):
        times = record.picks["P"]
        if record.doubtful or not times:
            found = picker.classify(record.stream, P_threshold=PICKED).picks
            times = [pick.peak_time for pick in found if pick.phase == "P"]
        network, station, *_ = codes_of(record.station)
        for time, window in onsets_of(record.stream, times):
            up = teacher.up(window[0], WINDOW // 2)
            if max(up, 1 - up) < SURE:
                continue
            scale = window[window.any(axis=1)].std()
            yield (
                {
                    "trace_parent_dataset": record.dataset,
                    "trace_name_original": f"{record.name}_{time}",
                    "trace_component_order": "ZNE",
                    "trace_sampling_rate_hz": RATE,
                    "trace_npts": WINDOW,
                    "station_network_code": network,
                    "station_code": station,
                    "source_id": f"{record.dataset}_{record.event}_{time}",
                    "trace_category": "earthquake",
                    "trace_p_arrival_sample": WINDOW // 2,
                    "trace_polarity": "positive" if up > 0.5 else "negative",
                    "trace_polarity_probability": max(up, 1 - up),
                },
                (window / scale).astype(np.float32),
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real records")
    parser.add_argument("--cache", type=Path, required=True, help="folder of published weights")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    args = parser.parse_args()
    picker = sbm.PhaseNet.load(args.cache / "phasenet" / "volpick", version_str="1")
    teacher = PolarityTeacher(args.cache / "polarity" / "pnsn_polar.onnx")
    found = list(rows(args.data, picker, teacher))
    metadata = pd.DataFrame([row for row, _ in found])
    stations = sorted(metadata["station_code"].astype(str).unique())
    dev = set(np.random.default_rng(0).permutation(stations)[: len(stations) // DEV_FRACTION])
    metadata["split"] = np.where(metadata["station_code"].astype(str).isin(dev), "dev", "train")
    args.out.mkdir(parents=True)
    write(args.out, metadata, [window for _, window in found])
    print(metadata.groupby(["trace_parent_dataset", "split", "trace_polarity"]).size().to_string())


if __name__ == "__main__":
    main()
