"""
Calibrate the model of a finished run and package it, with a record of what it was trained on.

    python -m benchmarks.making.package picking --run RUNS/picking --records RECORDS --data DATA

and likewise for polarity, magnitude, distance and back_azimuth. DATA is what making/data.py wrote
and the run has read. When all five are there, and quality/unseen_regions.py and
quality/unseen_estimates.py have run:

    python -m benchmarks.making.package picking --figures benchmarks/results/unseen_regions.json
    python -m benchmarks.making.package magnitude --figures benchmarks/results/unseen_estimates.json

puts their figures on record, likewise for the others.

    python -m benchmarks.making.package picking --two-speeds --version 5 --records RECORDS

gives a picker that is there a second speed (``seisbench_llm.network.two_speeds``), with the same
weights and windows twice as long, and tells how wrong times are anew. Writes
seisbench_llm/pretrained/compact_TASK.

Calibration of all but picking is on records for development, real and synthetic ones with the same
total weight, never on test records:

picking
    See calibration.py; real records only.
polarity
    The logits are divided by a temperature (Guo et al. 2017), synthetic records only.
magnitude, distance, back-azimuth
    The factors of the spread (``seisbench_llm.streams.estimates.calibrated_spread``) are those of
    the largest likelihood if errors in spreads follow Student's t, which outliers do not
    rule; then all are scaled so that 68 % of the errors are within one spread and 95 % within two,
    as near as can be. For distance, records of the development region count, too, whole and cut
    off before S, with the distance by the analyst's S minus P: where an S is picked, the answer is
    not the network's.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import seisbench
import torch
import yaml
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit
from scipy.special import logit as logits_of
from scipy.stats import norm

from benchmarks.common.cases import (
    TRUTHS,
    Case,
    pick_at,
    real_cases,
    signal_to_noise,
    synthetic_cases,
)
from benchmarks.common.estimating import errors_of, estimate
from benchmarks.common.records import DEVELOPMENT_REGION, load_set
from benchmarks.making.calibration import calibrate_picker, calibrate_times
from benchmarks.making.record import LICENCE, LIMITS, SUMMARIES, described, figures_of, start_of
from seisbench_llm import weights
from seisbench_llm.models.presets import TASK_CHANGES
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.streams.arguments import CALIBRATIONS
from seisbench_llm.streams.textbook import sp_epicentral_distance
from seisbench_llm.training.checkpoints import BEST
from seisbench_llm.training.module import trained_model
from seisbench_llm.weights import WeightRecord

LANGUAGE_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
LARGEST_TOTAL = 30e6  # bytes
# What goes with the network's answer (``seisbench_llm.streams.textbook``).
TEXTBOOK = {
    "distance": {"textbook": True, "s_picker": "compact_picking"},
    "back_azimuth": {"textbook": True},
}


def calibrate_polarity(model: SeisMoLLM, data: Path, size: int) -> str:
    """Divide the logits by a temperature."""
    cases = synthetic_cases(data, "polarity", "dev", size)
    temperature = 1.0
    # An answer averages windows, of which each is divided: not quite the same as dividing it.
    for _ in range(3):
        table = estimate(model, cases).dropna(subset="value")
        x = logits_of(np.clip(table["value"], 1e-6, 1 - 1e-6)) * (2 * table["truth"] - 1)
        factor = minimize_scalar(
            lambda log, x=x: -np.log(expit(np.exp(log) * x)).mean(), bounds=(-3, 3)
        )
        factor = math.exp(factor.x)
        model.network.head.linear.weight.data *= factor
        model.network.head.linear.bias.data *= factor
        temperature /= factor
    return f"temperature {temperature:.2f} on {len(table)} synthetic dev records"


def fit_calibration(
    errors: np.ndarray, terms: dict[str, np.ndarray], share: np.ndarray, freedom: float = 4.0
) -> dict[str, float]:
    """
    Factors of the terms of a spread, see this file's head.

    :param errors: Shape (records,).
    :param terms: Name -> what is squared and summed, (records,).
    :param share: Weight of each record.
    :param freedom: Degrees of freedom of Student's t.
    """
    share, size = share / share.sum(), np.abs(errors)
    values = np.stack(list(terms.values()))
    start = np.log(np.median(size) / np.maximum(np.median(values, axis=1), 1e-9) / len(values))

    def spread(factors: np.ndarray) -> np.ndarray:
        return np.sqrt((np.exp(2 * factors)[:, None] * values**2).sum(axis=0)) + 1e-12

    def loss(factors: np.ndarray) -> float:
        s = spread(factors)
        tail = (freedom + 1) / 2 * np.log1p((errors / s) ** 2 / freedom)
        return (share * (tail + np.log(s))).sum()

    begins = [start, *(start - 3 * (np.arange(len(values)) != k) for k in range(len(values)))]
    options = {"maxiter": 4000, "xatol": 1e-3, "fatol": 1e-6}
    fits = [minimize(loss, x, method="Nelder-Mead", options=options) for x in begins]
    factors = min(fits, key=lambda fit: fit.fun).x

    ratio = size / spread(factors)
    scales = np.geomspace(0.2, 5, 401)
    miss = 0.0
    for k in (1, 2):
        wanted = 2 * norm.cdf(k) - 1
        got = (share[:, None] * (ratio[:, None] <= k * scales)).sum(axis=0)
        # In units of what chance would do.
        miss = miss + (got - wanted) ** 2 / (wanted * (1 - wanted))
    scale = scales[np.argmin(miss)]
    fitted = dict(zip(terms, np.exp(factors) * scale, strict=True))
    return {name: float(f"{factor:.3g}") for name, factor in fitted.items() if factor > 1e-4}


def region_cases(folder: Path) -> list[Case]:
    """Records of the development region, whole and cut off before S."""
    cases = []
    for record in load_set(folder, DEVELOPMENT_REGION):
        if not (record.picks["P"] and record.picks["S"]):
            continue
        p, s = record.picks["P"][0], record.picks["S"][0]
        known = (record.dataset, record.station, record.event, "dev")
        truth, snr = float(sp_epicentral_distance(s - p)[0]), signal_to_noise(record.stream, p)
        for stream in (record.stream, record.stream.slice(endtime=s - 0.2)):
            cases.append(Case(*known, stream, pick_at(record.stream, p), truth, snr))
    return cases


def calibrate_spread(model: SeisMoLLM, folder: Path, data: Path, size: int) -> str:
    """Put a calibration into the model's default arguments."""
    task = model.task.name
    groups = [
        real_cases(folder, data, task, ("dev",)),
        synthetic_cases(data, task, "dev", size),
        region_cases(folder) if task == "distance" else [],
    ]
    keys = CALIBRATIONS[model.task.head]
    errors, terms, share = [], {key: [] for key in keys}, []
    for cases in filter(None, groups):
        # With a single factor of one the spread is that term.
        tables = {key: estimate(model, cases, calibration={key: 1.0}) for key in keys}
        there = tables["floor"]["value"].notna().to_numpy()
        errors.append(errors_of(task, tables["floor"])[there])
        share.append(np.full(there.sum(), 1 / max(there.sum(), 1)))
        for key in keys:
            terms[key].append(tables[key]["spread"].to_numpy()[there])
    joined = {key: np.concatenate(parts) for key, parts in terms.items()}
    found = fit_calibration(np.concatenate(errors), joined, np.concatenate(share))
    model.default_args["calibration"] = found
    names = ["real dev", "synthetic dev", DEVELOPMENT_REGION]
    counts = ", ".join(f"{len(e)} {name}" for e, name in zip(errors, names, strict=False))
    return f"spread {found} on {counts}"


def average(model: SeisMoLLM, checkpoint: Path) -> str:
    """Mean with the weights of another step of the run, a wider minimum (Izmailov et al. 2018)."""
    given = trained_model(str(checkpoint)).state_dict()
    model.load_state_dict(
        {
            key: value if not value.is_floating_point() else (value + given[key]) / 2
            for key, value in model.state_dict().items()
        }
    )
    step = torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"]
    return f" Mean of the weights with those at step {step}."


def package(args: argparse.Namespace) -> None:
    """Calibrate and write."""
    file = args.run / "checkpoints" / args.checkpoint
    if not file.is_file():
        raise SystemExit(f"{args.run} has no {args.checkpoint}; is it a run of fit?")
    config = yaml.safe_load((args.run / "config.yaml").read_text())
    trained = trained_model(str(file))
    if trained.task.name != args.task:
        raise SystemExit(f"{args.run} is a run for {trained.task.name}, not {args.task}.")
    arguments = trained.get_model_args()
    # Under the language model's own name, wherever its files were for training.
    if arguments["backbone"] and Path(arguments["backbone"]).is_dir():
        arguments["backbone"] = LANGUAGE_MODEL
    model = SeisMoLLM(**arguments)
    model.load_state_dict(trained.state_dict())
    averaged = average(model, args.average) if args.average else ""
    # Calibrated as it is written.
    model.half().float().eval()
    if args.task == "picking":
        # A quarter of a window is no whole number of tokens, so that four windows see each onset at
        # four places within a token: their mean hardly depends on where the stream starts.
        # For the same reason the ends of windows are kept: else only three windows would do.
        model.default_args.update(overlap=0.75, blinding=(0, 0))
        done = calibrate_picker(model, args.records)
    else:
        window = TASK_CHANGES.get((config["model"]["preset"], args.task), {})
        model.default_args.update(window.get("default_args") or {})
        if args.task == "polarity":
            done = calibrate_polarity(model, args.data, args.synthetic)
        else:
            done = calibrate_spread(model, args.records, args.data, args.synthetic)
        model.default_args.update(TEXTBOOK.get(args.task, {}))
    print(f"{args.task}: {done}")

    checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    start = start_of(config, args.data)
    began = config["model"].get("weights")
    from_language = not began and (config["model"].get("model_args") or {}).get("pretrained", True)
    data = described(args.run, args.data, checkpoint)
    if began and not (start or args.start):
        raise SystemExit(f"'{began}' has no record: say by --start what it was trained on.")
    if began:
        data += f"The weights it started from: {args.start or start.data}. "
    record = WeightRecord(
        name=args.out.name,
        task=args.task,
        version=args.version,
        sampling_rate=model.sampling_rate,
        window=model.in_samples / model.sampling_rate,
        data=f"{data.strip()}{averaged} Calibration: {done}.",
        licence=LICENCE,
        language_model=arguments["backbone"] if from_language else start and start.language_model,
        figures={"best validation loss": _best_loss(args.run)},
        limits=LIMITS[args.task],
    )
    model.save(args.out, f"{SUMMARIES[args.task]}.", record=record, half=True)
    written = SeisMoLLM.from_pretrained(str(args.out.resolve())).eval()
    x = torch.randn(4, 3, model.in_samples, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        changed = float((written(x, logits=True) - model(x, logits=True)).abs().max())
    total = sum(path.stat().st_size for path in args.out.parent.glob("*.safetensors"))
    size = args.out.with_suffix(".safetensors").stat().st_size
    print(
        f"written {args.out}: {size / 1e6:.1f} MB, all {total / 1e6:.1f} MB; rounding {changed:g}"
    )
    if changed > 0.05 or total > LARGEST_TOTAL:
        raise SystemExit("That is too much: half precision or the size of all does not do.")


def _best_loss(run: Path) -> float | None:
    file = run / "metrics.json"
    return json.loads(file.read_text())["best_val_loss"] if file.is_file() else None


def put_times(args: argparse.Namespace) -> None:
    """Put the uncertainty of times into a picker that is there."""
    model = SeisMoLLM.from_pretrained(str(args.out.resolve())).eval()
    done = calibrate_times(model, args.records)
    file = args.out.with_suffix(".json")
    metadata = json.loads(file.read_text())
    metadata["default_args"]["calibration"] = model.default_args["calibration"]
    record = metadata["record"]
    record["data"] = (
        f"{record['data'].partition(' Calibrated later: ')[0]} Calibrated later: {done}."
    )
    file.write_text(json.dumps(metadata, indent=2) + "\n")
    print(done)


def add_second_speed(args: argparse.Namespace) -> None:
    """Give a picker that is there a second speed."""
    given = SeisMoLLM.from_pretrained(str(args.out.resolve()))
    arguments = given.get_model_args()
    if arguments["two_speeds"]:
        raise SystemExit(f"{args.out} has two speeds.")
    samples = 2 * given.in_samples
    model = SeisMoLLM(**{**arguments, "two_speeds": True, "in_samples": samples}).eval()
    model.load_state_dict(given.state_dict())
    # The parts of a window overlap already, so that windows need to overlap little for picks that
    # hardly depend on where the stream starts.
    model.default_args.update(overlap=0.25, blinding=(0, 0))
    done = calibrate_times(model, args.records)
    data = given.record.data.partition(" Calibrated later: ")[0]
    record = replace(
        given.record,
        version=args.version,
        window=samples / model.sampling_rate,
        data=f"{data} Version {args.version}: the weights of version {given.record.version} at two "
        f"speeds, which was chosen on {DEVELOPMENT_REGION}, held-out events and a swarm in "
        f"Iceland. Calibrated later: {done}.",
    )
    model.save(args.out, f"{SUMMARIES[args.task]}.", record=record, half=True)
    print(done)


def put_figures(args: argparse.Namespace) -> None:
    """Put figures into the record of a weight that is there."""
    file = args.out.with_suffix(".json")
    metadata = json.loads(file.read_text())
    record = WeightRecord.from_dict(metadata["record"])
    results = json.loads(args.figures.read_text())
    name = args.out.name
    if args.task == "picking":
        name = f"{name} {record.version}"
    record = replace(record, figures=figures_of(args.task, name, results))
    file.write_text(json.dumps({**metadata, "record": asdict(record)}, indent=2) + "\n")
    print(json.dumps(record.figures, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("task", choices=("picking", *TRUTHS))
    parser.add_argument("--run", type=Path, help="folder of the run")
    parser.add_argument("--records", type=Path, help="folder of the real records")
    parser.add_argument("--data", type=Path, help="what making/data.py wrote")
    parser.add_argument("--checkpoint", default=BEST)
    parser.add_argument("--average", type=Path, help="checkpoint to average the weights with")
    parser.add_argument("--synthetic", type=int, default=1000, help="synthetic records to use")
    parser.add_argument(
        "--start", help="what weights without a record, that the run began with, are"
    )
    parser.add_argument("--version", default="1")
    parser.add_argument(
        "--times", action="store_true", help="picking: calibrate times of a weight that is there"
    )
    parser.add_argument(
        "--two-speeds", action="store_true", help="picking: a second speed for one that is there"
    )
    parser.add_argument("--figures", type=Path, help="results to put on record, without a run")
    parser.add_argument("--out", type=Path, help="path without suffix")
    args = parser.parse_args()
    seisbench.logger.setLevel(logging.ERROR)
    args.out = args.out or weights.PACKAGED / f"compact_{args.task}"
    if args.run:
        if not (args.records and args.data):
            parser.error("--run needs --records and --data.")
        package(args)
    elif args.times or args.two_speeds:
        if not args.records:
            parser.error("--times and --two-speeds need --records.")
        (put_times if args.times else add_second_speed)(args)
    elif not args.figures:
        parser.error("Give --run, or an option for a weight that is there.")
    if args.figures:
        put_figures(args)


if __name__ == "__main__":
    main()
