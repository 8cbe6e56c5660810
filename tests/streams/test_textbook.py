"""Estimates of the textbook, on what is known beforehand."""

import numpy as np
import pytest

from seisbench_llm.streams.textbook import (
    combine_angles,
    polarisation_back_azimuth,
    sp_epicentral_distance,
)


def test_far_away_it_is_the_usual_rule():
    distance, error = sp_epicentral_distance(np.array([10.0, 40.0]))
    np.testing.assert_allclose(distance, np.sqrt((8 * np.array([10, 40])) ** 2 - 7.5**2))
    np.testing.assert_allclose(error / distance, 0.2, atol=0.002)


def test_error_holds_for_sources_anywhere_in_the_crust():
    rng = np.random.default_rng(0)
    epicentral = 60 * np.sqrt(rng.uniform(0, 1, 20000))  # uniform in area
    depth = rng.uniform(0, 15, epicentral.size)
    velocity = 8.0 * (1 + 0.1 * rng.standard_normal(epicentral.size))
    distance, error = sp_epicentral_distance(np.hypot(epicentral, depth) / velocity)
    inside = np.abs(distance - epicentral) <= error
    assert 0.75 < inside.mean() < 0.97
    assert np.mean(np.abs(distance - epicentral) <= 2 * error) > 0.94


def p_wave(back_azimuth, sign=1.0, rate=100.0, noise=0.01, incidence=30.0):
    """Z, N, E of a P from somewhere, its onset at sample 200."""
    rng = np.random.default_rng(int(back_azimuth))
    time = np.arange(-200, 312) / rate
    pulse = sign * np.where(time > 0, time * np.exp(-8 * time) * np.cos(20 * time), 0)
    away = np.radians(back_azimuth + 180)
    slope = np.radians(incidence)
    ray = [np.cos(slope), np.sin(slope) * np.cos(away), np.sin(slope) * np.sin(away)]
    window = np.outer(ray, pulse / np.abs(pulse).max())
    return window + noise * rng.standard_normal(window.shape)


@pytest.mark.parametrize("back_azimuth", [0.0, 45.0, 130.0, 220.0, 359.0])
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e9])
def test_direction_of_a_p_wave(back_azimuth, sign, scale):
    window = scale * p_wave(back_azimuth, sign)
    value, error = polarisation_back_azimuth(window, 100.0, 200)
    assert abs((value - back_azimuth + 180) % 360 - 180) < 3
    assert 28 < error < 31


def test_noise_knows_no_direction():
    window = np.random.default_rng(0).standard_normal((3, 512))
    assert polarisation_back_azimuth(window, 100.0, 200)[1] > 80


@pytest.mark.parametrize("onset", [-1, 505])
def test_no_direction_without_data(onset):
    assert np.isnan(polarisation_back_azimuth(p_wave(30.0), 100.0, onset)).all()
    dead = p_wave(30.0)
    dead[2] = 5.0
    assert np.isnan(polarisation_back_azimuth(dead, 100.0, 200)).all()


def test_directions_that_agree_are_surer_and_opposite_ones_tell_nothing():
    assert combine_angles([10, 10], [30, 30])[1] == pytest.approx(30 / np.sqrt(2))
    assert combine_angles([10, 190], [30, 30])[1] == 180
    assert combine_angles([10, 100], [10, 60])[0] == pytest.approx(11.6, abs=0.2)
    assert combine_angles([10, np.nan], [30, np.nan]) == pytest.approx((10, 30))
    assert np.isnan(combine_angles([np.nan], [np.nan])).all()
