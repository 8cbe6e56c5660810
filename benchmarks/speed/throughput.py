"""
What SeisMoLLM costs beside PhaseNet and EQTransformer, all in one process and turn by turn.

    python -m benchmarks.speed.throughput --data DATA forward day settings tasks precision \
        training memory
    python -m benchmarks.speed.throughput figure cores

``forward``: one 60 s window through the network alone. ``day``: a station-day through ``annotate``
at equal overlap. ``settings``: the same against overlap, batch size and threads. ``tasks``: picks
alone, and with four estimates at each. ``precision``: picks with short numbers. ``training``:
steps, with their memory. ``memory``: peak for one day and three, each in a process of its own.
Names: *packaged* is compact_picking, *compact* the preset with a block of MiniLM's shape, *full*
the published size; *stock* is the class as it comes, for SeisMoLLM SeisBench's own loop around the
network as it is trained; *tuned* has the network in the calling thread and, for SeisMoLLM, fused.

Every figure is a median over rounds with the quartiles; ratios are taken within a round, as the
machine's speed drifts. Nothing else should run meanwhile. Speed does not depend on the weights;
PhaseNet and EQTransformer are untrained.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import obspy
import seisbench
import seisbench.models as sbm
import torch
from seisbench.models import WaveformModel

from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.streams import pipeline as executor
from seisbench_llm.streams.arguments import PRECISIONS
from seisbench_llm.tasks import TASKS
from seisbench_llm.training.module import TrainingModule

THIS = [sys.executable, "-m", "benchmarks.speed.throughput"]
RESULTS = Path(__file__).parents[1] / "results" / "throughput.json"
FIGURE = Path(__file__).parents[2] / "docs" / "figures" / "throughput.png"
# GPT-2's shape; its weights are of no matter here.
GPT2 = {
    "width": 768,
    "layers": 3,
    "heads": 12,
    "mlp_width": 3072,
    "positions": 1024,
    "causal": True,
    "norm_first": True,
    "tanh_gelu": True,
    "norm_eps": 1e-5,
}
FILTER = {"filter_args": ["highpass"], "filter_kwargs": {"freq": 1.0, "corners": 2}}
BATCH = 16


def paper(task: str = "picking") -> SeisMoLLM:
    return SeisMoLLM.from_preset("paper", task=task, pretrained=False, backbone_config=GPT2).eval()


def turns(functions: dict[str, Callable], rounds: int, base: str) -> dict[str, dict]:
    """Seconds of each, and ratios to one of them within the same round."""
    for function in functions.values():
        function()
    seconds = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            begin = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - begin)
    out = {}
    for name, values in seconds.items():
        ratio = np.array(values) / np.array(seconds[base])
        out[name] = {
            "seconds": float(np.median(values)),
            f"times {base}": [round(float(q), 3) for q in np.quantile(ratio, [0.5, 0.25, 0.75])],
        }
    return out


def forward(args) -> dict:
    """Milliseconds per 60 s window of three components, batches of 16."""
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
    for entry in result.values():
        entry["milliseconds"] = round(entry.pop("seconds") / BATCH * 1e3, 3)
    return result


def station(args, hours: float) -> obspy.Stream:
    """One station of the Chilean data."""
    file = sorted((args.data / "continuous" / "iquique_cx").glob("*12h.mseed"))[0]
    stream = obspy.read(file)
    stream = stream.select(station=stream[0].stats.station)
    start = max(trace.stats.starttime for trace in stream)
    return stream.slice(start, start + hours * 3600)


def day(args) -> dict:
    """Seconds per station-day through annotate, at an overlap of a half."""
    stream = station(args, args.hours)
    packaged, full = SeisMoLLM.from_pretrained("compact_picking"), paper()
    compact = SeisMoLLM.from_preset("compact", pretrained=False, **FILTER)
    phasenet, eqtransformer = sbm.PhaseNet(), sbm.EQTransformer()

    def stock(model):
        # SeisBench's own methods: its loop, its thread, the network as it is.
        def run():
            with torch.no_grad():
                asyncio.run(WaveformModel.annotate_async(model, stream, overlap=0.5))

        return run

    def tuned(model, **kwargs):
        return lambda: executor.run(model.annotate_async(stream, overlap=0.5, **kwargs))

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
    result["packaged, overlap 0.75"] = turns({"": lambda: packaged.annotate(stream)}, 3, "")[""]
    for entry in result.values():
        entry["seconds"] = round(entry["seconds"] * 24 / args.hours, 2)
    return result


def settings(args) -> dict:
    """Seconds per station-day of the packaged picker against overlap, batch size and threads."""
    stream, model = station(args, args.hours), SeisMoLLM.from_pretrained("compact_picking")
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


def training(args) -> dict:
    """Samples per second and peak memory of training steps; compare with loader.py."""
    result = {}
    for name, preset, batch, options in (
        ("convolutional, float32", "convolutional", 32, {}),
        ("convolutional, bfloat16", "convolutional", 32, {"bf16": True}),
        ("compact, float32", "compact", 32, {}),
        ("compact, bfloat16", "compact", 32, {"bf16": True}),
        ("full, float32", "paper", 8, {}),
        ("full, bfloat16", "paper", 8, {"bf16": True}),
        ("full, bfloat16, checkpointing", "paper", 8, {"bf16": True, "checkpoint": True}),
    ):
        command = [
            sys.executable,
            "-m",
            "benchmarks.speed.throughput",
            "--data",
            str(args.data),
            "_step",
        ]
        options = {"preset": preset, "batch": batch, "rounds": args.rounds, **options}
        done = subprocess.run(
            [*command, "--options", json.dumps(options)], capture_output=True, text=True, check=True
        )
        result[name] = json.loads(done.stdout.splitlines()[-1])
    return result


def _step(args) -> None:
    options = json.loads(args.options)
    arguments = {"pretrained": False}
    if options["preset"] == "paper":
        arguments["backbone_config"] = GPT2
    module = TrainingModule(preset=options["preset"], model_args=arguments, schedule="constant")
    optimizer, batch = module.configure_optimizers(), options["batch"]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    x = {
        "X": torch.randn(batch, 3, module.model.in_samples),
        "y": torch.rand(batch, 3, module.model.in_samples),
    }
    if options.get("checkpoint"):
        for block in module.model.network.backbone.blocks:
            inner = block.forward
            block.forward = lambda h, f=inner: torch.utils.checkpoint.checkpoint(
                f, h, use_reentrant=False
            )

    def step():
        with torch.autocast("cpu", torch.bfloat16, enabled=options.get("bf16", False)):
            loss, _ = module.loss(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    entry = turns({"step": step}, options["rounds"], "step")["step"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(
        json.dumps(
            {
                "batch": batch,
                "samples per second": round(batch / entry["seconds"], 1),
                "peak MiB": round(peak / 1024),
            }
        )
    )


def memory(args) -> dict:
    """Peak memory in MiB above the stream, of annotate and of classify."""
    result = {}
    for method in ("annotate", "classify"):
        for days in (1, 3):
            command = [
                sys.executable,
                "-m",
                "benchmarks.speed.throughput",
                "--data",
                str(args.data),
                "_memory",
            ]
            options = json.dumps({"method": method, "days": days})
            done = subprocess.run(
                [*command, "--options", options], capture_output=True, text=True, check=True
            )
            result[f"{method}, {days} d"] = json.loads(done.stdout.splitlines()[-1])
    return result


def _memory(args) -> None:
    options = json.loads(args.options)
    piece = station(args, 2.0)
    samples = round(options["days"] * 86400 * piece[0].stats.sampling_rate)
    for trace in piece:
        trace.data = np.resize(trace.data, samples)
    model = SeisMoLLM.from_pretrained("compact_picking")
    model.annotate(obspy.read())  # libraries and threads
    # Linux forgets the peak so far, which was when the stream was made.
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    out = getattr(model, options["method"])(piece, overlap=0.5)
    peak = _status("VmHWM") - before
    own = sum(t.data.nbytes for t in out) if options["method"] == "annotate" else 0
    entry = {
        "stream": sum(t.data.nbytes for t in piece) / 2**20,
        "peak above it": peak / 1024,
        "of which result": own / 2**20,
    }
    print(json.dumps({name: round(value) for name, value in entry.items()}))


def _status(name: str) -> int:
    """A size in KiB that Linux tells of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


def figure(args) -> None:
    """Where the time goes, per window and per station-day."""
    import matplotlib.pyplot as plt

    found = json.loads(args.out.read_text())
    fig, axes = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
    for axis, part, key, title in (
        (axes[0], "forward", "milliseconds", "Network alone: ms per 60 s window"),
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


PARTS = {f.__name__: f for f in (forward, day, settings, tasks, precision, training, memory)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("parts", nargs="+", choices=[*PARTS, "figure", "cores", "_step", "_memory"])
    parser.add_argument("--data", type=Path, help="folder of the real records")
    parser.add_argument("--hours", type=float, default=2.0, help="length of the stream in day")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--day-rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--figure", type=Path, default=FIGURE)
    parser.add_argument("--options", help=argparse.SUPPRESS)
    args = parser.parse_args()
    seisbench.logger.setLevel(logging.ERROR)
    torch.manual_seed(0)
    for name in args.parts:
        if name not in PARTS:
            globals()[name](args)
            continue
        part = {"threads": torch.get_num_threads(), **PARTS[name](args)}
        found = json.loads(args.out.read_text()) if args.out.is_file() else {}
        found[name] = part
        args.out.write_text(json.dumps(found, indent=1) + "\n")
        print(f"\n{name}\n{json.dumps(part, indent=1)}", flush=True)


if __name__ == "__main__":
    main()
