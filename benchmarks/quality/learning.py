"""
Does every task learn? Five compact models on 5,000 synthetic records, on events they never saw.

    python -m benchmarks.quality.learning --out benchmarks/results/learning.json

trains each model with ``compact.yaml`` for a fixed number of steps, the language model with
random weights, or all of it with those of the packaged picker, and compares it on the test events
with the trivial predictor: the median of the truths (magnitude, distance), the more frequent
polarity, any fixed back-azimuth (90 degrees), picks at the median place of a phase. Ends with an
error if a margin stated in ``TASKS`` is not reached.
Under an hour on two cores. A run that is there already is gone on with, or only evaluated.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import seisbench

from seisbench_llm.data.datasets import open_dataset
from seisbench_llm.data.splits import split_by_event
from seisbench_llm.evaluate import metrics
from seisbench_llm.evaluate.evaluation import Evaluation, evaluate
from seisbench_llm.training import configs
from seisbench_llm.training.fit import fit
from seisbench_llm.training.module import trained_model

CONFIG = configs.FOLDER / "compact.yaml"
DATASET = "synthetic:5000:1"
# Steps of 32 windows; what is measured; and the margin: the model's score is to exceed the trivial
# one by this much, or its error to be below this share of the trivial one.
TASKS = {
    "distance": (400, "mean absolute error", "times", 0.6),
    "magnitude": (400, "mean absolute error", "times", 0.7),
    "polarity": (1000, "accuracy", "exceeds by", 0.2),
    "picking": (1000, "F1 of P and S at 0.5 s", "exceeds by", 0.4),
    "back_azimuth": (3000, "median absolute error", "times", 0.75),
}
# From random weights these two take ten times as long to find S; the picker knows it. It was
# trained on synthetic records of another seed.
FROM_PICKER = ("distance", "magnitude")


def compare(task: str, result: Evaluation) -> tuple[float, float]:
    """What the model reaches, and what the trivial predictor does."""
    if task == "picking":
        both = np.mean([result.measures[phase]["f1_0.5s"] for phase in "PS"])
        return float(both), float(np.mean([_fixed_pick(result, phase) for phase in "ps"]))
    measures = result.measures[task]
    if task == "polarity":
        return measures["accuracy"], measures["accuracy_trivial"]
    if task == "back_azimuth":
        return measures["median_ae"], 90.0
    return measures["mae"], measures["mae_trivial"]


def _fixed_pick(result: Evaluation, phase: str) -> float:
    truth = result.table[f"{phase}_true"].dropna().to_numpy()
    place = np.full(len(truth), np.median(truth[truth != metrics.NO_PICK]))
    return metrics.picking_metrics(truth, place, in_samples=10**6, tolerance=0.5)["f1"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/learning"))
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("options", nargs="*", help="further options of fit, after --")
    args = parser.parse_args()
    seisbench.logger.setLevel("ERROR")
    dataset = open_dataset(DATASET, sampling_rate=100)
    test = (split_by_event(dataset.metadata, seed=args.seed) == "test").to_numpy()
    results = json.loads(args.out.read_text()) if args.out and args.out.is_file() else {}
    failed = []
    for task in args.tasks:
        steps, name, how, margin = TASKS[task]
        start = time.time()
        begin = ["--model.model_args.pretrained=false"]
        if task in FROM_PICKER:
            begin = ["--model.weights=compact_picking", "--model.model_args={}"]
        run = fit(
            [
                *("--config", str(CONFIG), "--task", task, "--run", str(args.runs / task)),
                *(f"--data.dataset={DATASET}", f"--seed_everything={args.seed}"),
                *(*begin, f"--trainer.max_steps={steps}"),
                *("--early_stopping.patience=1000", "--trainer.max_epochs=-1"),
                *("--trainer.precision=bf16-mixed", *args.options),
            ]
        )
        minutes = (time.time() - start) / 60
        model = trained_model(run / "checkpoints" / "best.ckpt")
        result = evaluate(model, dataset.filter(test, inplace=False))
        reached, trivial = compare(task, result)
        good = reached >= trivial + margin if how == "exceeds by" else reached <= margin * trivial
        results[task] = {
            "measure": name,
            "model": round(reached, 3),
            "trivial": round(trivial, 3),
            "margin asked": f"{how} {margin}",
            "reached": bool(good),
            "records": len(result.table),
            "start": "compact_picking" if task in FROM_PICKER else "random",
            "steps": steps,
            "minutes": round(minutes, 1),
        }
        print(f"{task}: {results[task]}", flush=True)
        failed += [] if good else [task]
        if args.out:
            args.out.write_text(json.dumps(results, indent=2) + "\n")
    if failed:
        raise SystemExit(f"The margin is not reached: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
