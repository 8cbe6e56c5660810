"""Evaluation of a model on a data set: published metrics, and measures with intervals."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import seisbench

from ..atomic import replacing
from ..data.splits import event_numbers
from ..tasks import get_task
from . import figures, metrics
from .measures import breakdown, class_columns, class_names, confusion, counts, measures
from .predict import PICK_THRESHOLD, predict, thresholds_of

if TYPE_CHECKING:
    from seisbench.data import WaveformDataset

    from ..models.seismollm import SeisMoLLM

CLASS_THRESHOLD = 0.5


@dataclass(repr=False)
class Evaluation:
    """
    Figures of predictions by group: P and S for picking, otherwise the task.

    Residuals and biases of ``measures`` are prediction minus truth. Those of ``published`` are
    truth minus prediction, as in the paper. For picks they are in samples, with one pick per
    window.

    ``measures`` of picking use all picks and all onsets of a window: ``f1``, ``precision`` and
    ``recall`` with a tolerance of 0.1 and 0.5 s; ``mae_matched`` and ``bias_matched`` of the picks
    within it, in seconds; ``mae_capped``: mean over all true onsets of the absolute residual in
    seconds, where a pick counts at most 1 s and a missed one counts 1 s, so that leaving out
    difficult ones does not pay; ``false_picks``: share of windows with a pick among those without
    an onset of that phase.

    A pick without a labelled onset is false only where analysts have looked: between the first and
    the last labelled onset of the window and 2 s around them, in noise, and anywhere in completely
    labelled records. Others, such as picks of unlabelled aftershocks, are counted in
    ``not_judged``. ``precision_all`` counts them as false and is a lower limit.

    Polarity and other classes: ``accuracy`` of all records; ``undecided``, the share of records
    below the threshold; ``accuracy_decided`` of the others; ``accuracy_trivial`` of always
    answering the most frequent class; precision and recall of each class.

    Magnitude and distance: ``mae``, ``median_ae``, ``bias``, ``p90_ae`` (90 % of the errors are
    smaller), ``r2``, shares within limits, and ``mae_trivial`` of always answering the median of
    the truths.

    Back-azimuth, in degrees: ``mae`` and ``median_ae`` of the angle between truth and
    prediction, mean direction (``bias``) and circular standard deviation (``std``, Fisher 1993)
    of the errors, shares within 25 and 45 degrees, and share off by more than 135
    (``opposite``, the ambiguity by 180 degrees); guessing has a ``median_ae`` of 90.

    :param task: Name of the task.
    :param table: Predictions, as from :py:func:`predict`.
    :param published: Group -> published metrics.
    :param measures: Group -> measures, see above.
    :param intervals: Group -> 95 % limits of the measures, from a bootstrap over events.
    :param breakdown: The main measures by ``distance``, ``magnitude``, ``snr`` and ``confidence``.
    :param settings: Settings of the figures: in_samples, sampling_rate, threshold, resamples, seed.
    """

    task: str
    table: pd.DataFrame
    published: dict[str, dict[str, float]]
    measures: dict[str, dict[str, float]]
    intervals: dict[str, dict[str, list[float]]]
    breakdown: dict[str, pd.DataFrame]
    settings: dict = field(default_factory=dict)

    def __repr__(self) -> str:
        """In a line, see :py:meth:`summary` for more."""
        groups = ", ".join(self.measures)
        return f"Evaluation(task='{self.task}', records={len(self.table)}, groups: {groups})"

    @classmethod
    def from_predictions(
        cls,
        task: str,
        table: pd.DataFrame,
        in_samples: int = 6000,
        sampling_rate: float = 100,
        threshold: float | dict[str, float] | None = None,
        resamples: int = 1000,
        seed: int = 0,
    ) -> Evaluation:
        """
        Evaluate existing predictions.

        :param task: Name of the task.
        :param table: Table with columns as from :py:func:`predict`. Those of truth and prediction
            suffice.
        :param in_samples: Window length in samples (picking).
        :param sampling_rate: Hz (picking).
        :param threshold: Lowest probability of a class that counts as decided. For picking it is
            the threshold of the picks, or one for each phase, and is only recorded.
        :param resamples: Draws of the bootstrap; 0 for no intervals.
        :param seed: Of the bootstrap.
        :raises ValueError: If a column is missing, or if there are no rows.
        """
        head = get_task(task).head
        needed = ["true", "predicted"]
        if head == "curves":
            needed = ["p_true", "p_predicted", "s_true", "s_predicted"]
        elif head == "class":
            needed = ["true", *class_columns(task)]
        missing = [name for name in needed if name not in table]
        if missing or not len(table):
            raise ValueError(
                f"No predictions of {task}: {', '.join(missing) or 'any row'} missing."
            )
        if threshold is None:
            threshold = {"curves": PICK_THRESHOLD, "class": CLASS_THRESHOLD}.get(head, 0.0)
        published = _published(task, table, in_samples, sampling_rate)
        measured = measures(task, table, in_samples, sampling_rate, threshold)
        events = _events(table)
        found, intervals = counts(task, measured), {}
        for group, quantities in measured.items():
            estimates = quantities.estimate(events, resamples, seed)
            found[group] = {n: value for n, (value, _, _) in estimates.items()} | found[group]
            intervals[group] = {name: limits for name, (_, *limits) in estimates.items()}
        return cls(
            task,
            table,
            published,
            found,
            intervals,
            breakdown(task, table, measured, events, resamples, seed),
            {
                "in_samples": in_samples,
                "sampling_rate": sampling_rate,
                "threshold": threshold,
                "resamples": resamples,
                "seed": seed,
                "records": len(table),
                "events": len(np.unique(events)),
            },
        )

    def to_dict(self) -> dict:
        """All figures without the predictions, in JSON's types. nan becomes None."""
        content = {
            "task": self.task,
            "settings": self.settings,
            "published": self.published,
            "measures": self.measures,
            "intervals": self.intervals,
            "breakdown": {name: rows.to_dict("records") for name, rows in self.breakdown.items()},
        }
        if get_task(self.task).head == "class":
            content["confusion"] = confusion(self.task, self.table).to_dict("index")
        return _plain(content)

    def to_json(self, path: str | Path) -> None:
        """Write :py:meth:`to_dict` to a file."""
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False)
        with replacing(path) as partial:
            partial.write_text(f"{text}\n")

    def summary(self) -> str:
        """All figures as a table of text."""
        settings = self.settings
        lines = [f"{self.task}: {settings['records']} records of {settings['events']} events"]
        for group, measured in self.measures.items():
            name = group if len(self.measures) > 1 else ""
            lines += ["", f"{name} measures".strip().ljust(37) + "95 % interval over events"]
            for key, value in measured.items():
                low, high = self.intervals[group].get(key, (np.nan, np.nan))
                limits = f"   {low:10.4g} ...{high:10.4g}" if np.isfinite(low) else ""
                lines.append(f"  {key:<22}{value:10.4g}{limits}")
            note = {"curves": " (one pick per window; truth - pick, samples)", "class": ""}.get(
                get_task(self.task).head, " (truth - prediction)"
            )
            lines += ["", f"{name} published{note}".strip()]
            lines += [f"  {key:<22}{value:10.4g}" for key, value in self.published[group].items()]
        return "\n".join(lines)

    def figures(self) -> dict:
        """Name -> matplotlib figure; see :py:mod:`seisbench_llm.evaluate.figures`."""
        return figures.figures(self.task, self.table, self.breakdown, self.settings)

    def write(self, folder: str | Path) -> None:
        """Write ``metrics.json``, ``predictions.csv`` and the figures as PNG files."""
        folder = Path(folder)
        self.to_json(folder / "metrics.json")
        with replacing(folder / "predictions.csv") as partial:
            self.table.to_csv(partial, index=False)
        for name, figure in self.figures().items():
            with replacing(folder / f"{name}.png") as partial:
                figure.savefig(partial, dpi=150)


def evaluate(
    model: SeisMoLLM,
    dataset: WaveformDataset,
    threshold: float | None = None,
    resamples: int = 1000,
    seed: int = 0,
    held_out: bool = False,
    **kwargs,
) -> Evaluation:
    """
    Evaluate a model on a data set.

    :param model: Model of any task.
    :param dataset: SeisBench data set. Only use records that the model was not trained on. There is
        a warning if the record of the weight names the data set.
    :param threshold: Lowest probability of a pick (by default that of the weight, or else 0.3), or
        of a decided class (by default 0.5).
    :param resamples: Draws of the bootstrap; 0 for no intervals.
    :param seed: Seed of the windows and the bootstrap.
    :param held_out: Whether the records are known to be held out from training.
    :param kwargs: See :py:func:`predict`.
    :raises ValueError: If no record can be used. The message says what is missing.
    """
    if not held_out:
        _warn_of_training(model, dataset)
    picking = model.task.head == "curves"
    table = predict(model, dataset, seed=seed, threshold=threshold if picking else None, **kwargs)
    if picking:
        p, s = thresholds_of(model, threshold)
        threshold = float(p) if p == s else {"P": float(p), "S": float(s)}
    return Evaluation.from_predictions(
        model.task.name, table, model.in_samples, model.sampling_rate, threshold, resamples, seed
    )


def _warn_of_training(model: SeisMoLLM, dataset: WaveformDataset) -> None:
    data = "" if model.record is None else model.record.data
    name = str(dataset.name)
    if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", data, re.IGNORECASE):
        seisbench.logger.warning(
            f"The weight was trained on {name}, as its record says ({data[:200]}). On records that "
            f"it was trained on it looks better than it is: use others, such as --run RUN --split "
            f"test."
        )


def _published(task: str, table: pd.DataFrame, in_samples: int, sampling_rate: float) -> dict:
    spec = get_task(task)
    if spec.head == "curves":
        known = {phase: table[table[f"{phase}_true"].notna()] for phase in "ps"}
        return {
            phase.upper(): metrics.picking_metrics(
                rows[f"{phase}_true"], rows[f"{phase}_predicted"], in_samples, sampling_rate
            )
            if len(rows)
            else dict.fromkeys(spec.metrics, np.nan)
            for phase, rows in known.items()
        }
    if spec.head == "class":
        true = table["true"].to_numpy()[:, None] == np.array(class_names(task))
        scores = table[class_columns(task)].to_numpy(float)
        return {task: metrics.published_metrics(task, true, scores)}
    true, predicted = table["true"].to_numpy(float), table["predicted"].to_numpy(float)
    return {task: metrics.published_metrics(task, true, predicted)}


def _events(table: pd.DataFrame) -> np.ndarray:
    """Number of the event of each row. A row without one is an event of its own."""
    if "source_id" not in table or table["source_id"].isna().all():
        seisbench.logger.warning(
            "There is no source_id: the bootstrap draws single records, and its intervals are too "
            "narrow if several are of one event."
        )
        return np.arange(len(table))
    return event_numbers(table)[0]


def _plain(value):
    """A value in JSON's types. Numbers that are not finite become None."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
