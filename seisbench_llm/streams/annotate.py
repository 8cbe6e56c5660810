"""Annotation of any ObsPy stream through SeisBench's pipeline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Coroutine

import numpy as np
import obspy
from seisbench.models import WaveformModel

from ..seisbench_private import annotate_arguments
from ..trace_ids import InstrumentId, TraceId
from . import chunks
from .arguments import Arguments
from .component_starts import component_starts, mute_starts
from .contiguous import ContiguousRecord
from .pipeline import fail_instead_of_hanging
from .selection import select_records
from .skipped import Skipped, SkippedList
from .spans import Span, data_spans, missing, union
from .stitching import PeakFilter, SparseAnnotation, StitchedAnnotation, finite_spans, trim
from .windows import WindowLayout, place_on_grid


class Annotations(obspy.Stream):
    """
    Annotations of a stream. :py:attr:`skipped` lists what was left out of the stream, and why.
    """

    def __init__(self, traces: list[obspy.Trace] | None = None):
        super().__init__(traces)
        self.skipped = SkippedList()


async def annotate_stream(
    model: WaveformModel,
    stream: obspy.Stream | obspy.Trace,
    arguments: Arguments,
    peak_filter: PeakFilter | None = None,
) -> Annotations:
    """
    Annotate a stream of any kind and length. The stream is not changed.

    :param arguments: Arguments of ``annotate``.
    :param peak_filter: Filter that selects parts of the annotations. By default everything is kept.
    :return: Annotations over exactly the time spans with data. ``stats.instrument`` of each
        annotation is the band and instrument code of its data, for example HH.
    """
    layout = WindowLayout.of(model, arguments)
    output = Annotations()
    instruments = select_records(stream, model, arguments, output.skipped)
    spans = {name: data_spans(records, layout.rate) for name, records in instruments.items()}
    covered: dict[tuple[InstrumentId, str], list[Span]] = defaultdict(list)
    starts = {
        name: component_starts(records) if layout.curves else []
        for name, records in instruments.items()
    }
    names = _number(instruments)
    pipeline = _checked(model, arguments)
    short, long = chunks.divide(instruments.values(), model, arguments, output.skipped)
    for records in short:
        for trace in await pipeline(obspy.Stream([record.trace() for record in records])):
            name = names[trace.stats.station]
            mute_starts(trace, starts[name])
            for part in trim(trace, spans[name], layout.rate):
                covered[name, part.stats.channel] += finite_spans(part)
                output.extend([part] if peak_filter is None else peak_filter.excerpts(part)[0])
    for segment in long:
        name = names[segment.headers[0].station]
        annotations: dict[str, StitchedAnnotation | SparseAnnotation] = {}
        for chunk in segment.chunks:
            for trace in await pipeline(segment.cut(chunk)):
                mute_starts(trace, starts[name])
                first, channel = segment.place(trace, chunk), trace.stats.channel
                if channel not in annotations:
                    stats = trace.stats.copy()
                    stats.starttime = segment.start
                    place = (stats, segment.outputs, spans[name], layout.rate)
                    annotations[channel] = (
                        StitchedAnnotation(*place)
                        if peak_filter is None
                        else SparseAnnotation(*place, peak_filter)
                    )
                annotations[channel].take(*chunk.keep, first, trace.data)
        for channel, annotation in annotations.items():
            output.extend(annotation.parts())
            covered[name, channel] += annotation.covered
    for trace in output:
        network, station, location, instrument = names[trace.stats.station]
        trace.stats.update({"network": network, "station": station, "location": location})
        trace.stats.instrument = instrument
    output.skipped += _unanswered(model, layout, spans, covered)
    output.skipped.warn()
    return output


def _number(instruments: dict[InstrumentId, list[ContiguousRecord]]) -> dict[str, InstrumentId]:
    """
    Number the instruments and write the numbers into their headers instead of names.

    SeisBench ignores band and instrument codes, so that HH would overwrite HN at the same location.
    It also takes codes for file name patterns.

    :return: Number -> id of the instrument.
    """
    names = {}
    for number, (instrument, records) in enumerate(instruments.items()):
        names[str(number)] = instrument
        for record in records:
            record.stats.update({"network": "", "station": str(number), "location": ""})
    return names


def _unanswered(
    model: WaveformModel,
    layout: WindowLayout,
    spans: dict[InstrumentId, list[Span]],
    covered: dict[tuple[InstrumentId, str], list[Span]],
) -> list[Skipped]:
    """Data that should have an annotation but have none."""
    answered: dict[InstrumentId, list[Span]] = {}
    delta = (1 if layout.curves else layout.hop) / layout.rate
    for (name, _), parts in covered.items():
        answered.setdefault(name, parts)
    if layout.strict:
        cause = (
            f"with strict=True all of {model.component_order} must be present for at least "
            f"{layout.size / layout.rate:g} s without a gap"
        )
    else:
        cause = (
            "the network's output is not a finite number, because amplitudes exceed single "
            "precision or the weights are broken"
        )
    holes = []
    for name, of_data in spans.items():
        if not answered.get(name):
            holes += [(name, of_data[0][0], of_data[-1][1])]
        elif layout.covers:
            holes += [(name, *hole) for hole in missing(of_data, answered[name], delta)]
    return [Skipped(f"{name.instrument_id}?", start, end, cause) for name, start, end in holes]


def _checked(
    model: WaveformModel, arguments: Arguments
) -> Callable[[obspy.Stream], Coroutine[None, None, obspy.Stream]]:
    """SeisBench's own ``annotate_async``. It may change the stream."""
    kwargs, names = arguments.given, annotate_arguments(model)
    if model.output_type == "array":
        # SeisBench uses numbers of samples as indices, so that 1500.0 fails.
        kwargs = {**kwargs, "overlap": arguments.overlap_samples(model.in_samples)}
    known = {n: v for n, v in kwargs.items() if n in names or n.endswith("_threshold")}
    given = [kwargs, known]  # so that SeisBench warns of unknown arguments only once

    async def call(stream: obspy.Stream) -> obspy.Stream:
        now = given.pop(0) if len(given) > 1 else known
        seisbench_task = WaveformModel.annotate_async(model, stream, copy=False, **now)
        annotations = await fail_instead_of_hanging(seisbench_task)
        if model.output_type == "array" and "Detection" not in model.labels:
            add_detection(annotations, model.name)
        return annotations

    return call


def add_detection(annotations: obspy.Stream, name: str) -> None:
    """Append max(P, S) as the detection curve if the model has no trained one."""
    starts = {
        (TraceId.of(s).location_id, s.stats.starttime.ns): s
        for s in annotations.select(channel=f"{name}_S")
    }
    for p in annotations.select(channel=f"{name}_P"):
        detection = p.copy()
        detection.stats.channel = f"{name}_Detection"
        s = starts[TraceId.of(p).location_id, p.stats.starttime.ns]
        detection.data = np.maximum(p.data, s.data)
        annotations.append(detection)


def fill(
    stream: obspy.Stream | chunks.ChunkStream, model: WaveformModel, arguments: Arguments
) -> obspy.Stream:
    """
    Fill gaps and pad the ends with zeros, so that each sample lies within the output of a window.

    Gaps longer than a window are kept. In strict mode nothing is filled.
    """
    if isinstance(stream, chunks.ChunkStream):
        return stream.fill()
    layout = WindowLayout.of(model, arguments)
    traces = defaultdict(list)
    for trace in stream:
        traces[TraceId.of(trace).location_id].append(trace)
    filled = obspy.Stream()
    for pieces in traces.values():
        spans = [(trace.stats.starttime, trace.stats.endtime) for trace in pieces]
        for start, end in union(spans, layout.bridge):
            inside = [t for t in pieces if start <= t.stats.starttime <= end]
            filled.extend(_fill_segment(inside, layout))
    return filled


def _fill_segment(pieces: list[obspy.Trace], layout: WindowLayout) -> list[obspy.Trace]:
    rate, before = layout.rate, layout.padding[0]
    places, start = place_on_grid([piece.stats.starttime for piece in pieces], rate)
    start = pieces[0].stats.get("grid_start", start)
    if layout.strict:
        for piece, at in zip(pieces, places, strict=True):
            piece.stats.starttime = start + at / rate
        return pieces
    samples = max(at + piece.stats.npts for piece, at in zip(pieces, places, strict=True))
    components: dict[str, obspy.Trace] = {}
    for piece, at in zip(pieces, places, strict=True):
        if piece.id not in components:
            trace = obspy.Trace(header=piece.stats)
            trace.data = np.zeros(layout.padded(samples), piece.data.dtype)
            trace.stats.starttime = start - before / rate
            components[piece.id] = trace
        first = before + at
        components[piece.id].data[first : first + piece.stats.npts] = piece.data
    return list(components.values())
