"""
Does the loader keep up with the training step? Samples per second of both, side by side.

    python -m benchmarks.speed.loader [--dataset synthetic:500] [--out FILE.json]

The loader reads from disk, augments and labels as in training; the step is forward, backward and
optimizer on a batch that is there already. The two take turns, so that both see the same machine.
Above one, the loader waits for the step, not the other way round. With a GPU the step is faster,
and more workers are due: the script says how many of this machine's cores would feed it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path

import numpy as np
import seisbench
import torch

from benchmarks.common.timing import HIGHPASS
from seisbench_llm.training.datamodule import DataModule
from seisbench_llm.training.module import TrainingModule

SIZES = {
    "paper": {"recipe": "paper", "plain_copies": 1, "batch_size": 8},
    "compact": {"recipe": "compact", "plain_copies": 0, "batch_size": 32},
}


def measure(size: str, task: str, dataset: str, workers: int, rounds: int) -> dict[str, float]:
    """Samples per second, medians over rounds."""
    model_args = {"pretrained": False, **(HIGHPASS if size == "compact" else {})}
    module = TrainingModule(task=task, preset=size, model_args=model_args, schedule="constant")
    data = DataModule(dataset, num_workers=workers, **SIZES[size])
    data.match(module.model)
    data.setup()
    optimizer = module.configure_optimizers()
    loader = data.train_dataloader()
    batches = itertools.chain.from_iterable(iter(loader) for _ in itertools.count())
    batch = next(batches)
    amount = loader.batch_size

    def step() -> None:
        loss, _ = module.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    step()
    loads, steps = [], []
    for _ in range(rounds):
        # Empty what the workers have prepared during the steps.
        for _ in range(2 * max(workers, 1)):
            next(batches)
        count = max(64 // amount, 2)
        start = time.perf_counter()
        for _ in range(count):
            next(batches)
        loads.append(count * amount / (time.perf_counter() - start))
        start = time.perf_counter()
        for _ in range(2):
            step()
        steps.append(2 * amount / (time.perf_counter() - start))
    load, train = float(np.median(loads)), float(np.median(steps))
    return {
        "loader": round(load, 1),
        "step": round(train, 1),
        "ratio": round(load / train, 2),
        "spread": [round(float(q / train), 2) for q in np.quantile(loads, [0.25, 0.75])],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--dataset", default="synthetic:500")
    parser.add_argument("--tasks", nargs="+", default=["picking", "distance", "back_azimuth"])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    seisbench.logger.setLevel("ERROR")
    torch.manual_seed(0)
    result = {"workers": args.workers, "threads": torch.get_num_threads()}
    for size, task in itertools.product(SIZES, args.tasks):
        entry = measure(size, task, args.dataset, args.workers, args.rounds)
        result[f"{size} {task}"] = entry
        print(
            f"{size:8} {task:13} loader {entry['loader']:7.1f}/s  step {entry['step']:7.1f}/s  "
            f"ratio {entry['ratio']:.2f} ({entry['spread'][0]:.2f} to {entry['spread'][1]:.2f})",
            flush=True,
        )
    if args.out:
        args.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
