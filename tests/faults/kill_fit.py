"""
Does a training run survive SIGKILL at any moment?

    python -m tests.faults.kill_fit --kills 40 --tmpdir /dev/shm

Kills a run again and again, at random moments and as often while a checkpoint is being written,
with the folder for temporary files on another file system. After each kill every file under a
final name has to be whole; in the end the run has to be the one that was never disturbed. Prints
counts, and exits with 1 if anything was lost.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch
import yaml

from seisbench_llm.training.checkpoints import load_checkpoint
from tests.faults.results import record
from tests.helpers.training import run_config, synthetic_records

# Large enough for the writing of a checkpoint to take a while.
WIDTH = 512


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--tmpdir", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path, help="File of results that the counts go to.")
    args = parser.parse_args()
    random.seed(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        counts, faults = kill(Path(folder), args.kills, args.tmpdir)
    record(args.record, "kill_fit", {n: c for n, c in counts.items() if n != "faults"}, faults)
    for name, count in counts.items():
        print(f"{name:<45}{count:>6}")
    print(*faults, sep="\n")
    return 1 if faults else 0


def kill(folder: Path, kills: int, tmpdir: Path) -> tuple[dict, list[str]]:
    """Counts of what happened, and what went wrong."""
    config = run_config(
        folder / "config.yaml",
        synthetic_records(folder / "records", 80),
        model={"schedule": "onecycle"},
        data={"plain_copies": 0},
        trainer={"max_epochs": 4, "enable_progress_bar": False},
        checkpoint={"every_n_train_steps": 1},
    )
    _widen(config)
    undisturbed, run = folder / "undisturbed", folder / "killed"
    _start(config, undisturbed, tmpdir).wait()
    counts, faults = collections.Counter(), []
    last = run / "checkpoints" / "last.ckpt"
    finished = 0
    while counts["kills"] < kills:
        before = last.stat().st_mtime_ns if last.is_file() else 0
        process = _start(config, run, tmpdir)
        while_saving = counts["kills"] % 2 == 0
        if not _wait(process, last, before, while_saving):
            counts["starts that ended by themselves"] += 1
            if process.returncode:
                faults.append(process.stderr.read().decode()[-300:])
                break
            finished += 1
            # Begin anew, so that there is something left to kill.
            faults += _compare(undisturbed, run)
            shutil.rmtree(run)
            continue
        process.send_signal(signal.SIGKILL)
        process.wait()
        counts["kills"] += 1
        counts["of these with a checkpoint half written"] += any(run.rglob(".part-*/*.ckpt"))
        faults += _check(run)
    if _start(config, run, tmpdir).wait():
        faults.append("The last start did not end well.")
    else:
        finished += 1
        faults += _compare(undisturbed, run)
    return {**counts, "runs that were finished": finished, "faults": len(faults)}, faults


def _widen(config: Path) -> None:
    entries = yaml.safe_load(config.read_text())
    shape = entries["model"]["model_args"]["backbone_config"]
    entries["model"]["model_args"]["backbone_config"] = {**shape, "mlp_width": 64 * WIDTH}
    entries["model"]["language_model"] = "full"
    config.write_text(yaml.safe_dump(entries))


def _start(config: Path, run: Path, tmpdir: Path) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmpdir)}
    command = [sys.executable, "-m", "seisbench_llm", "fit", "--config", str(config)]
    return subprocess.Popen(
        [*command, f"--run={run}"],
        env={**environment, "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _wait(process, last: Path, before: int, while_saving: bool) -> bool:
    """Until the moment of the kill; false if the process has ended before."""
    deadline, progress = None, False
    while process.poll() is None:
        progress = progress or (last.is_file() and last.stat().st_mtime_ns != before)
        if progress and while_saving and any(last.parent.glob(f".part-*/{last.name}")):
            return True
        if progress and not while_saving:
            deadline = deadline or time.monotonic() + random.uniform(0, 1.5)
            if time.monotonic() > deadline:
                return True
        time.sleep(0.0005)
    return False


def _check(run: Path) -> list[str]:
    """What is not whole under a final name."""
    faults = []
    for file in run.glob("checkpoints/*.ckpt"):
        try:
            load_checkpoint(file)
        except ValueError as error:
            faults.append(str(error))
    for file in run.glob("split_*.csv.gz"):
        if not len(pd.read_csv(file)):
            faults.append(f"{file} is empty")
    for file in (*run.glob("config.yaml"), *run.glob("*.json")):
        if not yaml.safe_load(file.read_text()):
            faults.append(f"{file} is empty")
    return faults


def _compare(undisturbed: Path, run: Path) -> list[str]:
    """How a finished run differs from the one that was never disturbed."""
    one, other = (json.loads((r / "metrics.json").read_text()) for r in (undisturbed, run))
    faults = [
        f"{name} is {other[name]}, not {one[name]}"
        for name in ("epochs", "steps", "records", "split_sha256")
        if other[name] != one[name]
    ]
    states = [load_checkpoint(r / "checkpoints" / "last.ckpt") for r in (undisturbed, run)]
    steps = [state["lr_schedulers"][0]["last_epoch"] for state in states]
    if steps[0] != steps[1]:
        faults.append(f"the schedule is at {steps[1]}, not {steps[0]}")
    pairs = zip(*(state["state_dict"].values() for state in states), strict=True)
    if not all(torch.allclose(a, b, rtol=1e-3, atol=1e-5) for a, b in pairs):
        faults.append("the weights differ")
    return faults


if __name__ == "__main__":
    sys.exit(main())
