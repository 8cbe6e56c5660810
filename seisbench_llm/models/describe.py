"""A model in a line, and as a table for notebooks."""

from __future__ import annotations

from html import escape

from ..streams import Arguments


def describe(model) -> dict[str, str]:
    """
    What one wants to know of a model at a glance.

    :param model: A :py:class:`~seisbench_llm.SeisMoLLM`.
    :return: Name -> value, as text.
    """
    record, arguments = model.record, Arguments.of(model, {})
    weights = "none" if record is None else f"{record.name}, version {record.version}"
    parameters = sum(parameter.numel() for parameter in model.parameters())
    filters = " ".join(map(str, model.filter_args or ())) or "none"
    if model.filter_kwargs:
        filters += "".join(f", {name} {value}" for name, value in model.filter_kwargs.items())
    entries = {
        "task": model.task.name,
        "weights": weights,
        "window": f"{model.in_samples / model.sampling_rate:g} s, {model.in_samples} samples",
        "sampling rate": f"{model.sampling_rate:g} Hz",
        "components": str(model.component_order),
        "filter": filters,
    }
    if model.task.name == "picking":
        entries["thresholds"] = ", ".join(f"{p} {arguments.threshold(p):g}" for p in "PS")
        entries["overlap"] = f"{arguments.overlap:g}"
    if record is not None and record.licence:
        entries["licence"] = record.licence
    return {**entries, "parameters": f"{parameters:,}", "device": str(model.device)}


def line(model) -> str:
    """What ``repr`` says."""
    window = model.in_samples / model.sampling_rate
    name = f"'{model.record.name}'" if model.record else None
    thresholds = ""
    if model.task.name == "picking":
        arguments = Arguments.of(model, {})
        thresholds = "".join(f", {p}_threshold={arguments.threshold(p):g}" for p in "PS")
    return (
        f"{model.name}(task='{model.task.name}', window={window:g} s, "
        f"sampling_rate={model.sampling_rate:g} Hz, weights={name}{thresholds})"
    )


def table(model) -> str:
    """What a notebook shows: a table in HTML."""
    rows = "".join(
        f"<tr><th style='text-align: left'>{escape(name)}</th>"
        f"<td style='text-align: left'>{escape(value)}</td></tr>"
        for name, value in describe(model).items()
    )
    return f"<table><caption>{escape(model.name)}</caption><tbody>{rows}</tbody></table>"
