"""
What does each model of each task cost: parameters, FLOPs, time, a station-day, memory?

    python -m benchmarks.speed.costs --data DATA
    python -m benchmarks.speed.costs counts

One run for the packaged weights, the preset compact, the published size (*full*), and the networks
that the paper compares with. Without names of parts, all of them:

``counts``: parameters, and FLOPs of a window as PyTorch counts them: twice the multiply-adds of
convolutions, matrix products, attention and the LSTMs' gates. Not counted are normalisations,
activations, pooling, interpolation, sums and eigenvalues. The network is as it was trained, not
fused. ``windows``: milliseconds per window in batches of 16, the network alone as ``annotate`` runs
it: SeisMoLLM fused, others as they come. ``day``: a station-day of pickers through ``annotate``, at
an overlap of a half. ``memory``: MiB above what the process held before, in fresh processes as
memory.py measures them: a batch of 16 windows, without the weights themselves, and for pickers a
day through ``annotate``, with its result. Linux only.

The windows of a network are its own, so compare by seconds of window. Times are medians over rounds
in which all take turns, with quartiles; ratios to PhaseNet are taken within a round. Nothing else
should run meanwhile. Costs do not depend on weights: all but the packaged models are untrained.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import seisbench
import seisbench.models as sbm
import torch
from seisbench.models import WaveformModel
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.common.timing import HIGHPASS, RESULTS, paper, rounds, station, write_part
from benchmarks.peers.estimators import SEIST
from benchmarks.peers.published import BazNetwork, DiTingMotion, MagNet
from benchmarks.peers.seist import SeisT
from benchmarks.speed.memory import fresh, peak, whole_days
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.tasks import TASKS

BATCH = 16
OVERLAP = 0.5
BASE = "picking, PhaseNet"


def _models() -> dict[str, Callable[[], WaveformModel]]:
    """Name, which begins with the task -> what builds the model."""
    made = {}
    for task in TASKS:
        compact = partial(SeisMoLLM.from_preset, "compact", task, pretrained=False, **HIGHPASS)
        made |= {
            f"{task}, packaged": partial(SeisMoLLM.from_pretrained, f"compact_{task}"),
            f"{task}, compact": compact,
            f"{task}, full": partial(paper, task),
        }
        published = SEIST.get(task, "dpk")
        made |= {f"{task}, SeisT-{size.upper()}": partial(SeisT, published, size) for size in "sl"}
    return {
        **made,
        BASE: sbm.PhaseNet,
        "picking, EQTransformer": sbm.EQTransformer,
        "magnitude, MagNet": MagNet,
        "back_azimuth, BAZ network": BazNetwork,
        "polarity, DiTingMotion": DiTingMotion,
    }


MODELS = _models()
PICKERS = [name for name in MODELS if name.startswith("picking, ")]


def build(name: str) -> WaveformModel:
    """A model by its name, in evaluation mode."""
    return MODELS[name]().eval()


def batch(model: WaveformModel, windows: int) -> torch.Tensor:
    """Noise as the network gets it, (windows, inputs, samples)."""
    x = torch.randn(windows, len(model.component_order), model.in_samples)
    return model.annotate_batch_pre(x, model.default_args)


def answer(model: WaveformModel, x: torch.Tensor) -> None:
    """What ``annotate`` does with a batch: SeisMoLLM's network is fused."""
    with torch.no_grad():
        (model.predict if isinstance(model, SeisMoLLM) else model)(x)


def flops(network: Callable, x: torch.Tensor) -> int:
    """
    Floating-point operations that PyTorch counts.

    :param network: What takes ``x``, built of PyTorch's operators.
    """
    # PyTorch has no count for LSTMs of oneDNN and for attention in one piece, but for their parts,
    # which in turn it does not see in inference mode.
    counter, torch.backends.mkldnn.enabled = FlopCounterMode(display=False), False
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
            network(x)
    finally:
        torch.backends.mkldnn.enabled = True
    return counter.get_total_flops()


def counts(args) -> dict:
    """Size of each network, and of its window."""
    result = {}
    for name in MODELS:
        model = build(name)
        result[name] = {
            "parameters": sum(p.numel() for p in model.parameters()),
            "flops": flops(model, batch(model, 1)),
            "seconds of window": model.in_samples / model.sampling_rate,
        }
    return result


def _turns(functions: dict[str, Callable], number: int, factor: float) -> dict:
    """Medians and quartiles of seconds times a factor, and of ratios to PhaseNet in a round."""
    seconds = rounds(functions, number)
    return {
        name: {
            key: [float(f"{value:.4g}") for value in np.quantile(values, [0.5, 0.25, 0.75])]
            for key, values in (
                ("value", taken * factor),
                ("times PhaseNet", taken / seconds[BASE]),
            )
        }
        for name, taken in seconds.items()
    }


def windows(args) -> dict:
    """Milliseconds per window."""
    models = {name: build(name) for name in MODELS}
    functions = {
        name: partial(answer, model, batch(model, BATCH)) for name, model in models.items()
    }
    return _turns(functions, args.rounds, 1e3 / BATCH)


def day(args) -> dict:
    """Seconds per station-day."""
    stream = station(args.data, args.hours)
    functions = {name: partial(build(name).annotate, stream, overlap=OVERLAP) for name in PICKERS}
    return _turns(functions, args.day_rounds, 24 / args.hours)


def memory_of_batch(name: str) -> float:
    """MiB above the model and its input, in this process."""
    model = build(name)
    answer(model, batch(model, 1))  # libraries, threads, the fused network
    return peak(partial(answer, model, batch(model, BATCH)))[1]


def memory_of_day(name: str, data: Path) -> float:
    """MiB above the model and the stream, in this process."""
    stream, model = whole_days(data, 1), build(name)
    model.annotate(station(data, 0.1), overlap=OVERLAP)
    return peak(partial(model.annotate, stream, overlap=OVERLAP))[1]


def memory(args) -> dict:
    """MiB of a batch and of a day."""
    result = {}
    for name in MODELS:
        cases = {"batch": (memory_of_batch, name)}
        if name in PICKERS:
            cases["day"] = (memory_of_day, name, args.data)
        result[name] = {
            key: round(median(fresh(*case) for _ in range(args.repeats)))
            for key, case in cases.items()
        }
        print(name, result[name], flush=True)
    return result


PARTS = {f.__name__: f for f in (counts, windows, day, memory)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("parts", nargs="*", help=f"by default all of {', '.join(PARTS)}")
    parser.add_argument("--data", type=Path, help="folder of the real records, for day and memory")
    parser.add_argument("--hours", type=float, default=2.0, help="length of the stream in day")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--day-rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3, help="processes per figure of memory")
    parser.add_argument("--out", type=Path, default=RESULTS / "costs.json")
    args = parser.parse_args()
    parts = args.parts or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"There is no part {', '.join(unknown)}; there are {', '.join(PARTS)}.")
    if args.data is None and {"day", "memory"} & set(parts):
        parser.error("Name the folder of the real records by --data.")
    seisbench.logger.setLevel(logging.ERROR)
    torch.manual_seed(0)
    for name in parts:
        write_part(args.out, name, PARTS[name](args))


if __name__ == "__main__":
    main()
