"""How good a model is on a data set: as published, and without flattery."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import seisbench

from ..tasks import get_task
from . import measures as report
from . import metrics
from .predict import PICK_THRESHOLD, decode, predict

if TYPE_CHECKING:
    from seisbench.data import WaveformDataset

    from ..models.seismollm import SeisMoLLM

__all__ = ["Evaluation", "decode", "evaluate", "predict"]


POLARITY_THRESHOLD = 0.5


@dataclass
class Evaluation:
    """
    How good predictions are.

    Residuals and biases of ``honest`` are prediction minus truth; those of ``published`` are, as
    published, truth minus prediction, in samples for picks.

    ``honest``, picking, by phase: ``precision``, ``recall`` and ``f1`` with a tolerance of 0.1 and
    0.5 s; ``mae_matched`` and ``bias_matched`` of the picks within it, in seconds;
    ``mae_capped``: mean over all true onsets of the absolute residual in seconds, where no pick
    counts more than 1 s and a missed one counts 1 s, so that to leave out the difficult ones does
    not pay; ``false_picks``: share of picked windows among those without an onset of that phase
    (an upper bound if analysts left onsets out).

    Polarity: ``accuracy`` with every record decided, ``undecided``: share of records below the
    threshold, ``accuracy_decided`` of the others, ``accuracy_trivial`` of always answering the
    more frequent one, precision and recall of U and D.

    Magnitude and distance: ``mae``, ``median_ae``, ``bias``, ``p90_ae`` (90 % are no worse),
    ``r2``, shares within limits, and ``mae_trivial`` of always answering the median of the truths.

    Back-azimuth, in degrees: ``mae`` and ``median_ae`` of the angle between truth and
    prediction, mean direction (``bias``) and circular standard deviation (``std``, Fisher 1993)
    of the errors, shares within 25 and 45 degrees, and share off by more than 135
    (``opposite``, the ambiguity by 180 degrees); guessing has a ``median_ae`` of 90.

    :param task: Name of the task.
    :param table: Predictions, as of :py:func:`predict`.
    :param published: Published metrics, by phase for picking.
    :param honest: See above; by phase for picking.
    :param intervals: 95 % limits of the same, from a bootstrap over events.
    :param breakdown: The main ones by ``distance``, ``magnitude``, ``snr`` and ``confidence``.
    :param settings: What the figures depend on: in_samples, sampling_rate, threshold, resamples,
        seed.
    """

    task: str
    table: pd.DataFrame
    published: dict
    honest: dict
    intervals: dict
    breakdown: dict[str, pd.DataFrame]
    settings: dict = field(default_factory=dict)

    @classmethod
    def from_predictions(
        cls,
        task: str,
        table: pd.DataFrame,
        in_samples: int = 6000,
        sampling_rate: float = 100,
        threshold: float | None = None,
        resamples: int = 1000,
        seed: int = 0,
    ) -> Evaluation:
        """
        Evaluate predictions at hand.

        :param task: Name of the task.
        :param table: Columns as of :py:func:`predict`; those of truth and prediction suffice.
        :param in_samples: Window length in samples (picking).
        :param sampling_rate: Hz (picking).
        :param threshold: Confidence below which a polarity is undecided; for picking it is that
            with which the picks were made, and only recorded here.
        :param resamples: Draws of the bootstrap; 0 for no intervals.
        :param seed: Of the bootstrap.
        :raises ValueError: If a column is missing or there is no row.
        """
        head = get_task(task).head
        needed = {
            "curves": ("p_true", "p_predicted", "s_true", "s_predicted"),
            "class": ("true", "up", "down"),
        }.get(head, ("true", "predicted"))
        missing = [name for name in needed if name not in table]
        if missing or not len(table):
            raise ValueError(
                f"No predictions of {task}: {', '.join(missing) or 'any row'} missing."
            )
        if threshold is None:
            threshold = {"curves": PICK_THRESHOLD, "class": POLARITY_THRESHOLD}.get(head, 0.0)
        published = _published(task, table, in_samples, sampling_rate)
        measured = report.measures(task, table, in_samples, sampling_rate, threshold)
        events = _events(table)
        honest, intervals = report.counts(task, measured), {}
        for group, found in measured.items():
            estimates = found.estimate(events, resamples, seed)
            honest[group] |= {name: value for name, (value, _, _) in estimates.items()}
            intervals[group] = {name: limits for name, (_, *limits) in estimates.items()}
        if task != "picking":
            honest, intervals = honest[task], intervals[task]
        return cls(
            task,
            table,
            published,
            honest,
            intervals,
            report.breakdown(task, table, measured, events, resamples, seed),
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
        """All figures, but not the single predictions, in JSON's types; nan becomes None."""
        content = {
            "task": self.task,
            "settings": self.settings,
            "published": self.published,
            "honest": self.honest,
            "intervals": self.intervals,
            "breakdown": {name: rows.to_dict("records") for name, rows in self.breakdown.items()},
        }
        if self.task == "polarity":
            content["confusion"] = report.confusion(self.table).to_dict("index")
        return _plain(content)

    def to_json(self, path: str | Path) -> None:
        """Write :py:meth:`to_dict` to a file."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n")

    def summary(self) -> str:
        """All figures as a table of text."""
        settings = self.settings
        lines = [f"{self.task}: {settings['records']} records of {settings['events']} events"]
        note = {"picking": " (truth - pick, samples)", "polarity": ""}.get(
            self.task, " (truth - prediction)"
        )
        for group in self.honest if self.task == "picking" else ("",):
            published, honest, intervals = (
                found[group] if group else found
                for found in (self.published, self.honest, self.intervals)
            )
            lines += ["", f"{group} published{note}".strip()]
            lines += [f"  {name:<22}{value:10.4g}" for name, value in published.items()]
            title = f"{group} honest".strip()
            lines += ["", f"{title:<37}95 % interval over events"]
            for name, value in honest.items():
                low, high = intervals.get(name, (np.nan, np.nan))
                limits = f"   {low:10.4g} ...{high:10.4g}" if np.isfinite(low) else ""
                lines.append(f"  {name:<22}{value:10.4g}{limits}")
        return "\n".join(lines)

    def figures(self) -> dict:
        """Name -> matplotlib figure; see :py:mod:`seisbench_llm.evaluate_plots`."""
        from .figures import figures

        return figures(self)

    def write(self, folder: str | Path) -> None:
        """Write ``metrics.json``, ``predictions.csv`` and the figures as PNG files."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.to_json(folder / "metrics.json")
        self.table.to_csv(folder / "predictions.csv", index=False)
        for name, figure in self.figures().items():
            figure.savefig(folder / f"{name}.png", dpi=150)


def evaluate(
    model: SeisMoLLM,
    dataset: WaveformDataset,
    threshold: float | None = None,
    resamples: int = 1000,
    seed: int = 0,
    **kwargs,
) -> Evaluation:
    """
    Let a model predict, and evaluate it.

    :param model: Any task.
    :param dataset: SeisBench data set; only use records that the model was not trained on.
    :param threshold: Lowest probability of a pick (0.3), or of a decided polarity (0.5).
    :param resamples: Draws of the bootstrap; 0 for no intervals.
    :param seed: Of the windows and the bootstrap.
    :param kwargs: See :py:func:`predict`.
    :raises ValueError: If no record can be used, with what is missing.
    """
    level = PICK_THRESHOLD if threshold is None else threshold
    table = predict(model, dataset, seed=seed, threshold=level, **kwargs)
    return Evaluation.from_predictions(
        model.task.name, table, model.in_samples, model.sampling_rate, threshold, resamples, seed
    )


def _published(task: str, table: pd.DataFrame, in_samples: int, sampling_rate: float) -> dict:
    if task == "picking":
        known = {phase: table[table[f"{phase}_true"].notna()] for phase in "ps"}
        return {
            phase.upper(): metrics.picking_metrics(
                rows[f"{phase}_true"], rows[f"{phase}_predicted"], in_samples, sampling_rate
            )
            if len(rows)
            else dict.fromkeys(get_task(task).metrics, np.nan)
            for phase, rows in known.items()
        }
    if task == "polarity":
        up = (table["true"] == "U").to_numpy()
        return metrics.class_metrics(np.stack([up, ~up], axis=1), table[["up", "down"]].to_numpy())
    return metrics.evaluate(task, table["true"], table["predicted"])


def _events(table: pd.DataFrame) -> np.ndarray:
    """Number of the event of each row; a row without one is an event of its own."""
    if "source_id" not in table or table["source_id"].isna().all():
        seisbench.logger.warning(
            "There is no source_id: the bootstrap draws single records, and its intervals are too "
            "narrow if several are of one event."
        )
        return np.arange(len(table))
    codes, events = pd.factorize(table["source_id"])
    alone = codes < 0
    codes[alone] = len(events) + np.arange(alone.sum())
    return codes


def _plain(value):
    """JSON's own types; what is not finite is None."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
