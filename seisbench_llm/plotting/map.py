"""Map of stations and events."""

from __future__ import annotations

import numpy as np
import seisbench

from ..trace_ids import codes_of, station_of
from .base import SMALL, as_table


def plot_map(stations, picks=None, events=None, coastlines: bool | None = None):
    """
    Map of stations and events.

    The axes are degrees, with the right ratio of longitude to latitude in the middle of the map.
    This suffices for some hundred kilometres.

    :param stations: Inventory or table of stations, see
        :py:func:`seisbench_llm.stations.stations_to_dataframe`. None for a map without stations.
    :param picks: Picks. Stations with more picks are larger, those without picks are empty.
    :param events: ObsPy catalogue, or table with latitude, longitude, depth_km and magnitude, such
        as a monitor's events. Events without an origin are left out. The size shows the magnitude
        and the colour the depth. Events without a depth are grey.
    :param coastlines: Whether to draw coast lines, which needs cartopy. By default they are drawn
        if cartopy is installed and has its data. With True the data may be downloaded.
    :return: A matplotlib figure.
    :raises ValueError: If nothing has coordinates.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    places = _places(stations, picks)
    shocks = _shocks(events)
    longitudes = np.concatenate([places[:, 0], shocks[:, 0]])
    latitudes = np.concatenate([places[:, 1], shocks[:, 1]])
    if not longitudes.size:
        raise ValueError("There is nothing with coordinates to plot: pass stations or events.")
    # Longitudes count from the first one, so that the date line does not split the map.
    base = longitudes[0]
    east = (longitudes - base + 180) % 360 - 180 + base
    n = len(places)

    figure = Figure(figsize=(7.5, 6.5), layout="constrained")
    axis = figure.add_subplot()
    _limits(axis, east, latitudes)
    if len(shocks):
        order = np.argsort(-np.nan_to_num(shocks[:, 3]))
        sizes = 20 * 2.0 ** np.clip(np.nan_to_num(shocks[:, 3], nan=1.0), -1, 7)
        drawn = axis.scatter(
            east[n:][order],
            latitudes[n:][order],
            sizes[order],
            shocks[:, 2][order],
            # Events without a depth are grey; by default they would be transparent.
            cmap=colormaps["viridis_r"].with_extremes(bad="0.4"),
            edgecolors="w",
            linewidths=0.6,
            # Above the stations and their names, which would hide small events.
            zorder=5,
            alpha=0.85,
            plotnonfinite=True,
            label=_label_of(shocks),
        )
        if np.isfinite(shocks[:, 2]).any():
            bar = figure.colorbar(drawn, ax=axis, label="depth (km)", shrink=0.6)
            bar.ax.invert_yaxis()
    if n:
        counts = places[:, 2]
        busy = counts > 0
        sizes = np.full(n, 60.0) if counts.max() == 0 else 30 + 60 * np.sqrt(counts / counts.max())
        for some, face in ((~busy, "none"), (busy, "#D55E00")):
            if some.any():
                label = _many(int(some.sum()), "station")
                if picks is not None:
                    label += f", {_many(int(counts[some].sum()), 'pick')}"
                axis.scatter(
                    east[:n][some],
                    latitudes[:n][some],
                    sizes[some],
                    marker="^",
                    zorder=3,
                    facecolors=face,
                    edgecolors="k",
                    linewidths=0.8,
                    label=label,
                )
        if n <= 40:
            for (_, _, _), x, y, name in zip(
                places, east[:n], latitudes[:n], _names(stations), strict=True
            ):
                axis.annotate(
                    name, (x, y), (6, 6), textcoords="offset points", fontsize=SMALL, zorder=4
                )
    if coastlines is not False:
        _coast(axis, coastlines)
    axis.set(xlabel="longitude (°)", ylabel="latitude (°)")
    if max(map(abs, axis.get_xlim())) > 180:
        axis.xaxis.set_major_formatter(lambda value, _: f"{(value + 180) % 360 - 180:g}")
    axis.tick_params(direction="in", top=True, right=True)
    figure.legend(loc="outside upper right", ncols=3, frameon=False)
    return figure


def _label_of(shocks: np.ndarray) -> str:
    """Number and magnitudes of the events."""
    known = shocks[:, 3][np.isfinite(shocks[:, 3])]
    sizes = f", M {known.min():.1f} to {known.max():.1f}" if known.size else ""
    return f"{_many(len(shocks), 'event')}{sizes}"


def _many(number: int, name: str) -> str:
    return f"{number or 'no'} {name}{'' if number == 1 else 's'}"


def _limits(axis, east, latitudes) -> None:
    middle = (latitudes.min() + latitudes.max()) / 2
    stretch = 1 / max(np.cos(np.radians(middle)), 0.05)
    axis.set_aspect(stretch, adjustable="box")
    # At least two kilometres, for a single station.
    half = max(np.ptp(latitudes), np.ptp(east) / stretch, 0.02) / 2 * 1.15
    axis.set_ylim(middle - half, middle + half)
    centre = (east.min() + east.max()) / 2
    axis.set_xlim(centre - half * stretch, centre + half * stretch)


def _table(stations):
    from ..stations import stations_to_dataframe

    frame = stations_to_dataframe(stations)
    # One symbol per station, even if it has several locations.
    station = frame["id"].map(station_of)
    return frame.assign(station=station).drop_duplicates("station")


def _names(stations) -> list[str]:
    return [codes_of(name).station for name in _table(stations)["station"]]


def _places(stations, picks) -> np.ndarray:
    """Longitude, latitude and number of picks, shape (stations, 3)."""
    if stations is None:
        return np.empty((0, 3))
    frame = _table(stations)
    names = as_table(picks)["trace_id"].map(station_of)
    counts = frame["station"].map(names.value_counts()).fillna(0)
    return np.column_stack([frame["longitude"], frame["latitude"], counts]).astype(float)


def _shocks(events) -> np.ndarray:
    """Longitude, latitude, depth in km and magnitude, shape (events, 4)."""
    rows = []
    if hasattr(events, "columns"):
        for row in events.itertuples():
            # PyOcto's events have their depth in km, too.
            depth = getattr(row, "depth_km", getattr(row, "depth", None))
            size = getattr(row, "magnitude", None)
            rows.append((row.longitude, row.latitude, depth, size))
    else:
        for event in events or []:
            origin = event.preferred_origin() or next(iter(event.origins), None)
            if origin is None or origin.latitude is None or origin.longitude is None:
                continue
            size = event.preferred_magnitude() or next(iter(event.magnitudes), None)
            depth = None if origin.depth is None else origin.depth / 1000
            rows.append((origin.longitude, origin.latitude, depth, size and size.mag))
    return np.array(rows, dtype=float).reshape(-1, 4)


def _coast(axis, wanted: bool | None) -> None:
    try:
        from cartopy import config
        from cartopy.io import shapereader
    except ImportError:
        if wanted:
            raise ImportError("Coast lines need cartopy: pip install cartopy") from None
        return
    from pathlib import Path

    name = "ne_10m_coastline.shp"
    roots = [config[key] for key in ("pre_existing_data_dir", "data_dir", "repo_data_dir")]
    here = next((f for root in roots if root for f in Path(root).rglob(name)), None)
    if here is None and not wanted:
        return
    try:
        here = here or shapereader.natural_earth("10m", "physical", "coastline")
    except OSError as error:
        seisbench.logger.warning(f"No coast lines, Natural Earth cannot be reached: {error}")
        return
    limits = axis.get_xlim(), axis.get_ylim()
    for shape in shapereader.Reader(str(here)).geometries():
        for line in getattr(shape, "geoms", [shape]):
            x, y = np.array(line.coords).T[:2]
            for turn in (-360, 0, 360):
                axis.plot(x + turn, y, color="0.6", lw=0.6, zorder=1, scalex=False, scaley=False)
    axis.set_xlim(limits[0])
    axis.set_ylim(limits[1])
