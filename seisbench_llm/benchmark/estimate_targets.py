"""
Targets for polarity, magnitude, distance and back-azimuth, in the manner of pick-benchmark.

The original harness has none of these. A target is a record with an onset of P and a known answer.
The model is told the sample of the onset, and may look at the record from ``start_sample`` to
``end_sample``: 10 s before it to 50 s after, for polarity 5 s on either side, as far as the record
goes. All records of an event are on one side of the split. Distance and back-azimuth are those
from coordinates, where the data set has them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..data.metadata import polarity_letter, sample_number
from .targets import RATE, Record, _arrivals

# Task -> column of the answer, as it is in targets; predictions add ``_pred`` to it.
ANSWERS = {
    "polarity": "polarity",
    "magnitude": "magnitude",
    "distance": "distance_km",
    "back_azimuth": "back_azimuth_deg",
}
# Task -> name of the file, without suffix.
FILES = {task: f"task_{task}" for task in ANSWERS} | {"back_azimuth": "task_azimuth"}
# Seconds before and after the onset.
WINDOWS = dict.fromkeys(ANSWERS, (10.0, 50.0)) | {"polarity": (5.0, 5.0)}
# Seconds of the record there have to be before the onset, and after it.
SHORTEST = (1.0, 2.0)


def estimate_targets(
    task: str, records: Iterable[Record], split: pd.Series, column: str, rate: int = RATE
) -> pd.DataFrame:
    """
    Targets of one task.

    :param task: polarity, magnitude, distance or back_azimuth.
    :param records: As of :py:func:`~seisbench_llm.benchmark.targets.records_of`.
    :param split: Side of each record, by event.
    :param column: Column of the data set with the answer.
    :param rate: Hz.
    :return: Columns trace_name, trace_idx, trace_split, sampling_rate, start_sample, end_sample,
        phase_onset (sample of P), s_onset (sample of S, nan if not known), and the answer:
        polarity (U or D), magnitude, distance_km or back_azimuth_deg.
    """
    before, after = (round(seconds * rate) for seconds in WINDOWS[task])
    rows, i = [], -1
    for (samples, metadata), side in zip(records, split, strict=True):
        # As in the other targets, which count the data set's own dev and test.
        counted = metadata.get("split") in ("dev", "test")
        i += counted
        answer = _answer(task, metadata.get(column))
        onsets = {
            phase: [sample for sample, kind, _ in _arrivals(metadata, samples) if kind == phase]
            for phase in "PS"
        }
        if side not in ("dev", "test") or answer is None or not onsets["P"]:
            continue
        onset = onsets["P"][0]
        if onset < SHORTEST[0] * rate or samples - onset < SHORTEST[1] * rate:
            continue
        rows.append(
            {
                "trace_name": metadata["trace_name"],
                "trace_idx": i if counted else -1,
                "trace_split": side,
                "sampling_rate": rate,
                "start_sample": max(0, int(onset) - before),
                "end_sample": min(samples, int(onset) + after),
                "phase_onset": onset,
                "s_onset": min((s for s in onsets["S"] if s > onset), default=np.nan),
                ANSWERS[task]: answer,
            }
        )
    columns = ["trace_name", "trace_idx", "trace_split", "sampling_rate", "start_sample"]
    return pd.DataFrame(
        rows, columns=[*columns, "end_sample", "phase_onset", "s_onset", ANSWERS[task]]
    )


def _answer(task: str, value):
    if task == "polarity":
        return polarity_letter(value)
    number = sample_number(value)
    return number if np.isfinite(number) else None
