"""
What does a training step cost? Samples per second and peak memory, random data.

    python -m benchmarks.speed.training all
    python -m benchmarks.speed.training step --preset compact --batch 32 --bf16

``all`` runs every case in a process of its own, so that peaks are its own. Whether the loader keeps
up with the step: loader.py.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import subprocess
import sys
from pathlib import Path

import seisbench
import torch

from benchmarks.common.timing import GPT2, RESULTS, turns, write_part
from seisbench_llm.training.module import TrainingModule

CASES = {
    "convolutional, float32": "--preset convolutional --batch 32",
    "convolutional, bfloat16": "--preset convolutional --batch 32 --bf16",
    "compact, float32": "--preset compact --batch 32",
    "compact, bfloat16": "--preset compact --batch 32 --bf16",
    "full, float32": "--preset paper --batch 8",
    "full, bfloat16": "--preset paper --batch 8 --bf16",
    "full, bfloat16, checkpointing": "--preset paper --batch 8 --bf16 --checkpoint",
}


def measure_all(args: argparse.Namespace) -> None:
    """Every case in a process of its own."""
    result = {}
    for name, options in CASES.items():
        command = [sys.executable, "-m", "benchmarks.speed.training", "step"]
        command += [*options.split(), "--rounds", str(args.rounds)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        result[name] = json.loads(done.stdout.splitlines()[-1])
    write_part(args.out, "training", result)


def step(args: argparse.Namespace) -> None:
    """One case: print samples per second and peak memory as JSON."""
    torch.manual_seed(0)
    model_args = {"pretrained": False}
    if args.preset == "paper":
        model_args["backbone_config"] = GPT2
    module = TrainingModule(preset=args.preset, model_args=model_args, schedule="constant")
    optimizer = module.configure_optimizers()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    x = {
        "X": torch.randn(args.batch, 3, module.model.in_samples),
        "y": torch.rand(args.batch, 3, module.model.in_samples),
    }
    if args.checkpoint:
        for block in module.model.network.backbone.blocks:
            inner = block.forward
            block.forward = lambda h, f=inner: torch.utils.checkpoint.checkpoint(
                f, h, use_reentrant=False
            )

    def one_step():
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            loss, _ = module.loss(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    entry = turns({"step": one_step}, args.rounds, "step")["step"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(
        json.dumps(
            {
                "batch": args.batch,
                "samples per second": round(args.batch / entry["seconds"], 1),
                "peak MiB": round(peak / 1024),
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("step", help="one case, in this process")
    one.add_argument("--preset", default="compact")
    one.add_argument("--batch", type=int, default=32)
    one.add_argument("--bf16", action="store_true")
    one.add_argument("--checkpoint", action="store_true", help="activations computed again")
    one.set_defaults(function=step)
    every = commands.add_parser("all", help="every case")
    every.add_argument("--out", type=Path, default=RESULTS / "training.json")
    every.set_defaults(function=measure_all)
    for command in (one, every):
        command.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    seisbench.logger.setLevel(logging.ERROR)
    args.function(args)


if __name__ == "__main__":
    main()
