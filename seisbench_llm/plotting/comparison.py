"""Figure of two catalogues: map, and differences of the events of both."""

from __future__ import annotations

_LABELS = {
    "time": "time (s)",
    "distance_km": "distance of epicentres (km)",
    "depth_km": "depth (km)",
    "magnitude": "magnitude",
}


def plot_comparison(comparison):
    """
    Map of both catalogues, and histograms of the differences ours minus theirs.

    :param comparison: A :py:class:`seisbench_llm.monitor.compare.Comparison`.
    :return: A matplotlib figure.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5), layout="constrained")
    axes = figure.subplot_mosaic([["map", "time", "distance_km"], ["map", "depth_km", "magnitude"]],
                                 width_ratios=[1.6, 1, 1])  # fmt: skip
    area, matched = axes["map"], comparison.matched
    for row in matched.itertuples():
        longitudes = [row.longitude_ours, row.longitude_theirs]
        area.plot(longitudes, [row.latitude_ours, row.latitude_theirs], color="0.6", lw=0.8)
    area.plot(matched["longitude_ours"], matched["latitude_ours"], "o", color="#009E73", ms=5,
              label=f"both ({len(matched)})")  # fmt: skip
    for name, table, color, sign in (("theirs alone", comparison.missed, "#D55E00", "x"),
                                     ("ours alone", comparison.new, "#0072B2", "+")):  # fmt: skip
        label = f"{name} ({len(table)})"
        area.plot(table["longitude"], table["latitude"], sign, color=color, ms=6, label=label)
    area.set(xlabel="longitude (°)", ylabel="latitude (°)")
    area.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=8)
    for name, label in _LABELS.items():
        values = matched[name].dropna()
        axes[name].hist(values, bins=20, color="0.4")
        axes[name].set(xlabel=label, ylabel="events")
        if len(values):
            axes[name].axvline(values.median(), color="#D55E00", lw=1.5)
    for axis in axes.values():
        axis.spines[["top", "right"]].set_visible(False)
    return figure
