"""
Write windows that published pickers have labelled, for the training of compact_picking.

    SEISBENCH_CACHE_ROOT=CACHE python -m benchmarks.making.taught --records RECORDS --data DATA \
        --out DATA/taught/0 --count 20000 --seed 0

RECORDS is the folder of the real records, DATA what ``making/data.py`` wrote, and CACHE has the
teachers. Each part below becomes a folder in SeisBench's format that ``fit`` takes with the recipe
``taught``. Analysts' picks decide nothing here but where a window lies, which peaks are confirmed
and what is unsure; so the records that other trainings keep for a test are taken, too. Unseen
regions, a tenth of the events, a fifth of the noise and a third of the negatives are left out.
A part that is there already is left alone; one that was cut short is ``*.partial``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from benchmarks.common.records import (
    HELD_OUT_NEGATIVES,
    check_trainable,
    event_held_out,
    noise_held_out,
)
from seisbench_llm.data import open_dataset
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.training.recipes import steps_before_teaching
from seisbench_llm.training.teachers import Teachers, write_taught

TEACHERS = ("PhaseNet/volpick", "PhaseNet/jma", "EQTransformer/volpick")
# Part -> share of the windows.
SHARES = {
    "records": 0.32,
    "deepdenoiser_ncedc": 0.08,
    "uturuncu_plutons": 0.08,
    "hengill_malmi": 0.04,
    "unlabelled": 0.10,
    "synthetic": 0.28,
    "noise": 0.03,
    "negatives": 0.07,
}
# Nothing in these is a local earthquake, whatever teachers say.
WITHOUT_ONSETS = ("negatives",)


def open_part(name: str, records: Path, data: Path):
    """Data set of a part, at 100 Hz, without what is held out."""
    folder = {
        "records": data / "real" / "records",
        "unlabelled": data / "real" / "unlabelled",
        "synthetic": data / "synthetic",
        "noise": data / "noise",
        "negatives": records / "negatives_misc",
    }.get(name, records / name)
    dataset = open_dataset(folder, sampling_rate=100, missing_components="pad")
    kept = trainable(name, dataset.metadata)
    dataset.filter(kept, inplace=True)
    check_trainable([name, *dataset.metadata.get("trace_parent_dataset", [])])
    return dataset


def trainable(name: str, metadata) -> np.ndarray:
    """Which records of a part may be trained on."""
    if name in ("unlabelled", "synthetic"):
        return (metadata["split"] == "train").to_numpy()
    if name == "negatives":
        return ~metadata["station_code"].isin(HELD_OUT_NEGATIVES).to_numpy()
    # making/data.py writes the set before the event.
    parents = metadata.get("trace_parent_dataset", "")
    events = [
        str(event).removeprefix(f"{parent}_").removeprefix("noise_of_")
        for event, parent in zip(
            metadata["source_id"], np.broadcast_to(parents, len(metadata)), strict=True
        )
    ]
    held_out = noise_held_out if name == "noise" else event_held_out
    return np.array([not held_out(event) for event in events])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--records", type=Path, required=True, help="folder of the real records")
    parser.add_argument("--data", type=Path, required=True, help="what making/data.py wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--count", type=int, default=20000, help="windows of all parts together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parts", nargs="*", default=list(SHARES), choices=SHARES)
    args = parser.parse_args()
    torch.set_num_threads(1)
    teachers = Teachers.load(list(TEACHERS))
    in_samples = SeisMoLLM.from_pretrained("compact_picking").in_samples
    noise = open_part("noise", args.records, args.data)
    events = open_part("records", args.records, args.data)
    for name in args.parts:
        folder = args.out / name
        if folder.is_dir():
            continue
        silent = name in WITHOUT_ONSETS
        write_taught(
            open_part(name, args.records, args.data),
            steps_before_teaching(in_samples, 100.0, noise, None if silent else events),
            None if silent else teachers,
            partial := folder.with_suffix(".partial"),
            round(args.count * SHARES[name]),
            args.seed,
        )
        partial.rename(folder)


if __name__ == "__main__":
    main()
