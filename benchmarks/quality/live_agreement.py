"""How live picks compare with batch ones, when they come, and what they cost."""

import argparse
import time
from threading import Event

import numpy as np
import obspy
import torch

from seisbench_llm.live.instrument import LiveSettings
from seisbench_llm.live.picker import Live, run
from seisbench_llm.live.sources import Replay
from seisbench_llm.models.seismollm import SeisMoLLM

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("files", nargs="+")
parser.add_argument("--minutes", type=float, default=20)
parser.add_argument("--settle", type=float, nargs="+", default=[2.0])
parser.add_argument("--weights", default="compact_picking")
arguments = parser.parse_args()

torch.set_num_threads(1)
model = SeisMoLLM.from_pretrained(arguments.weights)
stream = sum((obspy.read(file) for file in arguments.files), obspy.Stream())
stream = sum(
    (obspy.Stream([t]).trim(endtime=t.stats.starttime + 60 * arguments.minutes) for t in stream),
    obspy.Stream(),
)
batch = model.classify(stream).picks
print(f"{len({t.id[:-1] for t in stream})} instruments, {arguments.minutes:g} min each")
for settle in arguments.settle:
    got = []
    live = Live(model, got.append, LiveSettings(settle=settle))
    begun = time.process_time()
    run(live, Replay(stream, 0), Event())
    cost = time.process_time() - begun
    print(f"settle {settle:g} s: {1000 * cost / live.counts['windows']:.1f} ms of CPU per window")
    sure = {(p.trace_id.rpartition(".")[0], p.phase): [] for p in got}
    for p in got:
        if p.status == "confirmed":
            sure[p.trace_id.rpartition(".")[0], p.phase].append(p)
    pairs = [
        (b, min(sure.get((b.trace_id, b.phase), []), key=lambda p: abs(p.time - b.peak_time)))
        for b in batch
    ]
    n = sum(p.status == "confirmed" for p in got)
    print(
        f"  batch {len(batch)}, confirmed {n}, "
        f"largest difference {max(abs(p.time - b.peak_time) for b, p in pairs):.1e} s, "
        f"{max(abs(p.probability - b.peak_value) for b, p in pairs):.1e} in probability"
    )
    for phase in "PS":
        first = {p.id: p for p in got if p.status == "preliminary" and p.phase == phase}
        last = {p.id: p for p in got if p.status == "confirmed" and p.phase == phase}
        both = first.keys() & last.keys()
        shift = [abs(first[i].time - last[i].time) for i in both] or [0]
        age = [p.data_latency for p in first.values()] or [0]
        print(
            f"  {phase}: batch {len(last)}, preliminary {len(first)}, of these confirmed "
            f"{len(both)}, rejected {len(first) - len(both)}; moved by median "
            f"{np.median(shift):.2f} s, 95 % {np.percentile(shift, 95):.2f} s; came "
            f"{np.median(age):.1f} s (95 % {np.percentile(age, 95):.1f} s) after the onset"
        )
    late = [p.data_latency for p in got if p.status == "confirmed"]
    print(
        f"  confirmed {np.median(late):.0f} s (at most {max(late):.0f} s) after the onset; "
        f"wall clock latency (median, 95 %, max) {live.statistics()['latency']}"
    )
