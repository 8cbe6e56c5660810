"""Symbols of events in maps and sections: size by magnitude, colour by depth, and their keys."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .base import SMALL

# Colours of events without a depth, and of those of a single station.
NO_DEPTH, SINGLE = "0.4", "#CC79A7"


# Of more events, each is drawn smaller, so that they do not cover the figure.
FEW = 500


def shrink(count: int) -> float:
    """Part of the area that each of so many symbols has."""
    return min(1.0, (FEW / max(count, 1)) ** 0.5)


def sizes_of(magnitudes, count: int) -> np.ndarray:
    """
    Areas of symbols in square points. Events without a magnitude are as those of 1.

    :param count: Number of events in the figure.
    """
    values = np.nan_to_num(np.asarray(magnitudes, dtype=float), nan=1.0)
    return 20 * shrink(count) * 1.6 ** np.clip(values, -1, 8)


def scatter_events(axis, events: pd.DataFrame, x: str, y: str, depths: np.ndarray):
    """Draw events above stations and their names, which would hide small events."""
    from matplotlib import colormaps

    return axis.scatter(
        events[x],
        events[y],
        sizes_of(events["magnitude"], len(events)),
        depths,
        # By default, events without a depth would be transparent.
        cmap=colormaps["viridis_r"].with_extremes(bad=NO_DEPTH),
        edgecolors="w",
        linewidths=0.6 * shrink(len(events)),
        zorder=5,
        alpha=0.85,
        plotnonfinite=True,
    )


def marker(shape: str, face: str, label: str, edge: str = "w", size: float = 8.0):
    """A symbol for a legend, of a size in points."""
    from matplotlib.lines import Line2D

    return Line2D(
        [], [], ls="", marker=shape, markerfacecolor=face, markeredgecolor=edge,
        markersize=size, label=label,
    )  # fmt: skip


def draw_names(axis, x: np.ndarray, y: np.ndarray, names: Sequence[str]) -> None:
    """Draw names beside points, where they hide neither each other nor other points."""
    # About 5 inches are left for the axis of a map, and a letter is half as wide as it is high.
    points = 72 * 5 / np.ptp(axis.get_xlim()), 72 * 5 / np.ptp(axis.get_ylim())
    places = np.column_stack([x * points[0], y * points[1]])
    taken = [(px - 4, py - 4, px + 4, py + 4) for px, py in places]
    for (px, py), at, name in zip(places, zip(x, y, strict=True), names, strict=True):
        size = 0.65 * SMALL * len(name), SMALL + 1.0
        boxes = {}
        for dx, dy in ((6, 5), (6, -14), (-6 - size[0], 5), (-6 - size[0], -14)):
            box = (px + dx, py + dy, px + dx + size[0], py + dy + size[1])
            boxes[dx, dy] = (sum(_overlap(box, other) for other in taken), box)
        (dx, dy), (_, box) = min(boxes.items(), key=lambda item: item[1][0])
        taken.append(box)
        axis.annotate(
            name, at, (dx, dy), textcoords="offset points", fontsize=SMALL, zorder=6,
            va="bottom", ha="left",
        )  # fmt: skip


def _overlap(one: tuple, other: tuple) -> float:
    """Area that two boxes share: left, low, right, high."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)


def magnitude_key(figure, events: pd.DataFrame) -> None:
    """Draw a legend of the sizes of whole magnitudes below a figure, if any are known."""
    known = events["magnitude"].astype(float).dropna()
    if not known.size:
        return
    low, high = (int(np.clip(v, -1, 8)) for v in (np.floor(known.min()), np.ceil(known.max())))
    step = 1 if high - low <= 4 else 2
    values = range(low, high + 1, step)
    sizes = np.sqrt(sizes_of(values, len(events)))
    handles = [
        marker("o", "0.6", f"M {v}", size=size) for v, size in zip(values, sizes, strict=True)
    ]
    figure.legend(
        handles=handles, loc="outside lower right", ncols=len(handles), frameon=False,
        fontsize=SMALL, handletextpad=0.9, columnspacing=2.0, borderpad=0.8,
    )  # fmt: skip
