"""
How do all models do in SeisBench's benchmark, on the records at hand?

    python -m benchmarks.quality.harness --data RECORDS --weights WEIGHTS --out results
    python -m benchmarks.quality.harness ... --limit 20 --sets sichuan   # a try of minutes

Real records have no split of their own: 30 % of the earthquakes of a set are dev, from which
thresholds come, and the rest is test. Regions that no packaged weight was trained on are marked
``unseen``, and have noise that was kept out of training; the other sets have noise of their own
region, and records that the packaged weights may know. The answer is one page of HTML.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import seisbench.data as sbd

from benchmarks.common.pickers import Picker, published
from benchmarks.common.records import HELD_OUT_NEGATIVES, UNSEEN_REGIONS
from benchmarks.peers.estimators import SEIST as SEIST_TASKS
from benchmarks.peers.estimators import PnsnEstimator, SeisTEstimator
from benchmarks.peers.first_motion import FirstMotion
from benchmarks.peers.sta_lta import StaLta
from seisbench_llm.benchmark.datasets import open_for_benchmark
from seisbench_llm.benchmark.estimators import BenchmarkEstimator
from seisbench_llm.benchmark.making import load_model, make_targets, predict_with
from seisbench_llm.benchmark.pickers import BenchmarkPicker
from seisbench_llm.benchmark.predictions import read_targets
from seisbench_llm.benchmark.report import write_report
from seisbench_llm.benchmark.report.examples import choose, make_examples, write_examples
from seisbench_llm.data import Synthetic

# Name of the targets -> folder of the records. The first ones are unseen regions.
SETS = {
    "sichuan": "dev_sichuan",
    "mexico": "openeew_mexico",
    "ruhr": "hamm_mining_loki",
    "bolivia": "uturuncu_plutons",
    "california": "phasenet_ncedc154",
    "newzealand": "eqcorrscan_nz",
    "iceland": "quakemigrate_iceland",
    # The only ones with polarities by anything but a network.
    "synthetic": "synthetic",
}
# Synthetic records, and their seed, which no training has had.
SYNTHETIC, SYNTHETIC_SEED = 300, 77
FRACTIONS = (0.0, 0.3, 0.7)
TASKS = ("1", "23", "polarity", "magnitude", "distance", "azimuth")
# Their horizontals do not point north and east, which coordinates cannot know.
NOT_ORIENTED = {"openeew_mexico"}
OWN = ("compact_picking", "compact_polarity", "compact_magnitude", "compact_distance")
OWN += ("compact_back_azimuth",)
# Published weights beside their short names.
SEIST = {"seist/seist_l_dpk_diting": "diting_seistl", "seist/seist_s_dpk_diting": "diting_seists"}


def modules(weights: Path | None) -> list[tuple[str, object, float]]:
    """Configuration, model of the benchmark and sampling rate of all that is compared."""
    found = [("obspy_stalta", StaLta(), 100.0), ("obspy_firstmotion", FirstMotion(), 100.0)]
    for name in OWN:
        module, config = load_model(name)
        found.append((config, module, 100.0))
        if name == "compact_distance":
            config = config.replace("_", "-nos_")
            found.append((config, BenchmarkEstimator(module.model, mask_s=True), 100.0))
    found += estimators(weights) if weights else []
    for name in published(weights) if weights else []:
        model = Picker.load(name, weights).models[0]
        kind, _, weight = name.partition("/")
        config = SEIST.get(name, f"{weight.replace('_', '-')}_{kind}")
        found.append((config, BenchmarkPicker(model), model.sampling_rate))
    return found


def estimators(weights: Path) -> list[tuple[str, object, float]]:
    """Published networks of the other tasks that are in a folder."""
    found = []
    for task, name in SEIST_TASKS.items():
        path = weights / "seist" / f"seist_l_{name}_diting.safetensors"
        if path.is_file():
            found.append(("diting_seistl", SeisTEstimator(path), 50.0))
            if task == "distance":
                found.append(("diting-nos_seistl", SeisTEstimator(path, mask_s=True), 50.0))
    path = weights / "polarity" / "pnsn_polar.onnx"
    if path.is_file():
        found.append(("china_pnsn", PnsnEstimator(path), 100.0))
    return found


def with_noise(data: Path, source: str, limit: int | None, out: Path) -> Path:
    """
    A data set of the records of a region, and of noise: that of its own records before P, or for an
    unseen region the negatives that are kept out of training.

    :param limit: At most as many records, and half as many of noise, whole earthquakes first.
    :param out: Folder to write to.
    """
    unseen = source in UNSEEN_REGIONS
    noise = "negatives_misc" if unseen else "noise_preevent"
    out.mkdir(parents=True, exist_ok=True)
    with sbd.WaveformDataWriter(out / "metadata.csv", out / "waveforms.hdf5") as writer:
        writer.data_format = {"dimension_order": "CW", "component_order": "ZNE"}
        for name in (source, noise):
            dataset = sbd.WaveformDataset(data / name, component_order="ZNE", cache=None)
            metadata = dataset.metadata
            keep = np.ones(len(metadata), bool)
            if name == noise:
                if unseen:
                    # Teleseisms are earthquakes, though not of the kind that is asked about.
                    keep = metadata["station_code"].isin(HELD_OUT_NEGATIVES) & metadata[
                        "trace_category"
                    ].isin(["noise", "rockfall"])
                else:
                    keep = metadata["trace_parent_dataset"] == source
                keep = keep.to_numpy()
            elif limit is not None:
                first = metadata["source_id"].astype(str).drop_duplicates()[:limit]
                keep = metadata["source_id"].astype(str).isin(first).to_numpy()
            rows = np.flatnonzero(keep)
            rows = rows if limit is None else rows[: limit // (2 if name == noise else 1)]
            for i in rows:
                row = metadata.iloc[i]
                dropped = ["trace_npts", "trace_component_order"]
                entries = row.drop(dropped, errors="ignore").to_dict()
                # A record of no earthquake is one of its own.
                entries.setdefault("source_id", row["trace_name"])
                samples = int(row["trace_npts"])
                writer.add_trace(entries, dataset.get_waveforms(int(i))[:, :samples])
    return out


def synthetic(count: int, out: Path) -> Path:
    """Synthetic records without a split of their own."""
    Synthetic(count, seed=SYNTHETIC_SEED).write(out)
    metadata = pd.read_csv(out / "metadata.csv", low_memory=False)
    metadata.drop(columns="split", errors="ignore").to_csv(out / "metadata.csv", index=False)
    return out


def main() -> None:
    """Targets, predictions, examples and the report."""
    arguments = parse()
    out, started = arguments.out, time.monotonic()
    compared, examples = modules(arguments.weights), []
    for name in arguments.sets:
        source = SETS[name]
        target = f"{name}{'-unseen' if source in UNSEEN_REGIONS else ''}"
        if name == "synthetic":
            folder = synthetic(arguments.limit or SYNTHETIC, out / "records" / name)
        else:
            folder = with_noise(arguments.data, source, arguments.limit, out / "records" / name)
        tasks = [t for t in TASKS if t != "azimuth" or source not in NOT_ORIENTED]
        counts = make_targets(str(folder), out / "targets" / target, tasks, True, FRACTIONS)
        print(f"{target}: {counts}", flush=True)
        for config, module, rate in compared:
            try:
                predict_with(module, config, out / "targets" / target, str(folder), out, rate)
            except FileNotFoundError:
                # No targets of this model's task.
                continue
            spent = (time.monotonic() - started) / 60
            print(f"  {config} ({spent:.1f} minutes so far)", flush=True)
        examples += examples_of(folder, out, target, compared, arguments.examples)
    write_examples(out, examples)
    report = write_report(out, out / "report.html", "Pickers and estimators on real records")
    print(f"Written: {report}, after {(time.monotonic() - started) / 60:.1f} minutes")


def examples_of(folder: str | Path, out: Path, target: str, compared, count: int) -> list[dict]:
    """Examples of one target, with the curves of the pickers at its sampling rate."""
    if not (out / "targets" / target / "task23.csv").is_file() or not count:
        return []
    pickers = {
        config.replace("_", " "): module
        for config, module, rate in compared
        if isinstance(module, BenchmarkPicker) and rate == 100
    }
    root = out / "pred_cross"
    tables = {
        name: pd.read_csv(root / f"{name.replace(' ', '_')}_{target}/version_0/test_task23.csv")
        for name in pickers
    }
    if not len(next(iter(tables.values()))):
        return []
    dataset = open_for_benchmark(str(folder), fractions=FRACTIONS)
    targets = read_targets(out / "targets" / target / "task23.csv", "test")
    return make_examples(pickers, dataset, targets, choose(tables, count))


def parse() -> argparse.Namespace:
    """Options of the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real records")
    parser.add_argument("--weights", type=Path, help="folder of published weights")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--limit", type=int, help="records of each set, for a try")
    parser.add_argument("--examples", type=int, default=2, help="example records of each set")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    return parser.parse_args()


if __name__ == "__main__":
    main()
