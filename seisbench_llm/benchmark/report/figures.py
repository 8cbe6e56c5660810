"""Figures of the report, by plotly."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from ...evaluate.metrics import wrap
from ...pages import COLOURS, lay_out
from ..estimate_targets import ANSWERS
from ..scores import onset_differences
from .results import Question

# Once colours run out.
DASHES = ("solid", "dash", "dot", "dashdot")
MOST_POINTS = 200
_TASKS = {"Magnitude": "magnitude", "Distance": "distance", "Back-azimuth": "back_azimuth"}


def style_of(models: list[str]) -> dict[str, dict]:
    """Model -> line of it, the same in all figures."""
    return {
        model: {"color": COLOURS[i % len(COLOURS)], "dash": DASHES[i // len(COLOURS) % 4]}
        for i, model in enumerate(models)
    }


def curve(question: Question, styles: dict[str, dict]) -> tuple[go.Figure, str]:
    """
    The curve that tells most of a question, and what it shows, in words.

    Detection and classes: receiver operating characteristics. Onsets and numbers: how many windows
    are off by no more than so much.
    """
    figure = go.Figure()
    onset = question.name.startswith("Onset of ")
    task = _TASKS.get(question.name)
    for model in question.ranking:
        table = question.tables[model]
        if onset:
            away = np.abs(onset_differences(table, question.name[-1]))
            x, y = _cumulative(np.maximum(away, 1e-3))
        elif task:
            away = table[f"{ANSWERS[task]}_pred"] - table[ANSWERS[task]]
            x, y = _cumulative(np.abs(wrap(away) if task == "back_azimuth" else away))
        else:
            x, y = _roc(*_truth_and_score(question.name, table))
        line = styles[model]
        figure.add_scatter(x=x, y=y, mode="lines", name=model, line=line)
    if onset or task:
        unit = "s" if onset else question.measures[0].unit
        lay_out(figure, f"Largest difference ({unit})", "Share of windows")
        if onset:
            figure.update_xaxes(type="log", range=[-2, 1])
        words = "Share of windows whose difference from the truth is no larger. Higher is better."
    else:
        lay_out(figure, "Share of negatives above the threshold", "Share of positives above it")
        words = "Receiver operating characteristic. The nearer to the upper left, the better."
    return figure, words


def example(record: dict, styles: dict[str, dict]) -> go.Figure:
    """
    A record with the curves and picks of every model.

    :param record: Of :py:func:`seisbench_llm.benchmark.report.examples.make_examples`.
    :param styles: Of :py:func:`style_of`.
    """
    figure = go.Figure()
    rows = list(record["waveforms"])
    for i, component in enumerate(rows):
        data = np.array(record["waveforms"][component])
        t = np.arange(len(data)) / record["waveform_rate"]
        figure.add_scatter(
            x=t,
            y=3.2 - 0.8 * i + 0.4 * data,
            mode="lines",
            line={"color": "#555555", "width": 1},
            name=component,
            showlegend=False,
            hoverinfo="skip",
        )
        figure.add_annotation(
            x=0, xref="paper", y=3.2 - 0.8 * i, text=component, showarrow=False, xanchor="right"
        )
    for i, phase in enumerate("PS"):
        base = -1.1 * i
        figure.add_annotation(
            x=0, xref="paper", y=base + 0.5, text=phase, showarrow=False, xanchor="right"
        )
        for model, curves in record["curves"].items():
            data = np.array(curves[phase])
            figure.add_scatter(
                x=np.arange(len(data)) / record["curve_rate"],
                y=base + data,
                mode="lines",
                name=model,
                legendgroup=model,
                showlegend=phase == "P",
                line={**styles.get(model, {}), "width": 1.5},
                hovertemplate=f"{model}, {phase}: %{{customdata:.2f}}<extra></extra>",
                customdata=data,
            )
            at = record["picks"][model][phase]
            figure.add_scatter(
                x=[at],
                y=[base + float(data.max(initial=0))],
                mode="markers",
                marker={"symbol": "triangle-down", "size": 8, "color": styles[model]["color"]},
                name=model,
                legendgroup=model,
                showlegend=False,
                hovertemplate=f"{model} picks {phase} at %{{x:.2f}} s<extra></extra>",
            )
    for phase, at in record["truth"].items():
        for time in at:
            figure.add_vline(x=time, line={"color": "#222222", "width": 1, "dash": "dot"})
            figure.add_annotation(x=time, y=3.75, text=phase, showarrow=False)
    lay_out(figure, "Time in the record (s)", "", height=460)
    figure.update_yaxes(visible=False, range=[-1.3, 3.9], fixedrange=True)
    return figure


def _cumulative(values) -> tuple[np.ndarray, np.ndarray]:
    ordered = np.sort(np.asarray(values, float))
    share = np.arange(1, len(ordered) + 1) / len(ordered)
    return _thinned(ordered, share)


def _roc(truth: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.metrics import roc_curve

    if len(np.unique(truth)) < 2:
        return np.empty(0), np.empty(0)
    return _thinned(*roc_curve(truth, score)[:2])


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    keep = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).astype(int))
    return np.round(x[keep], 4), np.round(y[keep], 4)


def _truth_and_score(name: str, table) -> tuple[np.ndarray, np.ndarray]:
    if name == "Detection":
        return (table["trace_type"] == "earthquake").to_numpy(), table["score_detection"]
    if name == "Polarity":
        return (table["polarity"] == "U").to_numpy(), table["score_up"]
    return (table["phase_label"] == "P").to_numpy(), np.clip(table["score_p_or_s"], -1e100, 1e100)
