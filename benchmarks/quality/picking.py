"""
How well are P and S picked on held-out records of the training's own regions?

    python -m benchmarks.quality.picking --data DATA --weights WEIGHTS \
        --out benchmarks/results/picking.json \
        compact_picking phasenet/original eqtransformer/original

Each record is one ObsPy stream, whole length and native rate, given to the public annotate(), and
its peaks are matched as in common/matching.py. F1 at 0.1 s and 0.5 s is at the one threshold per
model, phase and tolerance that is best over all sets. False picks per hour are counted, at the
threshold of 0.5 s, on noise records repeated and mirrored to 90 s. PhaseNet and EQTransformer get
each record rescaled, since they fail on data in physical units. How pickers do elsewhere:
unseen_regions.py.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import seisbench

from benchmarks.common.matching import TOLERANCES, hours, mirrored, score
from benchmarks.common.pickers import Picker
from benchmarks.common.records import SETS, AnalystRecord, load_noise, load_set
from seisbench_llm.weights import WeightsError


def evaluate(picker: Picker, records: list[AnalystRecord], noise: list[AnalystRecord]) -> dict:
    """All figures of one picker."""
    found = [picker.peaks(record.stream) for record in records]
    streams = [mirrored(record.stream) for record in noise]
    silent = [picker.peaks(stream) for stream in streams]
    result = {"noise hours": round(hours(streams), 2), "false picks per hour": {}}
    for phase in "PS":
        for tolerance in TOLERANCES:
            result[f"{phase}@{tolerance}"] = score(found, records, phase, tolerance)
        levels = {"best": result[f"{phase}@0.5"]["threshold"], "at 0.3": 0.3}
        result["false picks per hour"][phase] = {
            name: round(40 * float(np.mean([(p[phase][:, 1] >= x).sum() for p in silent])), 2)
            for name, x in levels.items()
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("models", nargs="+", help="weight names or paths, phasenet/original")
    parser.add_argument("--data", type=Path, required=True, help="folder of the real records")
    parser.add_argument("--weights", type=Path, help="published ones, as in SeisBench's cache")
    parser.add_argument("--split", default="test", choices=["test", "train", "all"])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    seisbench.logger.setLevel(logging.ERROR)

    def chosen(record: AnalystRecord) -> bool:
        return args.split in ("all", record.split) and len(record.stream) > 0

    records = [r for name in SETS[:3] for r in load_set(args.data, name) if chosen(r)]
    noise = [r for r in load_noise(args.data) if chosen(r)]
    results = {"split": args.split, "records": len(records), "noise records": len(noise)}
    for name in args.models:
        try:
            picker = Picker.load(name, args.weights)
        except WeightsError as error:
            parser.error(str(error))
        results[picker.name] = evaluate(picker, records, noise)
        show(picker.name, results[picker.name])
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(results, indent=1) + "\n")


def show(name: str, result: dict) -> None:
    print(f"\n{name}: F1 at the best threshold (at 0.3)")
    columns = [f"{phase}@{tolerance}" for tolerance in TOLERANCES for phase in "PS"]
    print(f"{'':26}" + "".join(f"{c:>16}" for c in columns))
    for dataset in result["P@0.5"]["best"]:
        cells = [f"{result[c]['best'][dataset]} ({result[c]['at 0.3'][dataset]})" for c in columns]
        print(f"{dataset:26}" + "".join(f"{cell:>16}" for cell in cells))
    print(f"{'threshold':26}" + "".join(f"{result[c]['threshold']:>16}" for c in columns))
    print(f"false picks per hour of noise: {result['false picks per hour']}")


if __name__ == "__main__":
    main()
