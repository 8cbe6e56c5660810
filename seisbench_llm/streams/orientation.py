"""
Rotation of records to vertical, north and east by the azimuth and dip of their channels.

Components 1, 2 and 3 may point anywhere, in particular in boreholes and at the sea floor. The
components of a Galperin sensor (U, V, W) have a dip. The networks have learned Z, N and E.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import obspy
import seisbench
from obspy.signal.rotate import rotate2zne

from ..stations import Stations
from ..stations.stations import DIRECTIONS
from ..trace_ids import TraceId, with_component
from .contiguous import ContiguousRecord, find_contiguous, make_trace

Direction = tuple[float, float]

# A channel points where its code says if it is off by at most this many degrees.
_EXACT = 0.01

# Smallest angle in degrees between two horizontals that tells north from east.
_SMALLEST_ANGLE = 5.0

# Components begin and end with packets of their own. A few samples without the other components are
# not worth a warning.
_SHORTEST_TOLD_S = 10.0

# Number of samples that are rotated at once, so that memory use is that of the result.
_BLOCK = 1 << 20


class Rotation:
    """
    Rotation of streams, with one warning per instrument and cause.

    :param stations: Directions of the channels, see :py:meth:`seisbench_llm.stations.Stations`.
    """

    def __init__(self, stations: Stations):
        self.stations = stations
        self._unknown: set[str] = set()
        self._alone: set[str] = set()
        self._warned: set[str] = set()

    def __call__(self, stream: obspy.Stream | obspy.Trace) -> obspy.Stream:
        """
        Replace components by Z, N and E where their directions are known.

        Traces that point where their code says stay the same objects, without a copy. Times at
        which a component is missing keep the others as they are.

        :param stream: Waveforms; not changed.
        """
        if isinstance(stream, obspy.Trace):
            stream = obspy.Stream([stream])
        instruments, rotated = defaultdict(list), obspy.Stream()
        for trace in stream:
            instruments[TraceId.of(trace).instrument_id].append(trace)
        for traces in instruments.values():
            rotated.extend(self._rotate(traces))
        self._warn()
        return rotated

    def _rotate(self, traces: list[obspy.Trace]) -> list[obspy.Trace]:
        pieces = [piece for trace in traces for piece in self._by_epoch(trace)]
        for trace, direction in pieces:
            if direction is None and TraceId.of(trace).component not in DIRECTIONS:
                self._unknown.add(trace.id)
        if all(direction is None or _is_exact(trace, direction) for trace, direction in pieces):
            return traces
        groups: dict[tuple[str, Direction], list[obspy.Trace]] = defaultdict(list)
        output = []
        for trace, direction in pieces:
            if direction is None or not _has_samples(trace):
                output.append(trace)
            else:
                groups[trace.stats.channel, direction].append(trace)
        upright = all(_is_level(d) or _is_vertical(d) for _, d in groups)
        records = {}
        for (channel, direction), of_channel in groups.items():
            if upright and _is_vertical(direction):
                output += [_to_vertical(trace, direction) for trace in of_channel]
            else:
                records[channel, direction] = find_contiguous(of_channel)
        for chosen in itertools.combinations(sorted(records), 2 if upright else 3):
            if not _independent([direction for _, direction in chosen]):
                continue
            common = _common([records[key] for key in chosen])
            if not common:
                continue
            output += itertools.chain(*(_to_zne(r, [d for _, d in chosen]) for r in common))
            spans = [(group[0].stats.starttime, group[0].stats.endtime) for group in common]
            for key in chosen:
                records[key] = [part for r in records[key] for part in r.outside(spans)]
        for (channel, _), left in records.items():
            if any(r.stats.endtime - r.stats.starttime > _SHORTEST_TOLD_S for r in left):
                self._alone.add(left[0].id)
            output += [_as_it_is(record, channel) for record in left]
        return output

    def _by_epoch(self, trace: obspy.Trace) -> Iterable[tuple[obspy.Trace, Direction | None]]:
        """The parts of a trace, each with its azimuth and dip."""
        stats = trace.stats
        if not stats.channel or not _has_samples(trace):
            return [(trace, None)]
        channels = self.stations.find_channels(trace.id, stats.starttime, stats.endtime)
        if len(channels) == 1 and channels[0].start <= stats.starttime:
            if stats.endtime <= channels[0].end:
                return [(trace, channels[0].direction)]
        if not channels:
            return [(trace, None)]
        edges = {t.ns: t for channel in channels for t in (channel.start, channel.end)}
        inside = [t for _, t in sorted(edges.items()) if stats.starttime < t <= stats.endtime]
        parts = []
        for start, end in itertools.pairwise(
            [stats.starttime, *inside, stats.endtime + stats.delta]
        ):
            part = trace.slice(start, end - stats.delta / 2, nearest_sample=False)
            if part.stats.npts:
                known = self.stations.find_channels(trace.id, *[part.stats.starttime] * 2)
                parts.append((part, known[-1].direction if known else None))
        return parts

    def _warn(self) -> None:
        """Warn in one line per cause about channels without an earlier warning."""
        causes = (
            (self._unknown, "azimuth and dip are unknown at the time of the data"),
            (self._alone, "at times the other components of the rotation are missing"),
        )
        for names, cause in causes:
            new = sorted(names - self._warned)
            self._warned |= names
            if new:
                more = f" and {len(new) - 5} more" if len(new) > 5 else ""
                seisbench.logger.warning(
                    f"Not rotated to Z, N, E: {', '.join(new[:5])}{more}: {cause}."
                )


def rotate_to_zne(stream: obspy.Stream | obspy.Trace, stations) -> obspy.Stream:
    """
    Replace components that point elsewhere by Z, N and E, see :py:class:`Rotation`.

    >>> inventory = obspy.read_inventory()
    >>> rotate_to_zne(obspy.read(), inventory)[0].id
    'BW.RJOB..EHZ'

    :param stream: Waveforms; not changed.
    :param stations: Inventory, table or file, see :py:meth:`seisbench_llm.stations.Stations.read`.
    """
    return Rotation(Stations.read(stations))(stream)


def _has_samples(trace: obspy.Trace) -> bool:
    kind = trace.data.dtype
    return bool(trace.stats.npts) and np.issubdtype(kind, np.number) and kind.kind != "c"


def _is_exact(trace: obspy.Trace, direction: Direction) -> bool:
    """Whether a channel points where its code says."""
    wanted = DIRECTIONS.get(TraceId.of(trace).component)
    if wanted is None:
        return False
    azimuth = (direction[0] - wanted[0] + 180) % 360 - 180
    level = _is_vertical(direction) or abs(azimuth) < _EXACT
    return level and abs(direction[1] - wanted[1]) < _EXACT


def _is_vertical(direction: Direction) -> bool:
    return abs(abs(direction[1]) - 90) < _EXACT


def _is_level(direction: Direction) -> bool:
    return abs(direction[1]) < _EXACT


def _vectors(directions: Sequence[Direction]) -> np.ndarray:
    azimuth, dip = np.radians(np.array(directions)).T
    return np.stack([-np.sin(dip), np.cos(dip) * np.cos(azimuth), np.cos(dip) * np.sin(azimuth)], 1)


def _independent(directions: Sequence[Direction]) -> bool:
    """Whether components span the directions that they are rotated to."""
    smallest = np.linalg.svd(_vectors(directions), compute_uv=False)[-1]
    return smallest > np.sin(np.radians(_SMALLEST_ANGLE / 2)) * np.sqrt(2)


def _to_vertical(trace: obspy.Trace, direction: Direction) -> obspy.Trace:
    """A vertical component as Z, positive upwards."""
    channel = with_component(trace.stats.channel, "Z")
    if direction[1] < 0 and channel == trace.stats.channel:
        return trace
    # Short integers may overflow when the sign changes.
    data = trace.data if direction[1] < 0 else -np.ma.asanyarray(trace.data).astype(np.float64)
    turned = make_trace(data, trace.stats)
    turned.stats.channel = channel
    return turned


def _common(components: list[list[ContiguousRecord]]) -> list[list[ContiguousRecord]]:
    """Slices of the records of several components over their common time spans."""
    groups = [[record] for record in components[0]]
    for records in components[1:]:
        groups = _intersect(groups, records)
    return groups


def _intersect(
    groups: list[list[ContiguousRecord]], records: list[ContiguousRecord]
) -> list[list[ContiguousRecord]]:
    found, at = [], 0
    for group in groups:
        stats = group[0].stats
        while at < len(records) and records[at].stats.endtime < stats.starttime - stats.delta:
            at += 1
        for index in range(at, len(records)):
            other = records[index]
            if other.stats.starttime > stats.endtime + stats.delta:
                break
            drift = abs(other.stats.sampling_rate / stats.sampling_rate - 1)
            if drift * max(stats.npts, other.stats.npts) > 0.5:
                continue
            shift = round((other.stats.starttime - stats.starttime) / stats.delta)
            first, last = max(0, shift), min(stats.npts, shift + other.stats.npts)
            if first < last:
                slices = [record.slice(first, last) for record in group]
                found.append([*slices, other.slice(first - shift, last - shift)])
    return found


def _to_zne(
    records: Sequence[ContiguousRecord], directions: Sequence[Direction]
) -> list[obspy.Trace]:
    """Rotate two horizontals to N and E, or three components to Z, N and E, with ObsPy."""
    stats, count = records[0].stats, records[0].stats.npts
    data = np.empty((3, count))
    for first in range(0, count, _BLOCK):
        last = min(first + _BLOCK, count)
        parts = [record.read(first, last) for record in records]
        turns = list(directions)
        if len(parts) == 2:
            parts, turns = [np.zeros(last - first), *parts], [DIRECTIONS["Z"], *turns]
        data[:, first:last] = rotate2zne(
            *itertools.chain(*((x, *turn) for x, turn in zip(parts, turns, strict=True)))
        )
    traces = []
    for row, component in enumerate("ZNE"):
        if component == "Z" and len(records) == 2:
            continue
        trace = _trace_of(records[0], with_component(records[0].trace_id.channel, component))
        trace.data = data[row]
        trace.stats.starttime = stats.starttime
        traces.append(trace)
    return traces


def _as_it_is(record: ContiguousRecord, channel: str) -> obspy.Trace:
    trace = _trace_of(record, channel)
    trace.data = record.read(0, record.stats.npts)
    return trace


def _trace_of(record: ContiguousRecord, channel: str) -> obspy.Trace:
    trace = obspy.Trace(header=record.stats)
    trace.stats.update({**record.trace_id._asdict(), "channel": channel})
    return trace
