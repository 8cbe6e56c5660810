"""Figures of an evaluation."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..plotting.base import COLORS
from ..tasks import get_task
from .measures import class_columns, confusion
from .metrics import hits, inside, wrap

_BLUE, _ORANGE, _GREY = COLORS["P"], COLORS["S"], "0.45"


_LABELS = {"distance": "epicentral distance (km)", "magnitude": "magnitude", "snr": "SNR (dB)"}


# More points than this would hide each other.
_MOST_POINTS = 2000


def figures(
    task: str, table: pd.DataFrame, breakdown: dict[str, pd.DataFrame], settings: dict
) -> dict:
    """
    Figures of the predictions for a task.

    Picking: ``residuals``, ``precision_recall``, ``recall``. Classes: ``confusion``,
    ``reliability``. Others: ``estimates`` and, by distance and magnitude, ``errors``. Figures with
    missing columns are left out.

    :param task: Name of the task.
    :param table: Predictions.
    :param breakdown: Attribute of :py:class:`~seisbench_llm.evaluate.Evaluation`.
    :param settings: Attribute of :py:class:`~seisbench_llm.evaluate.Evaluation`.
    :return: Name -> matplotlib figure.
    """
    spec = get_task(task)
    if spec.head == "curves":
        made = {"residuals": _residuals(table, settings)}
        if {"p_peak", "p_probability", "s_peak", "s_probability"} <= set(table):
            made["precision_recall"] = _precision_recall(table, settings)
        return made | _by_bin(breakdown, "recall", "recall_0.1s", "recall within 0.1 s")
    if spec.head == "class":
        made = {"confusion": _confusion(task, table)}
        if "confidence" in breakdown:
            made["reliability"] = _reliability(breakdown["confidence"])
        return made
    if spec.head == "angle":
        made = {"estimates": _angles(table)}
        return made | _by_bin(breakdown, "errors", "median_ae", "median |error| (deg)", 90)
    unit = f" ({spec.unit})" if task != "magnitude" else ""
    made = {"estimates": _estimates(table, task, unit)}
    return made | _by_bin(breakdown, "errors", "mae", f"mean absolute error{unit}")


def _figure(columns: int, width: float = 4.2, height: float = 3.6, **kwargs):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False, **kwargs)[0]
    for axis in axes:
        if axis.name != "polar":
            axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _residuals(table: pd.DataFrame, settings: dict):
    rate, samples = settings["sampling_rate"], settings["in_samples"]
    figure, axes = _figure(2)
    for axis, phase in zip(axes, "PS", strict=True):
        true, pick = (table[f"{phase.lower()}_{n}"].to_numpy() for n in ("true", "predicted"))
        has, picked = inside(true, samples), inside(pick, samples)
        residual = ((pick - true) / rate)[has & picked]
        # Bins are whole samples, centred on zero. Other bins would alias with the samples.
        width = max(1, round(0.02 * rate)) / rate
        half = int(0.5 / width)
        edges = (np.arange(-half, half + 2) - 0.5) * width
        near = residual[np.abs(residual) <= edges[-1]]
        axis.hist(near, edges, color=COLORS[phase], lw=0)
        for tolerance in (-0.1, 0.1):
            axis.axvline(tolerance, color=_GREY, lw=0.8, ls="--")
        text = (
            f"{has.sum()} onsets\n{(has & ~picked).sum()} missed\n"
            f"{len(residual) - len(near)} off by > {half * width:.1f} s"
        )
        axis.text(0.02, 0.98, text, transform=axis.transAxes, va="top", fontsize=8)
        axis.set(title=phase, xlabel="pick - onset (s)", xlim=(edges[0], edges[-1]))
    axes[0].set_ylabel(f"picks per {width * 1000:.0f} ms")
    return figure


def precision_recall(
    table: pd.DataFrame, phase: str, in_samples: int, sampling_rate: float, tolerance: float = 0.1
) -> pd.DataFrame:
    """
    Precision and recall of one phase as a function of the threshold.

    :param table: Predictions with ``p_peak`` and ``p_probability`` (or s).
    :param phase: ``P`` or ``S``.
    :param tolerance: Largest residual of a hit in seconds.
    :return: Columns threshold (falling), precision, recall, picks (number).
    """
    name = phase.lower()
    table = table[table[f"{name}_true"].notna() & (table[f"{name}_probability"] > 0)]
    true, peak, height = (
        table[f"{name}_{n}"].to_numpy(float) for n in ("true", "peak", "probability")
    )
    order = np.argsort(-height, kind="stable")
    right = np.cumsum(hits(true, peak, in_samples, sampling_rate, tolerance)[order])
    # Records of equal height pass a threshold together.
    last = np.append(np.diff(height[order]) != 0, True)[: len(order)]
    picks = np.arange(1, len(order) + 1)
    total = max(inside(true, in_samples).sum(), 1)
    columns = {"threshold": height[order], "precision": right / picks, "recall": right / total}
    return pd.DataFrame({**columns, "picks": picks})[last]


def _precision_recall(table: pd.DataFrame, settings: dict):
    figure, (axis,) = _figure(1)
    for phase in "PS":
        curve = precision_recall(table, phase, settings["in_samples"], settings["sampling_rate"])
        color, level = COLORS[phase], settings["threshold"]
        level = level[phase] if isinstance(level, dict) else level
        at = curve[curve["threshold"] >= level].tail(1)
        # The precision of a few picks is noise.
        curve = curve[curve["picks"] >= min(20, curve["picks"].max())] if len(curve) else curve
        axis.plot(curve["recall"], curve["precision"], color=color, lw=1.5, label=phase)
        axis.plot(
            at["recall"], at["precision"], "o", color=color, ms=6, mec="w", clip_on=False,
            label=f"threshold {level:g}",
        )  # fmt: skip
    axis.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axis.set_title("highest peak of each window, tolerance 0.1 s", fontsize=10)
    axis.legend(frameon=False, loc="lower left")
    axis.grid(color="0.9", lw=0.6)
    return figure


def _by_bin(breakdown: dict, name: str, quantity: str, label: str, chance=None) -> dict:
    """One figure with a panel for each of distance, magnitude and SNR, if there are any."""
    parts = {key: breakdown[key] for key in _LABELS if key in breakdown}
    if not parts:
        return {}
    figure, axes = _figure(len(parts), sharey=True)
    for axis, (key, rows) in zip(axes, parts.items(), strict=True):
        groups = rows.groupby("phase", sort=False) if "phase" in rows else [("", rows)]
        bins = sorted(set(zip(rows["low"], rows["high"], strict=True)))
        counts = {}
        for i, (phase, part) in enumerate(groups):
            x = np.array([bins.index(pair) for pair in zip(part["low"], part["high"], strict=True)])
            counts |= dict(zip(x, part["records"], strict=True))
            # The two phases are side by side, so that both intervals can be read.
            shift = 0.0 if not phase else (-0.1, 0.1)[i]
            y = part[quantity].to_numpy()
            error = _bars(part, quantity)
            axis.errorbar(
                x + shift, y, error, fmt="o-", color=COLORS.get(phase, _BLUE), ms=4, lw=1.2,
                elinewidth=1, capsize=2, label=phase or "model",
            )  # fmt: skip
            if f"{quantity}_trivial" in part:
                axis.plot(
                    x, part[f"{quantity}_trivial"], "s--", color=_GREY, ms=3.5, lw=1,
                    label="median of the truths",
                )  # fmt: skip
        ticks = [f"{_range(*pair)}\n{counts[i]}" for i, pair in enumerate(bins)]
        axis.set_xticks(range(len(bins)), ticks, fontsize=7)
        axis.set_xlabel(_LABELS[key] + ", records")
        axis.grid(axis="y", color="0.9", lw=0.6)
    if chance is not None:
        for axis in axes:
            axis.axhline(chance, color=_GREY, lw=1, ls="--", label="chance")
    axes[0].set_ylabel(label)
    if name == "recall":
        axes[0].set_ylim(-0.02, 1.03)
    else:
        axes[0].set_ylim(0)
    if len(axes[0].get_legend_handles_labels()[0]) > 1:
        axes[0].legend(frameon=False, fontsize=8)
    return {name: figure}


def _bars(rows: pd.DataFrame, quantity: str) -> np.ndarray:
    """Lengths of error bars below and above, zero where there is no interval."""
    value, low, high = (rows[f"{quantity}{end}"].to_numpy() for end in ("", "_low", "_high"))
    # A percentile interval does not have to contain the value.
    return np.nan_to_num(np.maximum([value - low, high - value], 0))


def _range(low: float, high: float) -> str:
    if not np.isfinite(low):
        return f"< {high:g}"
    return f"\u2265 {low:g}" if not np.isfinite(high) else f"{low:g}\u2013{high:g}"


def _confusion(task: str, table: pd.DataFrame):
    table = confusion(task, table)
    share = table.div(table.sum(axis=1).replace(0, 1), axis=0).to_numpy()
    figure, (axis,) = _figure(1, 4.0)
    image = axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), value in np.ndenumerate(table.to_numpy()):
        axis.text(
            column, row, f"{value}\n{share[row, column]:.1%}", ha="center", va="center",
            color="w" if share[row, column] > 0.6 else "k",
        )  # fmt: skip
    names = class_columns(task)
    places = range(len(names))
    axis.set(xticks=places, yticks=places, xticklabels=names, yticklabels=names)
    axis.set(xlabel="predicted", ylabel="true")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    figure.colorbar(image, ax=axis, label="share of the true class", shrink=0.85)
    return figure


def _reliability(rows: pd.DataFrame):
    figure, (axis,) = _figure(1)
    x, y = rows["mean_confidence"].to_numpy(), rows["accuracy"].to_numpy()
    error = _bars(rows, "accuracy")
    least = rows["low"].min()
    axis.plot([least, 1], [least, 1], color=_GREY, lw=1, ls="--", label="calibrated")
    axis.errorbar(x, y, error, fmt="o-", color=_BLUE, ms=5, lw=1.2, capsize=2, label="model")
    for at, height, count in zip(x, y, rows["records"], strict=True):
        axis.annotate(
            str(count), (at, height), (5, -11), textcoords="offset points", fontsize=7, color=_GREY
        )
    axis.set(xlabel="confidence", ylabel="accuracy", xlim=(least - 0.02, 1.02))
    axis.set_ylim(min(least - 0.05, np.nanmin(y - error[0]) - 0.03), 1.03)
    axis.legend(frameon=False, loc="lower right")
    axis.grid(color="0.9", lw=0.6)
    return figure


def _estimates(table: pd.DataFrame, name: str, unit: str):
    true, predicted = table["true"].to_numpy(float), table["predicted"].to_numpy(float)
    figure, axes = _figure(2)
    low, high = min(true.min(), predicted.min()), max(true.max(), predicted.max())
    pad = 0.03 * (high - low) or 1
    low, high = (0 if name == "distance" else low - pad), high + pad
    _cloud(axes[0], true, predicted, (low, high), (low, high))
    axes[0].plot([low, high], [low, high], color=_ORANGE, lw=1)
    axes[0].set(xlabel=f"true {name}{unit}", ylabel=f"predicted {name}{unit}", aspect="equal")

    known = "distance" in table and table["distance"].notna().any()
    x = table["distance"].to_numpy(float) if known else true
    error, there = predicted - true, np.isfinite(x)
    limit = np.abs(error[there]).max() * 1.05 or 1
    _cloud(axes[1], x[there], error[there], (0 if known else low, x[there].max()), (-limit, limit))
    axes[1].axhline(0, color=_ORANGE, lw=1)
    label = _LABELS["distance"] if known else f"true {name}{unit}"
    axes[1].set(xlabel=label, ylabel=f"predicted - true{unit}")
    return figure


def _cloud(axis, x, y, x_range, y_range) -> None:
    """Draw points or, if they are too many, their density."""
    if len(x) <= _MOST_POINTS:
        axis.scatter(x, y, s=10, color=_BLUE, alpha=0.5, lw=0)
    else:
        from matplotlib.colors import LogNorm

        *_, image = axis.hist2d(
            x, y, bins=80, range=(x_range, y_range), norm=LogNorm(), cmap="viridis"
        )
        axis.figure.colorbar(image, ax=axis, label="records", shrink=0.85)
    axis.set(xlim=x_range, ylim=y_range)


def _angles(table: pd.DataFrame):
    from matplotlib.figure import Figure

    true, predicted = (table[n].to_numpy(float) % 360 for n in ("true", "predicted"))
    figure = Figure(figsize=(8.4, 3.8), layout="constrained")
    axis, polar = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2, projection="polar")
    _cloud(axis, true, predicted, (0, 360), (0, 360))
    axis.plot([0, 360], [0, 360], color=_ORANGE, lw=1, label="right")
    for ends in (([0, 180], [180, 360]), ([180, 360], [0, 180])):
        axis.plot(*ends, color=_GREY, lw=1, ls="--", label="opposite" if ends[0][0] == 0 else None)
    ticks = range(0, 361, 90)
    axis.set(xticks=ticks, yticks=ticks, aspect="equal")
    axis.set(xlabel="true back-azimuth (deg)", ylabel="predicted back-azimuth (deg)")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1))

    error = np.radians(wrap(predicted - true))
    edges = np.radians(np.arange(-180, 181, 15))
    counts, _ = np.histogram(error, edges)
    # The number is proportional to the area, not to the radius.
    radius = np.sqrt(counts / counts.sum())
    polar.bar(edges[:-1], radius, np.diff(edges), align="edge", color=_BLUE, ec="w", lw=0.6)
    chance = np.sqrt(1 / len(counts))
    polar.plot(
        np.linspace(-np.pi, np.pi, 200),
        np.full(200, chance),
        color=_ORANGE,
        lw=1.2,
        ls="--",
        zorder=3,
    )
    polar.set_axisbelow(True)
    polar.set_theta_zero_location("N")
    polar.set_theta_direction(-1)
    polar.set_thetalim(-np.pi, np.pi)
    polar.set_xticks(np.radians([-135, -90, -45, 0, 45, 90, 135, 180]))
    polar.set_yticklabels([])
    polar.grid(color="0.9", lw=0.6)
    polar.set_title("predicted - true (deg), area: records; dashed: chance", fontsize=9)
    return figure
