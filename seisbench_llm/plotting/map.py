"""Map of stations and events."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seisbench

from ..trace_ids import codes_of, station_of
from .base import DEGREE_KM, SMALL, as_events, as_table, many, new_figure, single_station
from .symbols import NO_DEPTH, SINGLE, draw_names, magnitude_key, marker, scatter_events

# More regions than these would hide the events.
MOST_REGIONS = 200


def plot_map(
    stations, picks=None, events=None, coastlines: bool | None = None, regions: bool | None = None
):
    """
    Map of stations and events, with the regions that hold the epicentres with 68 %.

    The axes are degrees, with the right ratio of longitude to latitude in the middle of the map.
    This suffices for some hundred kilometres. The scale is right there, too.

    :param stations: Inventory or table of stations, see
        :py:func:`seisbench_llm.stations.stations_to_dataframe`. None for a map without stations.
    :param picks: Picks. Stations with more picks are larger, those without picks are empty.
    :param events: ObsPy catalogue, or table with latitude, longitude, depth_km and magnitude, such
        as a monitor's events. Events without an origin are left out. The size shows the magnitude
        and the colour the depth. Events without a depth are grey, those of a single station are
        diamonds without a filling.
    :param coastlines: Whether to draw coast lines, which needs cartopy. By default they are drawn
        if cartopy is installed and has its data. With True the data may be downloaded.
    :param regions: Whether to draw the regions. By default, those of up to 200 events are drawn.
    :return: A matplotlib figure.
    :raises ValueError: If nothing has coordinates.
    """
    places, shocks = _places(stations, picks), as_events(events)
    longitudes = np.concatenate([places[:, 0], shocks["longitude"]]).astype(float)
    latitudes = np.concatenate([places[:, 1], shocks["latitude"]]).astype(float)
    if not longitudes.size:
        raise ValueError("There is nothing with coordinates to plot: pass stations or events.")
    # Longitudes count from the first one, so that the date line does not split the map.
    base = longitudes[0]
    east = (longitudes - base + 180) % 360 - 180 + base
    n = len(places)

    figure = new_figure(7.5, 6.8)
    axis = figure.add_subplot()
    _limits(axis, east, latitudes)
    shocks = shocks.assign(longitude=east[n:])
    handles = _draw_events(axis, shocks)
    if regions or (regions is None and len(shocks) <= MOST_REGIONS):
        handles += _draw_regions(axis, shocks)
    if n:
        counts = places[:, 2]
        busy = counts > 0
        sizes = np.full(n, 60.0) if counts.max() == 0 else 30 + 60 * np.sqrt(counts / counts.max())
        for some, face in ((~busy, "none"), (busy, "#D55E00")):
            if some.any():
                label = many(int(some.sum()), "station")
                if picks is not None:
                    label += f", {many(int(counts[some].sum()), 'pick')}"
                axis.scatter(
                    east[:n][some],
                    latitudes[:n][some],
                    sizes[some],
                    marker="^",
                    zorder=3,
                    facecolors=face,
                    edgecolors="k",
                    linewidths=0.8,
                )
                handles.append(marker("^", face, label, edge="k"))
        if n <= 40:
            draw_names(axis, east[:n], latitudes[:n], _names(stations))
    if coastlines is not False:
        _coast(axis, coastlines)
    _scale(axis, east, latitudes)
    axis.set(xlabel="longitude (°)", ylabel="latitude (°)")
    if max(map(abs, axis.get_xlim())) > 180:
        axis.xaxis.set_major_formatter(lambda value, _: f"{(value + 180) % 360 - 180:g}")
    axis.tick_params(direction="in", top=True, right=True)
    figure.legend(handles=handles, loc="outside upper left", ncols=3, frameon=False, fontsize=SMALL)
    # Events of a single station are all drawn alike.
    magnitude_key(figure, shocks[~single_station(shocks)])
    return figure


def _draw_events(axis, shocks: pd.DataFrame) -> list:
    """Draw the events, and return what the legend says of them."""
    if not len(shocks):
        return []
    handles = []
    alone = single_station(shocks)
    order = np.argsort(-np.nan_to_num(shocks["magnitude"].to_numpy(float)))
    located = shocks.iloc[order[~alone[order]]]
    depths = located["depth_km"].to_numpy(float)
    if len(located):
        drawn = scatter_events(axis, located, "longitude", "latitude", depths)
        handles.append(marker("o", "#35b779", _label_of(located)))
        if np.isfinite(depths).any():
            bar = axis.figure.colorbar(drawn, ax=axis, label="depth (km)", shrink=0.6)
            bar.ax.invert_yaxis()
        if unknown := int((~np.isfinite(depths)).sum()):
            handles.append(marker("o", NO_DEPTH, f"without a depth ({unknown})"))
    if alone.any():
        some = shocks[alone]
        axis.scatter(
            some["longitude"], some["latitude"], 45, marker="D", facecolors="none",
            edgecolors=SINGLE, linewidths=1.2, zorder=5,
        )  # fmt: skip
        label = f"{many(len(some), 'event')} of a single station"
        handles.append(marker("D", "none", label, edge=SINGLE))
    return handles


def _draw_regions(axis, shocks: pd.DataFrame) -> list:
    """Draw the ellipses of 68 % that are known."""
    from matplotlib.collections import PolyCollection
    from matplotlib.lines import Line2D

    names = ["latitude", "ellipse_major_km", "ellipse_minor_km", "ellipse_azimuth"]
    known = shocks[np.isfinite(shocks[names].astype(float)).all(axis=1)]
    if not len(known):
        return []
    turn = np.linspace(0, 2 * np.pi, 73)
    alone = single_station(known)
    shapes = []
    for row in known.itertuples():
        azimuth = np.radians(row.ellipse_azimuth)
        along, across = row.ellipse_major_km * np.cos(turn), row.ellipse_minor_km * np.sin(turn)
        north = along * np.cos(azimuth) - across * np.sin(azimuth)
        east = along * np.sin(azimuth) + across * np.cos(azimuth)
        parallel = max(np.cos(np.radians(row.latitude)), 0.05)
        x = row.longitude + east / DEGREE_KM / parallel
        shapes.append(np.column_stack([x, row.latitude + north / DEGREE_KM]))
    colors = [SINGLE if one else "0.3" for one in alone]
    axis.add_collection(
        PolyCollection(shapes, facecolors="none", edgecolors=colors, linewidths=0.6, zorder=2),
        autolim=False,
    )
    return [Line2D([], [], color=colors[0], lw=0.7, label="68 % regions")]


def _scale(axis, east: np.ndarray, latitudes: np.ndarray) -> None:
    """A bar of a round number of kilometres, in the corner that is farthest from all symbols."""
    from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

    (left, right), (low, high) = axis.get_xlim(), axis.get_ylim()
    of_degree = DEGREE_KM * max(np.cos(np.radians((low + high) / 2)), 0.05)
    most = (right - left) * of_degree / 4
    power = 10.0 ** np.floor(np.log10(most))
    length = power * max(step for step in (1, 2, 5) if step * power <= most)
    places = np.column_stack([(east - left) / (right - left), (latitudes - low) / (high - low)])
    corners = {"lower left": (0, 0), "lower right": (1, 0), "upper left": (0, 1)}
    corner = max(corners, key=lambda name: np.hypot(*(places - corners[name]).T).min())
    bar = AnchoredSizeBar(
        axis.transData, length / of_degree, f"{length:g} km", corner, pad=0.4, sep=4,
        frameon=False, size_vertical=(high - low) / 200,
    )  # fmt: skip
    axis.add_artist(bar)


def _label_of(shocks: pd.DataFrame) -> str:
    """Number and magnitudes of the events."""
    known = shocks["magnitude"].dropna()
    ends = dict.fromkeys(f"{size:.1f}" for size in (known.min(), known.max()) if known.size)
    sizes = f", M {' to '.join(ends)}" if ends else ""
    return f"{many(len(shocks), 'event')}{sizes}"


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
