"""The report as one page of HTML: text, tables, figures, styles and scripts in one file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...atomic import replacing
from ...evaluate.bootstrap import FEWEST_EVENTS
from ...extras import install_command
from ...pages import CONFIG, render
from .examples import read_examples
from .measures import Measure
from .results import DRAWS, Question, Results, gather

TEMPLATE = Path(__file__).parent / "page.html"
OWN = "seismollm"
# Unit -> decimals, else three.
_DIGITS = {"km": 1, "°": 1, "units": 2}


def write_report(folder: str | Path, out: str | Path, title: str = "", draws: int = DRAWS) -> Path:
    """
    Write the report of a folder of results.

    :param folder: See :py:func:`~seisbench_llm.benchmark.report.results.gather`.
    :param out: HTML file.
    :param title: Title of the page.
    :param draws: Of the bootstrap.
    :return: The file.
    :raises FileNotFoundError: If there are no predictions.
    :raises ImportError: If the extra ``benchmark`` is not installed.
    """
    try:
        from . import figures
    except ImportError as error:
        raise ImportError(
            f"The report needs more packages: {install_command('benchmark')} ({error})"
        ) from error
    results = gather(folder, draws)
    styles = figures.style_of(results.models)

    def draw(figure) -> str:
        return figure.to_html(full_html=False, include_plotlyjs=False, config=CONFIG)

    targets: dict[str, list[dict]] = {}
    for question in results.questions:
        figure, words = figures.curve(question, styles)
        part = {"question": question, "figure": draw(figure), "words": words}
        targets.setdefault(question.target, []).append({**part, "rows": table_rows(question)})
    examples = [
        {**record, "figure": draw(figures.example(record, styles))}
        for record in read_examples(folder)
    ]
    page = render(
        TEMPLATE,
        title=title or f"Benchmark of {len(results.models)} models",
        verdict=verdict(results),
        targets=targets,
        examples=examples,
        runs=results.runs,
        draws=draws,
        fewest=FEWEST_EVENTS,
    )
    with replacing(out) as file:
        file.write_text(page, encoding="utf-8")
    return Path(out)


def verdict(results: Results) -> list[dict]:
    """
    Summary of the results in one to three sentences per question.

    :return: Dictionaries of target, name and text.
    """
    return [
        {"target": question.target, "name": question.name, "text": _sentences(question)}
        for question in results.questions
        if question.ranking
    ]


def _sentences(question: Question) -> str:
    ranking, first = question.ranking, question.measures[0]
    best = ranking[0]
    events = len(np.unique(question.events))
    source = "earthquakes and noise records" if question.name == "Detection" else "earthquakes"
    rank = f"best of {len(ranking)} models" if len(ranking) > 1 else "the only model"
    text = (
        f"{best} is {rank}: {first.title} "
        f"{shown(question, best, first)}, in {len(question.events)} windows of {events} {source}."
    )
    alike = question.as_good_as_best()
    if events < FEWEST_EVENTS:
        text += f" {events} earthquakes are too few to compare the models."
    elif alike:
        text += f" Not distinguishable from it: {', '.join(alike)}."
    elif len(ranking) > 1:
        text += " All others are significantly worse."
    own = [model for model in ranking if model.endswith(OWN) or f" {OWN}" in model]
    if own and own[0] != best:
        value, low, high = question.differences[own[0]]
        text += (
            f" The best SeisMoLLM, {own[0]}, is number {ranking.index(own[0]) + 1} with "
            f"{shown(question, own[0], first)}, {number(value, first, True)}"
            f"{limits(low, high, first, True)} from the best."
        )
    if np.isfinite(question.trivial):
        text += f" An answer without any waveform reaches {number(question.trivial, first)}."
    return text


def table_rows(question: Question) -> list[dict]:
    """
    Rows of a table.

    :return: One for each model, the best first: model, and cells with the text and the number by
        which they are sorted.
    """
    rows = []
    for model in [*question.ranking, *sorted(set(question.tables) - set(question.ranking))]:
        cells = [
            {
                "text": shown(question, model, measure),
                "value": question.values[model][measure.key],
            }
            for measure in question.measures
        ]
        value, low, high = question.differences.get(model, (np.nan,) * 3)
        first = question.measures[0]
        text = "-" if not value and model == question.ranking[0] else number(value, first, True)
        if text != "-":
            text += limits(low, high, first, True)
        rows.append({"model": model, "cells": [*cells, {"text": text, "value": value}]})
    return rows


def shown(question: Question, model: str, measure: Measure) -> str:
    """A value with its limits, as text."""
    value = question.values[model][measure.key]
    return number(value, measure) + limits(*question.intervals[model][measure.key], measure)


def number(value: float, measure: Measure, signed: bool = False) -> str:
    """A value with significant digits and unit."""
    if not np.isfinite(value):
        return "not known"
    digits = _DIGITS.get(measure.unit, 3)
    unit = f" {measure.unit}" if measure.unit in ("s", "km") else measure.unit.replace("units", "")
    return f"{value:{'+' if signed else ''}.{digits}f}{unit}"


def limits(low: float, high: float, measure: Measure, signed: bool = False) -> str:
    """Limits in parentheses, empty if unknown."""
    if not (np.isfinite(low) and np.isfinite(high)):
        return ""
    digits = _DIGITS.get(measure.unit, 3)
    sign = "+" if signed else ""
    return f" ({low:{sign}.{digits}f} to {high:{sign}.{digits}f})"
