"""
What does a window, and a station-day through annotate, cost beside PhaseNet and EQTransformer?

    python -m benchmarks.speed.annotate --data DATA forward day settings tasks precision
    python -m benchmarks.speed.annotate figure cores

``forward``: 60 s through the network alone. ``day``: a station-day through ``annotate`` at equal
overlap, and at the default ones. ``settings``: the same against overlap, batch size and threads.
``tasks``: picks alone, and with four estimates at each. ``precision``: picks with short numbers.
``figure`` and ``cores`` draw and print what the result file has. Names: *packaged* is
compact_picking, *compact* the preset with a block of MiniLM's shape, *full* the published size;
*stock* is the class as it comes, for SeisMoLLM SeisBench's own loop around the network as it is
trained; *tuned* has the network in the calling thread and, for SeisMoLLM, fused.

Every figure is a median over rounds with the quartiles; ratios are taken within a round, as the
machine's speed drifts. Nothing else should run meanwhile. Speed does not depend on the weights;
PhaseNet and EQTransformer are untrained.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
from pathlib import Path

import numpy as np
import obspy
import seisbench
import seisbench.models as sbm
import torch
from seisbench.models import WaveformModel

from benchmarks.common.timing import HIGHPASS, RESULTS, paper, station, turns, write_part
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.streams import run_here
from seisbench_llm.streams.arguments import PRECISIONS
from seisbench_llm.tasks import TASKS

FIGURE = Path(__file__).parents[2] / "docs" / "figures" / "throughput.png"
BATCH = 16


def forward(args) -> dict:
    """Milliseconds per 60 s of three components, batches of 16 windows."""
    sizes = {
        "packaged": SeisMoLLM.from_pretrained("compact_picking").eval(),
        "compact": SeisMoLLM.from_preset("compact", pretrained=False).eval(),
        "full": paper(),
    }
    phasenet, eqtransformer = sbm.PhaseNet().eval(), sbm.EQTransformer().eval()
    x = {name: torch.randn(BATCH, 3, model.in_samples) for name, model in sizes.items()}
    # Two windows of PhaseNet are as long as one of the others.
    half = torch.randn(2 * BATCH, 3, phasenet.in_samples)
    functions = {
        "EQTransformer": lambda: eqtransformer(x["full"]),
        "PhaseNet": lambda: phasenet(half),
    }
    for size, model in sizes.items():
        functions |= {
            f"{size}, stock": lambda m=model, z=x[size]: m(z),
            f"{size}, fused": lambda m=model, z=x[size]: m.predict(z),
            f"{size}, fused, bfloat16": lambda m=model, z=x[size]: m.predict(z, "bfloat16"),
        }
    with torch.no_grad():
        result = turns(functions, args.rounds, "EQTransformer")
        for size, model in sizes.items():
            one = turns({k: f for k, f in functions.items() if size in k}, 5, f"{size}, stock")
            for name, entry in one.items():
                result[name]["times stock"] = entry[f"times {size}, stock"]
            difference = model.predict(x[size]) - model(x[size])
            result[f"{size}, fused"]["largest difference"] = float(difference.abs().max())
    for name, entry in result.items():
        # compact_picking has windows of two minutes.
        model = sizes.get(name.split(",")[0])
        minutes = model.in_samples / model.sampling_rate / 60 if model else 1.0
        entry["milliseconds"] = round(entry.pop("seconds") / BATCH / minutes * 1e3, 3)
        entry["times EQTransformer"] = [
            round(ratio / minutes, 3) for ratio in entry["times EQTransformer"]
        ]
    return result


def day(args) -> dict:
    """Seconds per station-day through annotate, at an overlap of a half."""
    stream = station(args.data, args.hours)
    packaged, full = SeisMoLLM.from_pretrained("compact_picking"), paper()
    compact = SeisMoLLM.from_preset("compact", pretrained=False, **HIGHPASS)
    phasenet, eqtransformer = sbm.PhaseNet(), sbm.EQTransformer()

    def stock(model):
        # SeisBench's own methods: its loop, its thread, the network as it is.
        def run():
            with torch.no_grad():
                asyncio.run(WaveformModel.annotate_async(model, stream, overlap=0.5))

        return run

    def tuned(model, **kwargs):
        return lambda: run_here(model.annotate_async(stream, overlap=0.5, **kwargs))

    plain = SeisMoLLM(**packaged.get_model_args())
    plain.forward = plain.forward  # a forward that is replaced is not fused
    functions = {
        "EQTransformer, stock": stock(eqtransformer),
        "PhaseNet, stock": stock(phasenet),
        "EQTransformer, tuned": tuned(eqtransformer),
        "PhaseNet, tuned": tuned(phasenet),
        "packaged, stock": stock(plain),
        "packaged": tuned(packaged),
        "packaged, bfloat16": tuned(packaged, precision="bfloat16"),
        "compact": tuned(compact),
    }
    result = turns(functions, args.day_rounds, "EQTransformer, stock")
    for name, entry in turns(functions, args.day_rounds, "PhaseNet, stock").items():
        result[name]["times PhaseNet, stock"] = entry["times PhaseNet, stock"]
    result |= turns(
        {"full": tuned(full), "full, bfloat16": tuned(full, precision="bfloat16")}, 1, "full"
    )
    default = {
        f"{name}, default overlap": lambda model=model: run_here(model.annotate_async(stream))
        for name, model in (("packaged", packaged), ("PhaseNet", phasenet))
    }
    result |= turns(default, args.day_rounds, "PhaseNet, default overlap")
    for entry in result.values():
        entry["seconds"] = round(entry["seconds"] * 24 / args.hours, 2)
    return result


def settings(args) -> dict:
    """Seconds per station-day of the packaged picker against overlap, batch size and threads."""
    stream, model = station(args.data, args.hours), SeisMoLLM.from_pretrained("compact_picking")
    base = {"overlap": 0.5, "batch_size": 32}
    cases = {
        **{f"overlap {value}": {"overlap": value} for value in (0.25, 0.5, 0.75)},
        **{f"batch size {value}": {"batch_size": value} for value in (1, 8, 32, 128)},
    }
    functions = {k: lambda v=v: model.annotate(stream, **{**base, **v}) for k, v in cases.items()}
    result = turns(functions, args.day_rounds, "overlap 0.5")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    result |= turns({"one thread": functions["overlap 0.5"]}, args.day_rounds, "one thread")
    torch.set_num_threads(threads)
    for entry in result.values():
        entry["seconds"] = round(entry["seconds"] * 24 / args.hours, 2)
    return result


def tasks(args) -> dict:
    """Picks alone, and with four estimates at each P, of the packaged weights."""
    stream = obspy.read(next((args.data / "continuous" / "ridgecrest_pb").glob("*.mseed")))
    for trace in stream:  # not that they pointed there, but so that back-azimuth takes part
        trace.stats.channel = trace.stats.channel.replace("1", "N").replace("2", "E")
    picker = SeisMoLLM.from_pretrained("compact_picking")
    others = [SeisMoLLM.from_pretrained(f"compact_{task}") for task in list(TASKS)[1:]]
    picks = [pick for pick in picker.classify(stream).picks if pick.phase == "P"]

    def five(number: int) -> None:
        picker.classify(stream)
        for model in others:
            model.classify(stream, picks=picks[:: len(picks) // number])

    functions = {"picks": lambda: picker.classify(stream), "five": lambda: five(len(picks))}
    functions["five, a tenth of the picks"] = lambda: five(len(picks) // 10)
    result = turns(functions, args.day_rounds, "picks")
    hours = sum(t.stats.npts * t.stats.delta for t in stream) / 3 / 3600
    alone = result["picks"]["seconds"] / hours
    each = (result["five"]["seconds"] - result["picks"]["seconds"]) / len(picks)
    return {
        **result,
        "P picks per station and hour": round(len(picks) / hours),
        "P picks per station and hour at which five cost 1.5 times one": round(0.5 * alone / each),
    }


def precision(args) -> dict:
    """Share of the picks in bfloat16 that are within a sample of one in float32, and back."""
    model, found = SeisMoLLM.from_pretrained("compact_picking"), {}
    stream = obspy.read(next((args.data / "continuous" / "ridgecrest_pb").glob("*.mseed")))
    for name in PRECISIONS:
        picks = model.classify(stream, precision=name).picks
        found[name] = {(p.trace_id, p.phase, round(p.peak_time.timestamp * 100)) for p in picks}
    result = {"picks": len(found["float32"])}
    for name in PRECISIONS[1:]:
        for one, other in (("float32", name), (name, "float32")):
            near = {(i, phase, at + d) for i, phase, at in found[other] for d in (-1, 0, 1)}
            share = np.mean([pick in near for pick in found[one]])
            result[f"{one} also in {other}"] = round(float(share), 4)
    return result


def cores(args) -> None:
    """Print the cores that networks of some sizes need, from the day on one thread."""
    found = json.loads(args.out.read_text())
    one, many = found["settings"]["one thread"]["seconds"], found["day"]
    threads = many["threads"]
    print("| model | core-seconds per station-day | 100 | 1,000 | 10,000 stations | 300 x a year |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    rows = {"packaged, one thread": one}
    rows |= {k: v["seconds"] * threads for k, v in many.items() if isinstance(v, dict)}
    for name, seconds in rows.items():
        needed = " | ".join(f"{seconds * n / 86400:.2g}" for n in (100, 1000, 10000))
        print(
            f"| {name} | {seconds:.0f} | {needed} | {seconds * 300 * 365 / 3600:.0f} core-hours |"
        )


def figure(args) -> None:
    """Where the time goes, per window and per station-day."""
    import matplotlib.pyplot as plt

    found = json.loads(args.out.read_text())
    fig, axes = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
    for axis, part, key, title in (
        (axes[0], "forward", "milliseconds", "Network alone: ms per 60 s"),
        (axes[1], "day", "seconds", "annotate: seconds per station-day"),
    ):
        rows = {k: v for k, v in found[part].items() if isinstance(v, dict) and key in v}
        bars = axis.barh(list(rows), [row[key] for row in rows.values()], color="C0")
        axis.bar_label(bars, fmt="%.1f", padding=2, fontsize=8)
        axis.set_xscale("log")
        axis.set_title(title, fontsize=10)
        axis.invert_yaxis()
        axis.margins(x=0.15)
    args.figure.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(args.figure, dpi=120)


MEASUREMENTS = {f.__name__: f for f in (forward, day, settings, tasks, precision)}
REPORTS = {f.__name__: f for f in (figure, cores)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("parts", nargs="+", choices=[*MEASUREMENTS, *REPORTS])
    parser.add_argument("--data", type=Path, help="folder of the real records")
    parser.add_argument("--hours", type=float, default=2.0, help="length of the stream in day")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--day-rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "annotate.json")
    parser.add_argument("--figure", type=Path, default=FIGURE)
    args = parser.parse_args()
    seisbench.logger.setLevel(logging.ERROR)
    torch.manual_seed(0)
    for name in args.parts:
        if name in REPORTS:
            REPORTS[name](args)
        else:
            write_part(args.out, name, MEASUREMENTS[name](args))


if __name__ == "__main__":
    main()
