"""
Write a data set of first motions on real records, told by a published network.

    python -m benchmarks.making.first_motions --data RECORDS --cache CACHE --out DATA/first_motions

There are hardly any polarities by hand among the records at hand. So the P of the analysts, and
those that PhaseNet (volpick) finds in continuous data, get the polarity of ``pnsn_polar.onnx``
(cangyeone/pnsn, GPL-3.0). It is asked eleven times, with the pick moved and the record turned
upside down; where the answers do not agree the record is left out. RECORDS holds the data sets,
CACHE the published weights. Test records and regions that are declared unseen are not touched.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import obspy
import seisbench.models as sbm
from tqdm import tqdm

from benchmarks.common.records import AnalystRecord, load_continuous, load_set
from benchmarks.making.data import RATE, waveforms_of, write_by_station
from benchmarks.peers.pnsn import SAMPLES, PnsnPolarity
from seisbench_llm.trace_ids import codes_of

SETS = (
    *("phasenet_ncedc154", "deepdenoiser_ncedc", "eqcorrscan_nz", "quakemigrate_iceland"),
    *("gmprocess_strongmotion", "uturuncu_plutons", "hengill_malmi"),
)
# Samples that are written, at RATE.
WINDOW = 1280
SHIFTS = range(-5, 6)
# Mean probability from which a polarity counts.
SURE = 0.8
PICKED = 0.5


class PolarityTeacher(PnsnPolarity):
    """The published network, asked with the pick moved and with the record turned upside down."""

    def up(self, vertical: np.ndarray, onset: int) -> float:
        """Mean probability of an upward first motion over shifts and both signs."""
        votes = []
        for shift in SHIFTS:
            first = onset + shift - SAMPLES // 2
            wave = vertical[first : first + SAMPLES]
            wave = wave - wave.mean()
            votes += [self.probabilities(wave)[0], self.probabilities(-wave)[1]]
        return float(np.mean(votes))


def times_of_p(record: AnalystRecord, picker: sbm.PhaseNet) -> list[obspy.UTCDateTime]:
    """P of the analysts or, where there are none to rely on, of a picker."""
    if record.picks["P"] and not record.doubtful:
        return record.picks["P"]
    picks = picker.classify(record.stream, P_threshold=PICKED).picks
    return sorted(pick.peak_time for pick in picks if pick.phase == "P")


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
    trained = [r for r in [*records, *load_continuous(folder)] if r.split == "train"]
    for record in tqdm(trained, "first motions"):
        network, station, *_ = codes_of(record.station)
        for time, window in onsets_of(record.stream, times_of_p(record, picker)):
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
    metadata = write_by_station(args.out, list(rows(args.data, picker, teacher)))
    print(metadata.groupby(["trace_parent_dataset", "split", "trace_polarity"]).size().to_string())


if __name__ == "__main__":
    main()
