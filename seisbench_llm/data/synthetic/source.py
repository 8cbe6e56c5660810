"""Earthquake sources: size, corner frequency, mechanism, radiation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .draws import Draws

# Mean radiation over the focal sphere (Boore & Boatwright 1984).
MEAN_P, MEAN_S = 0.52, 0.63


SUB_EVENTS = 4


@dataclass
class Sources:
    """
    Sources, each an array with one entry per record.

    :param magnitude: Local magnitude ML.
    :param moment: Seismic moment in N m.
    :param depth: Depth in km.
    :param strike, dip, rake: Angles in radians, convention of Aki & Richards (2002).
    :param stress_drop: Stress drop in Pa.
    :param sub_delay: Start of each sub-event as a fraction of the source duration,
        (records, SUB_EVENTS). The first is zero.
    :param sub_weight: Share of each sub-event in the moment, (records, SUB_EVENTS). The sum is 1.
    """

    magnitude: np.ndarray
    moment: np.ndarray
    depth: np.ndarray
    strike: np.ndarray
    dip: np.ndarray
    rake: np.ndarray
    stress_drop: np.ndarray
    sub_delay: np.ndarray
    sub_weight: np.ndarray


def seismic_moment(magnitude: np.ndarray) -> np.ndarray:
    """
    Seismic moment in N m for a local magnitude.

    The moment is the potency log10 P0 = 0.0612 ML^2 + 0.988 ML - 4.87 in km^2 cm (Ben-Zion & Zhu
    2002, southern California), times a rigidity of 30 GPa. The slope grows from 1 to 1.5 with
    magnitude, because the corner frequency falls into the band of the Wood-Anderson seismometer.

    This relation was chosen to fit. With Mw = 2/3 ML + 1.15 (Munafo, Malagnini & Chiaraluce 2016),
    Wood-Anderson magnitudes of the records were about 0.7 too large below ML 2. With the present
    relation, median stress drop and site amplification, their mean agrees with the label. This
    agreement is therefore not an independent check.

    :param magnitude: Local magnitude ML.
    """
    magnitude = np.asarray(magnitude, dtype=float)
    return 3e10 * 1e4 * 10 ** (0.0612 * magnitude**2 + 0.988 * magnitude - 4.87)


def moment_magnitude(moment: np.ndarray) -> np.ndarray:
    """Mw of a moment in N m: (log10 M0 - 9.05) / 1.5 (Hanks & Kanamori 1979)."""
    return (np.log10(moment) - 9.05) / 1.5


def corner_frequency(moment: np.ndarray, stress_drop: np.ndarray, vs: np.ndarray) -> np.ndarray:
    """
    S-wave corner frequency in Hz of a circular crack, fc = 0.37 vs (16/7 stress_drop / M0)^(1/3).

    The relation is from Brune (1970, 1971), with the radius from Eshelby (1957).

    :param moment: Seismic moment in N m.
    :param stress_drop: Stress drop in Pa.
    :param vs: S velocity at the source in m/s.
    """
    return 0.37 * vs * np.cbrt(16 / 7 * stress_drop / moment)


def draw_sources(draws: Draws, magnitude: tuple[float, float]) -> Sources:
    """
    Draw sources as in catalogues of local and regional networks.

    :param magnitude: Smallest and largest ML.
    """
    small, large = magnitude
    common = draws.normal(1.7, 1.1)
    local = np.where(draws.chance(0.85), common, draws.uniform(2.0, large))
    span = large - small
    # Values outside the bounds are folded back, so that none accumulate at a bound.
    local = small + span - np.abs((local - small) % (2 * span) - span)

    crustal = 0.3 + 34 * draws.uniform() ** 2
    depth = np.where(draws.chance(0.07), draws.uniform(35, 150), crustal)
    depth = np.where(local > 5, np.maximum(depth, 4.0), depth)

    moment = seismic_moment(local)
    stress = draws.log_normal(4e6, 0.9)
    count = np.where(draws.chance(0.35 + 0.08 * np.clip(local, 0, 7)), 4, 1)
    active = np.arange(SUB_EVENTS) < count[:, None]
    weight = draws.log_normal(1.0, 0.9, SUB_EVENTS) * active
    delay = draws.uniform(size=SUB_EVENTS)
    delay[:, 0] = 0.0
    return Sources(
        magnitude=local,
        moment=moment,
        depth=depth,
        strike=draws.uniform(0, 2 * np.pi),
        dip=np.arccos(draws.uniform(0, 1)),
        rake=draws.uniform(-np.pi, np.pi),
        stress_drop=np.clip(stress, 1e5, 8e7),
        sub_delay=delay,
        sub_weight=weight / weight.sum(axis=1, keepdims=True),
    )


def radiation(
    sources: Sources, takeoff: np.ndarray, azimuth: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Far-field radiation of a double couple for P, SV and SH (Aki & Richards 2002, eq. 4.89-4.91).

    Positive P is compression, which is motion away from the source.

    :param takeoff: Angle of the ray from downward vertical in radians.
    :param azimuth: Direction from source to station in radians, clockwise from north.
    :return: Factors for P, SV and SH within [-1, 1], of the same shape as the angles.
    """
    phi = azimuth - sources.strike
    sin_d, cos_d = np.sin(sources.dip), np.cos(sources.dip)
    sin_2d, cos_2d = np.sin(2 * sources.dip), np.cos(2 * sources.dip)
    sin_l, cos_l = np.sin(sources.rake), np.cos(sources.rake)
    sin_i, cos_i = np.sin(takeoff), np.cos(takeoff)
    sin_2i, cos_2i = np.sin(2 * takeoff), np.cos(2 * takeoff)
    sin_p, cos_p = np.sin(phi), np.cos(phi)
    sin_2p, cos_2p = np.sin(2 * phi), np.cos(2 * phi)
    p = (
        cos_l * sin_d * sin_i**2 * sin_2p
        - cos_l * cos_d * sin_2i * cos_p
        + sin_l * sin_2d * (cos_i**2 - sin_i**2 * sin_p**2)
        + sin_l * cos_2d * sin_2i * sin_p
    )
    sv = (
        sin_l * cos_2d * cos_2i * sin_p
        - cos_l * cos_d * cos_2i * cos_p
        + 0.5 * cos_l * sin_d * sin_2i * sin_2p
        - 0.5 * sin_l * sin_2d * sin_2i * (1 + sin_p**2)
    )
    sh = (
        cos_l * cos_d * cos_i * sin_p
        + cos_l * sin_d * sin_i * cos_2p
        + sin_l * cos_2d * cos_i * cos_p
        - 0.5 * sin_l * sin_2d * sin_i * sin_2p
    )
    return p, sv, sh
