"""Wadati plot: the ratio of the velocities of P and S, from the times of picks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..trace_ids import station_of
from .base import SMALL, as_events, as_table, many, new_figure

# More points would need too much memory for the slopes of all pairs.
MOST_POINTS = 2000


def plot_wadati(picks, events, max_p_s: float = 200.0):
    """
    S minus P over the travel time of P, with the line whose slope is vp/vs - 1.

    Travel times count from the located origins. The slope is the median of those of all pairs of
    points (Theil 1950, Sen 1968), after the medians of each event were subtracted. It therefore
    depends neither on the origin times nor on single wrong picks. Of more than 2000 points, 2000
    drawn at random are used.

    :param picks: Table of picks with a column ``event_id``, or a result of a monitor.
    :param events: Result or table of a monitor, or an ObsPy catalogue.
    :param max_p_s: Largest travel time of P in s.
    :return: A matplotlib figure.
    :raises ValueError: If no event has P and S at two stations.
    """
    points = wadati_points(as_table(picks), as_events(events))
    points = points[points["p"].between(0, max_p_s)]
    stations = points.groupby("event_id")["p"].transform("size")
    points = points[stations >= 2]
    if not len(points):
        raise ValueError("No event has P and S at two stations.")
    slope, low, high = _slope(points)
    shift = float(np.median(points["s_minus_p"] - slope * points["p"]))
    figure = new_figure(6.5, 5.5)
    axis = figure.add_subplot()
    groups = points.groupby("event_id", sort=False)
    few = groups.ngroups <= 8
    for _, group in groups:
        label = f"{group['time'].iloc[0]:%Y-%m-%d %H:%M:%S}"
        style = {"label": label} if few else {"color": "0.4", "alpha": 0.6}
        axis.plot(group["p"], group["s_minus_p"], "o", ms=5, mew=0, **style)
    ends = np.array([0.0, points["p"].max() * 1.05])
    axis.plot(ends, shift + slope * ends, color="#D55E00", lw=1.5)
    axis.set(
        xlim=(0, ends[1]),
        ylim=(0, None),
        xlabel="P minus origin time (s)",
        ylabel="S minus P (s)",
    )
    text = f"vp/vs = {1 + slope:.3f} (95 %: {1 + low:.3f} to {1 + high:.3f})"
    text += f"; {many(len(points), 'pair')} of P and S, {many(groups.ngroups, 'event')}"
    axis.set_title(text, loc="left", fontsize=SMALL)
    axis.spines[["top", "right"]].set_visible(False)
    if few:
        axis.legend(fontsize=SMALL, frameon=False)
    return figure


def wadati_points(picks: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """
    Times of P and S of each event and station.

    :return: Columns event_id, time (of the origin), station, p and s_minus_p in s. Of several picks
        of a phase, the most probable one counts.
    """
    columns = ["event_id", "time", "station", "p", "s_minus_p"]
    if "event_id" not in picks:
        return pd.DataFrame({name: [] for name in columns})
    known = picks[picks["event_id"].notna() & picks["phase"].isin(["P", "S"])]
    known = known.assign(station=known["trace_id"].map(station_of))
    known = known.sort_values("probability", ascending=False, kind="stable")
    known = known.drop_duplicates(["event_id", "station", "phase"])
    keys = ["event_id", "station"]
    p, s = (known[known["phase"] == phase][[*keys, "time"]] for phase in "PS")
    both = p.merge(s, on=keys, suffixes=("_p", "_s"))
    both = both.merge(events[["event_id", "time"]], on="event_id")
    return both.assign(
        p=(both["time_p"] - both["time"]).dt.total_seconds(),
        s_minus_p=(both["time_s"] - both["time_p"]).dt.total_seconds(),
    ).sort_values(["time", "station"], ignore_index=True)[columns]


def _slope(points: pd.DataFrame) -> tuple[float, float, float]:
    """Slope and its interval of 95 %."""
    from scipy.stats import theilslopes

    used = points.sample(MOST_POINTS, random_state=0) if len(points) > MOST_POINTS else points
    centred = used[["p", "s_minus_p"]] - used.groupby("event_id")[["p", "s_minus_p"]].transform(
        "median"
    )
    slope, _, low, high = theilslopes(centred["s_minus_p"], centred["p"])
    return float(slope), float(low), float(high)
