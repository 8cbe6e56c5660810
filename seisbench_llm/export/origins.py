"""
What a table of events says of a location, as QuakeML's origin has it; and back.

Columns are those of ``EVENT_TYPES``; docs/reference/tables.md describes them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import obspy
import pandas as pd
from obspy.core.event import (
    Catalog,
    ConfidenceEllipsoid,
    Event,
    Magnitude,
    Origin,
    OriginQuality,
    OriginUncertainty,
    QuantityError,
)
from obspy.geodetics import degrees2kilometers, kilometers2degrees
from scipy.stats import chi2

from .names import event_names
from .tables import EVENT_TYPES, typed
from .times import timestamp

# Of the uncertainty regions: one standard deviation of a single quantity.
CONFIDENCE = 0.6827

# Semi-axes of the region of an epicentre, and of the ellipsoid of a hypocentre, in standard
# deviations.
REGION = float(np.sqrt(-2 * np.log(1 - CONFIDENCE)))
ELLIPSOID = float(np.sqrt(chi2.ppf(CONFIDENCE, 3)))

# Columns of the covariance in km^2, and its axes: east, north, down.
COVARIANCE = {"ee": (0, 0), "nn": (1, 1), "zz": (2, 2), "en": (0, 1), "ez": (0, 2), "nz": (1, 2)}

# Methods of magnitudes: from amplitudes, from the estimates of models, and joined. A monitor names
# the weight instead of "models".
_OURS = "smi:local/seisbench_llm/"
_WOOD_ANDERSON, _FUSED, _MODELS = (_OURS + name for name in ("wood_anderson", "fused", "models"))

# Column magnitude_source -> method.
_SOURCES = {"amplitudes and models": _FUSED, "amplitudes": _WOOD_ANDERSON, "models": _MODELS}

_NUMBER = r"(-?\d+(?:\.\d+)?)"
_QUALITY = "quality {quality}"
_LIKELIEST = "most probable hypocentre {latitude:.5f} {longitude:.5f}, depth {depth:.3f} km"
_INTERVAL = "depth not resolved, 68 % from {low:.3f} to {high:.3f} km"
_READ_LIKELIEST = f"most probable hypocentre {_NUMBER} {_NUMBER}, depth {_NUMBER} km$"
_READ_INTERVAL = f"depth not resolved, 68 % from {_NUMBER} to {_NUMBER} km$"


def number(row: Mapping, column: str) -> float | None:
    """A number of a row; None if it is not there or not finite."""
    value = row.get(column)
    return None if value is None or not np.isfinite(value) else float(value)


def origin_texts(row: Mapping) -> list[str]:
    """What QuakeML has no place for, as texts of comments."""
    texts = []
    if isinstance(row.get("quality"), str):
        texts.append(_QUALITY.format(quality=row["quality"]))
    place = [number(row, f"map_{name}") for name in ("latitude", "longitude", "depth_km")]
    if None not in place:
        values = dict(zip(("latitude", "longitude", "depth"), place, strict=True))
        texts.append(_LIKELIEST.format(**values))
    low, high = number(row, "depth_low_km"), number(row, "depth_high_km")
    if number(row, "depth_km") is None and low is not None and high is not None:
        texts.append(_INTERVAL.format(low=low, high=high))
    return texts


def origin_fields(row: Mapping) -> dict:
    """
    Attributes of an origin with all that is known of its uncertainty.

    Standard deviations of latitude and longitude follow from the ellipse of 68 %. A depth that is
    not resolved is left out.

    :param row: A row of a table of events; columns that are missing are not known.
    """
    depth = number(row, "depth_km")
    fields: dict = {
        "time_errors": _error(number(row, "time_uncertainty")),
        "depth": None if depth is None else depth * 1e3,
        "depth_type": None if depth is None else "from location",
        "depth_errors": _depth_error(row, depth),
        "quality": OriginQuality(
            used_phase_count=_count(row, "picks"),
            used_station_count=_count(row, "stations"),
            standard_error=number(row, "rms"),
            azimuthal_gap=number(row, "azimuthal_gap"),
            minimum_distance=_degrees(number(row, "nearest_station_km")),
        ),
    }
    names = ("ellipse_major_km", "ellipse_minor_km", "ellipse_azimuth", "uncertainty_km")
    major, minor, azimuth, farthest = (number(row, name) for name in names)
    if major is None or minor is None or azimuth is None:
        return fields
    angle = np.radians(azimuth)
    north = np.hypot(major * np.cos(angle), minor * np.sin(angle)) / REGION
    east = np.hypot(major * np.sin(angle), minor * np.cos(angle)) / REGION
    parallel = max(np.cos(np.radians(row["latitude"])), 1e-3)
    fields["latitude_errors"] = _error(kilometers2degrees(north))
    fields["longitude_errors"] = _error(kilometers2degrees(east) / parallel)
    fields["origin_uncertainty"] = OriginUncertainty(
        horizontal_uncertainty=(major if farthest is None else farthest) * 1e3,
        min_horizontal_uncertainty=minor * 1e3,
        max_horizontal_uncertainty=major * 1e3,
        azimuth_max_horizontal_uncertainty=azimuth,
        preferred_description="uncertainty ellipse",
        confidence_level=100 * CONFIDENCE,
        confidence_ellipsoid=_ellipsoid(covariance_of(row)),
    )
    return fields


def magnitudes_of(row: Mapping, origin: Origin) -> list[Magnitude]:
    """
    Magnitudes of a row of a table of events, the event's own one first.

    :param origin: The origin that they belong to.
    """
    method = _SOURCES.get(row.get("magnitude_source"))  # type: ignore[arg-type]
    methods = {"magnitude": method, "ml": _WOOD_ANDERSON, "model_magnitude": _MODELS}
    magnitudes = []
    for name, its_method in methods.items():
        value = number(row, name)
        # A magnitude of one kind is not there twice.
        if value is None or (name != "magnitude" and its_method == method):
            continue
        one = Magnitude(mag=value, origin_id=origin.resource_id.id)
        one.magnitude_type = None if its_method is None else "ML"
        one.mag_errors = _error(number(row, f"{name}_spread"))
        one.station_count = _count(row, f"{name}_stations") or None
        one.method_id = its_method
        magnitudes.append(one)
    return magnitudes


def covariance_of(row: Mapping) -> np.ndarray | None:
    """Covariance of east, north and down in km^2, shape (3, 3); None if it is not known."""
    values = {name: number(row, f"cov_{name}") for name in COVARIANCE}
    matrix = np.zeros((3, 3))
    for name, (i, j) in COVARIANCE.items():
        if values[name] is None:
            return None
        matrix[i, j] = matrix[j, i] = values[name]
    return matrix


def _ellipsoid(covariance: np.ndarray | None) -> ConfidenceEllipsoid:
    """
    The ellipsoid of 68 %, angles as QuakeML 1.2 (section 4.2.4) has them.

    Without a rotation, the smallest axis lies in the plane of the largest one and the vertical.
    """
    if covariance is None:
        # Left empty; ObsPy reads a file without one like that, too.
        return ConfidenceEllipsoid()
    values, vectors = np.linalg.eigh(covariance)
    minor, middle, major = 1e3 * ELLIPSOID * np.sqrt(np.maximum(values, 0))
    axis = vectors[:, 2] if vectors[2, 2] >= 0 else -vectors[:, 2]
    above, beside = _frame(axis)
    turn = np.degrees(np.arctan2(vectors[:, 0] @ beside, vectors[:, 0] @ above)) % 180
    return ConfidenceEllipsoid(
        semi_major_axis_length=float(major),
        semi_intermediate_axis_length=float(middle),
        semi_minor_axis_length=float(minor),
        major_axis_plunge=float(np.degrees(np.arcsin(np.clip(axis[2], -1, 1)))),
        major_axis_azimuth=float(np.degrees(np.arctan2(axis[0], axis[1])) % 360),
        major_axis_rotation=float(turn),
    )


def _frame(axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions across an axis: in the plane of it and the vertical, and beside that plane."""
    down = np.array([0.0, 0.0, 1.0])
    across = down - (down @ axis) * axis
    if np.linalg.norm(across) < 1e-9:
        across = np.array([0.0, 1.0, 0.0])
    across /= np.linalg.norm(across)
    return across, np.cross(axis, across)


def _covariance(ellipsoid: ConfidenceEllipsoid) -> dict[str, float]:
    """Columns of the covariance of an ellipsoid; none if it is empty."""
    names = ("major_axis_plunge", "major_axis_azimuth", "major_axis_rotation")
    angles = [getattr(ellipsoid, name) for name in names]
    sizes = [
        getattr(ellipsoid, f"semi_{name}_axis_length")
        for name in ("major", "intermediate", "minor")
    ]
    if None in angles or None in sizes:
        return {}
    plunge, azimuth, rotation = np.radians(angles)
    flat = np.cos(plunge)
    axis = np.array([flat * np.sin(azimuth), flat * np.cos(azimuth), np.sin(plunge)])
    above, beside = _frame(axis)
    minor = np.cos(rotation) * above + np.sin(rotation) * beside
    axes = np.stack([axis, np.cross(axis, minor), minor])
    matrix = (axes.T * (np.array(sizes) / 1e3 / ELLIPSOID) ** 2) @ axes
    return {f"cov_{name}": float(matrix[at]) for name, at in COVARIANCE.items()}


def _depth_error(row: Mapping, depth: float | None) -> QuantityError:
    error = number(row, "depth_uncertainty_km")
    if depth is None or error is None:
        return QuantityError()
    low, high = number(row, "depth_low_km"), number(row, "depth_high_km")
    if low is None or high is None:
        return QuantityError(uncertainty=error * 1e3)
    return QuantityError(
        uncertainty=error * 1e3,
        lower_uncertainty=max(depth - low, 0.0) * 1e3,
        upper_uncertainty=max(high - depth, 0.0) * 1e3,
        confidence_level=100 * CONFIDENCE,
    )


def _uncertainty(errors: QuantityError | None) -> float | None:
    """Some of ObsPy's readers leave None instead of empty errors."""
    return None if errors is None else errors.uncertainty


def _error(value: float | None) -> QuantityError:
    return QuantityError() if value is None else QuantityError(uncertainty=float(value))


def _count(row: Mapping, column: str) -> int | None:
    value = number(row, column)
    return None if value is None else int(value)


def _degrees(km: float | None) -> float | None:
    return None if km is None else float(kilometers2degrees(km))


def catalog_to_events(catalog: Catalog) -> pd.DataFrame:
    """
    Table of the events of a catalogue that have an origin.

    :param catalog: As this package writes it; of any other, what it holds.
    :return: Columns of ``EVENT_TYPES``; what the catalogue does not hold is empty.
    """
    events = [event for event in catalog if event.origins]
    rows = [_row(*pair) for pair in zip(events, event_names(events), strict=True)]
    return typed(rows, EVENT_TYPES)


def _row(event: Event, name: str) -> dict:
    origin = event.preferred_origin() or event.origins[0]
    texts = [comment.text or "" for comment in origin.comments]
    row: dict = {
        "event_id": name,
        "time": None if origin.time is None else timestamp(origin.time),
        "time_uncertainty": _uncertainty(origin.time_errors),
        "latitude": origin.latitude,
        "longitude": origin.longitude,
        "at_edge": any(text.startswith("At the edge") for text in texts),
        "method": str(origin.method_id or "").rpartition("/")[2].replace("_", " ") or None,
        "picks": len(origin.arrivals),
        "stations": 0,
        **_depth_columns(origin, texts),
        **_region_columns(origin),
    }
    for text in texts:
        if match := re.match(r"quality (\w)$", text):
            row["quality"] = match[1]
        elif match := re.match(_READ_LIKELIEST, text):
            names = ("map_latitude", "map_longitude", "map_depth_km")
            row |= dict(zip(names, map(float, match.groups()), strict=True))
    if origin.quality:
        quality = origin.quality
        row |= {
            "picks": quality.used_phase_count or row["picks"],
            "stations": quality.used_station_count or 0,
            "rms": quality.standard_error,
            "azimuthal_gap": quality.azimuthal_gap,
        }
        if quality.minimum_distance is not None:
            row["nearest_station_km"] = degrees2kilometers(quality.minimum_distance)
    for one in event.magnitudes:
        row |= _magnitude_columns({"amplitudes": "ml", "models": "model_magnitude"}, one)
    magnitude = event.preferred_magnitude() or next(iter(event.magnitudes), None)
    if magnitude is not None:
        source = _source_of(magnitude)
        row["magnitude_source"] = source
        row |= _magnitude_columns({source: "magnitude"}, magnitude)
    return row


def _source_of(magnitude: Magnitude) -> str | None:
    """What a magnitude is made of, as in the column magnitude_source; None if it is not ours."""
    method = str(magnitude.method_id or "")
    known = {method: source for source, method in _SOURCES.items()}
    return known.get(method, "models" if method.startswith(_OURS) else None)


def _magnitude_columns(names: Mapping, magnitude: Magnitude) -> dict:
    """Columns of a magnitude, if its source is one of these."""
    name = names.get(_source_of(magnitude))
    if name is None:
        return {}
    return {
        name: magnitude.mag,
        f"{name}_spread": _uncertainty(magnitude.mag_errors),
        f"{name}_stations": magnitude.station_count,
    }


def _depth_columns(origin: Origin, texts: list[str]) -> dict:
    if origin.depth is None:
        found = next((match for text in texts if (match := re.match(_READ_INTERVAL, text))), None)
        if found is None:
            return {"depth_resolved": False}
        low, high = map(float, found.groups())
        return {"depth_resolved": False, "depth_low_km": low, "depth_high_km": high}
    # Some of ObsPy's readers leave None here.
    errors, depth = origin.depth_errors or QuantityError(), origin.depth / 1e3
    row = {"depth_resolved": True, "depth_km": depth}
    if errors.uncertainty is not None:
        row["depth_uncertainty_km"] = errors.uncertainty / 1e3
    if errors.lower_uncertainty is not None and errors.upper_uncertainty is not None:
        row["depth_low_km"] = depth - errors.lower_uncertainty / 1e3
        row["depth_high_km"] = depth + errors.upper_uncertainty / 1e3
    return row


def _region_columns(origin: Origin) -> dict:
    region = origin.origin_uncertainty
    if region is None or region.max_horizontal_uncertainty is None:
        return {}
    return {
        "uncertainty_km": (region.horizontal_uncertainty or np.nan) / 1e3,
        "ellipse_major_km": region.max_horizontal_uncertainty / 1e3,
        "ellipse_minor_km": (region.min_horizontal_uncertainty or np.nan) / 1e3,
        "ellipse_azimuth": region.azimuth_max_horizontal_uncertainty,
        **_covariance(region.confidence_ellipsoid or ConfidenceEllipsoid()),
    }


def utc(time: pd.Timestamp) -> obspy.UTCDateTime:
    """A time of a table as ObsPy has it."""
    return obspy.UTCDateTime(ns=time.as_unit("ns").value)
