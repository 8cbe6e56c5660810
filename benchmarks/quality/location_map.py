"""
What do the regions of quality/locations.py look like on a map, from few stations and from many?

    python -m benchmarks.quality.location_map --data DATA

The swarm in Iceland from 4 and from 12 (or as many as picked it) of its stations, in the medium of
that region.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse

from benchmarks.quality.locations import ASKJA, iceland
from seisbench_llm.monitor.hypocentre import locate, make_locator

FIGURE = Path(__file__).parents[2] / "docs" / "figures" / "locations.png"
# Smallest and largest kilometre of the axes.
FRAME = (-14, 22)
ORANGE, BLUE = "#D55E00", "#0072B2"


def draw(axis, known: list, most: int, rng: np.random.Generator, corner: tuple) -> None:
    """
    Locate each event from at most ``most`` stations and draw it.

    :param corner: Latitude and longitude that the axes count kilometres from.
    """
    parallel = np.cos(np.radians(corner[0]))
    stations = known[0].stations
    locator = make_locator(ASKJA, list(stations.values()))
    held, away = 0, 0

    def km(latitude, longitude):
        return (longitude - corner[1]) * 111.3 * parallel, (latitude - corner[0]) * 111.3

    for event in known:
        codes = sorted({pick[0] for pick in event.picks})
        chosen = set(rng.choice(codes, min(most, len(codes)), replace=False))
        rows = [pick for pick in event.picks if pick[0] in chosen]
        places, phases = [stations[row[0]] for row in rows], [row[1] for row in rows]
        times, uncertainties = [row[2] for row in rows], [row[3] for row in rows]
        found, _ = locate(locator, places, phases, times, uncertainties)
        at, true = km(found["latitude"], found["longitude"]), km(event.latitude, event.longitude)
        major, minor = found["ellipse_major_km"], found["ellipse_minor_km"]
        angle = np.radians(found["ellipse_azimuth"])
        east, north = np.subtract(true, at)
        along = east * np.sin(angle) + north * np.cos(angle)
        across = east * np.cos(angle) - north * np.sin(angle)
        held += (along / major) ** 2 + (across / minor) ** 2 <= 1
        turn = 90 - found["ellipse_azimuth"]
        axis.add_patch(
            Ellipse(at, 2 * major, 2 * minor, angle=turn, fc=BLUE, ec=BLUE, alpha=0.12, lw=0)
        )
        axis.add_patch(Ellipse(at, 2 * major, 2 * minor, angle=turn, fc="none", ec=BLUE, lw=0.7))
        axis.plot(*zip(at, true, strict=True), color="0.4", lw=0.7)
        axis.plot(*at, ".", color=BLUE, ms=4)
        away += not all(FRAME[0] <= x <= FRAME[1] for x in at)
        axis.plot(*true, "+", color=ORANGE, ms=6, mew=1.2)
    for code, station in stations.items():
        axis.plot(*km(station.latitude, station.longitude), "^", mfc="w", mec="k", ms=7)
        axis.annotate(
            code,
            km(station.latitude, station.longitude),
            (5, 5),
            textcoords="offset points",
            fontsize=9,
        )
    axis.set_title(
        f"{'all' if most >= len(stations) else most} stations: {held} of {len(known)} inside",
        fontsize=10,
    )
    axis.set(xlabel="east (km)", aspect="equal", xlim=FRAME, ylim=FRAME)
    if away:
        axis.text(21, -9, f"{away} epicentres are outside the map", ha="right", fontsize=9)
    axis.plot([10, 20], [-12, -12], color="k", lw=2.5, solid_capstyle="butt")
    axis.text(15, -11.4, "10 km", ha="center", va="bottom", fontsize=9)
    axis.tick_params(direction="in", top=True, right=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=FIGURE)
    args = parser.parse_args()
    known = iceland(args.data)
    corner = (
        float(np.median([event.latitude for event in known])),
        float(np.median([event.longitude for event in known])),
    )
    figure = Figure(figsize=(9.5, 5.4), layout="compressed")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, most in zip(axes, (4, 12), strict=True):
        draw(axis, known, most, np.random.default_rng(0), corner)
    axes[0].set_ylabel("north (km)")
    keys = [
        Line2D([], [], marker=".", color=BLUE, ls="", label="expected epicentre"),
        Line2D([], [], marker="o", mfc="none", mec=BLUE, ls="", ms=9, label="its region of 68 %"),
        Line2D([], [], marker="+", color=ORANGE, ls="", mew=1.2, label="QuakeMigrate"),
        Line2D([], [], marker="^", mfc="w", mec="k", ls="", label="station"),
    ]
    figure.legend(handles=keys, loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    figure.savefig(args.out, dpi=130)


if __name__ == "__main__":
    main()
