"""
Which S should a distance rest on, if only P is given? Thresholds and agreement with the network.

    python -m benchmarks.quality.s_of_distances --data RECORDS

On the records of the picker's calibration that have P and S (dev_sichuan, and events of the
training's own regions that are kept out of training), S is picked after the analyst's P, by a
picker that sees the record at one speed or at several. One is chosen: by probability alone, as for
S that are given, or by the agreement with the network (``seisbench_llm.streams.s_minus_p``), whose
constants were chosen here. "S cut off" are the same records, cut off 0.2 s before S where that is
more than 2 s after P: any S there is wrong. The distance is that by the
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
from seisbench_llm.streams.onsets import onsets_of
from seisbench_llm.streams.textbook import sp_epicentral_distance

RESULTS = Path(__file__).parents[1] / "results" / "s_of_distances.json"
THRESHOLDS, SHORTER, LONGER = (0.05, 0.1, 0.15, 0.3), (0.4, 0.5, 0.6, 0.8), (0.6, 1.0)
SPEEDS = ((1,), (1, 2), (1, 2, 4), (1, 2, 4, 8))


def candidates_of(record, stream, picker: SeisMoLLM, network: SeisMoLLM) -> dict:
    """
    Seconds after P and probability of S up to the next P, for each speed of the picker; the truth,
    and the network's answer.

    :param stream: The record's, or a part of it.
    """
    p = record.picks["P"][0]
    at_p = [pick_at(stream, p)]
    (onset,) = onsets_of(at_p)
    candidates = {}
    with patch.object(s_minus_p, "S_THRESHOLD", min(THRESHOLDS)):
        for speed in SPEEDS[-1]:
            found = s_minus_p._picked(picker, stream, speed)
            longest = s_minus_p.MAX_PICKED_SP_S
            candidates[speed] = s_minus_p._after(onset, *found, speed, longest)
    (estimate,) = network.classify(stream, picks=at_p, textbook=False).estimates
    return {
        "S": candidates,
        "truth": float(sp_epicentral_distance(record.picks["S"][0] - p)[0]),
        "network": estimate.value,
        "dataset": record.dataset,
    }


def figures(cases: list[dict], threshold: float, choose, speeds=(1,)) -> dict:
    """Errors of the distances in km, and how many rest on an S."""
    found = [[s for k in speeds for s in case["S"][k] if s[1] >= threshold] for case in cases]
    chosen = [choose(s, case["network"]) for s, case in zip(found, cases, strict=True)]
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
    whole = [candidates_of(record, record.stream, picker, network) for record in records]
    cut_off = []
    for record in records:
        p, s = record.picks["P"][0], record.picks["S"][0]
        if s - p > 2:
            stream = record.stream.slice(endtime=s - 0.2)
            cut_off.append(candidates_of(record, stream, picker, network))
    results = {}
    for end, cases in (("", whole), ("S cut off, ", cut_off)):
        results[f"{end}network alone"] = figures(cases, 0, lambda found, distance: None)
        for threshold in THRESHOLDS:
            name = f"{end}probability, threshold {threshold}"
            results[name] = figures(cases, threshold, s_minus_p._first_likely)
        for speeds, threshold, shorter, longer in itertools.product(
            SPEEDS, THRESHOLDS, SHORTER, LONGER
        ):
            with patch.multiple(s_minus_p, SHORTER=shorter, LONGER=longer):
                fast = f"speeds 1 to {speeds[-1]}, " if speeds[1:] else ""
                within = f"agreement within {shorter} and {longer}"
                name = f"{end}{fast}{within}, threshold {threshold}"
                results[name] = figures(cases, threshold, s_minus_p._best, speeds)
    for name, row in results.items():
        print(f"{name}: {json.dumps(row)}", flush=True)
    args.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
