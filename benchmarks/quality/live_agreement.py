"""
Do live picks agree with those of classify, and how late are they?

    python -m benchmarks.quality.live_agreement FILES --settle 1 2 3 5

The files are replayed packet by packet as fast as the model goes. Prints, for each settling time:
confirmed picks against batch ones, what became of preliminary picks, latencies, and the cost.
"""

from __future__ import annotations

import argparse
import time
from threading import Event

import numpy as np
import obspy
import torch
from seisbench.util import Pick

from seisbench_llm.live import Live, LivePick, LiveSettings, feed_from
from seisbench_llm.live.sources import Replay
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.trace_ids import TraceId, location_of


def replay(model: SeisMoLLM, stream: obspy.Stream, settle: float) -> tuple[list[LivePick], Live]:
    """All reports of a live picker; prints what a window costs."""
    reports = []
    live = Live(model, reports.append, LiveSettings(settle=settle))
    begun = time.process_time()
    feed_from(live, Replay(stream, 0), Event())
    cost = time.process_time() - begun
    print(f"settle {settle:g} s: {1000 * cost / live.counts['windows']:.1f} ms of CPU per window")
    return reports, live


def compare(batch: list[Pick], reports: list[LivePick]) -> None:
    """Print confirmed picks against batch ones, and preliminary ones against confirmed ones."""
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
    print(
        f"  batch {len(batch)}, confirmed {sum(map(len, confirmed.values()))}, largest difference "
        f"{max((abs(p.time - b.peak_time) for b, p in pairs), default=np.nan):.1e} s, "
        f"{max((abs(p.probability - b.peak_value) for b, p in pairs), default=np.nan):.1e} in "
        "probability"
    )
    for phase in "PS":
        first, last = (
            {p.id: p for p in reports if p.status == status and p.phase == phase}
            for status in ("preliminary", "confirmed")
        )
        both = first.keys() & last.keys()
        shift = [abs(first[i].time - last[i].time) for i in both] or [0]
        age = [p.data_latency for p in first.values()] or [0]
        print(
            f"  {phase}: batch {len(last)}, preliminary {len(first)}, of these confirmed "
            f"{len(both)}, rejected {len(first) - len(both)}; moved by median "
            f"{np.median(shift):.2f} s, 95 % {np.percentile(shift, 95):.2f} s; came "
            f"{np.median(age):.1f} s (95 % {np.percentile(age, 95):.1f} s) after the onset"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--settle", type=float, nargs="+", default=[2.0])
    parser.add_argument("--weights", default="compact_picking")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model, stream = SeisMoLLM.from_pretrained(args.weights), obspy.Stream()
    for trace in (trace for file in args.files for trace in obspy.read(file)):
        stream += trace.trim(endtime=trace.stats.starttime + 60 * args.minutes)
    batch = model.classify(stream).picks
    instruments = {TraceId.of(trace).instrument_id for trace in stream}
    print(f"{len(instruments)} instruments, {args.minutes:g} min each")
    for settle in args.settle:
        reports, live = replay(model, stream, settle)
        compare(batch, reports)
        late = [p.data_latency for p in reports if p.status == "confirmed"]
        print(
            f"  confirmed {np.median(late):.0f} s (at most {max(late):.0f} s) after the onset; "
            f"wall clock latency (median, 95 %, max) {live.statistics()['latency']}"
        )


if __name__ == "__main__":
    main()
