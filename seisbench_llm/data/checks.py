"""
Checks of any data set in SeisBench's format: onsets, events, stations, rates, splits, waveforms.

A fault is something that no data set should have. A note is something to know of.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import seisbench.data as sbd
from obspy.geodetics import gps2dist_azimuth

from .metadata import (
    COLUMNS,
    SOURCE_COORDINATES,
    STATION_COORDINATES,
    event_of,
    first_column,
    phase_of,
)
from .splits import NAMES
from .waveform_checks import waveform_defects

# Kind -> what is wrong. Those of the first table are faults.
FAULTS = {
    "off_record": "onset outside the record",
    "s_before_p": "S not after P of the same event",
    "double_event": "two events at the same time and place",
    "double_record": "two records of the same instrument and start",
    "split_leak": "records of one event on several sides of the split",
    "distance": "distance that differs from the coordinates",
    "back_azimuth": "back-azimuth that differs from the coordinates",
    "unreadable": "waveform that cannot be read",
    "no_rate": "sampling rate that is unknown or not above 0",
    "length": "length that differs from trace_npts",
    "not_finite": "samples that are not finite",
    "dead": "no component with a signal at the onset",
    "components": "components other than Z, N and E, which are not read",
}
NOTES = {
    "clipped": "clipped after the onset",
    "no_onset": "no record with an onset",
    "other_split": "split that is none of train, dev and test",
    "rates": "several sampling rates",
    "no_station": "station without coordinates",
    "no_source": "source without coordinates",
    "reversed": "polarity at a vertical that is reversed",
}
KINDS = {**FAULTS, **NOTES}

# Examples of each kind in a summary.
EXAMPLES = 5

# Tolerances of distances in km and as a fraction, and of back-azimuths in degrees. Below the
# smallest distance in km, back-azimuths depend on digits.
_DISTANCE = (1.0, 0.02)
_BACK_AZIMUTH, _SMALLEST_KM = 3.0, 2.0


@dataclass(frozen=True)
class Finding:
    """
    Something that a check found.

    :param kind: A key of ``KINDS``.
    :param where: Record, event or station.
    :param detail: What it is.
    """

    kind: str
    where: str
    detail: str = ""


@dataclass
class Report:
    """
    Findings of checks.

    :param findings: All findings.
    :param records: Number of records.
    :param waveforms: Number of records whose waveforms were looked at.
    """

    findings: list[Finding] = field(default_factory=list)
    records: int = 0
    waveforms: int = 0

    @property
    def faults(self) -> list[Finding]:
        """Findings that no data set should have."""
        return [finding for finding in self.findings if finding.kind in FAULTS]

    def to_dict(self) -> dict:
        """Counts and examples of each kind, for JSON. Kinds without a finding have a count of 0."""
        checks = {}
        for kind, meaning in KINDS.items():
            found = [finding for finding in self.findings if finding.kind == kind]
            checks[kind] = {
                "fault": kind in FAULTS,
                "meaning": meaning,
                "count": len(found),
                "examples": [f"{one.where}: {one.detail}" for one in found[:EXAMPLES]],
            }
        return {"records": self.records, "waveforms": self.waveforms, "checks": checks}


def check_dataset(
    dataset: sbd.WaveformDataset,
    sample: int = 1000,
    seconds: float = 300.0,
    *,
    same_time_s: float = 2.0,
    same_place_km: float = 10.0,
) -> Report:
    """
    Check a data set: all metadata, and the waveforms of some records.

    :param dataset: A data set, opened without a sampling rate of its own.
    :param sample: Largest number of records whose waveforms are read. They are evenly spread.
    :param seconds: Time in s after which no further waveform is read.
    :param same_time_s: Largest difference of the origin times of double events.
    :param same_place_km: Largest distance of the epicentres of double events.
    """
    metadata = dataset.metadata
    report = Report(records=len(metadata))
    rows = np.unique(np.linspace(0, len(metadata) - 1, min(sample, len(metadata))).astype(int))
    report.findings += check_metadata(metadata, rows, same_time_s, same_place_km)
    report.findings += _components(metadata)
    columns = [str(name) for name in metadata if phase_of(str(name))]
    if not any(np.isfinite(_numbers(metadata[name])).any() for name in columns):
        report.findings.append(Finding("no_onset", "metadata", ", ".join(columns) or "no columns"))
    end = clock.monotonic() + seconds
    for row in rows:
        if clock.monotonic() > end:
            break
        report.waveforms += 1
        name = _name(metadata, row)
        try:
            waveforms = np.atleast_2d(dataset.get_waveforms(int(row)))
        except Exception as error:
            # SeisBench and HDF5 raise exceptions of many kinds for a damaged file.
            report.findings.append(Finding("unreadable", name, str(error).partition("\n")[0]))
            continue
        found = waveform_defects(waveforms, metadata.iloc[row].to_dict())
        report.findings += [Finding(kind, name, detail) for kind, detail in found]
    return report


def check_metadata(
    metadata: pd.DataFrame,
    rows: Iterable[int] | None = None,
    same_time_s: float = 2.0,
    same_place_km: float = 10.0,
) -> list[Finding]:
    """
    The checks that need no waveforms.

    :param metadata: Metadata of a data set.
    :param rows: Records whose distances are computed anew; all by default.
    """
    rows = range(len(metadata)) if rows is None else rows
    return [
        *_onsets(metadata),
        *double_events(metadata, same_time_s, same_place_km),
        *_double_records(metadata),
        *_split(metadata),
        *_paths(metadata, rows),
        *_rates(metadata),
        *_coordinates(metadata, "no_station", STATION_COORDINATES, _station_names),
        *_coordinates(metadata, "no_source", SOURCE_COORDINATES, _source_names),
    ]


def _name(metadata: pd.DataFrame, row: int) -> str:
    name = metadata["trace_name"].iloc[row] if "trace_name" in metadata else "no name"
    return f"record {row} ({name})"


def _numbers(column: pd.Series) -> np.ndarray:
    return pd.to_numeric(column, errors="coerce").to_numpy(float)


def _onsets(metadata: pd.DataFrame) -> list[Finding]:
    columns = [name for name in metadata if phase_of(str(name))]
    length = _numbers(metadata["trace_npts"]) if "trace_npts" in metadata else np.inf
    found, earliest = [], {}
    for column in columns:
        samples = _numbers(metadata[column])
        # A text is no place in the record either.
        texts = metadata[column].notna().to_numpy() & np.isnan(samples)
        for row in np.flatnonzero((samples < 0) | (samples >= length) | texts):
            value = metadata[column].iloc[row] if texts[row] else f"{samples[row]:g}"
            found.append(Finding("off_record", _name(metadata, row), f"{column} {value}"))
        key = event_of(column), phase_of(column)
        earliest[key] = np.fmin(earliest.get(key, np.full(len(metadata), np.nan)), samples)
    for event, phase in earliest:
        if phase == "P" and (event, "S") in earliest:
            p, s = earliest[event, "P"], earliest[event, "S"]
            found += [
                Finding("s_before_p", _name(metadata, row), f"P {p[row]:g}, S {s[row]:g}")
                for row in np.flatnonzero(s <= p)
            ]
    return found


def double_events(metadata: pd.DataFrame, seconds: float, km: float) -> list[Finding]:
    """
    Pairs of events with another name, and nearly the same origin time and epicentre.

    :param seconds: Largest difference of the origin times.
    :param km: Largest distance of the epicentres.
    """
    columns = ["source_id", "source_origin_time", *SOURCE_COORDINATES]
    if not set(columns) <= set(metadata):
        return []
    events = metadata[columns].dropna().drop_duplicates("source_id")
    times = pd.to_datetime(events["source_origin_time"], utc=True, errors="coerce", format="mixed")
    events = events.assign(time=times).dropna(subset="time").sort_values("time", kind="stable")
    at = events["time"].dt.as_unit("ns").astype("int64").to_numpy() / 1e9
    places = events[list(SOURCE_COORDINATES)].to_numpy(float)
    names = events["source_id"].astype(str).to_numpy()
    found = []
    for first in range(len(events)):
        second = first + 1
        while second < len(events) and at[second] - at[first] <= seconds:
            apart = gps2dist_azimuth(*places[first], *places[second])[0] / 1e3
            if apart <= km:
                detail = f"{at[second] - at[first]:.2f} s and {apart:.1f} km from {names[second]}"
                found.append(Finding("double_event", f"event {names[first]}", detail))
            second += 1
    return found


def _double_records(metadata: pd.DataFrame) -> list[Finding]:
    columns = ["station_network_code", "station_code", "trace_start_time"]
    if not set(columns) <= set(metadata):
        return []
    columns += [c for c in ("trace_channel", "station_location_code") if c in metadata]
    columns += ["source_id"] if "source_id" in metadata else []
    known = metadata[["station_code", "trace_start_time"]].notna().all(axis=1)
    double = metadata[columns].astype(str).duplicated().to_numpy() & known.to_numpy()
    return [
        Finding(
            "double_record", _name(metadata, row), " ".join(map(str, metadata[columns].iloc[row]))
        )
        for row in np.flatnonzero(double)
    ]


def _split(metadata: pd.DataFrame) -> list[Finding]:
    if "split" not in metadata:
        return []
    names = metadata["split"].dropna()
    other = [
        Finding("other_split", str(name), f"{count} records")
        for name, count in names[~names.isin(NAMES)].value_counts().items()
    ]
    if "source_id" not in metadata:
        return other
    used = metadata[metadata["split"].isin(NAMES) & metadata["source_id"].notna()]
    sides = used.groupby("source_id")["split"].unique()
    return other + [
        Finding("split_leak", f"event {name}", "/".join(sorted(found)))
        for name, found in sides[sides.map(len) > 1].items()
    ]


def _paths(metadata: pd.DataFrame, rows: Iterable[int]) -> list[Finding]:
    places = [*SOURCE_COORDINATES, *STATION_COORDINATES]
    distance = first_column(metadata.columns, *COLUMNS["distance"])
    azimuth = first_column(metadata.columns, *COLUMNS["back_azimuth"])
    if not set(places) <= set(metadata) or (distance is None and azimuth is None):
        return []
    found = []
    coordinates = metadata[places].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    for row in rows:
        if not np.isfinite(coordinates[row]).all() or (np.abs(coordinates[row][::2]) > 90).any():
            continue
        metres, _, back = gps2dist_azimuth(*coordinates[row])
        km = metres / 1e3
        said = float(pd.to_numeric(metadata[distance].iloc[row])) if distance else np.nan
        if abs(said - km) > max(_DISTANCE[0], _DISTANCE[1] * km):
            detail = f"{said:.2f} km, by the coordinates {km:.2f} km"
            found.append(Finding("distance", _name(metadata, row), detail))
        said = float(pd.to_numeric(metadata[azimuth].iloc[row])) if azimuth else np.nan
        if km > _SMALLEST_KM and abs((said - back + 180) % 360 - 180) > _BACK_AZIMUTH:
            detail = f"{said:.1f} degrees, by the coordinates {back:.1f}"
            found.append(Finding("back_azimuth", _name(metadata, row), detail))
    return found


def _components(metadata: pd.DataFrame) -> list[Finding]:
    """Of other components, such as X, Y or 1, SeisBench reads zeros without a word."""
    return [
        Finding("components", f"order {order}", f"{count} records")
        for order, count in metadata["trace_component_order"].value_counts().items()
        if set(str(order)) - set("ZNE")
    ]


def _rates(metadata: pd.DataFrame) -> list[Finding]:
    if "trace_sampling_rate_hz" not in metadata:
        # Some data sets have it for each bucket of waveforms instead.
        return []
    rates = pd.Series(_numbers(metadata["trace_sampling_rate_hz"]))
    usable = rates.between(0, np.inf, inclusive="neither")
    unknown = [
        Finding("no_rate", _name(metadata, row), str(rates[row])) for row in np.flatnonzero(~usable)
    ]
    counts = rates[usable].value_counts()
    if len(counts) < 2:
        return unknown
    return unknown + [
        Finding("rates", f"{rate:g} Hz", f"{count} records") for rate, count in counts.items()
    ]


def _station_names(metadata: pd.DataFrame) -> pd.Series:
    names = metadata["station_code"].astype(str)
    if "station_network_code" in metadata:
        names = metadata["station_network_code"].astype(str) + "." + names
    return names


def _source_names(metadata: pd.DataFrame) -> pd.Series:
    return metadata["source_id"].astype(str)


def _coordinates(
    metadata: pd.DataFrame,
    kind: str,
    columns: tuple[str, ...],
    names_of: Callable[[pd.DataFrame], pd.Series],
) -> list[Finding]:
    """One finding per station or event without coordinates."""
    needed = "station_code" if kind == "no_station" else "source_id"
    if needed not in metadata:
        return []
    there = [name for name in columns if name in metadata]
    missing = metadata[needed].notna()
    if len(there) == len(columns):
        missing &= metadata[there].isna().any(axis=1)
    counts = names_of(metadata[missing]).value_counts() if missing.any() else {}
    return [Finding(kind, str(name), f"{count} records") for name, count in counts.items()]
