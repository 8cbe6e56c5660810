"""One record of a data set: three components on one grid of samples, and where the picks lie."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import obspy
import seisbench

from ...streams.orientation import Rotation
from ...trace_ids import InstrumentId, TraceId, codes_of, component_index
from ..waveform_checks import is_dead
from .bulletin import Group

ORDER = "ZNE"


class Unusable(ValueError):
    """Why a group of picks gets no record."""


@dataclass(frozen=True)
class Record:
    """
    A record.

    :param place: Id of its instrument.
    :param start: Time of the first sample.
    :param rate: Sampling rate in Hz.
    :param data: Samples, shape (3, n), float32, components Z, N and E. Missing components are zero,
        gaps are filled by a straight line.
    :param known: Whether each sample was recorded, shape (3, n).
    """

    place: TraceId
    start: obspy.UTCDateTime
    rate: float
    data: np.ndarray
    known: np.ndarray

    @property
    def components(self) -> str:
        """Components that were recorded."""
        return "".join(c for c, known in zip(ORDER, self.known, strict=True) if known.any())

    def sample_of(self, time: obspy.UTCDateTime) -> float:
        """Position of a time in samples, to a thousandth of a sample."""
        return round((time - self.start) * self.rate, 3)

    def defect_at(self, sample: float) -> str | None:
        """Why a pick at a sample cannot be used, None if it can be."""
        nearest = round(sample)
        if not 0 <= nearest < self.data.shape[1]:
            return "it is off the record"
        if not self.known[:, nearest].any():
            return "it lies in a gap"
        dead = is_dead(self.data, sample, self.rate)
        return "all components are constant around it" if dead else None


def build_record(
    stream: obspy.Stream,
    group: Group,
    start: obspy.UTCDateTime,
    end: obspy.UTCDateTime,
    rotation: Rotation | None = None,
) -> Record:
    """
    Build the record of a group of picks.

    The instrument is the one of the first pick that names one. Otherwise, a seismometer is taken
    before other instruments, then the one with most components, then the one with the highest rate.

    :param stream: All channels of the station.
    :param start: Beginning of the window.
    :param end: End of the window.
    :param rotation: Rotation to Z, N and E where the directions of the channels are known.
    :raises Unusable: If there is no such record. The message is the cause.
    """
    traces = _choose(stream, group)
    if rotation is not None:
        traces = list(rotation(obspy.Stream(traces)))
    rates = {round(trace.stats.sampling_rate, 6) for trace in traces}
    if len(rates) > 1:
        raise Unusable(f"its components have several sampling rates: {sorted(rates)} Hz")
    rate = rates.pop()
    first = min(trace.stats.starttime for trace in traces)
    # The samples keep their times: the grid begins with a sample of the first trace.
    origin = first + round((max(start, first) - first) * rate) / rate
    count = int(np.floor(round((end - origin) * rate, 6))) + 1
    if count < 2:
        raise Unusable("there are no waveforms at its time")
    values = np.full((len(ORDER), count), np.nan)
    rows = [component_index(TraceId.of(t).component, ORDER, flexible=True) for t in traces]
    if set(rows) == {None}:
        raise Unusable("its instrument has no component Z, N or E")
    for row, trace in zip(rows, traces, strict=True):
        if row is not None:
            _place(values[row], trace, origin, rate)
    known = np.isfinite(values)
    inside = np.flatnonzero(known.any(axis=0))
    if not len(inside):
        raise Unusable("there are no waveforms at its time")
    part = slice(inside[0], inside[-1] + 1)
    values, known = values[:, part], known[:, part]
    for row, there in zip(values, known, strict=True):
        at = np.flatnonzero(there)
        row[~there] = np.interp(np.flatnonzero(~there), at, row[at]) if len(at) else 0.0
    place = TraceId.of(traces[0]).without_component
    return Record(place, origin + part.start / rate, rate, values.astype(np.float32), known)


def _choose(stream: obspy.Stream, group: Group) -> list[obspy.Trace]:
    instruments = defaultdict(list)
    for trace in stream:
        if trace.stats.npts and np.issubdtype(trace.data.dtype, np.number):
            instruments[TraceId.of(trace).without_component].append(trace)
    if not instruments:
        raise Unusable("there are no waveforms at its time")
    wanted = next((pick for pick in group.picks if pick.instrument), group.picks[0])
    place = codes_of(wanted.trace_id)
    code = str(wanted.instrument or "")
    # Bulletins in Nordic have HZ for HHZ.
    fits = {
        place_: (
            place_.location == place.location and place_.instrument == code,
            place_.instrument == code,
            place_.instrument[:1] == code[:1],
            place_.location == place.location,
        )
        if code
        else (place_.location == place.location,)
        for place_ in instruments
    }

    def rank(one: InstrumentId) -> tuple:
        traces = instruments[one]
        components = {TraceId.of(trace).component for trace in traces}
        fastest = max(trace.stats.sampling_rate for trace in traces)
        seismometer = one.instrument[-1:] in ("H", "P")
        return (*fits[one], seismometer, len(components), fastest, str(one))

    return instruments[max(instruments, key=rank)]


def _place(row: np.ndarray, trace: obspy.Trace, origin: obspy.UTCDateTime, rate: float) -> None:
    """Write the samples of a trace to their places. Those that are there already are kept."""
    offset = round((trace.stats.starttime - origin) * rate)
    first, last = max(0, offset), min(len(row), offset + trace.stats.npts)
    if first >= last:
        return
    data = np.ma.filled(np.ma.asanyarray(trace.data).astype(float), np.nan)
    part, new = row[first:last], data[first - offset : last - offset]
    both = np.isfinite(part) & np.isfinite(new)
    if (part[both] != new[both]).any():
        seisbench.logger.warning(f"{trace.id}: overlapping data differ; the first are taken.")
    empty = np.isnan(part)
    part[empty] = new[empty]
