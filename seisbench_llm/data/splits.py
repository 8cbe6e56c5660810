"""Train, dev and test by event, and the published split by row beside it."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import seisbench

NAMES = ("train", "dev", "test")


UNUSED = "unused"

# Largest size of an unpacked file. A split of a million records has a third of it.
_MOST_BYTES = 2**28


PUBLISHED_FRACTIONS = (0.8, 0.1, 0.1)


PUBLISHED_FEW_SHOT = (0.1, 0.05, 0.85)


def split_by_event(
    metadata: pd.DataFrame,
    fractions: Sequence[float] = PUBLISHED_FRACTIONS,
    seed: int = 0,
    event_column: str | Sequence[str] = "source_id",
) -> pd.Series:
    """
    Split so that all records of an event are on the same side.

    The fractions are those of records, not of events. Events are sorted in an order that depends
    only on the seed and on their identifiers. The sorted list is cut at the fractions, so that each
    side is off by less than an event. An event with more than half of the records of the smallest
    side goes to the largest side. The order of the rows and the platform do not matter. If a few
    events are added or removed, nearly all others stay on their sides.

    .. code:: python

        dataset.metadata["split"] = split_by_event(dataset.metadata)
        train, dev, test = dataset.train_dev_test()

    :param metadata: Metadata of a SeisBench data set.
    :param fractions: Fractions of train, dev and test; they add to one.
    :param seed: Any integer.
    :param event_column: Column or columns that identify the event. A row without a value is an
        event of its own. The number of such rows is logged.
    :return: ``train``, ``dev`` or ``test`` for each row, on the index of ``metadata``.
    :raises ValueError: If the column is missing, or if the fractions do not add up to one.
    """
    fractions = _checked(fractions)
    codes, events, alone = event_numbers(metadata, event_column)
    if alone:
        seisbench.logger.warning(
            f"{alone} of {len(metadata)} rows have no {event_column}; each is split as an event of "
            f"its own."
        )
    sides = _cut(_order(events, seed), np.bincount(codes, minlength=len(events)), fractions)
    return pd.Series(np.array(NAMES, dtype=object)[sides[codes]], metadata.index, name="split")


def event_numbers(
    metadata: pd.DataFrame, event_column: str | Sequence[str] = "source_id"
) -> tuple[np.ndarray, list[str], int]:
    """
    Number of the event of each row. A row without an identifier is an event of its own.

    :param metadata: Metadata of a SeisBench data set.
    :param event_column: Column, or columns, that identify the event.
    :return: Numbers from 0, the identifier of each number, and the number of rows without an
        identifier.
    :raises ValueError: If the column is missing.
    """
    groups = _identifiers(metadata, event_column)
    alone = np.flatnonzero(groups.isna())
    codes, events = pd.factorize(groups)
    codes[alone] = len(events) + np.arange(len(alone))
    # A row without an identifier is known by its trace name, or else by its position.
    names = metadata["trace_name"] if "trace_name" in metadata else pd.Series(range(len(metadata)))
    return codes, [*events, *(f"row {name}" for name in names.iloc[alone])], len(alone)


def split_by_station(
    metadata: pd.DataFrame,
    fractions: Sequence[float] = PUBLISHED_FRACTIONS,
    seed: int = 0,
    station_columns: Sequence[str] = ("station_network_code", "station_code"),
) -> pd.Series:
    """
    Split so that all records of a station are on the same side; see :py:func:`split_by_event`.
    """
    return split_by_event(metadata, fractions, seed, station_columns)


def split_by_row(
    metadata: pd.DataFrame, fractions: Sequence[float] = PUBLISHED_FRACTIONS, seed: int = 0
) -> pd.Series:
    """
    The published split, for reproduction only: records of one event fall into train and test.

    Rows are shuffled with ``DataFrame.sample(frac=1, random_state=seed)`` and cut at the rounded
    down fractions, as in the published code; the same rows in the same order give the same
    split. The published few-shot runs use the fractions ``PUBLISHED_FEW_SHOT``: train on 10 %,
    develop on 5 %, test on the other 85 % of all rows.

    :param metadata: Metadata of a SeisBench data set, in the order of the published files.
    :param fractions: Fractions of train, dev and test; they add to one.
    :param seed: Seed of the shuffle; 0 in the published scripts.
    :return: ``train``, ``dev`` or ``test`` for each row, on the index of ``metadata``.
    :raises ValueError: If the fractions do not add to one.
    """
    fractions = _checked(fractions)
    count = len(metadata)
    order = pd.Series(np.arange(count)).sample(frac=1, random_state=seed).to_numpy()
    train = int(fractions[0] * count)
    dev = train + int(fractions[1] * count)
    split = np.full(count, NAMES[2], dtype=object)
    split[order[:train]] = NAMES[0]
    split[order[train:dev]] = NAMES[1]
    return pd.Series(split, metadata.index, name="split")


def few_shot(
    metadata: pd.DataFrame,
    split: pd.Series,
    train: float = 0.10,
    dev: float = 0.05,
    seed: int = 0,
    event_column: str | Sequence[str] = "source_id",
) -> pd.Series:
    """
    Keep a few events for training and development, and the whole test set.

    The fractions are of all records, as published, but the test set is that of the full split,
    so that few-shot and full figures compare. For the published few-shot split itself see
    :py:func:`split_by_row`.

    :param metadata: Metadata of a SeisBench data set.
    :param split: Split to thin out, such as of :py:func:`split_by_event`.
    :param train: Fraction of all records to train on, all from the train side of ``split``.
    :param dev: Fraction of all records to develop on, all from its dev side.
    :param seed: Any integer.
    :param event_column: Column, or columns, that identify the event; events are kept whole.
    :return: The split, with ``unused`` for train and dev records that are left out.
    :raises ValueError: If a side has fewer records than asked for, or the rows differ.
    """
    if not split.index.equals(metadata.index):
        raise ValueError("The split is not of the rows of the metadata.")
    result = split.copy()
    for name, fraction in (("train", train), ("dev", dev)):
        side = (split == name).to_numpy()
        wanted = fraction * len(metadata)
        if not 0 <= wanted <= side.sum():
            raise ValueError(
                f"{name} is to be {fraction:.0%} of {len(metadata)} records, but its side of the "
                f"split has {side.sum()}."
            )
        share = wanted / max(side.sum(), 1)
        kept = split_by_event(metadata[side], (share, 0, 1 - share), seed, event_column)
        result[side] = kept.map({"train": name, "test": UNUSED}).to_numpy()
    return result


def check_leakage(
    metadata: pd.DataFrame, split: pd.Series, column: str | Sequence[str] = "source_id"
) -> None:
    """
    Make sure that no event is on two sides of a split.

    :param metadata: Metadata of a SeisBench data set.
    :param split: Split of its rows; ``unused`` and missing values are no side.
    :param column: Column, or columns, that identify the event; rows without a value are ignored.
    :raises ValueError: If there are such events; it names how many and the first few.
    """
    if not split.index.equals(metadata.index):
        raise ValueError("The split is not of the rows of the metadata.")
    groups = _identifiers(metadata, column)
    used = (groups.notna() & split.notna() & (split != UNUSED)).to_numpy()
    pairs = pd.DataFrame({"group": groups[used], "split": split[used]}).drop_duplicates()
    leaks = pairs[pairs["group"].duplicated(keep=False)]
    if len(leaks):
        names = sorted(leaks["group"].unique())
        first = ", ".join(
            f"{name} ({'/'.join(sorted(leaks['split'][leaks['group'] == name]))})"
            for name in names[:10]
        )
        raise ValueError(
            f"{len(names)} values of {column} are on more than one side of the split: {first}"
            f"{', ...' if len(names) > 10 else ''}. Split by event, not by row."
        )


def _checked(fractions: Sequence[float]) -> np.ndarray:
    values = np.asarray(fractions, dtype=np.float64)
    if values.shape != (3,) or (values < 0).any() or abs(values.sum() - 1) > 1e-6:
        raise ValueError(f"Fractions of train, dev and test have to add to one, not {fractions}.")
    return values


def _identifiers(metadata: pd.DataFrame, columns: str | Sequence[str]) -> pd.Series:
    """Identifiers as text, None where missing; 7, 7.0 and "7" are the same event."""
    columns = [columns] if isinstance(columns, str) else list(columns)
    missing = [name for name in columns if name not in metadata.columns]
    if missing:
        raise ValueError(f"The metadata have no column {', '.join(missing)} to split by.")
    parts = []
    for name in columns:
        codes, values = pd.factorize(metadata[name])
        texts = np.array([_text(value) for value in values] + [None], dtype=object)
        parts.append(pd.Series(texts[codes], metadata.index, dtype=object))
    result = parts[0]
    for part in parts[1:]:
        result = result + "." + part
    return result.where(result.notna(), None)


def _text(value) -> str | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() or None


def _order(events: Sequence[str], seed: int) -> np.ndarray:
    """
    Order of events that depends on the seed and each identifier alone.

    By hash rather than by a generator, whose streams may change between versions of NumPy.
    """
    key = str(seed).encode()
    digests = (hashlib.blake2b(e.encode(), digest_size=8, key=key).digest() for e in events)
    hashes = np.frombuffer(b"".join(digests), dtype=">u8")
    return np.argsort(hashes, kind="stable")


def _cut(order: np.ndarray, sizes: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """Side (0, 1, 2) of each event, so that the fractions hold for the sum of the sizes."""
    total = sizes.sum()
    by_size = np.argsort(-fractions, kind="stable")
    # First in line, and so on the largest side: what is more than half of the smallest side.
    large = 2 * sizes[order] > fractions[fractions > 0].min() * total
    order = np.concatenate([order[large], order[~large]])
    middles = np.cumsum(sizes[order]) - sizes[order] / 2
    bounds = np.cumsum(fractions[by_size])[:2] * total
    sides = np.empty(len(sizes), dtype=np.int64)
    sides[order] = by_size[np.searchsorted(bounds, middles, side="right")]
    empty = [name for i, name in enumerate(NAMES) if fractions[i] > 0 and not (sides == i).any()]
    if empty:
        seisbench.logger.warning(
            f"{len(sizes)} events are too few, or too unequal, for a split of {fractions}: "
            f"nothing in {', '.join(empty)}."
        )
    return sides


def read_splits(run: str | Path) -> dict[str, pd.DataFrame]:
    """
    The splits that a training run has written.

    :param run: Folder of the run.
    :return: Data set -> table with the columns dataset, trace_name and split.
    :raises ValueError: If a file is damaged, with its name.
    """
    tables = {}
    for file in sorted(Path(run).glob("split_*.csv.gz")):
        try:
            with gzip.open(file) as packed:
                content = packed.read(_MOST_BYTES + 1)
            if len(content) > _MOST_BYTES:
                raise ValueError(f"it becomes more than {_MOST_BYTES} bytes")
            table = pd.read_csv(io.BytesIO(content))
            tables[table["dataset"].iloc[0]] = table[["dataset", "trace_name", "split"]]
        except (OSError, EOFError, LookupError, ValueError, zlib.error) as error:
            raise ValueError(f"{file} cannot be read as a split: {error}") from error
    return tables
