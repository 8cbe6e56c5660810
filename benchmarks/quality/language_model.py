"""
Does the language model help? One compact network, its middle filled in several ways; real records.

    python -m benchmarks.quality.language_model run --data DATA --language-model FOLDER
    python -m benchmarks.quality.language_model report

``DATA`` is what ``making/data.py`` writes; of it only ``real/records``, picked by analysts, and
``noise`` are used. ``FOLDER`` holds MiniLM (or name a Hugging Face id). Each seed has its own split
by event, initial weights and order; a smaller share of the training records leaves the test records
as they are. The windows are of 30 s, for more runs in the same time. Runs that ``--out`` has
already are left out, so that one can stop and go on. About three hours on one core; those in
benchmarks/results are without "MiniLM, all trained".
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import time
import warnings
from pathlib import Path

import lightning
import numpy as np
import pandas as pd
import seisbench
import seisbench.data as sbd
import torch
from torch import nn

from benchmarks.tables.markdown import by_share, digits_of
from seisbench_llm.data.datasets import open_dataset
from seisbench_llm.data.metadata import usable
from seisbench_llm.data.splits import split_by_event
from seisbench_llm.evaluate import metrics
from seisbench_llm.evaluate.predict import predict
from seisbench_llm.training.augmentations.windows import Prepare
from seisbench_llm.training.datamodule import DataModule
from seisbench_llm.training.module import TrainingModule

WINDOW = 3008
# What fills the middle; how the language model is trained.
VARIANTS = {
    "MiniLM, LoRA": ("pretrained", "lora"),
    "MiniLM, all trained": ("pretrained", "full"),
    "random, LoRA": ("random", "lora"),
    "random, all trained": ("random", "full"),
    "convolution": ("convolution", "full"),
    "none": ("none", "full"),
    "none, two more stages": ("deeper", "full"),
}
# Share of the training events -> steps; fewer records are learnt by heart sooner.
STEPS = {1.0: 600, 0.1: 300, 0.01: 150}
SEEDS = (0, 1, 2)
TASKS = ("picking", "distance")
BATCH = 16
BASE = "random, all trained"
MARKERS = ("o", "s", "^", "v", "D", "P", "X")
RESULTS = Path(__file__).parents[1] / "results" / "language_model.json"
FIGURE = Path(__file__).parents[2] / "docs" / "figures" / "controls.png"


class Convolution(nn.Module):
    """A convolution over tokens with about as many weights as a block of MiniLM."""

    def __init__(self, width: int, kernel: int = 12):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.conv = nn.Conv1d(width, width, kernel, padding="same")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, tokens, width) -> the same."""
        inner = self.conv(self.norm(x).transpose(1, 2)).transpose(1, 2)
        return x + nn.functional.gelu(inner)


class Records(DataModule):
    """
    The module of ``fit`` with a split of our own.

    :param sides: ``train``, ``dev`` or ``test`` per record.
    """

    def __init__(self, folder: Path, noise: Path | None, sides: pd.Series, samples: int, seed: int):
        super().__init__(
            str(folder),
            recipe="compact",
            plain_copies=0,
            noise=str(noise) if noise else None,
            batch_size=BATCH,
            num_workers=0,
            samples_per_epoch=samples,
            seed=seed,
        )
        self._sides = sides

    def _split(self, metadata: pd.DataFrame) -> pd.Series:
        return self._sides.copy()


def filtered(
    folder: Path,
    out: Path,
    most: int | None = None,
    band: tuple[str, dict] = ("highpass", {"freq": 1.0, "corners": 2}),
) -> Path:
    """
    A copy of a data set that is filtered already, half of the work of loading.

    :param most: Number of its first records to take; all by default.
    :param band: Name and arguments of ObsPy's filter, by default that of the packaged models.
    """
    if out.is_dir():
        return out
    partial = out.with_name(f"{out.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    prepare = Prepare(100, [band[0]], band[1])
    dataset = open_dataset(folder, sampling_rate=100)
    with sbd.WaveformDataWriter(partial / "metadata.csv", partial / "waveforms.hdf5") as writer:
        writer.data_format = {"dimension_order": "CW", "component_order": "ZNE"}
        for i in range(len(dataset) if most is None else most):
            x, row = dataset.get_sample(i)
            x, _ = prepare.apply(x.astype(float), dict(row))
            writer.add_trace(copied(row), x.astype(np.float32))
    partial.rename(out)
    return out


def copied(row: dict) -> dict:
    """Metadata of a trace for a copy of its data set, without SeisBench's columns of numbers."""
    own = ("trace_name", "index", "level_0")
    return {k: v for k, v in row.items() if k not in own and not _nothing(v)}


def _nothing(value) -> bool:
    return value is None or (np.ndim(value) == 0 and pd.isna(value))


def split(metadata: pd.DataFrame, task: str, share: float, seed: int) -> pd.Series:
    """Training events, of which a share of the records is kept; test events, the same for all."""
    sides = split_by_event(metadata, (0.65, 0.05, 0.3), seed)
    train = sides[(sides == "train") & usable(task, metadata).to_numpy()].index
    drop = np.random.default_rng(seed).permutation(train)[max(1, round(share * len(train))) :]
    sides[drop] = "unused"
    return sides


def build(variant: str, task: str, language_model: str, steps: int, seed: int) -> TrainingModule:
    """The network with its middle."""
    start, how = VARIANTS[variant]
    arguments = {"pretrained": start == "pretrained", "in_samples": WINDOW}
    if start == "pretrained":
        arguments["backbone"] = language_model
    if start in ("none", "convolution"):
        arguments |= {"backbone": None, "width": 384, "pretrained": False}
    if task != "picking":
        # The published head, whose mean over time leaves it to the middle to tell when S came.
        arguments |= {"pred_sample": 500, "pooled_hidden": None}
    module = TrainingModule(
        task=task,
        preset="convolutional" if start == "deeper" else "compact",
        model_args=arguments,
        language_model=how,
        optimizer="adamw",
        learning_rate=1e-3,
        backbone_rate=0.5 if how == "full" and start == "pretrained" else 1.0,
        schedule="onecycle",
        steps_up=min(100, steps // 4),
        positive_weight=4,
        seed=seed,
    )
    if start == "convolution":
        module.model.network.backbone = Convolution(384)
    return module


def best_f1(found: pd.DataFrame, phase: str) -> float:
    """F1 at 0.5 s of the highest peaks, at the best threshold: little training gives low curves."""
    found = found.dropna(subset=f"{phase}_true")
    truth, peak, height = (found[f"{phase}_{n}"] for n in ("true", "peak", "probability"))
    return max(
        metrics.picking_metrics(
            truth.to_numpy(),
            peak.where(height >= level, metrics.NO_PICK).to_numpy(),
            in_samples=WINDOW,
            tolerance=0.5,
        )["f1"]
        for level in np.arange(0.02, 0.8, 0.02)
    )


def train(module: TrainingModule, data: DataModule, steps: int) -> None:
    """Train on the CPU, without checkpoints."""
    data.match(module.model)
    trainer = lightning.Trainer(
        max_steps=steps,
        max_epochs=-1,
        precision="bf16-mixed",
        accelerator="cpu",
        gradient_clip_val=1.0,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, datamodule=data)
    module.model.eval()


def measure(module: TrainingModule, task: str, test: sbd.WaveformDataset) -> dict[str, float]:
    """F1 of P and S and their mean, or the mean absolute error in km, also of the median."""
    found = predict(module.model, test, threshold=0.0)
    if task == "picking":
        scores = {f"{phase}@0.5": best_f1(found, phase.lower()) for phase in "PS"}
        scores["score"] = np.mean(list(scores.values()))
    else:
        truth = found["true"]
        scores = {"score": (found["predicted"] - truth).abs().mean()}
        scores["trivial"] = (truth - truth.median()).abs().mean()
    return {name: round(float(value), 4) for name, value in scores.items()}


def sizes(module: TrainingModule) -> dict[str, int]:
    """Numbers of weights, and of those that are trained."""
    weights = list(module.model.parameters())
    return {
        "weights": sum(p.numel() for p in weights),
        "trained": sum(p.numel() for p in weights if p.requires_grad),
    }


def run(task, variant, share, seed, folder: Path, noise: Path, language_model: str) -> dict:
    """Train and measure once."""
    begin, steps = time.time(), STEPS[share]
    dataset = open_dataset(folder, sampling_rate=100)
    sides = split(dataset.metadata, task, share, seed)
    module = build(variant, task, language_model, steps, seed)
    train(module, Records(folder, noise, sides, steps * BATCH, seed), steps)
    test = dataset.filter((sides == "test").to_numpy(), inplace=False)
    return {
        "task": task,
        "variant": variant,
        "share": share,
        "seed": seed,
        **measure(module, task, test),
        **{s: int((sides[usable(task, dataset.metadata)] == s).sum()) for s in SIDES},
        **sizes(module),
        "minutes": round((time.time() - begin) / 60, 2),
    }


SIDES = ("train", "test")


def run_all(args: argparse.Namespace) -> None:
    folder = filtered(args.data / "real" / "records", args.data / "records_filtered")
    noise = filtered(args.data / "noise", args.data / "noise_filtered")
    # Seeds outermost, so that a run cut short has all variants.
    for seed, share, task, variant in itertools.product(
        args.seeds, STEPS, args.tasks, args.variants
    ):
        found = json.loads(args.out.read_text()) if args.out.is_file() else []
        key = {"task": task, "variant": variant, "share": share, "seed": seed}
        if any(all(row[name] == value for name, value in key.items()) for row in found):
            continue
        row = run(task, variant, share, seed, folder, noise, args.language_model)
        print(row, flush=True)
        found = json.loads(args.out.read_text()) if args.out.is_file() else []
        args.out.write_text(json.dumps([*found, row], indent=1) + "\n")


def report(args: argparse.Namespace) -> None:
    """Tables and figure: mean and range of the seeds."""
    import matplotlib.pyplot as plt

    table = pd.DataFrame(json.loads(args.out.read_text()))
    figure, axes = plt.subplots(1, len(TASKS), figsize=(11, 4.4), layout="constrained")
    for task, axis in zip(TASKS, axes, strict=True):
        part = table[table["task"] == task]
        names = [name for name in VARIANTS if name in part["variant"].unique()]
        scores = part.pivot_table(index="variant", columns=["share", "seed"], values="score")
        scores, digits = scores.loc[names], digits_of(scores)
        print(f"\n{task}: mean (least, largest)\n\n{by_share(scores, digits)}")
        # Splits differ in how hard they are; what differs within a split is the middle.
        less = by_share(scores - scores.loc[BASE], digits)
        print(f"\n{task}: less that of '{BASE}'\n\n{less}")
        shares = sorted(part["share"].unique())
        for number, name in enumerate(names):
            seeds = [scores.loc[name, share].dropna() for share in shares]
            mean = np.array([some.mean() for some in seeds])
            limits = [mean - [some.min() for some in seeds], [some.max() for some in seeds] - mean]
            x = np.arange(len(shares)) + (number - (len(names) - 1) / 2) * 0.1
            axis.errorbar(x, mean, limits, fmt=MARKERS[number], capsize=2, label=name)
        events = [round(part.loc[part["share"] == share, "train"].mean()) for share in shares]
        labels = [f"{share:.0%}\n({n})" for share, n in zip(shares, events, strict=True)]
        axis.set_xticks(range(len(shares)), labels)
        axis.set_xlabel("Share of the training records (number)")
        if task == "distance":
            trivial = part.groupby("seed")["trivial"].first().mean()
            axis.axhline(trivial, color="0.6", ls="--", lw=1)
            axis.annotate("median of the truths", (1.25, trivial + 0.1), color="0.4", fontsize=8)
            axis.set_yscale("log")
            axis.set_yticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"])
            axis.minorticks_off()
            axis.set_ylabel("Mean absolute error of distance (km)")
        else:
            axis.set_ylabel("F1 of P and S at 0.5 s")
    axes[0].legend(fontsize=8)
    args.figure.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.figure, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("--data", type=Path, help="folder that making/data.py wrote")
    parser.add_argument("--language-model", default="sentence-transformers/all-MiniLM-L6-v2")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--figure", type=Path, default=FIGURE)
    args = parser.parse_args()
    for name in ("seisbench", "lightning", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    seisbench.logger.setLevel(logging.ERROR)
    run_all(args) if args.action == "run" else report(args)


if __name__ == "__main__":
    main()
