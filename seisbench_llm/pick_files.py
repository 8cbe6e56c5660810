"""Picking of many or large files, one station and one day at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

import obspy
import pandas as pd
from seisbench.util import PickList
from tqdm import tqdm

from .amplitudes import measure
from .amplitudes.measure import LONGEST_S
from .export.tables import AMPLITUDE_TYPES, typed
from .models.seismollm import SeisMoLLM
from .stations import Stations
from .streams.arguments import Arguments
from .streams.orientation import Rotation
from .streams.picks import separate
from .streams.skipped import SkippedList, said_once
from .streams.windows import part_padding
from .waveform_files import FileTrace, Reader, find_files

# A day of three components at 100 Hz has 26 million.
MAX_SAMPLES_AT_ONCE = 30_000_000

_DAY_S = 86400


@dataclass(repr=False)
class Picked:
    """
    Picks of files.

    :param picks: Picks, sorted by time.
    :param stations: Stations (NET.STA) with waveforms.
    :param failed: File that could not be read -> reason.
    :param skipped: Traces that were left out or are of doubtful use, with the reason.
    :param amplitudes: Table of :py:func:`seisbench_llm.amplitudes.measure` with the index of each
        pick in ``picks``, None if amplitudes were not asked for.
    """

    picks: PickList
    stations: list[str]
    failed: dict[Path, str] = field(default_factory=dict)
    skipped: SkippedList = field(default_factory=SkippedList)
    amplitudes: pd.DataFrame | None = None

    def __repr__(self) -> str:
        """In a line."""
        return (
            f"Picked({len(self.picks)} picks at {len(self.stations)} stations, "
            f"{len(self.failed)} files failed, {len(self.skipped)} traces skipped)"
        )


@dataclass(frozen=True)
class _Part:
    """Traces that are picked together; if start and end are set, only that day."""

    traces: list[FileTrace]
    start: obspy.UTCDateTime | None = None
    end: obspy.UTCDateTime | None = None


def pick_files(
    model: SeisMoLLM,
    paths: str | Path | Iterable[str | Path],
    *,
    keep_going: bool = False,
    progress: bool = False,
    watch: Callable[[obspy.Stream, obspy.Stream, PickList], None] | None = None,
    largest: int = MAX_SAMPLES_AT_ONCE,
    stations=None,
    amplitudes: bool = False,
    **kwargs,
) -> Picked:
    """
    Pick files, folders and patterns of files, as ``seisbench-llm pick`` does.

    Few samples are picked at once, as ``model.classify`` does it. More are picked station by
    station. If a station has too many, it is picked day by day. Each day is then read with enough
    of the neighbouring days that no pick at midnight is lost or doubled. Memory use therefore does
    not grow with the number of files.

    :param model: A picker.
    :param paths: See :py:func:`seisbench_llm.waveform_files.find_files`.
    :param keep_going: Whether to skip files that cannot be read. The result names them.
    :param progress: Whether to show progress on standard error.
    :param watch: Function that is called with waveforms, annotations and picks of each part, for
        example to plot them.
    :param largest: Largest number of samples that are annotated at once.
    :param stations: Inventory, table or file of stations, see
        :py:meth:`seisbench_llm.stations.Stations.read`: components that do not point up, north and
        east are rotated first.
    :param amplitudes: Whether to measure amplitudes at the picks, with ``stations`` also ground
        motion.
    :param kwargs: Arguments of ``model.classify``, such as ``P_threshold``.
    :raises ValueError: If the model is not a picker, or if a file cannot be read. The message has
        its name.
    :raises FileNotFoundError: If a file does not exist.
    """
    if model.task.name != "picking":
        raise ValueError(f"The model is for {model.task.name}, not for picking.")
    known = None if stations is None else Stations.read(stations)
    rotation = None if known is None else Rotation(known)
    files = find_files(paths)
    reader = Reader(keep_going, hint=" (--keep-going skips such files)")
    shown = {"disable": not progress, "leave": False, "delay": 1}
    traces = reader.traces(tqdm(files, "reading headers", unit="file", **shown))
    if not traces:
        if reader.failed:
            file, why = next(iter(reader.failed.items()))
            raise ValueError(f"None of {len(files)} files can be read; {file}: {why}")
        raise ValueError(f"There are no waveforms in {', '.join(map(str, files[:3]))}.")

    arguments = Arguments.of(model, kwargs)
    separation = arguments.min_separation
    # The part holds whole windows, so that windows lie alike around each midnight. The P of an S
    # and the end of its waves may be on another day.
    window = model.in_samples / model.sampling_rate
    reach = part_padding(model, arguments) + (LONGEST_S if amplitudes else 0.0)
    padding = ceil(reach / window) * window
    groups, measured = defaultdict(list), {}
    with said_once() as skipped:
        for part in tqdm(list(_parts(traces, largest)), "picking", unit="part", **shown):
            span = (
                (None, None) if part.start is None else (part.start - padding, part.end + padding)
            )
            stream = reader.stream(part.traces, *span)
            if not stream:
                continue
            recorded = stream if amplitudes else None
            if rotation is not None:
                stream = rotation(stream)
            annotations = model.annotate(stream, **kwargs)
            picks = model.classify_aggregate(annotations, arguments.argdict).picks
            at: dict[tuple, dict] = {}
            if recorded is not None:
                # A response belongs to a channel as it was recorded.
                found = measure(recorded, picks, known, skipped).to_dict("records")
                at = {_key(picks[row["pick"]]): row for row in found}
            if part.start is not None:
                # A pick may move across midnight by a sample, so look on both sides.
                first, last = part.start - separation, part.end + separation
                picks = PickList(pick for pick in picks if first <= pick.peak_time < last)
                # The first sample of the next day is not part of it.
                stream.trim(part.start, part.end - 1e-6, nearest_sample=False)
            if watch is not None and stream:
                watch(stream, annotations, picks)
            for pick in picks:
                groups[pick.trace_id, pick.phase].append(pick)
                measured[_key(pick)] = at.get(_key(pick))
    picks = [pick for group in groups.values() for pick in separate(group, separation)]
    picks.sort(key=lambda pick: (pick.peak_time, pick.trace_id, pick.phase))
    names = sorted({trace.station for trace in traces})
    table = None
    if amplitudes:
        rows = [(index, measured.get(_key(pick))) for index, pick in enumerate(picks)]
        table = typed([{**row, "pick": index} for index, row in rows if row], AMPLITUDE_TYPES)
    return Picked(PickList(picks), names, reader.failed, skipped, table)


def _key(pick) -> tuple[str, str, int]:
    return pick.trace_id, pick.phase, pick.peak_time.ns


def _parts(traces: list[FileTrace], largest: int) -> Iterator[_Part]:
    """Parts of at most the allowed size: everything, one station, or one day of a station."""
    if sum(trace.samples for trace in traces) <= largest:
        yield _Part(traces)
        return
    stations = defaultdict(list)
    for trace in traces:
        stations[trace.station].append(trace)
    for _, of_station in sorted(stations.items()):
        if sum(trace.samples for trace in of_station) <= largest:
            yield _Part(of_station)
            continue
        days = {
            day
            for trace in of_station
            for day in range(
                int(trace.start.timestamp // _DAY_S), int(trace.end.timestamp // _DAY_S) + 1
            )
        }
        for day in sorted(days):
            start = obspy.UTCDateTime(day * _DAY_S)
            yield _Part(of_station, start, start + _DAY_S)
