"""
Do live picks agree with those of classify, and how late are they?

    python -m benchmarks.quality.live_agreement FILES --settle 1 2 3 5 \
        --out benchmarks/results/live_agreement.json

The files are replayed packet by packet as fast as the model goes. For each settling time, the
script compares confirmed picks with batch ones and preliminary picks with confirmed ones, and tells
latencies and the cost. Latencies count seconds of data, so they do not depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from threading import Event

import numpy as np
import obspy
import torch
from seisbench.util import Pick

from seisbench_llm.live import Live, LivePick, LiveSettings, feed_from
from seisbench_llm.live.sources import Replay
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.trace_ids import TraceId, location_of


def replay(model: SeisMoLLM, stream: obspy.Stream, settle: float) -> tuple[list[LivePick], dict]:
    """All reports of a live picker, and what a window costs."""
    reports = []
    live = Live(model, reports.append, LiveSettings(settle=settle))
    begun = time.process_time()
    feed_from(live, Replay(stream, 0), Event())
    cost = time.process_time() - begun
    windows = live.counts["windows"]
    return reports, {"windows": windows, "CPU ms per window": round(1000 * cost / windows, 1)}


def compare(batch: list[Pick], reports: list[LivePick]) -> dict:
    """Confirmed picks against batch ones, and preliminary ones against confirmed ones."""
    confirmed = {}
    for pick in reports:
        if pick.status == "confirmed":
            key = location_of(pick.trace_id), pick.phase
            confirmed.setdefault(key, []).append(pick)
    pairs = [
        (b, min(same, key=lambda p, b=b: abs(p.time - b.peak_time)))
        for b in batch
        if (same := confirmed.get((b.trace_id, b.phase)))
    ]
    result = {
        "batch": len(batch),
        "confirmed": sum(map(len, confirmed.values())),
        "largest difference, s": max((abs(p.time - b.peak_time) for b, p in pairs), default=None),
        "largest difference of probabilities": max(
            (abs(p.probability - b.peak_value) for b, p in pairs), default=None
        ),
    }
    late = [p.data_latency for p in reports if p.status == "confirmed"] or [0]
    result["confirmed after the onset, s"] = [round(q, 1) for q in (np.median(late), max(late))]
    for phase in "PS":
        first, last = (
            {p.id: p for p in reports if p.status == status and p.phase == phase}
            for status in ("preliminary", "confirmed")
        )
        both = first.keys() & last.keys()
        shift = [abs(first[i].time - last[i].time) for i in both] or [0]
        age = [p.data_latency for p in first.values()] or [0]
        result[phase] = {
            "confirmed": len(last),
            "preliminary": len(first),
            "preliminary and confirmed": len(both),
            "moved, s": _quantiles(shift),
            "after the onset, s": _quantiles(age),
        }
    return result


def _quantiles(values: list[float]) -> list[float]:
    """Median and 95 % quantile."""
    return [round(float(np.percentile(values, q)), 3) for q in (50, 95)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--settle", type=float, nargs="+", default=[2.0])
    parser.add_argument("--weights", default="compact_picking")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, stream = SeisMoLLM.from_pretrained(args.weights), obspy.Stream()
    for trace in (trace for file in args.files for trace in obspy.read(file)):
        stream += trace.trim(endtime=trace.stats.starttime + 60 * args.minutes)
    batch = model.classify(stream).picks
    instruments = {TraceId.of(trace).instrument_id for trace in stream}
    results = {
        "weight": f"{args.weights} {model.weights_version}",
        "instruments": len(instruments),
        "minutes": args.minutes,
        "settle": {},
    }
    for settle in args.settle:
        reports, cost = replay(model, stream, settle)
        results["settle"][f"{settle:g}"] = {**compare(batch, reports), **cost}
    text = json.dumps(results, indent=1)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
