"""
The paper's tables (Wang et al. 2025, arXiv 2502.19960): measured and published values.

Metrics are those of the published code (:py:mod:`seisbench_llm.evaluate.metrics`), on the split of
the published scripts: rows shuffled with seed 0, the last tenth for the test, or 85 % for few-shot.
Records of one earthquake are on both sides of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pandas as pd

from ..data.datasets import open_dataset
from ..data.splits import PUBLISHED_FEW_SHOT, PUBLISHED_FRACTIONS, split_by_row
from ..evaluate.evaluation import Evaluation
from ..evaluate.predict import predict, thresholds_of
from ..models.seismollm import SeisMoLLM

PUBLISHED = Path(__file__).parent / "paper_results.json"
MODEL = "SeisMoLLM"
# Group of the published tables -> task, and the group of an evaluation.
GROUPS = {
    "phase_p": ("picking", "P"),
    "phase_s": ("picking", "S"),
    "first_motion": ("polarity", "polarity"),
    "back_azimuth": ("back_azimuth", "back_azimuth"),
    "magnitude": ("magnitude", "magnitude"),
    "distance": ("distance", "distance"),
}
PERCENT = ("f1", "precision", "recall")
UNITS = {"phase_p": "samples", "phase_s": "samples", "back_azimuth": "degrees", "distance": "km"}
DATA = ("stead", "diting")
SEED = 0


@cache
def published() -> dict:
    """The published values."""
    return json.loads(PUBLISHED.read_text())


def default_weights(data: str) -> list[str]:
    """The authors' weights for a data set, and the packaged ones."""
    source = {"stead": "stead", "diting": "ditinglight"}[data]
    names = {"picking": "dpk", "back_azimuth": "baz", "magnitude": "emg", "distance": "dis"}
    if data == "diting":
        names["polarity"] = "pmp"
    authors = [f"seismollm_{name}_{source}" for name in names.values()]
    return authors + [f"compact_{task}" for task in names]


def _require(data: str) -> None:
    if data not in DATA:
        raise ValueError(f"The paper has tables of {' and '.join(DATA)}, not of {data}.")


def expected(data: str, few_shot: bool = False) -> pd.DataFrame:
    """
    The published values of a data set.

    :param data: stead or diting.
    :param few_shot: Whether those of training on a tenth. The paper counts 16 of both data sets;
        its figure gives ten.
    :return: Columns group, metric, unit, and one for each published model; nan where it has none.
    :raises ValueError: If the paper has no tables of the data set.
    """
    _require(data)
    rows = []
    if few_shot:
        for name, values in published()["few_shot_10_percent"].items():
            group, _, metric = name.rpartition("_")
            rows.append({"group": group, "metric": metric, **values[data]})
    else:
        for group, models in published()[data].items():
            for i, metric in enumerate(models["columns"]):
                values = {name: v[i] for name, v in models.items() if name != "columns"}
                rows.append({"group": group, "metric": metric, **values})
    table = pd.DataFrame(rows)
    unit = table["group"].map(UNITS).fillna("")
    table.insert(2, "unit", unit.mask(table["metric"].isin(PERCENT), "%"))
    table.loc[table["metric"] == "r2", "unit"] = ""
    return table


def open_paper_data(data: str, path: str | Path | None, rate: float):
    """
    The data of the paper at a sampling rate: earthquakes of STEAD, or the light subset of DiTing.

    :param data: stead or diting.
    :param path: Folder of the published files (``merge.csv`` and ``merge.hdf5``, or
        ``DiTing330km_part_N``), or in SeisBench's format; of STEAD None for SeisBench's cache.
    :param rate: Hz.
    :raises ValueError: If the folder has neither.
    """
    _require(data)
    if path is None and data == "diting":
        raise ValueError("DiTing is not in SeisBench: pass its folder (--path).")
    if path is None:
        name = "STEAD"
    elif Path(path, "metadata.csv").is_file():
        name = str(path)
    else:
        name = f"{'diting-light' if data == 'diting' else 'stead'}:{path}"
    dataset = open_dataset(name, sampling_rate=rate)
    if data == "stead" and "trace_category" in dataset.metadata:
        noise = dataset.metadata["trace_category"].astype(str).str.contains("noise")
        dataset = dataset.filter((~noise).to_numpy(), inplace=False)
    return dataset


def test_side(dataset, task: str, data: str, few_shot: bool = False):
    """
    The records that the published scripts test on.

    :param dataset: As of :py:func:`open_paper_data`.
    :param task: Name of the task; magnitudes of STEAD are of those of type ML only, as published.
    :param data: stead or diting.
    :param few_shot: Whether the test side is 85 % of the records.
    """
    metadata = dataset.metadata
    if task == "magnitude" and data == "stead" and "source_magnitude_type" in metadata:
        local = metadata["source_magnitude_type"].astype(str).str.lower() == "ml"
        dataset = dataset.filter(local.to_numpy(), inplace=False)
    fractions = PUBLISHED_FEW_SHOT if few_shot else PUBLISHED_FRACTIONS
    split = split_by_row(dataset.metadata, fractions, SEED)
    return dataset.filter((split == "test").to_numpy(), inplace=False)


def measure(
    model: SeisMoLLM,
    data: str,
    path: str | Path | None = None,
    few_shot: bool = False,
    limit: int | None = None,
    **kwargs,
) -> tuple[dict[str, dict[str, float]], int]:
    """
    The paper's metrics of a model.

    :param model: Model of any task.
    :param data: stead or diting.
    :param path: See :py:func:`open_paper_data`.
    :param few_shot: See :py:func:`test_side`.
    :param limit: Largest number of records, drawn with a fixed seed.
    :param kwargs: See :py:func:`seisbench_llm.evaluate.predict.predict`.
    :return: Group of the tables -> metric -> value in the paper's unit; number of records.
    """
    task = model.task.name
    dataset = test_side(open_paper_data(data, path, model.sampling_rate), task, data, few_shot)
    table = predict(model, dataset, limit=limit, seed=SEED, **kwargs)
    threshold = None
    if model.task.head == "curves":
        threshold = dict(zip("PS", map(float, thresholds_of(model, None)), strict=True))
    result = Evaluation.from_predictions(
        task, table, model.in_samples, model.sampling_rate, threshold, resamples=0
    )
    found = {}
    for group, (of, name) in GROUPS.items():
        if of == task:
            values = result.published[name]
            found[group] = {k: v * (100 if k in PERCENT else 1) for k, v in values.items()}
    return found, len(table)


def compare(
    data: str,
    path: str | Path | None = None,
    weights: Sequence[str] | None = None,
    few_shot: bool = False,
    limit: int | None = None,
    **kwargs,
) -> pd.DataFrame:
    """
    A table of the paper with measured values.

    :param data: stead or diting.
    :param path: See :py:func:`open_paper_data`.
    :param weights: Weights to measure, each on the metrics of its task; by default those of
        :py:func:`default_weights`. Few-shot weights are not published: give your own.
    :param few_shot: Whether to compare with training on a tenth.
    :param limit: See :py:func:`measure`.
    :param kwargs: See :py:func:`measure`.
    :return: Columns of :py:func:`expected`, and for each weight ``NAME``, ``NAME - SeisMoLLM`` and
        ``NAME records``, nan on the metrics of other tasks.
    :raises ValueError: If there are few-shot values to compare with and no weight.
    """
    if few_shot and not weights:
        raise ValueError("Few-shot weights are not published; pass your own.")
    table = expected(data, few_shot)
    for name in weights or default_weights(data):
        model = SeisMoLLM.from_pretrained(name)
        found, count = measure(model, data, path, few_shot, limit, **kwargs)
        values = [
            found.get(group, {}).get(metric, float("nan"))
            for group, metric in zip(table["group"], table["metric"], strict=True)
        ]
        table[name] = values
        table[f"{name} - {MODEL}"] = table[name] - table[MODEL]
        table[f"{name} records"] = [count if pd.notna(value) else 0 for value in values]
    return table


def to_text(table: pd.DataFrame) -> str:
    """The table as text: published and measured values, one line per metric."""
    weights = [name.removesuffix(" records") for name in table if name.endswith(" records")]
    lines = [f"{'':<28}{MODEL:>12}  measured (difference, weight, records)"]
    for _, row in table.iterrows():
        label = f"{row['group']} {row['metric']} {row['unit']}".strip()
        measured = [
            f"{row[name]:.3f} ({row[f'{name} - {MODEL}']:+.3f}, {name}, {row[f'{name} records']})"
            for name in weights
            if pd.notna(row[name])
        ]
        lines.append(f"{label:<28}{row[MODEL]:>12.3f}  {'; '.join(measured) or '-'}")
    return "\n".join(lines)
