"""
How do MagNet, the BAZ network and DiTingMotion do, trained as the packaged weights were?

    python -m benchmarks.quality.trained_peers --data DATA --records RECORDS --out DATA/peers

Their published checkpoints were not to be had. So each network, written from its paper
(peers/published.py), is trained on the data sets of the packaged weight of its task, in the same
shares, with the same augmentations, number of windows, optimizer and schedule
(configs/packaged/TASK.yaml). Losses are those of their papers. Nothing was tuned for them: learning
rate and window of the BAZ network are those of the packaged weight. Answers are measured on unseen
regions, as in unseen_estimates.py. A network that ``--out`` has already is not trained again.
"""

from __future__ import annotations

import argparse
import json
import logging
import warnings
from pathlib import Path
from types import SimpleNamespace

import lightning
import numpy as np
import obspy
import seisbench
import torch
import yaml
from safetensors.torch import load_file, save_file

from benchmarks.common.records import AnalystRecord
from benchmarks.peers.pnsn import window_at
from benchmarks.peers.published import BazNetwork, DiTingMotion, MagNet, Peer
from benchmarks.quality.unseen_estimates import UNKNOWN, Rule, evaluate, records_with_p
from seisbench_llm.tasks import get_task
from seisbench_llm.training.datamodule import DataModule

CONFIGS = Path(__file__).parents[1] / "configs" / "packaged"
RESULTS = Path(__file__).parents[1] / "results" / "trained_peers.json"
# Windows: samples, Hz, sample of P; the paper's where it fits the records.
PEERS = {
    "polarity": lambda: DiTingMotion(128, 100, 64),
    "back_azimuth": lambda: BazNetwork(512, 100, 192),
    "magnitude": lambda: MagNet(6000, 50, 500),
}
HIGHPASS = {"filter_args": ["highpass"], "filter_kwargs": {"freq": 1.0, "corners": 2}}


class Training(lightning.LightningModule):
    """
    A peer under training.

    :param peer: The network.
    :param options: Section ``model`` of the configuration of the packaged weight.
    """

    def __init__(self, peer: Peer, options: dict):
        super().__init__()
        self.peer, self.options = peer, options
        self.rows = ["ZNE".index(component) for component in peer.component_order]

    def training_step(self, batch, batch_idx: int) -> torch.Tensor:
        x = self.peer.annotate_batch_pre(batch["X"][:, self.rows], {})
        loss = self.peer.loss(self.peer(x), batch["y"])
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self):
        rate, total = self.options["learning_rate"], self.trainer.max_steps
        optimizer = torch.optim.AdamW(self.parameters(), lr=rate)
        share = min(0.3, self.options["steps_up"] / total)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total, pct_start=share)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def train(task: str, data: Path, seed: int, steps: int | None = None) -> Peer:
    """A peer trained by the configuration of the packaged weight, or for fewer steps."""
    config = yaml.safe_load((CONFIGS / f"{task}.yaml").read_text())
    torch.manual_seed(seed)
    peer, options = PEERS[task](), config["data"]
    names = [str(data / name) for name in options.pop("dataset")]
    noise = str(data / options.pop("noise"))
    windows = DataModule(names, noise=noise, **options, seed=seed)
    arguments = {"pred_sample": peer.pred_sample}
    windows.match(
        SimpleNamespace(
            task=get_task(task),
            in_samples=peer.in_samples,
            sampling_rate=peer.sampling_rate,
            labels=peer.labels,
            joint_norm=False,
            get_model_args=lambda: arguments,
            **HIGHPASS,
        )
    )
    trainer = lightning.Trainer(
        max_steps=steps or config["trainer"]["max_steps"],
        max_epochs=-1,
        limit_val_batches=0,
        gradient_clip_val=1.0,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    trainer.fit(Training(peer, config["model"]), datamodule=windows)
    return peer.eval()


def rule_of(peer: Peer) -> Rule:
    """Answers of a peer at the analysts' P; those without a spread."""

    def rule(record: AnalystRecord) -> tuple[float, float]:
        names = peer.component_order
        traces = [trace for name in names for trace in record.stream.select(component=name)]
        if len(traces) < len(names):
            return UNKNOWN
        stream = obspy.Stream(traces).copy().detrend("constant").filter("highpass", freq=1.0)
        start = record.picks["P"][0]
        window = window_at(stream, start, peer.sampling_rate, peer.in_samples, peer.pred_sample)
        x = torch.tensor(np.asarray(window)[None], dtype=torch.float32)
        with torch.no_grad():
            return float(peer.answer(peer.annotate_batch_pre(x, {}))[0]), np.nan

    return rule


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("tasks", nargs="*", default=list(PEERS), help="by default all")
    parser.add_argument("--data", type=Path, required=True, help="folder that making/data.py wrote")
    parser.add_argument("--records", type=Path, required=True, help="folder of the real records")
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()
    for name in ("lightning", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    seisbench.logger.setLevel(logging.ERROR)
    torch.set_num_threads(1)
    records = records_with_p(args.records)
    for task in args.tasks:
        peer, file = PEERS[task](), args.out / f"{task}_{args.seed}.safetensors"
        if not file.is_file():
            args.out.mkdir(parents=True, exist_ok=True)
            save_file(train(task, args.data, args.seed).state_dict(), file)
        peer.load_state_dict(load_file(file))
        found = evaluate(task, rule_of(peer.eval()), records)
        print(f"{task}, {type(peer).__name__}: {json.dumps(found)}", flush=True)
        results = json.loads(args.results.read_text()) if args.results.is_file() else {}
        results[task] = {"network": type(peer).__name__, "seed": args.seed, **found}
        args.results.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
