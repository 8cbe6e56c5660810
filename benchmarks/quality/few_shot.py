"""
How many records of a new kind does a picker need, fine-tuned or from random weights?

    python -m benchmarks.quality.few_shot run --work FOLDER
    python -m benchmarks.quality.few_shot report

The kind is one that the packaged picker was not trained on: synthetic earthquakes of a seed of
their own, of which only 1 to 2 Hz are left, as of a long-period instrument or after a long way
through soft rock; low-passes of its training end at 5 Hz. So it shows what records of one's own
bring where the band is another. It does not show how well a picker does in a new region: the real
records at hand are either among those that the packaged weight was made from, or may not be trained
on. The generator, too, is one that the weight knows, so that of real records more may be needed.

1 to 100 % of the training events' records; test records are of other events, and the same for all
shares of a seed. Network, records, augmentations and steps are the same. What differs are the
weights to begin with, and with them the largest learning rate, that of the configuration
``finetune`` and that of the packaged picker. The steps are few, so random weights would gain more
than the others from a longer training, if there are enough records. Scores are those of
language_model.py, the mean F1 of P and S at 0.5 s at the best threshold. Runs that ``--out`` has
already are left out. About 20 minutes of one core.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import time
import warnings
from pathlib import Path

import pandas as pd
import seisbench
import torch

from benchmarks.common.timing import RESULTS as FOLDER
from benchmarks.quality.language_model import BATCH, Records, filtered, measure, split, train
from seisbench_llm.data.datasets import open_dataset
from seisbench_llm.data.synthetic.records import Synthetic
from seisbench_llm.training.module import TrainingModule

WEIGHT = "compact_picking"
BAND = ("bandpass", {"freqmin": 1.0, "freqmax": 2.0})
# Seed of the records, which no other script has; km; samples. P and S are in one window.
RECORDS, SEED, FARTHEST, WINDOW = 1500, 20261, 80, 2048
# Variant -> where it starts from, largest learning rate.
VARIANTS = {"fine-tuned": (WEIGHT, 2e-4), "random weights": (None, 2e-3)}
SHARES = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
STEPS, SEEDS = 270, (0, 1)
# The packaged weight without any training.
AS_IT_IS = "as it is"
RESULTS = FOLDER / "few_shot.json"
FIGURE = Path(__file__).parents[2] / "docs" / "figures" / "few_shot.png"


def records(work: Path, count: int = RECORDS) -> Path:
    """The data set; made once."""
    raw, out = work / f"few_shot_{count}", work / f"few_shot_{count}_band"
    if not out.is_dir():
        Synthetic(count, SEED, max_distance=FARTHEST, noise_only=0).write(raw)
    return filtered(raw, out, band=BAND)


def build(variant: str, seed: int) -> TrainingModule:
    """The packaged network, from its weights or from random ones."""
    weight, rate = VARIANTS[variant]
    arguments = {
        "in_samples": WINDOW,
        "two_speeds": False,
        "filter_args": None,
        "filter_kwargs": None,
    }
    if weight is None:
        arguments["compressed"] = True
    return TrainingModule(
        preset="convolutional",
        weights=weight,
        model_args=arguments,
        optimizer="adamw",
        learning_rate=rate,
        schedule="onecycle",
        steps_up=STEPS // 4,
        positive_weight=4,
        seed=seed,
    )


def run(variant: str, share: float, seed: int, folder: Path) -> dict:
    """Train, unless as it is, and measure."""
    begin = time.time()
    dataset = open_dataset(folder, sampling_rate=100)
    sides = split(dataset.metadata, "picking", share or 1.0, seed)
    module = build(variant if share else "fine-tuned", seed)
    if share:
        train(module, Records(folder, None, sides, STEPS * BATCH, seed), STEPS)
    module.model.eval()
    test = dataset.filter((sides == "test").to_numpy(), inplace=False)
    return {
        "variant": variant,
        "share": share,
        "seed": seed,
        **measure(module, "picking", test),
        "train": int((sides == "train").sum()) if share else 0,
        "test": len(test),
        "minutes": round((time.time() - begin) / 60, 2),
    }


def run_all(args: argparse.Namespace) -> None:
    folder = records(args.work, args.records)
    cases = [(AS_IT_IS, 0.0), *itertools.product(VARIANTS, SHARES)]
    # Seeds outermost, so that a run cut short has all shares.
    for seed, (variant, share) in itertools.product(args.seeds, cases):
        found = json.loads(args.out.read_text()) if args.out.is_file() else []
        if any((r["variant"], r["share"], r["seed"]) == (variant, share, seed) for r in found):
            continue
        row = run(variant, share, seed, folder)
        print(row, flush=True)
        args.out.write_text(json.dumps([*found, row], indent=1) + "\n")


def report(args: argparse.Namespace) -> None:
    """The figure: mean and range of the seeds against the number of records."""
    import matplotlib.pyplot as plt

    table = pd.DataFrame(json.loads(args.out.read_text()))
    figure, axis = plt.subplots(figsize=(6.5, 4), layout="constrained")
    for variant, marker in zip(VARIANTS, "os", strict=True):
        part = table[table["variant"] == variant].groupby("share")
        score, number = part["score"], part["train"].mean()
        axis.plot(number, score.mean(), f"-{marker}", label=variant)
        axis.fill_between(number, score.min(), score.max(), alpha=0.2)
    as_it_is = table.loc[table["variant"] == AS_IT_IS, "score"].mean()
    axis.axhline(as_it_is, color="0.4", ls="--", lw=1, label="packaged, as it is")
    axis.set_xscale("log")
    axis.set_xlabel("Training records")
    axis.set_ylabel("F1 of P and S at 0.5 s")
    axis.legend()
    args.figure.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.figure, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("--work", type=Path, default=Path("runs"), help="folder for the records")
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--figure", type=Path, default=FIGURE)
    args = parser.parse_args()
    for name in ("seisbench", "lightning", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    seisbench.logger.setLevel(logging.ERROR)
    torch.set_num_threads(1)
    run_all(args) if args.action == "run" else report(args)


if __name__ == "__main__":
    main()
