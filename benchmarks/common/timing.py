"""Timing of several models turn by turn, and what they are timed on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import obspy
import torch

from seisbench_llm.models.seismollm import SeisMoLLM

RESULTS = Path(__file__).parents[1] / "results"
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
# Of the packaged weights; a preset by itself has no filter.
HIGHPASS = {"filter_args": ["highpass"], "filter_kwargs": {"freq": 1.0, "corners": 2}}


def paper(task: str = "picking") -> SeisMoLLM:
    """A model of the published size with random weights."""
    return SeisMoLLM.from_preset("paper", task=task, pretrained=False, backbone_config=GPT2).eval()


def rounds(functions: dict[str, Callable], number: int) -> dict[str, np.ndarray]:
    """Seconds of each in rounds in which all take turns, after one that does not count."""
    for function in functions.values():
        function()
    seconds = {name: [] for name in functions}
    for _ in range(number):
        for name, function in functions.items():
            begin = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - begin)
    return {name: np.array(values) for name, values in seconds.items()}


def turns(functions: dict[str, Callable], number: int, base: str) -> dict[str, dict]:
    """Median seconds of each, and ratios to one of them within the same round, with quartiles."""
    seconds = rounds(functions, number)
    return {
        name: {
            "seconds": float(np.median(values)),
            f"times {base}": [
                round(float(q), 3) for q in np.quantile(values / seconds[base], [0.5, 0.25, 0.75])
            ],
        }
        for name, values in seconds.items()
    }


def station(data: Path, hours: float) -> obspy.Stream:
    """One station of the Chilean data."""
    file = sorted((data / "continuous" / "iquique_cx").glob("*12h.mseed"))[0]
    stream = obspy.read(file)
    stream = stream.select(station=stream[0].stats.station)
    start = max(trace.stats.starttime for trace in stream)
    return stream.slice(start, start + hours * 3600)


def write_part(out: Path, name: str, part: dict) -> None:
    """Put a part into a file of results, and print it."""
    found = json.loads(out.read_text()) if out.is_file() else {}
    found[name] = {"threads": torch.get_num_threads(), **part}
    out.write_text(json.dumps(found, indent=1) + "\n")
    print(f"\n{name}\n{json.dumps(found[name], indent=1)}", flush=True)
