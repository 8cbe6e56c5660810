"""
Targets of pick-benchmark: which windows of a data set are asked about, and what is in them.

``task1.csv``: does a window of 30 s hold an earthquake? ``task23.csv``: which phase begins in a
window of 10 s, and when? The draws are those of the original's generator, so that the same data set
gives the same files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..atomic import replacing

# Columns of arrivals that count, and the phase that they count as.
PHASES = {
    **{f"trace_{name}_arrival_sample": "P" for name in ("p", "pP", "P", "P1", "Pg", "Pn", "PmP")},
    **{f"trace_{name}_arrival_sample": "P" for name in ("pwP", "pwPm")},
    **{f"trace_{name}_arrival_sample": "S" for name in ("s", "S", "S1", "Sg", "SmS", "Sn")},
}
RATE = 100
SEED = 42
DETECTION_SECONDS, PHASE_SECONDS = 30, 10
# Samples between the arrival and the ends of its window.
DETECTION_MARGIN, PHASE_MARGIN = 100, 50
# Seconds between the arrival of a window and the window's other arrivals.
ISOLATION = 0.5
# Windows of no more samples than that are left out.
SHORTEST = 100

Record = tuple[int, Mapping]


def records_of(dataset) -> Iterator[Record]:
    """
    Number of samples and metadata of each record, at the data set's sampling rate.

    :param dataset: SeisBench data set with ``dimension_order`` NCW.
    """
    for i in range(len(dataset)):
        waveforms, metadata = dataset.get_sample(i)
        yield waveforms.shape[-1], metadata


def detection_targets(
    records: Iterable[Record], rate: int = RATE, noise_before_events: bool = True
) -> pd.DataFrame:
    """
    Windows of 30 s for detection: with the first arrival, or with none.

    :param records: As of :py:func:`records_of`.
    :param rate: Hz.
    :param noise_before_events: Whether to take a window before the first arrival as noise, too.
    :return: Columns trace_name, trace_idx, trace_split, sampling_rate, start_sample, end_sample,
        trace_type (earthquake or noise).
    """
    rng, length, rows = np.random.RandomState(SEED), DETECTION_SECONDS * rate, []
    for i, (samples, metadata) in enumerate(records):

        def add(window, kind, i=i, metadata=metadata):
            rows.append({**_identity(metadata, i, rate, window), "trace_type": kind})

        arrivals = _arrivals(metadata, samples)
        if not arrivals:
            add(_window(rng, samples, length), "noise")
            continue
        first = min(sample for sample, *_ in arrivals)
        window = _window(rng, samples, length, first, DETECTION_MARGIN)
        if window[1] - window[0] <= length:
            add(window, "earthquake")
        if noise_before_events and first > length:
            window = _window(rng, min(samples, first), length)
            if window[1] - window[0] <= length:
                add(window, "noise")
    return _table(rows, "trace_type")


def phase_targets(records: Iterable[Record], rate: int = RATE) -> pd.DataFrame:
    """
    Windows of 10 s with exactly one arrival.

    :param records: As of :py:func:`records_of`.
    :param rate: Hz.
    :return: Columns as of :py:func:`detection_targets` up to end_sample, then phase_label (P or
        S), full_phase_label (as the column is named) and phase_onset (sample in the record).
    """
    rng, length, rows = np.random.RandomState(SEED), PHASE_SECONDS * rate, []
    apart = int(ISOLATION * rate)
    for i, (samples, metadata) in enumerate(records):
        arrivals = _arrivals(metadata, samples)
        for j, (onset, phase, name) in enumerate(arrivals):
            before = int(arrivals[j - 1][0]) + apart if j else 0
            after = int(arrivals[j + 1][0]) - apart if j + 1 < len(arrivals) else np.inf
            if after - before < length or not before <= onset <= after:
                continue
            window = _window(
                rng, min(after, samples) - before, length, onset - before, PHASE_MARGIN
            )
            if window[1] - window[0] > length:
                continue
            rows.append(
                {
                    **_identity(metadata, i, rate, (window[0] + before, window[1] + before)),
                    "phase_label": phase,
                    "full_phase_label": name,
                    "phase_onset": onset,
                }
            )
    return _table(rows, "phase_label", "full_phase_label", "phase_onset")


def write(folder: str | Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """
    Write targets, each file whole or not at all.

    :param folder: ``targets/NAME``.
    :param tables: Name of the file without suffix -> table.
    """
    for name, table in tables.items():
        with replacing(Path(folder) / f"{name}.csv") as file:
            table.to_csv(file, index=False)


def _arrivals(metadata: Mapping, samples: int) -> list[tuple[float, str, str]]:
    """Sample, phase and name of all arrivals in a record, in order."""
    return sorted(
        (metadata[column], phase, column.split("_")[1])
        for column, phase in PHASES.items()
        if column in metadata and not np.isnan(metadata[column]) and 0 <= metadata[column] < samples
    )


def _window(
    rng: np.random.RandomState, samples, length: int, containing=None, margin: int = 0
) -> tuple:
    """
    First sample and end of a window, the whole record if there is no room for another.

    :param containing: Sample that has to be in the window.
    :param margin: Samples between that one and the ends of the window.
    """
    if samples <= length:
        return 0, samples
    low, high = 0, samples - length
    if containing is not None:
        low, high = max(low, containing - length + margin), min(high, containing - margin)
        if high <= low:
            return 0, samples
    # Numbers are truncated, as NumPy's legacy generator does.
    start = rng.randint(int(low), int(high + 1))
    return start, start + length


def _identity(metadata: Mapping, i: int, rate: int, window: tuple) -> dict:
    return {
        "trace_name": metadata["trace_name"],
        "trace_idx": i,
        "trace_split": metadata.get("split", ""),
        "sampling_rate": rate,
        "start_sample": window[0],
        "end_sample": window[1],
    }


def _table(rows: list[dict], *columns: str) -> pd.DataFrame:
    identity = ["trace_name", "trace_idx", "trace_split", "sampling_rate"]
    table = pd.DataFrame(rows, columns=[*identity, "start_sample", "end_sample", *columns])
    return table[table["end_sample"] - table["start_sample"] > SHORTEST]
