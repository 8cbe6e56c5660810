"""
Calibrate a trained picker and write it as the packaged weight compact_picking.

    python benchmarks/package_picker.py --data DATA --picker runs/compact_picking/picker

Training weighs samples near onsets more than others and has soft labels, so that its curves are no
probabilities of a right pick: clear onsets peak at 0.8, noise at 0.6. The logits of each phase are
scaled by the slope of a logistic regression (Platt 1999) of hit or miss on the peak's logit, and
shifted such that the threshold of the best F1 (0.5 s) becomes 0.3, the default. Both are found on
the training records, false picks on training noise included.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
from pathlib import Path

import numpy as np
import seisbench
from real_records import NEAR, THRESHOLDS, count, f1, mirrored, peaks_of, true_picks
from records import SETS, load_noise, load_set
from scipy.optimize import minimize

from seisbench_llm import SeisMoLLM, WeightRecord, weights

LANGUAGE_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
DATA = (
    "Training part (split by station and event) of about 760 records: northern California (test "
    "data of AI4EPS/PhaseNet, MIT), New Zealand (test data of EQcorrscan, LGPL-3), Iceland "
    "(examples of QuakeMigrate, GPL-3, automatic picks), strong motion (test data of USGS "
    "groundmotion-processing, public domain); three stations and 80 min of the 2019 Ridgecrest "
    "sequence (RED-PAN, MIT); 12 h at two stations in northern Chile (DeepPhasePick, GPL-3), "
    "unlabelled; noise before P of the same records. Where picks are incomplete, those of the "
    "published PhaseNet (MIT) above 0.6 were added. Half of the later steps: synthetic records "
    "(seisbench_llm.data.Synthetic). 4000 steps of 32 windows on real records without skip "
    "connections, 750 with synthetic ones, 2000 more with skip connections, 750 with more noise. "
    "Backbone: first two blocks of all-MiniLM-L6-v2 (Apache-2.0), all weights fine-tuned."
)
LIMITS = (
    "Local and regional earthquakes to about 100 km, 1 Hz and above. Few regions and few records: "
    "check it on your own before relying on it. A few false S picks an hour on noise. Not for "
    "teleseisms, volcanic tremor, ocean-bottom or distributed acoustic sensing."
)


def best_threshold(found: list[dict], silent: list[dict], truth: list, phase: str) -> float:
    """Threshold of the best F1 at 0.5 s, where every peak on noise is a false pick."""

    def f1_at(level: float) -> float:
        total = np.zeros(3, int)
        for peaks, picks in zip(found, truth, strict=True):
            total += count(peaks[phase], picks, 0.5, level)
        total[1] += sum((peaks[phase][:, 1] >= level).sum() for peaks in silent)
        return f1(total)

    return float(max(THRESHOLDS, key=f1_at))


def slope(found: list[dict], silent: list[dict], truth: list, phase: str) -> float:
    """Slope of a logistic regression of hit (1) or false (0) on the logit of the peak."""
    rows = [np.stack([peaks[phase][:, 1], np.zeros(len(peaks[phase]))], 1) for peaks in silent]
    for peaks, picks in zip(found, truth, strict=True):
        if picks.size:
            distance = np.abs(peaks[phase][:, :1] - picks).min(axis=1)
            near = distance <= NEAR
            rows.append(np.stack([peaks[phase][:, 1], distance <= 0.5], 1)[near])
    value, hit = np.concatenate(rows).T
    x = np.log(value / (1 - value))

    def loss(parameters: np.ndarray) -> float:
        return np.logaddexp(0, (1 - 2 * hit) * (parameters[0] * x + parameters[1])).mean()

    return float(minimize(loss, [1.0, 0.0]).x[0])


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--picker", required=True, help="path of the trained picker, no suffix")
    parser.add_argument("--figures", type=Path, help="results of real_records.py to put on record")
    parser.add_argument("--out", type=Path, default=weights.PACKAGED / "compact_picking")
    args = parser.parse_args()
    seisbench.logger.setLevel(logging.ERROR)

    trained = SeisMoLLM.from_pretrained(args.picker)
    # Under the language model's own name, wherever its files were for training.
    model = SeisMoLLM(**{**trained.get_model_args(), "backbone": LANGUAGE_MODEL})
    model.load_state_dict(trained.state_dict())
    # A quarter of a window is no whole number of tokens, so that four windows see each onset at
    # four places within a token: their mean hardly depends on where the stream starts.
    # For the same reason the ends of windows are kept: without them only three windows would do.
    model.default_args.update(overlap=0.75, blinding=(0, 0))
    if args.figures is None:
        records = [r for name in SETS[:3] for r in load_set(args.data, name)]
        records = [r for r in records if r.split == "train"]
        noise = [r for r in load_noise(args.data) if r.split == "train" and len(r.stream)]
        found = [peaks_of(model, False, record.stream) for record in records]
        silent = [peaks_of(model, False, mirrored(record.stream)) for record in noise]
        for phase in "PS":
            truth = [true_picks(record, phase) for record in records]
            level = best_threshold(found, silent, truth, phase)
            scale = slope(found, silent, truth, phase)
            print(f"{phase}: best threshold on training records {level}, slope {scale:.2f}")
            last, output = model.network.head.out, model.task.outputs.index(phase)
            last.weight.data[output] *= scale
            last.bias.data[output] = scale * (last.bias[output] - logit(level)) + logit(0.3)
    figures = json.loads(args.figures.read_text()) if args.figures else {}
    record = WeightRecord(
        name="compact_picking",
        task="picking",
        version="1",
        sampling_rate=model.sampling_rate,
        window=model.in_samples / model.sampling_rate,
        data=DATA,
        licence="GPL-3.0",
        language_model=LANGUAGE_MODEL,
        figures={
            "protocol": "benchmarks/real_records.py, records of held-out stations and events",
            **{
                key: figures["compact_picking"][key]["at 0.3"]["all"]
                for key in ("P@0.5", "S@0.5", "P@0.1", "S@0.1")
                if figures
            },
            "false picks per hour of noise": {
                phase: value["at 0.3"]
                for phase, value in figures.get("compact_picking", {})
                .get("false picks per hour", {})
                .items()
            },
        },
        limits=LIMITS,
    )
    docstring = "Compact P and S picker for local earthquakes; few real and many synthetic records."
    weights.save(model, args.out, docstring, record=record, half=True)
    size = args.out.with_suffix(".safetensors").stat().st_size / 1e6
    print(f"written {args.out}.safetensors, {size:.1f} MB")


if __name__ == "__main__":
    main()
