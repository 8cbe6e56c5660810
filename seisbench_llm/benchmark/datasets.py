"""Data sets of the benchmark: at one sampling rate, with a split, and looked up by targets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seisbench

from ..data.datasets import open_dataset
from ..data.metadata import COLUMNS, first_column
from ..data.splits import check_leakage, split_by_event
from ..data.stead import COORDINATES, complete_geometry
from .targets import RATE

# Fractions of train, dev and test for a data set without a split.
FRACTIONS = (0.6, 0.1, 0.3)


def open_for_benchmark(
    name: str, rate: float = RATE, fractions: Sequence[float] = FRACTIONS, seed: int = 0
):
    """
    Open a data set for targets, training or predictions.

    Distance and back-azimuth are computed from coordinates if these are known. A data set without a
    split is split by event.

    :param name: As for :py:func:`seisbench_llm.data.datasets.open_dataset`.
    :param rate: Sampling rate in Hz to which all records are resampled.
    :param fractions: Fractions of train, dev and test for a data set without a split.
    :param seed: Of that split.
    :raises ValueError: If the data set is unknown.
    """
    dataset = open_dataset(name, sampling_rate=rate, component_order="ZNE", dimension_order="NCW")
    dataset.missing_components = "pad"
    metadata = dataset.metadata
    if set(COORDINATES) <= set(metadata.columns):
        complete_geometry(metadata)
    if "split" not in metadata:
        metadata["split"] = _by_event(metadata, fractions, seed)
        seisbench.logger.info(f"{name} has no split; its records are split by event.")
    return dataset


def event_split(
    metadata: pd.DataFrame, fractions: Sequence[float] = FRACTIONS, seed: int = 0
) -> pd.Series:
    """
    The data set's own split where no event is on two sides of it, else one by event.

    :param metadata: With a column ``split``.
    :param fractions: Of train, dev and test, where it is split anew.
    :param seed: Of that split.
    """
    if first_column(metadata.columns, "source_id") is None:
        return metadata["split"]
    try:
        check_leakage(metadata, metadata["split"])
    except ValueError as error:
        seisbench.logger.warning(f"The data set's own split is not used for estimates: {error}")
        return _by_event(metadata, fractions, seed)
    return metadata["split"]


def describe_traces(metadata: pd.DataFrame) -> pd.DataFrame:
    """
    Columns by which results are grouped: event, station, magnitude, distance, signal-to-noise
    ratio.

    :return: One row per record; its columns are trace_name and those that are known.
    """
    wanted: dict[str, tuple[str, ...]] = {
        "source_id": ("source_id",),
        "station": ("station_code",),
    }
    wanted |= {name: COLUMNS[name] for name in ("magnitude", "distance", "snr")}
    columns = {name: first_column(metadata.columns, *names) for name, names in wanted.items()}
    table = {"trace_name": metadata["trace_name"]}
    table |= {name: metadata[column] for name, column in columns.items() if column is not None}
    return pd.DataFrame(table)


def rows_of_targets(metadata: pd.DataFrame, targets: pd.DataFrame) -> np.ndarray:
    """
    Row of the data set for each target.

    ``trace_idx`` counts the records of dev and test, as the original's generator does; it tells
    apart the signals and noise of INSTANCE, which share their names. A target whose record is not
    there, as its data set was put together otherwise, is found by its name.

    :param metadata: Of the data set, with a column ``split``.
    :param targets: With the columns trace_name and trace_idx.
    :raises ValueError: If a record cannot be found, or if several records have its name.
    """
    names = metadata["trace_name"].astype(str).to_numpy()
    counted = np.flatnonzero(metadata["split"].isin(["dev", "test"]).to_numpy())
    wanted = targets["trace_name"].astype(str).to_numpy()
    number = targets["trace_idx"].to_numpy(int)
    rows = np.full(len(targets), -1)
    there = (number >= 0) & (number < len(counted))
    rows[there] = counted[number[there]]
    wrong = np.flatnonzero(~there | (names[rows] != wanted))
    if len(wrong):
        by_name = pd.Series(np.arange(len(names)), names)
        many = set(by_name.index[by_name.index.duplicated()])
        for i in wrong:
            if wanted[i] not in by_name.index or wanted[i] in many:
                problem = "several records of" if wanted[i] in many else "no record in"
                raise ValueError(f"Target {wanted[i]} has {problem} the data set.")
            rows[i] = by_name[wanted[i]]
    return rows


def _by_event(metadata: pd.DataFrame, fractions, seed: int) -> pd.Series:
    column = "source_id" if "source_id" in metadata else "trace_name"
    return split_by_event(metadata, fractions, seed, column)
