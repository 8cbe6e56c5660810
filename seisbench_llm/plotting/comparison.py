"""Figure of two catalogues: map, and differences of the events of both."""

from __future__ import annotations

import numpy as np

from .base import SMALL, new_figure

_LABELS = {
    "time": "origin time: ours - theirs (s)",
    "distance_km": "distance of epicentres (km)",
    "depth_km": "depth: ours - theirs (km)",
    "magnitude": "magnitude: ours - theirs",
}


def plot_comparison(comparison):
    """
    Map of both catalogues, and histograms of the differences ours minus theirs.

    :param comparison: A :py:class:`seisbench_llm.monitor.compare.Comparison`.
    :return: A matplotlib figure.
    """
    figure = new_figure(10, 5)
    axes = figure.subplot_mosaic([["map", "time", "distance_km"], ["map", "depth_km", "magnitude"]],
                                 width_ratios=[1.6, 1, 1])  # fmt: skip
    area, matched = axes["map"], comparison.matched
    for row in matched.itertuples():
        longitudes = [row.longitude_ours, row.longitude_theirs]
        area.plot(longitudes, [row.latitude_ours, row.latitude_theirs], color="0.6", lw=0.8)
    area.plot(matched["longitude_ours"], matched["latitude_ours"], "o", color="#009E73", ms=5,
              label=f"both, with a line to theirs ({len(matched)})")  # fmt: skip
    for name, table, color, sign in (("only theirs", comparison.missed, "#D55E00", "x"),
                                     ("only ours", comparison.new, "#0072B2", "+")):  # fmt: skip
        label = f"{name} ({len(table)})"
        area.plot(table["longitude"], table["latitude"], sign, color=color, ms=6, label=label)
    area.set(xlabel="longitude (°)", ylabel="latitude (°)")
    middle = np.radians(np.mean(area.get_ylim()))
    area.set_aspect(1 / max(np.cos(middle), 0.05), adjustable="datalim")
    figure.legend(loc="outside upper left", ncols=3, frameon=False)
    for name, label in _LABELS.items():
        values = matched[name].dropna()
        axes[name].hist(values, bins=20, color="0.6")
        axes[name].set(xlabel=label, ylabel="events")
        axes[name].yaxis.get_major_locator().set_params(integer=True)
        if len(values):
            axes[name].axvline(values.median(), color="#D55E00", lw=1.5)
            axes[name].set_title(f"median {values.median():.2f}", color="#D55E00", fontsize=SMALL)
    for axis in axes.values():
        axis.spines[["top", "right"]].set_visible(False)
    return figure
