import dataclasses

import numpy as np
import pytest

from seisbench_llm.monitor.posterior import ErrorModel, Locator, Observations
from seisbench_llm.monitor.velocity import VelocityModel

MODEL = VelocityModel.crust()
# Neither the error of the layers nor few deep events are part of the simulation.
ERRORS = ErrorModel(depth=0.0, shallow=np.inf)
LIMITS = (-80.0, 80.0)


def observe(x, y, source, errors=ERRORS, rng=None, pick=0.1):
    """P and S of a source, with errors as an ErrorModel has them if there is a generator."""
    n = len(x)
    x, y, phases = np.tile(x, 2), np.tile(y, 2), np.array(["P"] * n + ["S"] * n, dtype=object)
    away = np.hypot(x - source[0], y - source[1])
    travel = np.array(
        [MODEL.times(p, 0.0, [source[2]], [d])[0, 0] for p, d in zip(phases, away, strict=True)]
    )
    times, is_s = travel.copy(), phases == "S"
    if rng is not None:
        own = np.sqrt(
            pick**2 + np.where(is_s, errors.s, errors.p) ** 2 + (errors.share * travel) ** 2
        )
        ratio = rng.normal() * errors.ratio
        times += travel * rng.normal() * errors.scale
        times += is_s * ratio * (travel + errors.delay / errors.ratio)
        times += own * rng.standard_t(errors.freedom, 2 * n)
    zeros = np.zeros(2 * n)
    return Observations(x, y, zeros, phases, times, np.full(2 * n, pick))


def circle(n, radius=20.0):
    angle = np.arange(n) * 2 * np.pi / n
    return radius * np.cos(angle), radius * np.sin(angle)


def inside(found, source):
    major, minor, azimuth = found.region(0.6827)
    east, north = np.asarray(source[:2]) - found.mean[:2]
    angle = np.radians(azimuth)
    along = east * np.sin(angle) + north * np.cos(angle)
    across = east * np.cos(angle) - north * np.sin(angle)
    return (along / major) ** 2 + (across / minor) ** 2 <= 1


def test_exact_picks_are_where_they_were():
    source = (4.0, -3.0, 9.0)
    found = Locator(MODEL, ERRORS).locate(observe(*circle(8), source), LIMITS, LIMITS)
    assert np.allclose(found.mean[:2], source[:2], atol=0.2)
    assert np.allclose(found.likeliest[:2], source[:2], atol=0.4)
    assert abs(found.depths(0.68)[2] - 9.0) < 1.5 and abs(found.mean[3]) < 0.3
    assert np.abs(found.residuals).max() < 0.1 and found.at_edge < 1e-3
    assert (found.weights > 0.9).all()


@pytest.mark.parametrize("stations", [3, 8])
def test_regions_hold_what_they_say(stations):
    """With errors as assumed, 68 % of epicentres and of depths."""
    rng = np.random.default_rng(stations)
    locator, held, deep = Locator(MODEL, ERRORS), [], []
    for _ in range(50):
        source = (*rng.uniform(-15, 15, 2), rng.uniform(0, 30))
        picks = observe(*rng.uniform(-30, 30, (2, stations)), source, rng=rng)
        found = locator.locate(picks, LIMITS, LIMITS)
        held.append(inside(found, source))
        low, high, _ = found.depths(0.6827)
        deep.append(low <= source[2] <= high)
    assert 0.52 < np.mean(held) < 0.84
    assert 0.52 < np.mean(deep) < 0.84


def test_an_outlier_loses_its_weight():
    source = (4.0, -3.0, 9.0)
    picks = observe(*circle(8), source)
    times = picks.times.copy()
    times[2] += 3.0
    found = Locator(MODEL, ERRORS).locate(dataclasses.replace(picks, times=times), LIMITS, LIMITS)
    assert found.weights[2] < 0.05 and np.delete(found.weights, 2).min() > 0.5
    assert np.hypot(*(found.mean[:2] - source[:2])) < 0.5
    assert found.residuals[2] == pytest.approx(3.0, abs=0.3)


def test_uncertain_picks_make_wide_regions():
    picks = observe(*circle(5), (4.0, -3.0, 9.0))
    wide = dataclasses.replace(picks, uncertainty=np.full(10, 1.0))
    locator = Locator(MODEL, ERRORS)
    narrow, wide = (locator.locate(p, LIMITS, LIMITS).region(0.68)[0] for p in (picks, wide))
    assert wide > 2 * narrow


def test_more_stations_do_not_undo_what_all_share():
    """An error of the whole medium stays, however many picks there are."""
    source, few, many = (0.0, 0.0, 9.0), circle(12, 60.0), circle(48, 60.0)
    exact = ErrorModel(scale=1e-4, ratio=1e-4, delay=1e-4, depth=0.0, shallow=np.inf)
    widths = {}
    for name, errors in (("shared", ERRORS), ("own", exact)):
        locator = Locator(MODEL, errors)
        widths[name] = [
            np.sqrt(locator.locate(observe(*net, source), LIMITS, LIMITS).covariance[3, 3])
            for net in (few, many)
        ]
    assert widths["own"][1] < 0.6 * widths["own"][0]
    assert widths["shared"][1] > 0.8 * widths["shared"][0]


def test_an_event_outside_is_at_the_edge():
    picks = observe(*circle(6, 10.0), (95.0, 0.0, 9.0))
    found = Locator(MODEL, ERRORS).locate(picks, LIMITS, LIMITS)
    assert found.at_edge > 0.05
    deep = Locator(MODEL, ERRORS, (0.0, 10.0)).locate(
        observe(*circle(6), (0.0, 0.0, 25.0)), LIMITS, LIMITS
    )
    assert deep.at_edge > 0.05 and deep.likeliest[2] <= 10


def test_layers_that_are_wrong_make_depths_less_certain():
    picks = observe(*circle(12), (0.0, 0.0, 9.0))
    widths = []
    for depth in (0.0, 4.0):
        errors = dataclasses.replace(ERRORS, depth=depth)
        found = Locator(MODEL, errors).locate(picks, LIMITS, LIMITS)
        low, high, _ = found.depths(0.6827)
        widths.append((high - low, found.covariance[2, 2]))
    assert widths[1][0] > 1.05 * widths[0][0] and widths[1][1] == pytest.approx(widths[0][1] + 16)
