"""Velocity models with horizontal layers, and times of their first arrivals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

# Default continental crust: depth of the top in km below sea level, vp in km/s. The uppermost
# kilometres are slow, because a medium without slow layers puts events too deep. The deeper layers
# are IASP91 (Kennett and Engdahl 1991, doi:10.1111/j.1365-246X.1991.tb06724.x) with an additional
# step at 12 km.
CRUST = ((-9.0, 4.5), (1.0, 5.3), (3.0, 5.8), (12.0, 6.2), (20.0, 6.5), (35.0, 8.04))

# Distances of tables are equally spaced in asinh(distance / _DENSE_KM), and so dense near the
# source. In km.
_DENSE_KM = 10.0
_STEP = 0.03

# Tangents of the ray angles in the fastest layer that a ray crosses, up to a grazing ray.
_TANGENTS = np.concatenate([np.linspace(0, 1, 25)[:-1], np.geomspace(1, 1e5, 150)])

PHASES = ("P", "S")


# Radius of the Earth. Most tables in metres exceed it.
_EARTH_KM = 6371.0


@dataclass(frozen=True)
class VelocityModel:
    """
    Horizontal layers, each with one velocity of P and one of S.

    :param tops: Depth of the top of each layer in km below sea level, ascending. The first layer
        extends up to the highest station. The last layer is a half-space.
    :param vp: P velocity of each layer in km/s.
    :param vs: S velocity of each layer in km/s.
    :param name: Name of the model in results.
    :raises ValueError: If velocities are impossible, or tops do not ascend.
    """

    tops: tuple[float, ...]
    vp: tuple[float, ...]
    vs: tuple[float, ...]
    name: str = "layers"

    def __post_init__(self):
        """Check the layers."""
        tops, vp, vs = (np.asarray(v, dtype=float) for v in (self.tops, self.vp, self.vs))
        if not (len(tops) == len(vp) == len(vs) > 0):
            raise ValueError(f"The velocity model {self.name} needs a vp and a vs for each layer.")
        if not np.isfinite([tops, vp, vs]).all() or (np.diff(tops) <= 0).any():
            raise ValueError(f"The depths of the velocity model {self.name} must ascend.")
        if np.abs(tops).max() > _EARTH_KM:
            raise ValueError(
                f"The velocity model {self.name} has a depth of {np.abs(tops).max():g} km; depths "
                f"are in km, not in m."
            )
        if not ((vs > 0) & (vp > vs) & (vp < 15)).all():
            raise ValueError(
                f"The velocity model {self.name} is not possible: in each layer, vp and vs in km/s "
                f"must be above 0, vp above vs, and below 15."
            )

    @classmethod
    def crust(cls, vp_vs: float = 1.73) -> VelocityModel:
        """
        Default continental crust (``CRUST``).

        :param vp_vs: Ratio of the P and S velocities.
        """
        tops, vp = zip(*CRUST, strict=True)
        return cls(tops, vp, tuple(v / vp_vs for v in vp), f"continental crust, vp/vs {vp_vs:g}")

    @classmethod
    def homogeneous(cls, vp: float = 6.0, vp_vs: float = 1.73) -> VelocityModel:
        """A uniform medium, with vp in km/s."""
        return cls((-9.0,), (vp,), (vp / vp_vs,), f"homogeneous, vp {vp:g} km/s, vp/vs {vp_vs:g}")

    @classmethod
    def read(cls, source, vp_vs: float = 1.73) -> VelocityModel:
        """
        Read a model from a table or file.

        :param source: A model, a DataFrame, or a CSV file with the columns ``depth_km`` (or
            ``depth``; top of a layer in km below sea level), ``vp`` and, optionally, ``vs`` in
            km/s. Lines that begin with # are comments. None gives :py:meth:`crust`.
        :param vp_vs: Ratio of the P and S velocities, if there is no column ``vs``.
        :raises ValueError: If the table is not a velocity model. The message names the file.
        :raises FileNotFoundError: If the file does not exist.
        """
        if source is None:
            return cls.crust(vp_vs)
        if isinstance(source, VelocityModel):
            return source
        name = "layers"
        if isinstance(source, str | Path):
            path = Path(source)
            if not path.is_file():
                raise FileNotFoundError(f"There is no file {path} with a velocity model.")
            name = path.name
            try:
                source = pd.read_csv(path, comment="#", index_col=False, skipinitialspace=True)
            except (ValueError, UnicodeDecodeError) as error:
                raise ValueError(f"{path} is not a table of velocities: {error}") from error
        if not isinstance(source, pd.DataFrame):
            raise ValueError(f"A velocity model must be a table or a file, not {source!r}.")
        table = source.rename(columns=lambda column: str(column).strip().lower())
        table = table.rename(columns={"depth": "depth_km"})
        missing = [column for column in ("depth_km", "vp") if column not in table]
        if missing:
            raise ValueError(
                f"The velocity model {name} has no column {', '.join(missing)}; it needs depth_km "
                f"(tops of layers, below sea level), vp and, if it is known, vs in km/s."
            )
        numbers = {c: pd.to_numeric(table[c], errors="coerce") for c in table if c != "name"}
        vs = numbers.get("vs", numbers["vp"] / vp_vs)
        return cls(tuple(numbers["depth_km"]), tuple(numbers["vp"]), tuple(vs), name)

    @cached_property
    def _tables(self) -> dict[tuple, np.ndarray]:
        return {}

    def speeds(self, phase: str) -> np.ndarray:
        """Velocity of a phase in each layer in km/s."""
        return np.asarray(self.vp if phase == "P" else self.vs, dtype=float)

    def times(self, phase: str, elevation: float, depths, distances) -> np.ndarray:
        """
        Travel times of the first arrivals, which are direct rays or head waves.

        :param phase: P or S.
        :param elevation: Elevation of the station in km above sea level.
        :param depths: Depths of the sources in km below sea level, shape (n,).
        :param distances: Epicentral distances in km, shape (m,).
        :return: Travel times in s, shape (n, m).
        """
        distances = np.asarray(distances, dtype=float)
        return np.stack([self._first(phase, -elevation, z, distances) for z in np.ravel(depths)])

    def _first(self, phase: str, receiver: float, source: float, x: np.ndarray) -> np.ndarray:
        speeds = self.speeds(phase)
        edges = np.append(self.tops, np.inf)
        edges[0] = -np.inf
        upper, lower = min(receiver, source), max(receiver, source)

        def thickness(top: float, bottom: float) -> np.ndarray:
            return np.clip(np.minimum(edges[1:], bottom) - np.maximum(edges[:-1], top), 0, None)

        between = thickness(upper, lower)
        passed = between > 1e-6
        if passed.any():
            h, v = between[passed, None], speeds[passed, None]
            # Sines of the angles from the tangent in the fastest layer. This is exact for grazing
            # rays.
            ratio, fastest = v / v.max(), _TANGENTS / np.hypot(1, _TANGENTS)
            sine = ratio * fastest
            cosine = np.sqrt((1 - ratio**2) + (ratio / np.hypot(1, _TANGENTS)) ** 2)
            first = np.interp(x, (h * sine / cosine).sum(0), (h / (v * cosine)).sum(0))
            # Beyond its reach, a ray that grazes the fastest layer continues along it.
            reach = (h * sine / cosine).sum(0)[-1]
            first += np.clip(x - reach, 0, None) / v.max()
        else:
            first = (
                x
                / speeds[np.searchsorted(edges[1:], lower, side="right").clip(max=len(speeds) - 1)]
            )
        for layer in range(1, len(speeds)):
            top = edges[layer]
            if top < lower:
                continue
            legs = thickness(receiver, top) + thickness(source, top)
            used = legs > 0
            if (used & (speeds >= speeds[layer])).any():
                continue
            cosine = np.sqrt(1 - (speeds[used] / speeds[layer]) ** 2)
            critical = (legs[used] * speeds[used] / speeds[layer] / cosine).sum()
            time = x / speeds[layer] + (legs[used] * cosine / speeds[used]).sum()
            first = np.where(x >= critical, np.minimum(first, time), first)
        return first

    def table(self, phase: str, elevation: float, depths: np.ndarray, reach: float) -> np.ndarray:
        """
        Cached table of travel times over depth and distance, see :py:func:`look_up`.

        :param phase: P or S.
        :param elevation: Elevation of the station in km, rounded to 50 m.
        :param depths: Equally spaced depths in km.
        :param reach: Largest distance in km.
        """
        elevation = round(elevation * 20) / 20
        count = int(np.ceil(np.arcsinh(max(reach, 1.0) / _DENSE_KM) / _STEP / 20) * 20) + 2
        key = (phase, elevation, float(depths[0]), float(depths[-1]), len(depths), count)
        if key not in self._tables:
            distances = _DENSE_KM * np.sinh(_STEP * np.arange(count))
            self._tables[key] = self.times(phase, elevation, depths, distances)
        return self._tables[key]


def look_up(tables: Sequence[np.ndarray], depths: np.ndarray, depth, distance) -> list[np.ndarray]:
    """
    Travel times between the nodes of tables, by bilinear interpolation.

    :param tables: Tables of :py:meth:`VelocityModel.table`, all of the same shape.
    :param depths: Depths of the tables in km.
    :param depth: Depths of the sources in km, of any shape.
    :param distance: Distances in km, of the same shape.
    :return: Travel times of each table in s, of the same shape.
    """
    height, width = tables[0].shape
    nodes = _DENSE_KM * np.sinh(_STEP * np.arange(width))
    j = np.clip((np.arcsinh(distance / _DENSE_KM) / _STEP).astype(int), 0, width - 2)
    row = (depth - depths[0]) / (depths[1] - depths[0])
    i = np.clip(row.astype(int), 0, height - 2)
    near = nodes[j]
    v, u = (distance - near) / (nodes[j + 1] - near), row - i
    k = i * width + j
    corners = ((k, (1 - u) * (1 - v)), (k + 1, (1 - u) * v), (k + width, u * (1 - v)))
    last = (k + width + 1, u * v)
    times = []
    for table in tables:
        flat = table.ravel()
        times.append(sum((flat[at] * share for at, share in corners), flat[last[0]] * last[1]))
    return times
