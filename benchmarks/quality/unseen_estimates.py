"""
How good are the four estimates in regions that no weight was trained on, beside the textbook?

    python -m benchmarks.quality.unseen_estimates --data DATA --weights WEIGHTS [--peers]

At the analysts' P of ``UNSEEN_REGIONS`` (common/records.py), each record one ObsPy stream. Rows:

packaged
    ``classify`` with the analysts' picks; for distance also with S and all after it cut off.
textbook (``seisbench_llm.streams.textbook``, no network)
    distance by S minus P and 8 km/s; back-azimuth by the polarisation of P; polarity by the sign of
    what first exceeds three standard deviations of the noise; magnitude by the Wood-Anderson
    amplitude (IASPEI's ML) where the sensitivity is known, which is in Mexico; and always the
    median of the set, which no one knows beforehand.
published networks (``--peers``)
    SeisT-L (DiTing) for all four, pnsn for polarity.

There are no polarities by hand: truths are clear first motions (``cases.first_motion``), to which
the sign rule is akin. Back-azimuths only where horizontals are oriented. Limits (95 %) are of a
bootstrap over events and stations; what the result file has of other rows stays.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import seisbench
import torch

from benchmarks.common.bootstrap import interval, record_weights
from benchmarks.common.cases import first_motion, pick_at, signal_to_noise
from benchmarks.common.records import UNSEEN_REGIONS, AnalystRecord, load_set
from benchmarks.peers.pnsn import PnsnPolarity, window_at
from benchmarks.peers.seist import SeisT
from seisbench_llm.amplitudes import local_magnitude, pendulum
from seisbench_llm.evaluate.metrics import wrap
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.streams.textbook import polarisation_back_azimuth, sp_epicentral_distance
from seisbench_llm.weights import WeightsError

RESULTS = Path(__file__).parents[1] / "results" / "unseen_estimates.json"
UNKNOWN = (np.nan, np.nan)
# dB of P; below, a direction can hardly be read.
CLEAR_DB = {"back_azimuth": 15.0}
# Sets whose horizontals point anywhere, and whose samples are in gal.
NOT_ORIENTED, IN_GAL = {"openeew_mexico"}, {"openeew_mexico"}
NM_PER_GAL_S2 = 1e7
# What SeisT was trained with: Hz, samples; P where its training had it now and then.
SEIST_RATE, SEIST_SAMPLES, SEIST_ONSET = 50.0, 8192, 1500
SEIST = {"magnitude": "emg", "distance": "dis", "back_azimuth": "baz", "polarity": "pmp"}
Rule = Callable[[AnalystRecord], tuple[float, float]]


def s_minus_p(record: AnalystRecord) -> float:
    """Seconds, nan where S is not known."""
    return record.picks["S"][0] - record.picks["P"][0] if record.picks["S"] else np.nan


def textbook_distance(record: AnalystRecord) -> tuple[float, float]:
    """Epicentral distance by S minus P, in km."""
    distance, error = sp_epicentral_distance(s_minus_p(record))
    return float(distance), float(error)


def deep_distance(record: AnalystRecord) -> tuple[float, float]:
    """The same with a depth of 8 km, as one does it by hand."""
    squared = np.maximum((8.0 * s_minus_p(record)) ** 2 - 8.0**2, 0)
    return float(np.sqrt(squared)), np.nan


def textbook_back_azimuth(record: AnalystRecord) -> tuple[float, float]:
    """Polarisation of P, in degrees."""
    traces = [record.stream.select(component=name) for name in "ZNE"]
    if not all(traces):
        return UNKNOWN
    rate, start = traces[0][0].stats.sampling_rate, traces[0][0].stats.starttime
    onset = round((record.picks["P"][0] - start) * rate)
    return polarisation_back_azimuth(np.stack([t[0].data for t in traces]), rate, onset)


def sign_rule(record: AnalystRecord) -> tuple[float, float]:
    """1 (up) or 0 by the first sample that leaves the noise after P; nan if none does."""
    vertical, time = record.stream.select(component="Z"), record.picks["P"][0]
    if not vertical:
        return UNKNOWN
    trace = vertical[0].copy().detrend("constant").filter("highpass", freq=1.0, corners=2)
    noise, part = trace.slice(time - 3, time - 0.2).data, trace.slice(time - 0.05, time + 0.3).data
    beyond = part[np.abs(part) > 3 * noise.std()] if noise.size else part[:0]
    return (float(beyond[0] > 0), np.nan) if beyond.size else UNKNOWN


def wood_anderson_magnitude(record: AnalystRecord) -> tuple[float, float]:
    """
    Local magnitude of accelerations in gal, the distance by S minus P.

    IASPEI's (``seisbench_llm.amplitudes``), with the largest Wood-Anderson amplitude of a
    horizontal.
    """
    distance = 8.0 * s_minus_p(record)
    horizontals = [t for t in record.stream if t.stats.channel[-1] in "NE"]
    if record.dataset not in IN_GAL or not distance > 0 or not horizontals:
        return UNKNOWN
    amplitude = 0.0
    for trace in horizontals:
        data = trace.data - trace.data.mean()
        response = pendulum(np.fft.rfftfreq(2 * data.size, trace.stats.delta))
        motion = np.fft.irfft(np.fft.rfft(data, 2 * data.size) * response)[: data.size]
        amplitude = max(amplitude, NM_PER_GAL_S2 * np.abs(motion).max())
    return float(local_magnitude(amplitude, distance)), np.nan


def packaged(name: str, cut_s: bool = False) -> Rule:
    """
    A weight's ``classify`` at the analyst's picks.

    :param cut_s: Whether the stream ends before S.
    """
    model = SeisMoLLM.from_pretrained(name).eval()

    def rule(record: AnalystRecord) -> tuple[float, float]:
        stream, p = record.stream, pick_at(record.stream, record.picks["P"][0])
        picks = [p]
        for time in record.picks["S"][:1]:
            if cut_s:
                stream = stream.slice(endtime=time - 0.2)
            else:
                picks.append(pick_at(record.stream, time))
                picks[-1].phase = "S"
        found = model.classify(stream, picks=picks).estimates
        return (found[0].value, found[0].spread) if found else UNKNOWN

    return rule


def seist(task: str, weights: Path) -> Rule:
    """SeisT-L; its windows are as the published code makes them."""
    model = SeisT.from_safetensors(weights / "seist" / f"seist_l_{SEIST[task]}_diting.safetensors")

    def rule(record: AnalystRecord) -> tuple[float, float]:
        traces = obspy.Stream([t for name in "ZNE" for t in record.stream.select(component=name)])
        if len(traces) < 3:
            return UNKNOWN
        time = record.picks["P"][0]
        window = window_at(traces, time, SEIST_RATE, SEIST_SAMPLES, SEIST_ONSET)
        answer = model.predict(torch.tensor(window[None], dtype=torch.float32))
        return float(answer[0, 0]), np.nan

    return rule


def records_with_p(folder: Path) -> list[AnalystRecord]:
    """Records of all unseen regions that have an analyst's P."""
    found = [record for name in UNSEEN_REGIONS for record in load_set(folder, name)]
    return [record for record in found if len(record.stream) and record.picks["P"]]


def truths(records: list[AnalystRecord], task: str) -> list[float]:
    """The truth of each record, nan where there is none."""
    if task == "polarity":
        return [first_motion(record.stream, record.picks["P"][0]) for record in records]
    if task == "back_azimuth":
        return [
            np.nan if r.dataset in NOT_ORIENTED else r.truths.get(task, np.nan) for r in records
        ]
    return [record.truths[task] for record in records]


def figures(task: str, table: pd.DataFrame) -> dict:
    """
    Figures of one set and one row, with limits of the first.

    :param table: Columns truth, value, spread, event, station, dataset.
    """
    table = table.dropna(subset=["truth", "value"]).reset_index(drop=True)
    if not len(table):
        return {"records": 0}
    error = (table["value"] - table["truth"]).to_numpy()
    error = wrap(error) if task == "back_azimuth" else error
    size, spread = np.abs(error), table["spread"].to_numpy()
    first = {
        "magnitude": ("mean absolute error", np.mean),
        "distance": ("mean absolute error, km", np.mean),
        "back_azimuth": ("median error, degrees", np.median),
        "polarity": ("accuracy", np.mean),
    }[task]
    values = (size < 0.5).astype(float) if task == "polarity" else size
    drawn = record_weights(table["event"], table["station"], table["dataset"])
    result = {
        "records": len(table),
        first[0]: float(first[1](values)),
        "limits": interval(drawn, lambda rows: first[1](values[rows])),
    }
    if task in ("magnitude", "distance"):
        result |= {"median error": float(np.median(size)), "bias": float(np.median(error))}
    if task == "back_azimuth":
        result["off by more than 135"] = float(np.mean(size > 135))
    if task != "polarity" and np.isfinite(spread).any():
        for factor in (1, 2):
            result[f"within {factor} spreads"] = float(np.mean(size <= factor * spread))
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in result.items()}


def evaluate(task: str, rule: Rule, records: list[AnalystRecord]) -> dict:
    """Figures by set, over all, and of clear P."""
    known = [
        (record, truth)
        for record, truth in zip(records, truths(records, task), strict=True)
        if np.isfinite(truth)
    ]
    rows = []
    for record, truth in known:
        value, spread = rule(record)
        row = {"dataset": record.dataset, "event": record.event, "station": record.station}
        snr = signal_to_noise(record.stream, record.picks["P"][0])
        rows.append({**row, "truth": truth, "value": value, "spread": spread, "snr": snr})
    table = pd.DataFrame(rows)
    groups = dict(list(table.groupby("dataset", sort=False))) | {"all": table}
    if task in CLEAR_DB:
        clear = table[table["snr"] >= CLEAR_DB[task]]
        groups |= {
            f"{name}, above {CLEAR_DB[task]:g} dB": part for name, part in clear.groupby("dataset")
        }
        groups[f"all, above {CLEAR_DB[task]:g} dB"] = clear
    found = {name: figures(task, part) for name, part in groups.items()}
    return {"without answer": int(table["value"].isna().sum()), **found}


def median_rule(records: list[AnalystRecord], task: str) -> Rule:
    """Always the median of the set."""
    table = pd.DataFrame(
        {"dataset": [r.dataset for r in records], "truth": [r.truths[task] for r in records]}
    )
    medians = table.groupby("dataset")["truth"].median()
    return lambda record: (medians[record.dataset], np.nan)


def rules_of(task: str, args: argparse.Namespace, records: list[AnalystRecord]) -> dict:
    """Name -> rule of a task."""
    name = args.models.get(task, f"compact_{task}")
    rules = {Path(name).name: packaged(name)}
    if task == "distance":
        rules |= {
            f"{Path(name).name}, S cut off": packaged(name, cut_s=True),
            "S minus P": textbook_distance,
            "S minus P, 8 km deep": deep_distance,
        }
    if task in ("distance", "magnitude"):
        rules["always the median of the set"] = median_rule(records, task)
    if task == "magnitude":
        rules["Wood-Anderson ML"] = wood_anderson_magnitude
    if task == "back_azimuth":
        rules["polarisation of P"] = textbook_back_azimuth
    if task == "polarity":
        rules["sign of the first motion"] = sign_rule
    if args.peers:
        rules["seist_l_diting"] = seist(task, args.weights)
        if task == "polarity":
            pnsn = PnsnPolarity(args.weights / "polarity" / "pnsn_polar.onnx")
            rules["pnsn_polar"] = lambda record: (
                pnsn.probability_up(record.stream, record.picks["P"][0]),
                np.nan,
            )
    return rules


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--tasks", nargs="+", default=list(SEIST), choices=list(SEIST))
    parser.add_argument("--model", nargs="+", default=[], help="TASK=PATH instead of the packaged")
    parser.add_argument("--peers", action="store_true", help="published networks, too")
    parser.add_argument("--data", type=Path, required=True, help="folder of the real records")
    parser.add_argument("--weights", type=Path, help="folder of the published weights")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    if args.peers and args.weights is None:
        parser.error("--peers needs --weights.")
    args.models = dict(entry.split("=", 1) for entry in args.model)
    seisbench.logger.setLevel(logging.ERROR)
    torch.set_num_threads(1)
    records = records_with_p(args.data)
    results = json.loads(args.out.read_text()) if args.out.is_file() else {}
    results["regions"] = UNSEEN_REGIONS
    for task in args.tasks:
        try:
            rules = rules_of(task, args, records)
        except WeightsError as error:
            parser.error(str(error))
        for name, rule in rules.items():
            results.setdefault(task, {})[name] = found = evaluate(task, rule, records)
            print(f"\n{task}, {name}: {json.dumps(found)}", flush=True)
            args.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
