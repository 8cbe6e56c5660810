"""
Which S should a distance rest on, if only P is given? Thresholds and agreement with the network.

    python -m benchmarks.quality.s_of_distances --data RECORDS

On the records of the picker's calibration that have P and S (dev_sichuan, and events of the
training's own regions that are kept out of training), S is picked after the analyst's P, and one is
chosen: by probability alone, as for S that are given, or by the agreement with the network
(``seisbench_llm.streams.s_minus_p``), whose constants were chosen here. The distance is that by the
chosen S minus P, or the network's where none is; the truth is that by the analyst's.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
from pathlib import Path
from unittest.mock import patch

import numpy as np
import seisbench
import torch

from benchmarks.common.cases import pick_at
from benchmarks.making.calibration import calibration_records
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.streams import s_minus_p
from seisbench_llm.streams.textbook import sp_epicentral_distance

RESULTS = Path(__file__).parents[1] / "results" / "s_of_distances.json"
THRESHOLDS, SCATTERS = (0.05, 0.1, 0.15, 0.3), (0.5, 0.6, 0.8, 1.3)


def candidates_of(record, picker: SeisMoLLM, network: SeisMoLLM) -> dict:
    """Seconds after P and probability of S up to the next P, the truth, the network's answer."""
    p = record.picks["P"][0]
    picks = picker.classify(record.stream, S_threshold=min(THRESHOLDS)).picks
    away = [(pick.phase, pick.peak_time - p, pick.peak_value) for pick in picks]
    later = [time for phase, time, _ in away if phase == "P" and time > 10 * s_minus_p.MIN_SP_S]
    end = min([*later, s_minus_p.MAX_SP_S])
    found = [(time, value) for phase, time, value in away if phase == "S"]
    at_p = [pick_at(record.stream, p)]
    (estimate,) = network.classify(record.stream, picks=at_p, textbook=False).estimates
    return {
        "S": [(time, value) for time, value in found if s_minus_p.MIN_SP_S < time <= end],
        "truth": float(sp_epicentral_distance(record.picks["S"][0] - p)[0]),
        "network": estimate.value,
        "dataset": record.dataset,
    }


def figures(cases: list[dict], threshold: float, choose) -> dict:
    """Errors of the distances in km, and how many rest on an S."""
    chosen = [choose([s for s in c["S"] if s[1] >= threshold], c["network"]) for c in cases]
    values = [
        case["network"] if sp is None else float(sp_epicentral_distance(sp)[0])
        for case, sp in zip(cases, chosen, strict=True)
    ]
    error = np.abs(np.subtract(values, [case["truth"] for case in cases]))
    return {
        "records": len(cases),
        "by S": sum(sp is not None for sp in chosen),
        "mean error, km": round(float(error.mean()), 2),
        "median error, km": round(float(np.median(error)), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real records")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    seisbench.logger.setLevel(logging.ERROR)
    torch.set_num_threads(1)
    picker, network = (
        SeisMoLLM.from_pretrained(f"compact_{task}").eval() for task in ("picking", "distance")
    )
    records = calibration_records(args.data)
    records = [r for r in records if r.picks["P"] and r.picks["S"]]
    cases = [candidates_of(record, picker, network) for record in records]
    results = {"network alone": figures(cases, 0, lambda found, distance: None)}
    for threshold in THRESHOLDS:
        name = f"probability, threshold {threshold}"
        results[name] = figures(cases, threshold, s_minus_p._first_likely)
    for threshold, scatter in itertools.product(THRESHOLDS, SCATTERS):
        with patch.object(s_minus_p, "SCATTER", scatter):
            name = f"agreement within {scatter}, threshold {threshold}"
            results[name] = figures(cases, threshold, s_minus_p._best)
    for name, row in results.items():
        print(f"{name}: {json.dumps(row)}", flush=True)
    args.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
