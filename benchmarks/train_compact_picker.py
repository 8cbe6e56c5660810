"""
Train the packaged compact picker on real and synthetic records.

    python benchmarks/train_compact_picker.py --data DATA --cache CACHE --language-model FOLDER \
        --run runs/compact_picking --steps 6000 --peak-weight 4 --synthetic 8000

The packaged weight came about in four legs: 4,000 steps on real records with --peak-weight 9 and
without head_skips, 750 with synthetic ones, 2,000 from there (--start) with head_skips, whose new
channels started near zero, and 750 at --rate 4e-4 with the shares of noise below.

Can be stopped at any time and started again: it goes on from the last checkpoint. With each
checkpoint it writes the weight files. Labels are the analysts' picks. Where those are known to
be incomplete, confident picks of the published PhaseNet (MIT licence) are added, and whatever it is
unsure of is left out of the loss.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import seisbench
import seisbench.models as sbm
import torch
import torch.nn.functional as F
from records import SETS, Record, load_continuous, load_noise, load_set
from scipy.signal import butter, sosfilt

from seisbench_llm import SeisMoLLM
from seisbench_llm.data import Synthetic
from seisbench_llm.models import streams
from seisbench_llm.preprocess import normalize

WINDOW, RATE, SIGMA, HALF_LABEL = 6016, 100, 10, 40
# Share of each kind of record among the drawn windows.
SHARES = {
    "phasenet_ncedc154": 0.24,
    "eqcorrscan_nz": 0.24,
    "quakemigrate_iceland": 0.16,
    "gmprocess_strongmotion": 0.05,
    "ridgecrest_pb": 0.15,
    "iquique_cx": 0.15,
    "noise": 0.20,
    "synthetic": 0.5,
}


def prepare(record: Record, model: SeisMoLLM, teacher: sbm.PhaseNet) -> dict | None:
    """The record as the network sees it before windows are cut, with labels in samples."""
    stream = streams.clean(record.stream.copy(), model, {})
    if not stream:
        return None
    model.annotate_stream_pre(stream, {})
    start = min(trace.stats.starttime for trace in stream)
    end = max(trace.stats.endtime for trace in stream)
    data = np.zeros((3, round((end - start) * RATE) + 1), np.float32)
    for trace in stream:
        component = "ZNE".index({"1": "N", "2": "E"}.get(trace.id[-1], trace.id[-1]))
        offset = round((trace.stats.starttime - start) * RATE)
        part = data[component, offset : offset + trace.stats.npts]
        # In units of its own scatter, as single precision has few digits.
        part[:] = trace.data[: part.size] / (trace.data.std() or 1.0)

    labels = {p: [(t - start) * RATE for t in times] for p, times in record.picks.items()}
    doubtful = {
        phase: [((t - start) * RATE, width * RATE) for t, width in entries]
        for phase, entries in record.doubtful.items()
    }
    rescaled = record.stream.copy()
    for trace in rescaled:
        trace.data = trace.data - trace.data.mean()
        trace.data = trace.data / (np.abs(trace.data).max() or 1.0) * 1e4
    if record.dataset.startswith("noise"):
        # Mirrored and repeated, for windows without the edges of a short record.
        data = np.tile(np.concatenate([data, data[:, ::-1]], axis=1), 4)[:, :9000]
    else:
        found = teacher.classify(rescaled, P_threshold=0.15, S_threshold=0.15).picks
        for pick in found:
            at = (pick.peak_time - start) * RATE
            if any(abs(at - other) < 50 for other in labels[pick.phase]):
                continue
            if pick.peak_value >= 0.6:
                labels[pick.phase].append(at)
            else:
                doubtful.setdefault(pick.phase, []).append((at, 50))
    return {
        "dataset": "noise" if record.dataset.startswith("noise") else record.dataset,
        "data": data,
        "labels": labels,
        "doubtful": doubtful,
        "unknown": record.unknown,
    }


def load_training(args, model: SeisMoLLM) -> list[dict]:
    """All prepared training records."""
    os.environ.setdefault("SEISBENCH_CACHE_ROOT", str(args.cache))
    teacher = sbm.PhaseNet.load(args.cache / "phasenet" / "original", version_str="1")
    records = [r for name in SETS for r in load_set(args.data, name)]
    records += load_continuous(args.data) + load_noise(args.data)
    wanted = {"train", "unused", "test"} if args.all_records else {"train"}
    prepared = [prepare(r, model, teacher) for r in records if r.split in wanted]
    return [r for r in prepared if r is not None]


def load_synthetic(count: int, seed: int) -> list[dict]:
    """Synthetic records, filtered as in the model; unseen arrivals are left out of the loss."""
    high = butter(2, 1.0, "high", fs=RATE, output="sos")
    synthetic, prepared = Synthetic(count, seed=seed, extra_events=0.3), []
    for start in range(0, count, 512):
        waveforms, metadata = synthetic.generate(start, min(512, count - start))
        waveforms = sosfilt(high, waveforms - waveforms.mean(axis=-1, keepdims=True))
        for waveform, row in zip(waveforms, metadata.to_dict("records"), strict=True):
            labels, doubtful = {}, {}
            for phase in "PS":
                names = [f"trace_{phase.lower()}{k}_arrival_sample" for k in ("", "2", "3")]
                labels[phase] = [row[name] for name in names if np.isfinite(row[name])]
                first = row[f"trace_{phase.lower()}_theoretical_sample"]
                doubtful[phase] = [(first, 100)] if np.isfinite(first) else []
            scale = waveform.std(axis=1, keepdims=True)
            data = np.divide(waveform, scale, out=np.zeros_like(waveform), where=scale > 0)
            prepared.append(
                {
                    "dataset": "synthetic",
                    "data": data.astype(np.float32),
                    "labels": labels,
                    "doubtful": doubtful,
                    "unknown": set(),
                }
            )
    return prepared


class Windows(torch.utils.data.IterableDataset):
    """Endless stream of augmented windows: (waveform, label, weight), each (channels, samples)."""

    def __init__(self, records: list[dict], seed: int):
        self.records, self.seed = records, seed
        self.by_set = {
            name: [r for r in records if r["dataset"] == name]
            for name in SHARES
            if any(r["dataset"] == name for r in records)
        }
        self.noise = [r for r in records if r["dataset"] == "noise"]

    def __iter__(self):
        rng = np.random.default_rng(self.seed)
        names = list(self.by_set)
        shares = np.array([SHARES[name] for name in names])
        while True:
            name = names[rng.choice(len(names), p=shares / shares.sum())]
            record = self.by_set[name][rng.integers(len(self.by_set[name]))]
            yield self.sample(record, rng)

    def sample(self, record: dict, rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        data, labels, weight = cut(record, rng)
        if rng.random() < 0.2:
            other, other_labels, other_weight = cut(record, rng)
            scale = 10 ** rng.uniform(-1, 0.3) * spread(data) / spread(other)
            data = data + scale * other
            labels = np.maximum(labels, other_labels)
            weight = np.minimum(weight, other_weight)
        data = augment(data, self.noise, rng)
        window = normalize(torch.from_numpy(np.ascontiguousarray(data)).float()[None])[0].numpy()
        return window, labels, weight


def spread(data: np.ndarray) -> float:
    return float(data.std()) or 1.0


def cut(record: dict, rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A window at random around a random pick, stretched in time, zero where there is no data."""
    stretch = 2 ** rng.uniform(-0.5, 0.5) if rng.random() < 0.4 else 1.0
    length = round(WINDOW / stretch)
    data = record["data"]
    picks = record["labels"]["P"] + record["labels"]["S"]
    if picks and rng.random() < 0.9:
        first = round(rng.choice(picks)) - rng.integers(50, length - 50)
    else:
        first = rng.integers(min(0, data.shape[1] - length), max(1, data.shape[1] - length + 1))
    out = np.zeros((3, length), np.float32)
    a, b = max(first, 0), min(first + length, data.shape[1])
    if a < b:
        part = data[:, a:b]
        live = part.any(axis=1, keepdims=True)
        out[:, a - first : b - first] = part - live * part.mean(axis=1, keepdims=True)
    if stretch != 1.0:
        grid = np.arange(WINDOW) / stretch
        out = np.stack([np.interp(grid, np.arange(length), c) for c in out]).astype(np.float32)

    labels = np.zeros((2, WINDOW), np.float32)
    weight = np.ones((2, WINDOW), np.float32)
    samples = np.arange(WINDOW)
    for i, phase in enumerate("PS"):
        times = [(at - first) * stretch for at in record["labels"][phase]]
        if phase in record["unknown"]:
            weight[i] = 0
        for at, width in record["doubtful"].get(phase, []):
            weight[i, np.abs(samples - (at - first) * stretch) < width * stretch] = 0
        for at in times:
            near = np.abs(samples - at) <= HALF_LABEL
            labels[i] = np.maximum(labels[i], near * np.exp(-((samples - at) ** 2) / 2 / SIGMA**2))
            weight[i, near] = 1
    return out, labels, weight


def augment(data: np.ndarray, noise: list[dict], rng) -> np.ndarray:
    """Noise, rotation, sign, filters, missing components, gaps, spikes."""
    if rng.random() < 0.5:
        data = data * rng.choice([-1.0, 1.0])
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * np.pi)
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        data = np.concatenate([data[:1], rotation @ data[1:]])
    missing = ~data.any(axis=1)
    if rng.random() < 0.45:
        peak = np.abs(data).max() or 1.0
        level = peak * 10 ** rng.uniform(-2.3, -0.6)
        data = data + level * (real_noise(noise, rng) if rng.random() < 0.6 else coloured(rng))
    if rng.random() < 0.15:
        corner = rng.uniform(5, 30)
        data = sosfilt(butter(2, corner, "low", fs=RATE, output="sos"), data)
    data[missing] = 0
    if rng.random() < 0.2:
        data[[[1, 2], [0], [1], [2], [0, 1]][rng.choice(5, p=[0.5, 0.1, 0.15, 0.15, 0.1])]] = 0
    if rng.random() < 0.2:
        start, size = rng.integers(WINDOW), rng.integers(1, 2000)
        data[:, start : start + size] = 0
    if rng.random() < 0.05:
        data[rng.integers(3), rng.integers(WINDOW)] += spread(data) * rng.choice([-30, 30])
    return data


def real_noise(noise: list[dict], rng) -> np.ndarray:
    """Real noise, mirrored to the window's length, unit scatter."""
    part = noise[rng.integers(len(noise))]["data"]
    part = np.concatenate([part, part[:, ::-1]], axis=1)
    part = np.tile(part, -(-2 * WINDOW // part.shape[1]))
    start = rng.integers(part.shape[1] - WINDOW)
    part = part[:, start : start + WINDOW]
    return part / spread(part)


def coloured(rng) -> np.ndarray:
    """Noise with a power-law spectrum, unit scatter."""
    spectrum = np.fft.rfft(rng.standard_normal((3, WINDOW)))
    frequency = np.maximum(np.fft.rfftfreq(WINDOW, 1 / RATE), 0.5)
    part = np.fft.irfft(spectrum * frequency ** -rng.uniform(0, 1.5), WINDOW)
    return part / spread(part)


def loss_of(
    logits: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor, peak_weight: float
) -> torch.Tensor:
    """Binary cross-entropy of P and S; samples near an onset are rare, so they weigh more."""
    weight = weight * (1 + peak_weight * labels)
    return F.binary_cross_entropy_with_logits(logits[:, 1:].float(), labels, weight)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real records")
    parser.add_argument("--cache", type=Path, required=True, help="folder with phasenet/original")
    parser.add_argument("--language-model", required=True, help="folder or id of MiniLM")
    parser.add_argument("--run", type=Path, default=Path("runs/compact_picking"))
    parser.add_argument("--steps", type=int, default=7000)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-3, help="largest learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--synthetic", type=int, default=0, help="number of synthetic records")
    parser.add_argument("--start", help="weight to start from")
    parser.add_argument("--peak-weight", type=float, default=9, help="extra weight near onsets")
    parser.add_argument("--all-records", action="store_true", help="also the held-out ones")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after this time")
    args = parser.parse_args()
    seisbench.logger.setLevel("ERROR")
    torch.manual_seed(args.seed)
    args.run.mkdir(parents=True, exist_ok=True)

    model = SeisMoLLM.from_preset(
        "compact",
        task="picking",
        backbone=args.language_model,
        filter_args=["highpass"],
        filter_kwargs={"freq": 1.0, "corners": 2},
    )
    if args.start:
        model.load_state_dict(SeisMoLLM.from_pretrained(args.start).state_dict())
    records = load_training(args, model) + load_synthetic(args.synthetic, args.seed)
    print({name: sum(r["dataset"] == name for r in records) for name in SHARES}, flush=True)
    backbone = list(model.network.backbone.parameters())
    rest = [p for p in model.parameters() if not any(p is q for q in backbone)]
    groups = [{"params": rest, "lr": args.rate}, {"params": backbone, "lr": args.rate / 2}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [args.rate, args.rate / 2], args.steps, pct_start=0.1
    )
    average = torch.optim.swa_utils.AveragedModel(
        model.network,
        multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998),
        use_buffers=True,
    )
    step, checkpoint = 0, args.run / "last.pt"
    if checkpoint.is_file():
        state = torch.load(checkpoint, weights_only=True)
        model.network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        # Not the schedule's whole state, so that --steps may differ.
        step = schedule.last_epoch = state["step"]
    loader = torch.utils.data.DataLoader(
        Windows(records, seed=args.seed + 1000 * step), args.batch_size, num_workers=1
    )
    model.train()
    started, losses = time.time(), []
    for waveform, labels, weight in loader:
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(waveform, logits=True)
        loss = loss_of(logits, labels, weight, args.peak_weight)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        average.update_parameters(model.network)
        losses.append(loss.item())
        step += 1
        done = step >= args.steps or time.time() - started > 60 * args.minutes
        if step % 50 == 0:
            print(
                step, f"{np.mean(losses[-50:]):.4f}", f"{time.time() - started:.0f} s", flush=True
            )
        if step % 250 == 0 or done:
            state = {
                "network": model.network.state_dict(),
                "average": average.state_dict(),
                "optimizer": optimizer.state_dict(),
                "step": step,
            }
            torch.save(state, checkpoint.with_suffix(".tmp"))
            checkpoint.with_suffix(".tmp").replace(checkpoint)
            export(model, average.module, args.run / "picker")
        if done:
            break


def export(model: SeisMoLLM, network: torch.nn.Module, path: Path) -> None:
    """Write the averaged weights as a SeisBench weight."""
    copy = SeisMoLLM(**model.get_model_args())
    copy.network.load_state_dict(network.state_dict())
    copy.save(path)


if __name__ == "__main__":
    main()
