"""
Posterior of the hypocentre and origin time of an event.

The model of a pick time is: origin time + travel time * (1 + a) + error for P, and origin time +
travel time * (1 + a + b) + error for S, with an additional delay for S that is proportional to b.
The errors of picks and of the layered model at a station have Student's t-distribution, so that a
wrong pick loses its weight. a and b are relative errors of the velocity model and of its ratio
vp/vs. All stations share them, so that they do not become smaller with more stations. Origin time,
a and b are integrated out in each cell (Laplace). What remains is a posterior over latitude,
longitude and depth. Cells are split where the event may be.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from .velocity import VelocityModel, look_up

# Cells are split until they are smaller than the larger of a size in km and a share of the standard
# deviation of the posterior.
SMALLEST_KM, OF_DEVIATION = 0.05, 0.35

# Only the cells that hold this share of the probability are split, and at most this many.
KEPT, MOST_SPLIT = 0.998, 800

_FIRST_KM = 6.0
_ITERATIONS = 4


@dataclass(frozen=True)
class ErrorModel:
    """
    Errors of pick times in addition to the picks' own uncertainties, and the prior of the depth.

    The defaults were chosen with benchmarks/quality/locations.py.

    :param p: Standard error of the model at one station for P in s.
    :param s: Standard error of the model at one station for S in s.
    :param share: Standard error that grows with the travel time, as a share of the travel time.
    :param scale: Standard error of the factor that all travel times share.
    :param ratio: Standard error of the additional factor that all S travel times share.
    :param delay: Standard error of a delay that all S share, in s. It is proportional to the error
        of ``ratio``. The cause is slow ground near the surface.
    :param freedom: Degrees of freedom of the t-distribution.
    :param depth: Standard error of the depth in km, because the layers are not those of the region.
    :param pick: Uncertainty in s of picks without an uncertainty.
    :param shallow: Scale in km of the exponential prior of the depth: depths become less probable
        by a factor of e over this distance. With infinity, all depths are equally probable.
    """

    p: float = 0.05
    s: float = 0.08
    share: float = 0.015
    scale: float = 0.03
    ratio: float = 0.015
    delay: float = 0.20
    freedom: float = 6.0
    depth: float = 1.0
    pick: float = 0.1
    shallow: float = 15.0


@dataclass(frozen=True)
class Observations:
    """
    Picks of one event, arrays of shape (n,).

    :param x: Station coordinate east of the centre in km.
    :param y: Station coordinate north of the centre in km.
    :param elevation: Station elevation in km.
    :param phases: P or S.
    :param times: Pick times in s.
    :param uncertainty: Uncertainty of the pick times in s, nan if unknown.
    """

    x: np.ndarray
    y: np.ndarray
    elevation: np.ndarray
    phases: np.ndarray
    times: np.ndarray
    uncertainty: np.ndarray

    def stations(self) -> dict[tuple, list[int]]:
        """Coordinates of each station -> indices of its picks."""
        found: dict[tuple, list[int]] = defaultdict(list)
        for index, place in enumerate(zip(self.x, self.y, self.elevation, strict=True)):
            found[place].append(index)
        return found


@dataclass(frozen=True)
class Posterior:
    """
    Posterior probability in cells.

    :param places: East, north and depth of the cells' centres in km, shape (n, 3).
    :param sizes: Sizes of the cells in km, shape (n, 3).
    :param probability: Probability of the cells, shape (n,). The sum is 1.
    :param mean: Mean of east, north, depth (km) and origin time (s), shape (4,).
    :param covariance: Covariance of these four, shape (4, 4).
    :param likeliest: East, north and depth of the cell with the largest density, in km.
    :param residuals: Observed minus predicted time of each pick in s, at the likeliest cell.
    :param weights: Weight of each pick at the likeliest cell, 0 to 1, small for outliers.
    :param at_edge: Probability in cells at the sides or the bottom of the search.
    :param limits: Shallowest and deepest depth of the search in km.
    :param depth_error: ``depth`` of :py:class:`ErrorModel` in km, included in the covariance.
    """

    places: np.ndarray = field(repr=False)
    sizes: np.ndarray = field(repr=False)
    probability: np.ndarray = field(repr=False)
    mean: np.ndarray
    covariance: np.ndarray
    likeliest: np.ndarray
    residuals: np.ndarray
    weights: np.ndarray
    at_edge: float
    limits: tuple[float, float]
    depth_error: float = 0.0

    def region(self, share: float) -> tuple[float, float, float]:
        """
        Ellipse around the mean that contains a share of the probability of the epicentre.

        :param share: Probability, 0 to 1.
        :return: Larger and smaller semi-axis in km, and azimuth of the larger one, 0 to 180
            degrees.
        """
        values, vectors = np.linalg.eigh(self.covariance[:2, :2])
        away = (self.places[:, :2] - self.mean[:2]) @ vectors / np.sqrt(values)
        radius = np.hypot(*away.T)
        order = np.argsort(radius)
        whole = np.cumsum(self.probability[order])
        factor = radius[order][np.searchsorted(whole, share).clip(max=len(whole) - 1)]
        minor, major = factor * np.sqrt(values)
        return float(major), float(minor), float(np.degrees(np.arctan2(*vectors[:, 1])) % 180)

    def depths(self, share: float) -> tuple[float, float, float]:
        """Shortest interval of the depth that contains a share of its probability, and median."""
        # The probability of a cell is uniform over its depths, widened by the error of the layers.
        wide = np.sqrt(self.sizes[:, 2] ** 2 + 12 * self.depth_error**2)
        low = np.maximum(self.places[:, 2] - wide / 2, self.limits[0])
        high = np.minimum(self.places[:, 2] + wide / 2, self.limits[1])
        points = np.linspace(low.min(), high.max(), 400)
        inside = np.clip((points - low[:, None]) / (high - low)[:, None], 0, 1)
        whole = self.probability @ inside
        tops = np.linspace(0, 1 - share, 200)
        starts = np.interp(tops, whole, points)
        ends = np.interp(tops + share, whole, points)
        best = int(np.argmin(ends - starts))
        return float(starts[best]), float(ends[best]), float(np.interp(0.5, whole, points))


class Locator:
    """
    Posteriors of events of one network.

    :param model: Velocity model.
    :param errors: Errors of the model, and of picks without an uncertainty.
    :param depths: Shallowest and deepest depth of the search in km below sea level.
    """

    def __init__(
        self, model: VelocityModel, errors: ErrorModel, depths: tuple[float, float] = (0.0, 30.0)
    ):
        self.model, self.errors, self.limits = model, errors, depths
        count = int(np.ceil((depths[1] - depths[0]) / 0.5)) + 1
        self._depths = np.linspace(depths[0], depths[1], max(count, 2))

    def locate(self, picks: Observations, xlim, ylim) -> Posterior:
        """
        Posterior of an event in a box.

        :param picks: Picks of the event.
        :param xlim: West and east limit of the search in km.
        :param ylim: South and north limit of the search in km.
        """
        low = np.array([xlim[0], ylim[0], self.limits[0]], dtype=float)
        high = np.array([xlim[1], ylim[1], self.limits[1]], dtype=float)
        reach = float(np.hypot(high[0] - low[0], high[1] - low[1]))
        tables = {
            (phase, height): self.model.table(phase, height, self._depths, reach)
            for phase, height in set(zip(picks.phases, picks.elevation, strict=True))
        }
        counts = np.maximum(np.ceil((high - low) / _FIRST_KM).astype(int), 1)
        size = (high - low) / counts
        axes = [a + s * (np.arange(n) + 0.5) for a, s, n in zip(low, size, counts, strict=True)]
        cells = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        for _ in range(20):
            found = self._evaluate(cells, size, picks, tables)
            probability = _normalise(found["log"])
            mean = probability @ cells
            deviation = np.sqrt(probability @ (cells - mean) ** 2)
            if (size <= np.maximum(OF_DEVIATION * deviation, SMALLEST_KM)).all():
                break
            order = np.argsort(-probability)
            few = np.searchsorted(np.cumsum(probability[order]), KEPT) + 1
            if few > MOST_SPLIT:
                break
            # Split cells only along the axes that are still coarse.
            coarse = size > np.maximum(OF_DEVIATION * deviation, SMALLEST_KM)
            kept = cells[order[:few]]
            signs = [(-0.25, 0.25) if c else (0.0,) for c in coarse]
            shifts = np.stack(np.meshgrid(*signs, indexing="ij"), axis=-1).reshape(-1, 3) * size
            cells = (kept[:, None] + shifts).reshape(-1, 3)
            size = np.where(coarse, size / 2, size)
        # The final cells are small enough, so that their size no longer adds to the errors.
        found = self._evaluate(cells, np.zeros(3), picks, tables)
        return self._summary(cells, size, found, picks, (low, high))

    def _evaluate(self, cells, size, picks: Observations, tables) -> dict[str, np.ndarray]:
        """Logarithm of the density in each cell, with origin times, residuals and weights."""
        errors = self.errors
        travel = np.empty((len(cells), len(picks.times)))
        for (x, y, height), indices in picks.stations().items():
            away = np.hypot(cells[:, 0] - x, cells[:, 1] - y)
            own = [tables[picks.phases[index], height] for index in indices]
            for index, column in zip(
                indices, look_up(own, self._depths, cells[:, 2], away), strict=True
            ):
                travel[:, index] = column
        is_s = picks.phases == "S"
        own = np.where(np.isfinite(picks.uncertainty), picks.uncertainty, errors.pick)
        floor = np.where(is_s, errors.s, errors.p)
        # Travel times in a cell differ by about the size of the cell divided by the velocity.
        width = np.linalg.norm(size) / np.sqrt(12) / np.where(is_s, 2.0, 3.5)
        variance = own**2 + floor**2 + width**2 + (errors.share * travel) ** 2
        base = picks.times.mean()
        misfit = picks.times - base - travel
        late = (travel + errors.delay / errors.ratio) * is_s
        # Start from the median, which an outlier does not change.
        residual = misfit - np.median(misfit, axis=1, keepdims=True)
        freedom, penalty = errors.freedom, (0.0, errors.scale**-2, errors.ratio**-2)
        for _ in range(_ITERATIONS):
            weight = (freedom + 1) / (freedom + residual**2 / variance) / variance
            normal, solution = _solve(weight, (travel, late), misfit, penalty)
            residual = misfit - solution[0][:, None] - travel * solution[1][:, None]
            residual -= late * solution[2][:, None]
        inverse, determinant = normal
        fit = -(freedom + 1) / 2 * np.log1p(residual**2 / (freedom * variance))
        log = (fit - np.log(variance) / 2).sum(1) - np.log(determinant) / 2
        log -= (cells[:, 2] - self.limits[0]) / errors.shallow
        log -= sum(p * s**2 for p, s in zip(penalty, solution, strict=True)) / 2
        return {
            "log": log,
            "time": base + solution[0],
            "time_variance": inverse,
            "residual": residual,
            "weight": (freedom + 1) / (freedom + residual**2 / variance),
        }

    def _summary(self, cells, size, found, picks: Observations, box) -> Posterior:
        probability = _normalise(found["log"])
        values = np.column_stack([cells, found["time"] - picks.times[0]])
        mean = probability @ values
        covariance = (values - mean).T @ ((values - mean) * probability[:, None])
        covariance += np.diag([*(size**2 / 12), probability @ found["time_variance"]])
        covariance[2, 2] += self.errors.depth**2
        mean[3] += picks.times[0]
        best = int(np.argmax(probability))
        low, high = box
        outer = ((cells[:, :2] - low[:2] < size[:2]) | (high[:2] - cells[:, :2] < size[:2])).any(1)
        outer |= high[2] - cells[:, 2] < size[2]
        return Posterior(
            cells,
            np.broadcast_to(size, cells.shape),
            probability,
            mean,
            covariance,
            cells[best],
            found["residual"][best],
            np.minimum(found["weight"][best], 1.0),
            float(probability[outer].sum()),
            self.limits,
            self.errors.depth,
        )


def _solve(weight, columns, misfit, penalty):
    """
    Weighted least squares for origin time, a and b in each cell, from the normal equations.

    :return: First entry of the inverse of the normal matrix, its determinant, and the solution.
    """

    def total(*factors):
        return np.einsum(",".join(["cn"] * len(factors)) + "->c", *factors)

    travel, late = columns
    by_travel, by_late = weight * travel, weight * late
    a, b, c = weight.sum(1) + penalty[0], by_travel.sum(1), by_late.sum(1)
    d, f = total(by_travel, travel) + penalty[1], total(by_travel, late)
    g = total(by_late, late) + penalty[2]
    r, s, t = total(weight, misfit), total(by_travel, misfit), total(by_late, misfit)
    minors = (
        d * g - f * f,
        c * f - b * g,
        b * f - c * d,
        a * g - c * c,
        b * c - a * f,
        a * d - b * b,
    )
    determinant = a * minors[0] + b * minors[1] + c * minors[2]
    solution = (
        (minors[0] * r + minors[1] * s + minors[2] * t) / determinant,
        (minors[1] * r + minors[3] * s + minors[4] * t) / determinant,
        (minors[2] * r + minors[4] * s + minors[5] * t) / determinant,
    )
    return (minors[0] / determinant, determinant), solution


def _normalise(log: np.ndarray) -> np.ndarray:
    density = np.exp(log - log.max())
    return density / density.sum()
