"""
How pickers do on real records: SeisMoLLM, PhaseNet and EQTransformer, by one protocol.

    python -m benchmarks.quality.picking --data DATA --cache CACHE \
        --out benchmarks/results/NAME.json compact_picking PhaseNet EQTransformer

Each record is one ObsPy stream, whole length and native rate, given to the public annotate(). Peaks
at least 1 s apart are matched one to one with the analysts' picks; false picks are counted within
10 s of a pick, as records can hold other events. F1 at 0.1 s and 0.5 s is at the one threshold per
model, phase and tolerance that is best over all sets. False picks per hour are counted, at the
threshold of 0.5 s, on noise records repeated and mirrored to 90 s. PhaseNet and EQTransformer get
each record rescaled, since they fail on data in physical units.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import obspy
import seisbench
import seisbench.models as sbm
from scipy.optimize import linear_sum_assignment
from scipy.signal import find_peaks

from benchmarks.common.records import SETS, Record, load_noise, load_set
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.weights import WeightsError

THRESHOLDS = np.round(np.arange(0.02, 0.96, 0.02), 2)
TOLERANCES = (0.5, 0.1)
NEAR, SEPARATION = 10.0, 1.0


def load_model(name: str, cache: Path):
    """A packaged or saved SeisMoLLM, or a peer by its class name."""
    if name in ("PhaseNet", "EQTransformer"):
        model = getattr(sbm, name)
        return model.load(cache / name.lower() / "original", version_str="1"), True
    return SeisMoLLM.from_pretrained(name), False


def peaks_of(model, rescale: bool, stream: obspy.Stream) -> dict[str, np.ndarray]:
    """Phase -> rows of (seconds from the start of the stream, probability)."""
    stream = stream.copy()
    start = min(trace.stats.starttime for trace in stream)
    if rescale:
        for trace in stream:
            trace.data = trace.data - trace.data.mean()
            trace.data = trace.data / (np.abs(trace.data).max() or 1.0) * 1e4
    found = {"P": [], "S": []}
    for trace in model.annotate(stream):
        phase = trace.stats.channel.rpartition("_")[2]
        if phase not in found:
            continue
        curve = np.concatenate([[0], np.nan_to_num(trace.data), [0]])
        rate = trace.stats.sampling_rate
        at, _ = find_peaks(curve, height=THRESHOLDS[0], distance=round(SEPARATION * rate))
        seconds = (at - 1) / rate + (trace.stats.starttime - start)
        found[phase] += list(zip(seconds, curve[at], strict=True))
    return {phase: np.array(rows).reshape(-1, 2) for phase, rows in found.items()}


def true_picks(record: Record, phase: str) -> np.ndarray:
    """Picks of the analyst in seconds from the start of the stream."""
    start = min(trace.stats.starttime for trace in record.stream)
    return np.array([time - start for time in record.picks[phase]])


def count(peaks: np.ndarray, picks: np.ndarray, tolerance: float, level: float) -> np.ndarray:
    """Hits, false picks and misses of one record and phase."""
    times = peaks[peaks[:, 1] >= level, 0]
    if not picks.size:
        return np.zeros(3, int)
    distance = np.abs(times[:, None] - picks[None])
    rows, columns = linear_sum_assignment(np.where(distance <= tolerance, distance, 1e3))
    hit = distance[rows, columns] <= tolerance
    near = (distance <= NEAR).any(axis=1)
    near[rows[hit]] = False
    return np.array([hit.sum(), near.sum(), picks.size - hit.sum()])


def f1(counts: np.ndarray) -> float:
    hits, false, misses = counts
    return float(2 * hits / (2 * hits + false + misses)) if hits else 0.0


def score(found: list[dict], records: list[Record], phase: str, tolerance: float) -> dict:
    """F1 per set at the threshold that is best over all sets, and at 0.3."""
    picks = [true_picks(record, phase) for record in records]
    names = [record.dataset for record in records]

    def by_set(level: float) -> dict:
        total = {}
        for peaks, truth, name in zip(found, picks, names, strict=True):
            total[name] = total.get(name, 0) + count(peaks[phase], truth, tolerance, level)
        return total

    best = max(THRESHOLDS, key=lambda level: f1(sum(by_set(level).values())))
    result = {"threshold": float(best)}
    for key, level in (("best", best), ("at 0.3", 0.3)):
        counts = by_set(level)
        result[key] = {name: round(f1(c), 3) for name, c in counts.items()}
        result[key]["all"] = round(f1(sum(counts.values())), 3)
    result["picks"] = {name: int(c[0] + c[2]) for name, c in counts.items()}
    return result


def mirrored(stream: obspy.Stream, seconds: float = 90.0) -> obspy.Stream:
    """A record followed by its mirror image, repeated to a given length."""
    out = stream.copy()
    for trace in out:
        data = np.concatenate([trace.data, trace.data[::-1]])
        samples = round(seconds * trace.stats.sampling_rate)
        trace.data = np.tile(data, -(-samples // data.size))[:samples]
    return out


def evaluate(model, rescale: bool, records: list[Record], noise: list[Record]) -> dict:
    """All figures of one model."""
    found = [peaks_of(model, rescale, record.stream) for record in records]
    silent = [peaks_of(model, rescale, mirrored(r.stream)) for r in noise]
    result = {"noise hours": round(90 * len(noise) / 3600, 2), "false picks per hour": {}}
    for phase in "PS":
        for tolerance in TOLERANCES:
            result[f"{phase}@{tolerance}"] = score(found, records, phase, tolerance)
        levels = {"best": result[f"{phase}@0.5"]["threshold"], "at 0.3": 0.3}
        result["false picks per hour"][phase] = {
            name: round(40 * float(np.mean([(p[phase][:, 1] >= x).sum() for p in silent])), 2)
            for name, x in levels.items()
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("models", nargs="+", help="weight names or paths, PhaseNet, EQTransformer")
    parser.add_argument("--data", type=Path, required=True, help="folder of the real records")
    parser.add_argument("--cache", type=Path, required=True, help="folder of the peers' weights")
    parser.add_argument("--split", default="test", choices=["test", "train", "all"])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    seisbench.logger.setLevel(logging.ERROR)

    def chosen(record: Record) -> bool:
        return args.split in ("all", record.split) and len(record.stream) > 0

    records = [r for name in SETS[:3] for r in load_set(args.data, name) if chosen(r)]
    noise = [r for r in load_noise(args.data) if chosen(r)]
    results = {"split": args.split, "records": len(records), "noise records": len(noise)}
    for name in args.models:
        try:
            model, rescale = load_model(name, args.cache)
        except WeightsError as error:
            parser.error(str(error))
        results[Path(name).name] = evaluate(model, rescale, records, noise)
        show(Path(name).name, results[Path(name).name])
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(results, indent=1) + "\n")


def show(name: str, result: dict) -> None:
    print(f"\n{name}: F1 at the best threshold (at 0.3)")
    columns = [f"{phase}@{tolerance}" for tolerance in TOLERANCES for phase in "PS"]
    print(f"{'':26}" + "".join(f"{c:>16}" for c in columns))
    for dataset in result["P@0.5"]["best"]:
        cells = [f"{result[c]['best'][dataset]} ({result[c]['at 0.3'][dataset]})" for c in columns]
        print(f"{dataset:26}" + "".join(f"{cell:>16}" for cell in cells))
    print(f"{'threshold':26}" + "".join(f"{result[c]['threshold']:>16}" for c in columns))
    print(f"false picks per hour of noise: {result['false picks per hour']}")


if __name__ == "__main__":
    main()
