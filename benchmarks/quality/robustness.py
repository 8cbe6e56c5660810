"""
What do pickers lose with noise, gaps, missing components, other rates and narrow bands?

    python -m benchmarks.quality.robustness --data DATA --weights WEIGHTS --cache CACHE \
        [compact_picking phasenet/volpick ...]

The records are those of the unseen regions, as in unseen_regions.py. Each is picked as it is and
with one thing made worse; F1 within 0.5 s is at the default threshold of 0.3. For noise, the
record's own noise before P is repeated and added until P has the signal-to-noise ratio of the
condition. Records that a condition does not change are left out, and the records that are left are
picked as they are, too, for comparison. The records as they are are also sorted by signal-to-noise
ratio, S minus P, distance and magnitude. Limits (95 %) are of a bootstrap over events and stations.

``--records development`` takes the records that pickers are calibrated and chosen on instead: those
of held-out events of the training's own regions, and of the development region. Weights that were
trained to lose less here were chosen with that.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import seisbench
import torch

from benchmarks.common.bootstrap import interval
from benchmarks.common.cases import signal_to_noise
from benchmarks.common.matching import DEFAULT_THRESHOLD, count, f1, true_picks
from benchmarks.common.pickers import Picker
from benchmarks.common.records import AnalystRecord
from benchmarks.making.calibration import calibration_records
from benchmarks.quality.unseen_regions import cached_peaks, drawn_records, unseen_records
from seisbench_llm.weights import WeightsError

RESULTS = Path(__file__).parents[1] / "results" / "robustness.json"
MODELS = (
    "compact_picking",
    "phasenet/volpick",
    "eqtransformer/volpick",
    "seist/seist_l_dpk_diting",
)
TOLERANCE = 0.5
# Seconds of noise before P that are worth repeating, and between its end and P.
LEAST_NOISE, GUARD = 5.0, 0.5
GAPS, GAP_SECONDS, FROM_PICKS = 3, 1.0, 1.0
# Column of the records and edges of its bins.
BINS = {
    "P above noise, dB": ("snr", (-40, 5, 10, 20, 30, 100)),
    "S minus P, s": ("sp", (0, 1, 3, 6, 12, 60)),
    "distance, km": ("distance", (0, 3, 30, 60, 120, 700)),
    "magnitude": ("magnitude", (4, 5, 6, 8)),
}
# Of the records -> how to load them, and what their peaks are called in the cache.
RECORDS = {
    "unseen": (unseen_records, "unseen_moved", "robust"),
    "development": (calibration_records, "development", "development"),
}
Condition = Callable[[AnalystRecord], obspy.Stream | None]


def noisier(record: AnalystRecord, decibel: float) -> obspy.Stream | None:
    """The record with so much of its own noise that P has a signal-to-noise ratio."""
    time = record.picks["P"][0] if record.picks["P"] else None
    snr = signal_to_noise(record.stream, time) if time is not None else np.nan
    start = max(trace.stats.starttime for trace in record.stream)
    if not snr > decibel or time - GUARD - start < LEAST_NOISE:
        return None
    # The ratio is that of signal with noise to noise.
    quieter = (10 ** (snr / 10) - 1) / (10 ** (decibel / 10) - 1)
    factor, out = np.sqrt(quieter - 1), record.stream.copy()
    for trace in out:
        noise = trace.slice(endtime=time - GUARD).data.astype(float)
        noise = np.concatenate([noise - noise.mean(), (noise - noise.mean())[::-1]])
        # Not in step with the record, which would only be louder.
        noise = np.roll(np.tile(noise, -(-trace.stats.npts // noise.size)), noise.size // 3)
        trace.data = trace.data + factor * noise[: trace.stats.npts]
    return out


def gappy(record: AnalystRecord) -> obspy.Stream:
    """Three gaps of a second in all components, at least a second from the picks."""
    start = min(trace.stats.starttime for trace in record.stream)
    length = max(trace.stats.endtime for trace in record.stream) - start
    picks = np.concatenate([true_picks(record, phase) for phase in "PS"])
    places = np.random.default_rng(0).permutation(np.arange(2.0, length - 2 * GAP_SECONDS, 0.5))
    away = np.abs(places[:, None] + GAP_SECONDS / 2 - picks).min(axis=1)
    out = record.stream
    for place in places[away > FROM_PICKS + GAP_SECONDS / 2][:GAPS]:
        first, last = start + place, start + place + GAP_SECONDS
        out = out.slice(endtime=first) + out.slice(starttime=last)
    return out


def components(record: AnalystRecord, names: str) -> obspy.Stream | None:
    """Some components, if there are others."""
    kept = [trace for trace in record.stream if trace.stats.channel[-1] in names]
    return obspy.Stream(kept) if 0 < len(kept) < len(record.stream) else None


def slower(record: AnalystRecord, rate: float) -> obspy.Stream | None:
    """The record at a lower rate."""
    if any(trace.stats.sampling_rate <= rate for trace in record.stream):
        return None
    return record.stream.copy().detrend("constant").taper(0.01).resample(rate, no_filter=False)


def filtered(record: AnalystRecord, kind: str, corner: float) -> obspy.Stream | None:
    """What is above or below a frequency."""
    if any(trace.stats.sampling_rate < 4 * corner for trace in record.stream):
        return None
    return record.stream.copy().detrend("constant").filter(kind, freq=corner, corners=4)


CONDITIONS: dict[str, Condition] = {
    "P at 10 dB": partial(noisier, decibel=10.0),
    "P at 5 dB": partial(noisier, decibel=5.0),
    "three gaps of 1 s": gappy,
    "vertical only": partial(components, names="Z"),
    "horizontals only": partial(components, names="NE"),
    "20 Hz": partial(slower, rate=20.0),
    "50 Hz": partial(slower, rate=50.0),
    "below 5 Hz": partial(filtered, kind="lowpass", corner=5.0),
    "above 5 Hz": partial(filtered, kind="highpass", corner=5.0),
}


def figures(counts: np.ndarray, records: list[AnalystRecord]) -> dict:
    """F1 with limits of hits, false picks and misses, shape (records, 3)."""
    drawn = drawn_records(records)
    return {
        "picks": int(counts[:, [0, 2]].sum()),
        "F1": round(float(f1(counts.sum(axis=0))), 3),
        "limits": interval(drawn, lambda rows: f1(counts[rows].sum(axis=0))),
    }


def counts_of(found: list, records: list[AnalystRecord], phase: str) -> np.ndarray:
    """Hits, false picks and misses, shape (records, 3)."""
    truth = [true_picks(record, phase) for record in records]
    pairs = zip(found, truth, strict=True)
    return np.array([count(p[phase], t, TOLERANCE, DEFAULT_THRESHOLD) for p, t in pairs])


def changed(records: list[AnalystRecord], condition: Condition) -> tuple[list[int], list]:
    """Numbers of the records that a condition changes, and these records as it leaves them."""
    rows, found = [], []
    for i, record in enumerate(records):
        stream = condition(record)
        if stream:
            rows.append(i)
            start = min(trace.stats.starttime for trace in record.stream)
            moved = min(trace.stats.starttime for trace in stream) - start
            # Times count from the start of the stream, which no condition may move.
            if moved > record.stream[0].stats.delta:
                raise ValueError(f"{record.name}: the stream begins {moved:g} s later.")
            found.append(AnalystRecord(**{**vars(record), "stream": stream}))
    return rows, found


def by_bins(counts: np.ndarray, records: list[AnalystRecord]) -> dict:
    """Figures of the records as they are, by what is known of them."""
    table = pd.DataFrame({task: [r.truths[task] for r in records] for task in records[0].truths})
    first = [{phase: r.picks[phase][0] for phase in r.picks if r.picks[phase]} for r in records]
    table["sp"] = [p["S"] - p["P"] if len(p) == 2 else np.nan for p in first]
    pairs = zip(records, first, strict=True)
    table["snr"] = [signal_to_noise(r.stream, p["P"]) if "P" in p else np.nan for r, p in pairs]
    result = {}
    for title, (column, edges) in BINS.items():
        bins = pd.cut(table[column], edges, right=False)
        result[title] = {
            f"{part.left:g} to {part.right:g}": figures(counts[rows], [records[i] for i in rows])
            for part, rows in bins.groupby(bins, observed=True).indices.items()
        }
    return result


def evaluate(
    picker: Picker, records: list[AnalystRecord], worse: dict, cache: Path, kind: str
) -> dict:
    """All figures of a picker."""
    _, as_recorded, prefix = RECORDS[kind]
    plain = cached_peaks(picker, records, as_recorded, cache)
    result: dict = {"conditions": {}, "bins": {}}
    for name, (rows, left) in worse.items():
        found = cached_peaks(picker, left, f"{prefix}_{name.replace(' ', '_')}", cache)
        result["conditions"][name] = {
            phase: {
                "as recorded": figures(counts_of([plain[i] for i in rows], left, phase), left),
                "worse": figures(counts_of(found, left, phase), left),
            }
            for phase in "PS"
        }
        print(f"{picker.name}, {name}: {json.dumps(result['conditions'][name])}", flush=True)
    result["bins"] = {p: by_bins(counts_of(plain, records, p), records) for p in "PS"}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("models", nargs="*", default=MODELS, help="names as of Picker.load")
    parser.add_argument("--data", type=Path, required=True, help="folder of the real records")
    parser.add_argument("--weights", type=Path, help="published ones, as in SeisBench's cache")
    parser.add_argument("--records", choices=RECORDS, default="unseen")
    parser.add_argument("--cache", type=Path, default=Path("runs/peaks"), help="folder of peaks")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    seisbench.logger.setLevel(logging.ERROR)
    torch.set_num_threads(1)
    records = RECORDS[args.records][0](args.data)
    worse = {name: changed(records, condition) for name, condition in CONDITIONS.items()}
    results = json.loads(args.out.read_text()) if args.out.is_file() else {}
    for name in args.models:
        try:
            picker = Picker.load(name, args.weights)
        except WeightsError as error:
            parser.error(str(error))
        results[picker.name] = evaluate(picker, records, worse, args.cache, args.records)
        args.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
