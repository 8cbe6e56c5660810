"""
Is annotate as fast as in another version of the package?

    git worktree add ../before REVISION
    python -m benchmarks.speed.against ../before --data DATA --weight WEIGHT

Each version runs in a process of its own, on one thread, with the same weight file and the same
stream of one station. After one run that does not count, they run in turns, and the version that
is first changes from pair to pair. Within each pair the time of this version is divided by that of
the other. The time is CPU time of the process, which other programs on the machine change little,
and wall time beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.common.timing import RESULTS

HERE = Path(__file__).parents[2]

# Runs in the other version, of which only public names are known. One line for each run.
CHILD = """
import sys, time
from pathlib import Path
import obspy, torch
import seisbench_llm
from seisbench_llm import SeisMoLLM
expected, data, weight, hours = sys.argv[1:]
assert Path(expected) in Path(seisbench_llm.__file__).parents, seisbench_llm.__file__
torch.set_num_threads(1)
stream = obspy.read(sorted(Path(data, "continuous", "iquique_cx").glob("*12h.mseed"))[0])
stream = stream.select(station=stream[0].stats.station)
start = max(trace.stats.starttime for trace in stream)
stream = stream.slice(start, start + float(hours) * 3600)
model = SeisMoLLM.from_pretrained(weight)
for _ in sys.stdin:
    wall, cpu = time.perf_counter(), time.process_time()
    annotations = model.annotate(stream)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(cpu, wall, sum(len(trace) for trace in annotations), flush=True)
"""


def start(checkout: Path, args) -> subprocess.Popen:
    """A process that annotates once for each line that it is sent."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", CHILD]
        + [str(path.resolve()) for path in (checkout, args.data, args.weight)]
        + [str(args.hours)],
        cwd=checkout,
        env={**os.environ, **threads, "PYTHONPATH": str(checkout.resolve())},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def once(process: subprocess.Popen) -> tuple[float, float, int]:
    """CPU seconds, wall seconds and samples of the annotations of one run."""
    process.stdin.write("\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("A version failed; its error is above.")
    cpu, wall, samples = line.split()
    return float(cpu), float(wall), int(samples)


def revision(checkout: Path) -> str:
    """Commit of a checkout."""
    done = subprocess.run(
        ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout.strip()


def summary(times: np.ndarray) -> dict:
    """
    Seconds of each version, and their ratio within pairs.

    :param times: Seconds, pair x version; this version is the second.
    :return: Medians, and median and quartiles of the ratio, with an interval of the median.
    """
    ratios = times[:, 1] / times[:, 0]
    rng = np.random.default_rng(0)
    medians = np.median(rng.choice(ratios, (2000, len(ratios))), axis=1)

    def rounded(values: np.ndarray) -> list[float]:
        return [round(float(value), 3) for value in values]

    seconds = rounded(np.median(times, axis=0))
    return {
        "seconds before": seconds[0],
        "seconds after": seconds[1],
        "ratio": rounded(np.quantile(ratios, [0.5, 0.25, 0.75])),
        "95 % of the median ratio": rounded(np.quantile(medians, [0.025, 0.975])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("before", type=Path, help="checkout of the other version")
    parser.add_argument("--after", type=Path, default=HERE, help="checkout of this version")
    parser.add_argument("--data", type=Path, required=True, help="folder of the real records")
    parser.add_argument("--weight", type=Path, required=True, help="weight that both can read")
    parser.add_argument("--hours", type=float, default=1.0, help="length of the stream")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=RESULTS / "against.json")
    args = parser.parse_args()
    versions = [start(checkout, args) for checkout in (args.before, args.after)]
    times = np.empty((args.pairs, 2, 2))
    samples = {once(version)[2] for version in versions}
    for pair in range(args.pairs):
        order = (0, 1) if pair % 2 == 0 else (1, 0)
        for number in order:
            *times[pair, number], _ = once(versions[number])
    for version in versions:
        version.stdin.close()
        version.wait()
    result = {
        "before": revision(args.before),
        "after": revision(args.after),
        "hours": args.hours,
        "pairs": args.pairs,
        "load": round(os.getloadavg()[1], 1),
        "same samples": len(samples) == 1,
        "CPU time": summary(times[:, :, 0]),
        "wall time": summary(times[:, :, 1]),
    }
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
