"""Aftershocks and other further events in the window of a record."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from .draws import Draws
from .path import Paths
from .source import Sources, draw_sources, seismic_moment


def further_events(draws: Draws, sources: Sources, crust, paths: Paths, sites, rows: np.ndarray):
    """
    Draw another event at the station, mostly of the same cluster, otherwise from any location.

    :param draws: Random streams, one per entry of ``rows``.
    :param sources, crust, paths, sites: Parameters of the first events, for all records.
    :param rows: Indices of the records with another event.
    :return: Sources, crust, paths and sites for :py:func:`ground_motion`.
    """
    sources, crust, paths, sites = (_select(part, rows) for part in (sources, crust, paths, sites))
    new = draw_sources(draws, (-1.0, 7.0))
    cluster = draws.chance(0.7)
    near = paths.distance * draws.log_normal(1.0, 0.05)
    distance = np.where(cluster, near, draws.uniform(3, 250))
    turn = np.where(cluster, draws.normal(0, 0.05), draws.uniform(-np.pi, np.pi))
    # The amplitude at the station is similar to the first event, by -log A0 of Hutton & Boore
    # (1987).
    closer = distance_correction(distance) - distance_correction(paths.distance)
    magnitude = np.clip(sources.magnitude + closer + draws.normal(-0.3, 0.6), -1, 7)
    moment = seismic_moment(magnitude)
    depth = np.where(cluster, sources.depth, new.depth)
    return (
        replace(new, magnitude=magnitude, moment=moment, depth=depth),
        crust,
        replace(
            paths,
            distance=distance,
            azimuth=paths.azimuth + turn,
            back_azimuth=paths.back_azimuth + turn,
        ),
        sites,
    )


def distance_correction(distance: np.ndarray) -> np.ndarray:
    """
    Distance correction -log A0 of the local magnitude (Hutton & Boore 1987).

    ML is the sum of this correction and log10 of the Wood-Anderson amplitude in mm at a static
    magnification of 2080.

    :param distance: Hypocentral distance in km.
    """
    distance = np.maximum(distance, 1.0)
    return 1.11 * np.log10(distance / 100) + 0.00189 * (distance - 100) + 3.0


def _select(part, rows: np.ndarray):
    return type(part)(**{f.name: getattr(part, f.name)[rows] for f in fields(part)})
