"""Symbols of events in maps and sections: size by magnitude, colour by depth, and their keys."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .base import SMALL

# Colours of events without a depth, and of those of a single station.
NO_DEPTH, SINGLE = "0.4", "#CC79A7"


def sizes_of(magnitudes) -> np.ndarray:
    """Areas of symbols in square points. Events without a magnitude are as those of 1."""
    values = np.nan_to_num(np.asarray(magnitudes, dtype=float), nan=1.0)
    return 20 * 2.0 ** np.clip(values, -1, 7)


def scatter_events(axis, events: pd.DataFrame, x: str, y: str, depths: np.ndarray):
    """Draw events above stations and their names, which would hide small events."""
    from matplotlib import colormaps

    return axis.scatter(
        events[x],
        events[y],
        sizes_of(events["magnitude"]),
        depths,
        # By default, events without a depth would be transparent.
        cmap=colormaps["viridis_r"].with_extremes(bad=NO_DEPTH),
        edgecolors="w",
        linewidths=0.6,
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


def magnitude_key(figure, events: pd.DataFrame) -> None:
    """Draw a legend of the sizes of whole magnitudes below a figure, if any are known."""
    known = events["magnitude"].astype(float).dropna()
    if not known.size:
        return
    low, high = (int(np.clip(v, -1, 7)) for v in (np.floor(known.min()), np.ceil(known.max())))
    step = 1 if high - low <= 4 else 2
    values = range(low, high + 1, step)
    handles = [marker("o", "0.6", f"M {v}", size=float(np.sqrt(sizes_of([v])[0]))) for v in values]
    figure.legend(
        handles=handles, loc="outside lower right", ncols=len(handles), frameon=False,
        fontsize=SMALL, handletextpad=0.6, columnspacing=2.0, borderpad=0.8,
    )  # fmt: skip
