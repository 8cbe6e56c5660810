"""
Are clear P found, and is nothing picked where the recording changes?

    python -m benchmarks.quality.clear_p --data DATA --weights WEIGHTS \
        compact_picking phasenet/volpick

Clear P are those of analysts above 20 dB with an S 0.3 to 40 s later, in unseen regions and of the
events that are kept out of training (common/records.py), and those of fresh synthetic records.
Each record is picked as it is, with one and two components, and at other sampling rates. Found is
a P with a probability of at least 0.3 within 0.5 s. Disturbances (common/disturbances.py) are put
into noise that is kept out of training; what is picked within 2 s of one, and is not in the noise
itself, is false. Writes benchmarks/results/clear_p.json and docs/figures/clear_p.png.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import seisbench
import torch
from scipy.stats import binomtest

from benchmarks.common.cases import signal_to_noise
from benchmarks.common.disturbances import DISTURBANCES
from benchmarks.common.matching import DEFAULT_THRESHOLD, mirrored
from benchmarks.common.pickers import Picker
from benchmarks.common.records import (
    NOT_NOISE,
    SETS,
    UNSEEN_REGIONS,
    event_held_out,
    load_noise,
    load_set,
    noise_held_out,
)
from seisbench_llm.data.synthetic.records import Synthetic
from seisbench_llm.weights import WeightsError

RESULTS = Path(__file__).parents[1] / "results" / "clear_p.json"
FIGURE = Path(__file__).parents[2] / "docs" / "figures" / "clear_p.png"
FURTHER_SETS = ("deepdenoiser_ncedc", "uturuncu_plutons", "hengill_malmi")
CLEAR_DB, SP_LIMITS, TOLERANCE = 20.0, (0.3, 40.0), 0.5
COMPONENTS = ("ZNE", "ZN", "Z")
RATES = (20.0, 50.0, 100.0, 250.0)
SYNTHETIC_RECORDS, SYNTHETIC_SEED = 300, 991
NEAR_DISTURBANCE = 2.0
# Panel -> column and edges of its bins.
PANELS = {
    "S minus P (s)": ("sp", (0.3, 1, 3, 6, 10, 20, 40)),
    "P above noise (dB)": ("snr", (20, 25, 30, 40, 50, 90)),
    "dominant frequency of P (Hz)": ("frequency", (0, 2, 4, 8, 16, 100)),
    "rise of P (s)": ("rise", (0, 0.1, 0.3, 1, 3.1)),
}


@dataclass
class ClearP:
    """
    A record with a clear P.

    :param p: Seconds from the start of the stream.
    :param sp: S minus P in s.
    :param snr: dB, as ``cases.signal_to_noise``.
    :param frequency: Of the largest spectral amplitude in 1 s from P on Z above 1 Hz, in Hz.
    :param rise: Seconds until Z reaches half of its largest value in 3 s from P.
    """

    kind: str
    dataset: str
    stream: obspy.Stream
    p: float
    sp: float
    snr: float
    frequency: float
    rise: float


def clear_p(kind: str, dataset: str, stream: obspy.Stream, p: float, sp: float) -> ClearP | None:
    """The record if its P is clear."""
    time = stream[0].stats.starttime + p
    snr = signal_to_noise(stream, time)
    vertical = stream.select(component="Z")
    if not (snr >= CLEAR_DB and SP_LIMITS[0] <= sp <= SP_LIMITS[1] and vertical):
        return None
    trace = vertical[0].copy().detrend("constant").filter("highpass", freq=1.0, corners=2)
    second, rate = trace.slice(time, time + 1).data, trace.stats.sampling_rate
    amplitudes = np.abs(np.fft.rfft(second * np.hanning(second.size), 4 * second.size))
    frequency = np.fft.rfftfreq(4 * second.size, 1 / rate)[amplitudes.argmax()]
    envelope = np.abs(trace.slice(time, time + min(3.0, sp)).data)
    rise = np.argmax(envelope >= envelope.max() / 2) / rate
    return ClearP(kind, dataset, stream, p, sp, snr, float(frequency), float(rise))


def real_cases(folder: Path) -> list[ClearP]:
    """Of unseen regions, and of events kept out of training."""
    found = []
    for name in (*UNSEEN_REGIONS, *SETS, *FURTHER_SETS):
        kind = "unseen regions" if name in UNSEEN_REGIONS else "held-out events"
        for record in load_set(folder, name):
            known = len(record.stream) and record.picks["P"] and record.picks["S"]
            if known and (name in UNSEEN_REGIONS or event_held_out(record.event)):
                p = record.picks["P"][0] - record.stream[0].stats.starttime
                sp = record.picks["S"][0] - record.picks["P"][0]
                found.append(clear_p(kind, name, record.stream, p, sp))
    return [case for case in found if case]


def synthetic_cases(count: int) -> list[ClearP]:
    """Of synthetic records of one earthquake, longer than those of any training."""
    options = {"seconds": 95.0, "max_distance": 300.0, "noise_only": 0.0, "extra_events": 0.0}
    source = Synthetic(40 * count, SYNTHETIC_SEED, faults=False, **options)
    found, first = [], 0
    while len(found) < count:
        waveforms, metadata = source.generate(first, 64)
        first += 64
        for data, row in zip(waveforms, metadata.to_dict("records"), strict=True):
            p, s = row["trace_p_arrival_sample"], row["trace_s_arrival_sample"]
            if not p > 600 or not s > p:
                continue
            header = {"network": "XX", "station": "SYN", "sampling_rate": source.sampling_rate}
            stream = obspy.Stream(
                obspy.Trace(samples.astype(float), {**header, "channel": f"HH{component}"})
                for component, samples in zip("ZNE", data, strict=True)
            )
            rate = source.sampling_rate
            case = clear_p("synthetic", "synthetic", stream, p / rate, (s - p) / rate)
            found += [case] if case else []
    return found[:count]


def variants(case: ClearP) -> dict[str, obspy.Stream]:
    """Name -> the record as it is, with fewer components, and at other rates."""
    found = {}
    for components in COMPONENTS:
        traces = [t for t in case.stream if t.stats.channel[-1] in components]
        if len(traces) == len(components):
            found[components] = obspy.Stream(traces)
    for rate in RATES:
        own = case.stream[0].stats.sampling_rate
        # Below, the record holds nothing that is above the Nyquist frequency.
        if own != rate and not (rate < own and case.frequency > 0.4 * rate):
            found[f"{rate:g} Hz"] = resampled(case.stream, rate)
    return found


def resampled(stream: obspy.Stream, rate: float) -> obspy.Stream:
    """A copy at another rate."""
    out = stream.copy().detrend("constant").taper(0.01)
    return (
        out.resample(rate, no_filter=False)
        if rate < out[0].stats.sampling_rate
        else (out.interpolate(rate, method="lanczos", a=12))
    )


def probability(peaks: np.ndarray, seconds: float) -> float:
    """The largest within half a second."""
    near = np.abs(peaks[:, 0] - seconds) <= TOLERANCE
    return float(peaks[near, 1].max(initial=0))


def find_all(picker: Picker, cases: list[ClearP]) -> pd.DataFrame:
    """One row per record and variant."""
    rows = []
    for case in cases:
        known = {k: v for k, v in vars(case).items() if k not in ("stream", "p")}
        for name, stream in variants(case).items():
            value = probability(picker.peaks(stream)["P"], case.p)
            rows.append({**known, "variant": name, "probability": value})
    return pd.DataFrame(rows)


def share(found: pd.Series) -> dict:
    """Share with a probability of at least 0.3, and its limits (Wilson)."""
    hits = int((found >= DEFAULT_THRESHOLD).sum())
    limits = binomtest(hits, len(found)).proportion_ci(method="wilson")
    values = {"share": hits / len(found), "low": limits.low, "high": limits.high}
    return {"records": len(found)} | {k: round(float(v), 3) for k, v in values.items()}


def summary(table: pd.DataFrame) -> dict:
    """Shares by kind of record: of all, by set, component and rate, and by bins."""
    result = {}
    for kind, rows in table.groupby("kind", sort=False):
        full = rows[rows["variant"] == "ZNE"]
        result[kind] = {
            "all": share(full["probability"]),
            "by set": {n: share(r["probability"]) for n, r in full.groupby("dataset")},
            "by variant": {n: share(r["probability"]) for n, r in rows.groupby("variant")},
        }
        for panel, (name, edges) in PANELS.items():
            bins = pd.cut(full[name], edges, right=False)
            groups = full.groupby(bins, observed=True)["probability"]
            result[kind][panel] = [
                {"from": float(k.left), "to": float(k.right), **share(v)} for k, v in groups
            ]
    return result


def disturbed(picker: Picker, noise: list[obspy.Stream], repeats: int) -> dict:
    """Disturbance -> cases, and in how many of them P and S are picked that the noise has not."""
    rng, result = np.random.default_rng(0), {}
    before = [picker.peaks(stream) for stream in noise]
    for name, disturb in DISTURBANCES.items():
        counts = dict.fromkeys("PS", 0)
        for stream, own in [
            pair for pair in zip(noise, before, strict=True) for _ in range(repeats)
        ]:
            changed, times = disturb(stream, rng)
            for phase, peaks in picker.peaks(changed).items():
                at = peaks[peaks[:, 1] >= DEFAULT_THRESHOLD, 0]
                known = own[phase][own[phase][:, 1] >= DEFAULT_THRESHOLD, 0]
                near = np.array([np.abs(t - np.array(times)).min() <= NEAR_DISTURBANCE for t in at])
                new = np.array([not (np.abs(t - known) <= TOLERANCE).any() for t in at])
                counts[phase] += bool(at.size and (near & new).any())
        result[name] = {"cases": len(noise) * repeats, **counts}
    return result


def held_out_noise(folder: Path) -> list[obspy.Stream]:
    """Three-component noise before P that is kept out of training, mirrored to 90 s."""
    return [
        mirrored(record.stream)
        for record in load_noise(folder)
        if noise_held_out(record.event) and record.name not in NOT_NOISE and len(record.stream) == 3
    ]


def draw(results: dict, out: Path) -> None:
    """Shares by bins and variants, and false picks, for each picker."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 4, figsize=(18, 8), layout="constrained")
    pickers = results["pickers"]
    kinds = list(next(iter(pickers.values()))["clear P"])
    styles = dict(zip(pickers, ("-", "--", ":", "-."), strict=False))
    for ax, panel in zip(axes.flat, PANELS, strict=False):
        for name, style in styles.items():
            for number, kind in enumerate(kinds):
                bins = pickers[name]["clear P"][kind][panel]
                edges = PANELS[panel][1]
                x = [edges.index(b["from"]) + 0.06 * number for b in bins]
                y = np.array([b["share"] for b in bins])
                bars = [y - [b["low"] for b in bins], [b["high"] for b in bins] - y]
                label = f"{name}, {kind} ({sum(b['records'] for b in bins)})"
                ax.errorbar(
                    x, y, np.maximum(bars, 0), fmt=f"C{number}o", ls=style, ms=4, label=label
                )
        edges = PANELS[panel][1]
        labels = [f"{a:g} to {b:g}" for a, b in itertools.pairwise(edges)]
        ax.set_xticks(range(len(labels)), labels, fontsize=8)
        ax.set(title=panel, ylim=(-0.02, 1.04), ylabel="share of clear P found")
    axes.flat[0].legend(fontsize=7, loc="lower left")
    names = [*COMPONENTS, *(f"{rate:g} Hz" for rate in RATES)]
    for ax, kind in zip(axes[1], kinds, strict=False):
        for number, name in enumerate(styles):
            found = pickers[name]["clear P"][kind]["by variant"]
            values = [found.get(n, {"share": np.nan})["share"] for n in names]
            ax.bar(np.arange(len(names)) + 0.4 * number - 0.2, values, 0.38, label=name)
        ax.set_xticks(range(len(names)), names, fontsize=8)
        ax.set(title=f"{kind}: components, sampling rate", ylim=(0, 1.04))
    axes[1, 0].legend(fontsize=8, loc="lower left")
    ax = axes[1, 3]
    for number, name in enumerate(styles):
        found = pickers[name]["disturbances"]
        values = [(row["P"] + row["S"]) / row["cases"] for row in found.values()]
        ax.barh(np.arange(len(found)) + 0.4 * number - 0.2, values, 0.38, label=name)
    ax.set_yticks(range(len(DISTURBANCES)), DISTURBANCES, fontsize=8)
    ax.set(title="picks of P and S per disturbance of noise")
    ax.invert_yaxis()
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=90)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("models", nargs="*", help="weight names or paths, phasenet/volpick")
    parser.add_argument("--data", type=Path, help="folder of the real records")
    parser.add_argument("--weights", type=Path, help="published ones, as in SeisBench's cache")
    parser.add_argument("--synthetic", type=int, default=SYNTHETIC_RECORDS)
    parser.add_argument("--repeats", type=int, default=2, help="disturbances per noise record")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--figure", type=Path, default=FIGURE)
    parser.add_argument("--draw", nargs="+", help="pickers to draw, by default the two named first")
    args = parser.parse_args()
    if args.models and args.data is None:
        parser.error("Pickers need --data.")
    seisbench.logger.setLevel(logging.ERROR)
    torch.set_num_threads(1)
    results = json.loads(args.out.read_text()) if args.out.is_file() else {"pickers": {}}
    if args.models:
        cases = [*real_cases(args.data), *synthetic_cases(args.synthetic)]
        noise = held_out_noise(args.data)
    for name in args.models:
        try:
            picker = Picker.load(name, args.weights)
        except WeightsError as error:
            parser.error(str(error))
        found = summary(find_all(picker, cases))
        results["pickers"][picker.name] = {
            "clear P": found,
            "disturbances": disturbed(picker, noise, args.repeats),
        }
        for kind, figures in found.items():
            print(picker.name, kind, figures["all"], json.dumps(figures["by variant"]))
        print(picker.name, json.dumps(results["pickers"][picker.name]["disturbances"]), flush=True)
        args.out.write_text(json.dumps(results, indent=1) + "\n")
    chosen = args.draw or list(results["pickers"])[:2]
    draw({"pickers": {name: results["pickers"][name] for name in chosen}}, args.figure)


if __name__ == "__main__":
    main()
