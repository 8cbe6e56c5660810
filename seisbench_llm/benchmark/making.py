"""Targets of a data set and their predictions by any weight, as in the commands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import seisbench.models as sbm

from ..atomic import replacing
from ..data.metadata import COLUMNS, first_column
from ..models.seismollm import SeisMoLLM
from . import provenance, targets
from .datasets import FRACTIONS, describe_traces, event_split, open_for_benchmark
from .estimate_targets import ANSWERS, FILES, estimate_targets
from .estimators import BenchmarkEstimator
from .pickers import BenchmarkPicker
from .predictions import folder_of, predict_targets

TRACES = "traces.csv"


def make_targets(
    data: str,
    folder: str | Path,
    tasks: Sequence[str],
    noise_before_events: bool = True,
    fractions: Sequence[float] = FRACTIONS,
) -> dict[str, int]:
    """
    Write targets, the table of their records (``traces.csv``) and ``run.json``.

    :param data: As for :py:func:`~seisbench_llm.benchmark.datasets.open_for_benchmark`.
    :param folder: ``targets/NAME``.
    :param tasks: Tasks out of 1, 23, polarity, magnitude, distance and azimuth. The last four are
        left out if the data set lacks their labels.
    :param noise_before_events: See :py:func:`~seisbench_llm.benchmark.targets.detection_targets`.
    :param fractions: Of train, dev and test, for a data set without a split.
    :return: Name of the file without suffix -> number of targets.
    :raises ValueError: If a task is unknown.
    """
    folder = Path(folder)
    names = {"1": "task1", "23": "task23", **{f.removeprefix("task_"): f for f in FILES.values()}}
    if unknown := set(tasks) - set(names):
        raise ValueError(f"Unknown task {min(unknown)}. Known tasks: {', '.join(names)}.")
    dataset = open_for_benchmark(data, fractions=fractions)
    sides = dataset.metadata["split"].isin(["dev", "test"]).to_numpy()
    records = list(targets.records_of(dataset))
    asked = [record for record, use in zip(records, sides, strict=True) if use]
    tables = {}
    if "1" in tasks:
        tables["task1"] = targets.detection_targets(asked, noise_before_events=noise_before_events)
    if "23" in tasks:
        tables["task23"] = targets.phase_targets(asked)
    split = event_split(dataset.metadata, fractions)
    for task in ANSWERS:
        column = first_column(dataset.metadata.columns, *COLUMNS[task])
        if FILES[task].removeprefix("task_") in tasks and column is not None:
            table = estimate_targets(task, records, split, column)
            if len(table):
                tables[FILES[task]] = table
    targets.write(folder, {name: table for name, table in tables.items() if len(table)})
    with replacing(folder / TRACES) as file:
        describe_traces(dataset.metadata).to_csv(file, index=False)
    config = {"data": data, "tasks": list(tasks), "noise_before_events": noise_before_events}
    config["fractions"] = list(fractions)
    provenance.write(folder, provenance.provenance(config, targets.SEED))
    return {name: len(table) for name, table in tables.items()}


def load_model(weights: str):
    """
    Load a picker or a model of another task, and the name of its configuration.

    :param weights: Name or path of a SeisMoLLM weight, or ``CLASS/WEIGHT`` of
        :py:mod:`seisbench.models`, such as ``phasenet/volpick``.
    :return: Module of the benchmark, and ``DATA_MODEL``.
    """
    kind, _, name = weights.partition("/")
    classes: dict[str, type[sbm.WaveformModel]] = {
        key.lower(): cls
        for key, cls in vars(sbm).items()
        if isinstance(cls, type) and issubclass(cls, sbm.WaveformModel)
    }
    if name and kind in classes:
        return BenchmarkPicker(classes[kind].from_pretrained(name)), f"{_plain(name)}_{kind}"
    model = SeisMoLLM.from_pretrained(weights)
    name = _plain(Path(weights).name + (model.record.version if model.record else ""))
    if model.task.head == "curves":
        return BenchmarkPicker(model), f"{name}_seismollm"
    return BenchmarkEstimator(model), f"{name}_seismollm"


def predict_with_weights(
    weights: str,
    folder: str | Path,
    data: str,
    out: str | Path = ".",
    rate: float = targets.RATE,
    mask_s: bool = False,
    **kwargs,
) -> Path:
    """
    Predict targets with any weight. The weight's name stands for its training data.

    :param weights: See :py:func:`load_model`.
    :param folder: ``targets/NAME``.
    :param data: Data set of the targets.
    :param out: Folder of ``pred_cross`` and so on.
    :param rate: Hz; a model of another sampling rate needs its own here.
    :param mask_s: See :py:class:`~seisbench_llm.benchmark.estimators.BenchmarkEstimator`.
    :param kwargs: See :py:func:`~seisbench_llm.benchmark.predictions.predict_targets`.
    :return: Folder of the predictions.
    :raises ValueError: If the model has another sampling rate.
    """
    module, config = load_model(weights)
    own_rate = module.model.sampling_rate
    if own_rate != rate:
        raise ValueError(f"{weights} works at {own_rate:g} Hz; pass --rate {own_rate:g}.")
    if mask_s:
        module.mask_s, config = True, config.replace("_", "-nos_", 1)
    what = {"weights": weights, "mask_s": mask_s}
    return predict_with(module, config, folder, data, out, rate, what, **kwargs)


def predict_with(
    module,
    config: str,
    folder: str | Path,
    data: str,
    out: str | Path = ".",
    rate: float = targets.RATE,
    what: dict | None = None,
    **kwargs,
) -> Path:
    """
    Predict targets with any module of the benchmark, as of another domain.

    :param module: With ``get_eval_augmentations`` and ``predict_step``.
    :param config: ``DATA_MODEL``.
    :param folder: See :py:func:`predict_with_weights`.
    :param data: See there.
    :param out: See there.
    :param rate: See there.
    :param what: Further entries of ``run.json``.
    :param kwargs: See :py:func:`~seisbench_llm.benchmark.predictions.predict_targets`.
    :return: Folder of the predictions.
    """
    folder = Path(folder)
    root, name = folder_of(config, folder.name, None, rate)
    result = Path(out) / root / name / "version_0"
    predict_targets(module, open_for_benchmark(data, rate), folder, result, rate=rate, **kwargs)
    entries = {**(what or {}), "targets": folder.name, "data": data, "rate": rate}
    files = {path.name: path for path in sorted(folder.glob("*.csv"))}
    model = getattr(module, "model", None)
    # Models of several tasks may have one name, and their predictions one folder.
    task = getattr(module, "task", None)
    name = f"run_{task}.json" if task else provenance.FILE
    provenance.write(result, provenance.provenance(entries, 0, files, model), name)
    return result


def traces_of(folder: str | Path) -> pd.DataFrame:
    """
    Read the table of event, station and so on that :py:func:`make_targets` wrote.

    :param folder: ``targets/NAME``.
    :return: Table, indexed by trace_name. It is empty if the file does not exist.
    """
    path = Path(folder) / TRACES
    if not path.is_file():
        return pd.DataFrame(columns=["trace_name"]).set_index("trace_name")
    table = pd.read_csv(path, dtype={"trace_name": str})
    return table.drop_duplicates("trace_name").set_index("trace_name")


def _plain(name: str) -> str:
    """A name without what separates the parts of a configuration's."""
    return re.sub(r"[_\s.]+", "-", name.strip()).lower()
