"""Figures of a catalogue: magnitudes over time, and sections of depth."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .base import DEGREE_KM, SMALL, as_events, many, new_figure, single_station, time_axis
from .symbols import SINGLE, magnitude_key, marker, scatter_events, shrink

# More error bars than these would be a grey area.
MOST_BARS = 300
# Width over height of a section from which depths are drawn larger, and its width in inches.
FLAT, _PANEL_IN = 2.0, 5.0


def plot_magnitudes(events):
    """
    Magnitudes over time with their standard errors, and the number of events up to each time.

    Up to 300 events have error bars. Those of a single station are diamonds. Events without a
    magnitude are counted in the title.

    :param events: Result or table of a monitor, or an ObsPy catalogue.
    :return: A matplotlib figure.
    :raises ValueError: If no event has a magnitude.
    """
    table = as_events(events).sort_values("time")
    known = table[np.isfinite(table["magnitude"].astype(float)) & table["time"].notna()]
    if not len(known):
        raise ValueError("No event has a magnitude and a time.")
    figure = new_figure(9, 4.5)
    axis = figure.add_subplot()
    alone = single_station(known)
    times = known["time"].dt.tz_localize(None).to_numpy()
    values = known["magnitude"].to_numpy(float)
    small = shrink(len(known)) ** 0.5
    if len(known) <= MOST_BARS:
        errors = np.nan_to_num(known["magnitude_spread"].to_numpy(float))
        axis.vlines(times, values - errors, values + errors, color="0.75", lw=1, zorder=2)
    for some, shape, face, edge in ((~alone, "o", "#0072B2", "w"), (alone, "D", "none", SINGLE)):
        sizes = {"ms": 7 * small, "mew": 0.8 * small}
        axis.plot(times[some], values[some], shape, mfc=face, mec=edge, zorder=3, **sizes)
    axis.set_ylabel("magnitude")
    numbers = axis.twinx()
    numbers.step(times, np.arange(1, len(known) + 1), where="post", color="#D55E00", lw=1.2)
    numbers.set_ylabel("number of events", color="#D55E00")
    numbers.tick_params(axis="y", colors="#D55E00")
    numbers.set_ylim(bottom=0)
    numbers.yaxis.get_major_locator().set_params(integer=True)
    axis.set_zorder(numbers.get_zorder() + 1)
    axis.patch.set_visible(False)
    if times[0] == times[-1]:
        # By default, the axis of a single time is four years long.
        axis.set_xlim(times[0] - np.timedelta64(1, "h"), times[0] + np.timedelta64(1, "h"))
    time_axis(axis)
    axis.set_xlabel("time (UTC)")
    for one in (axis, numbers):
        one.spines["top"].set_visible(False)
    title = many(len(known), "event")
    if len(known) < len(table):
        title += f"; {len(table) - len(known)} without a magnitude are not shown"
    axis.set_title(title, loc="left", fontsize=SMALL)
    if alone.any():
        label = f"of a single station ({int(alone.sum())})"
        handle = marker("D", "none", label, edge=SINGLE)
        figure.legend(handles=[handle], loc="outside upper right", frameon=False, fontsize=SMALL)
    return figure


def plot_depths(events, stations=None):
    """
    Sections of depth from west to east and from south to north.

    Bars are the intervals of 68 % of up to 300 events. Events without a depth are counted in the
    title. Depths are below sea level. If events lie flat, depths are drawn larger than distances,
    and the title says how much.

    :param events: Result or table of a monitor, or an ObsPy catalogue.
    :param stations: Inventory or table of stations, drawn at their elevations. None for none.
    :return: A matplotlib figure.
    :raises ValueError: If no event has a depth.
    """
    table = as_events(events)
    table = table[~single_station(table)]
    known = table[np.isfinite(table["depth_km"].astype(float))].reset_index(drop=True)
    if not len(known):
        raise ValueError("No event has a depth.")
    known, places = _with_km(known, stations)
    depths = known["depth_km"].to_numpy(float)
    lowest = np.nanmax([*depths, *known["depth_high_km"].astype(float)])
    highest = np.nanmin([*depths, *known["depth_low_km"].astype(float), *places["depth"], 0.0])
    height = 1.1 * max(lowest - highest, 1.0)
    across = {name: np.array([*known[name], *places[name]]) for name in ("east", "north")}
    width = max(1.1 * max(map(np.ptp, across.values())), 0.8 * height)
    larger = max(1, round(width / height / FLAT))
    figure = new_figure(11, 1.5 + _PANEL_IN * larger * height / width)
    axes = figure.subplots(1, 2, sharey=True)
    for axis, name, ends in zip(axes, across, ("west–east", "south–north"), strict=True):
        if len(known) <= MOST_BARS:
            low, high = (known[f"depth_{end}_km"].astype(float) for end in ("low", "high"))
            axis.vlines(known[name], low, high, color="0.75", lw=1, zorder=2)
            sigma = np.sqrt(known[f"cov_{name[0] * 2}"].astype(float))
            axis.hlines(depths, known[name] - sigma, known[name] + sigma, color="0.75", lw=1)
        scatter_events(axis, known, name, "depth_km", depths)
        axis.plot(places[name], places["depth"], "^", mfc="#D55E00", mec="k", ms=8, ls="", zorder=3)
        middle = (across[name].min() + across[name].max()) / 2
        axis.set(xlabel=f"{ends} (km)", aspect=larger)
        axis.set_xlim(middle - width / 2, middle + width / 2)
        axis.tick_params(direction="in", top=True, right=True)
    middle = (lowest + highest) / 2
    axes[0].set_ylim(middle + height / 2, middle - height / 2)
    axes[0].set_ylabel("depth below sea level (km)")
    texts = [many(len(known), "event")]
    if len(known) < len(table):
        texts.append(f"{len(table) - len(known)} without a depth are not shown")
    texts += [f"depths {larger} times larger than distances"] if larger > 1 else []
    axes[0].set_title("; ".join(texts), loc="left", fontsize=SMALL)
    magnitude_key(figure, known)
    return figure


def _with_km(events: pd.DataFrame, stations) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Events and stations with km to the east and north of the middle of the events."""
    from ..stations import stations_to_dataframe

    latitude, base = events["latitude"].median(), events["longitude"].iloc[0]

    def placed(table: pd.DataFrame) -> pd.DataFrame:
        # Longitudes count from the first event, so that the date line does not matter.
        turned = (table["longitude"] - base + 180) % 360 - 180
        east = turned * DEGREE_KM * max(np.cos(np.radians(latitude)), 0.05)
        return table.assign(east=east, north=(table["latitude"] - latitude) * DEGREE_KM)

    events = placed(events)
    middle = events["east"].median()
    events = events.assign(east=events["east"] - middle)
    if stations is None:
        return events, pd.DataFrame({"east": [], "north": [], "depth": []})
    places = placed(stations_to_dataframe(stations))
    heights = places["elevation"].fillna(0.0) if "elevation" in places else 0.0
    return events, places.assign(east=places["east"] - middle, depth=-heights / 1e3)
