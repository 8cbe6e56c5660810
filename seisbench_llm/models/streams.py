"""From an ObsPy stream as it comes to one that SeisBench's pipeline annotates without loss."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import obspy
import seisbench

from ..preprocess import resample
from .arguments import argument
from .guard import fail_instead_of_hanging

if TYPE_CHECKING:
    from .seismollm import SeisMoLLM

Span = tuple[obspy.UTCDateTime, obspy.UTCDateTime]


def location_id(trace: obspy.Trace) -> str:
    """NET.STA.LOC, which is how SeisBench names what it annotates."""
    return trace.id.rpartition(".")[0]


async def annotate(model: SeisMoLLM, pipeline, stream, copy: bool, kwargs: dict) -> obspy.Stream:
    """
    Annotate a stream of any kind.

    :param pipeline: SeisBench's own ``annotate_async``.
    :return: Annotations over exactly the time spans that hold data. ``stats.instrument`` of each
        annotation is the band and instrument code it was made from, for example HH.
    """
    argdict = {**model.default_args, **kwargs}
    stream = clean(stream.copy() if copy else stream, model, argdict)
    output = obspy.Stream()
    for instruments in one_instrument_per_location(stream):
        codes = {location_id(trace): trace.stats.channel[:-1] for trace in instruments}
        spans = data_spans(instruments, model.sampling_rate)
        annotations = await fail_instead_of_hanging(pipeline(instruments, copy=False, **kwargs))
        if model.output_type == "array" and "Detection" not in model.labels:
            add_detection(annotations, model.name)
        for trace in annotations:
            trace.stats.instrument = codes[location_id(trace)]
            output.extend(trim(trace, spans[location_id(trace)], model.sampling_rate))
        for missing in sorted(set(codes) - {location_id(trace) for trace in annotations}):
            seisbench.logger.warning(
                f"{missing}.{codes[missing]}: no annotation. With strict=True all of "
                f"{model.component_order} must be there for at least "
                f"{model.in_samples / model.sampling_rate:g} s without a gap."
            )
    return output


def clean(stream: obspy.Stream, model: SeisMoLLM, argdict: dict) -> obspy.Stream:
    """
    Contiguous, finite, zero-mean traces in double precision, of components that the model knows.

    Whatever is left out is named in a warning.
    """
    flexible = argument(model, argdict, "flexible_horizontal_components")
    known = set(model.component_order) | (set("NE12") if flexible else set())
    parts = obspy.Stream()
    for trace in stream:
        if trace.stats.npts == 0:
            _warn(trace, "it has no samples")
        elif trace.stats.channel[-1:] not in known:
            _warn(trace, f"its component is none of {', '.join(sorted(known))}")
        elif not np.issubdtype(trace.data.dtype, np.number) or np.iscomplexobj(trace.data):
            _warn(trace, f"its samples are {trace.data.dtype}, not real numbers")
        else:
            parts.extend(_finite_parts(trace))

    before = {trace.id: 0 for trace in parts}
    for trace in parts:
        before[trace.id] += trace.stats.npts
    # Before the mean is removed, as that would make equal overlapping parts differ.
    parts = model.sanitize_mismatching_overlapping_records(parts)
    left = {trace.id for trace in parts}
    for trace_id in sorted(set(before) - left):
        seisbench.logger.warning(
            f"{trace_id} is ignored: its overlapping records contradict each other. "
            f"Keep one of them."
        )
    for trace in parts:
        trace.data = trace.data - trace.data.mean()
    return _drop_incomplete(parts, model)


def _warn(trace: obspy.Trace, cause: str) -> None:
    seisbench.logger.warning(f"{trace.id} at {trace.stats.starttime} is ignored: {cause}.")


def _finite_parts(trace: obspy.Trace) -> obspy.Stream:
    data = np.ma.masked_invalid(np.ma.asarray(trace.data, dtype=np.float64))
    if not data.mask.any():
        trace.data = np.ascontiguousarray(data.data)
        return obspy.Stream([trace])
    if data.mask.all():
        _warn(trace, "all its samples are masked or not finite")
        return obspy.Stream()
    trace.data = data
    return trace.split()


def _drop_incomplete(stream: obspy.Stream, model: SeisMoLLM) -> obspy.Stream:
    if model.task.components == 1:
        return stream
    components = defaultdict(set)
    for trace in stream:
        components[trace.id[:-1]].add(trace.id[-1])
    for instrument, present in sorted(components.items()):
        if len(present) < model.task.components:
            seisbench.logger.warning(
                f"{instrument}? is ignored: {model.task.name} needs three components "
                f"({', '.join(model.component_order)}) and found {', '.join(sorted(present))}. "
                f"Rotate other horizontals to north and east first (obspy.Stream.rotate)."
            )
    return obspy.Stream([t for t in stream if len(components[t.id[:-1]]) >= model.task.components])


def one_instrument_per_location(stream: obspy.Stream) -> Iterator[obspy.Stream]:
    """
    Split a stream so that each part has at most one instrument per NET.STA.LOC.

    SeisBench does not look at band and instrument codes: of HH and HN at one location, one would
    overwrite the other.
    """
    instruments = defaultdict(lambda: defaultdict(list))
    for trace in stream:
        instruments[location_id(trace)][trace.stats.channel[:-1]].append(trace)
    for index in range(max((len(codes) for codes in instruments.values()), default=0)):
        part = obspy.Stream()
        for codes in instruments.values():
            if index < len(codes):
                part.extend(codes[sorted(codes)[index]])
        yield part


def data_spans(stream: obspy.Stream, rate: float) -> dict[str, list[Span]]:
    """NET.STA.LOC -> time spans in which at least one component has data."""
    pieces = defaultdict(list)
    for trace in stream:
        pieces[location_id(trace)].append((trace.stats.starttime, trace.stats.endtime))
    return {name: _union(spans, 1.5 / rate) for name, spans in pieces.items()}


def _union(spans: list[Span], largest_gap: float) -> list[Span]:
    joined = []
    for start, end in sorted(spans):
        if joined and start - joined[-1][1] <= largest_gap:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def trim(trace: obspy.Trace, spans: list[Span], rate: float) -> list[obspy.Trace]:
    """The parts of an annotation that lie within the spans, to half a sample of the waveforms."""
    half = 0.5 / rate
    parts = []
    for start, end in spans:
        if start - half <= trace.stats.endtime and end + half >= trace.stats.starttime:
            part = trace.slice(start - half, end + half, nearest_sample=False)
            if part.stats.npts:
                part.data = part.data.copy()
                part.stats.pop("processing")
                parts.append(part)
    return parts


def add_detection(annotations: obspy.Stream, name: str) -> None:
    """Append max(P, S) as detection curve, where the model has no trained one."""
    starts = {
        (location_id(s), s.stats.starttime.ns): s for s in annotations.select(channel=f"{name}_S")
    }
    for p in annotations.select(channel=f"{name}_P"):
        detection = p.copy()
        detection.stats.channel = f"{name}_Detection"
        detection.data = np.maximum(p.data, starts[location_id(p), p.stats.starttime.ns].data)
        annotations.append(detection)


def resample_stream(stream: obspy.Stream, rate: float) -> None:
    """
    Bring all traces to one sampling rate in place.

    Rates without a ratio of small integers are left for SeisBench, which interpolates them.
    """
    for trace in stream:
        if trace.stats.sampling_rate == rate:
            continue
        try:
            trace.data = resample(trace.data, trace.stats.sampling_rate, rate)
        except ValueError:
            continue
        trace.stats.sampling_rate = rate


def blinding(model: SeisMoLLM, argdict: dict) -> tuple[int, int]:
    """Samples at the start and end of a window for which there is no answer."""
    return tuple(argument(model, argdict, "blinding"))


def fill(stream: obspy.Stream, model: SeisMoLLM, argdict: dict) -> obspy.Stream:
    """
    Bridge gaps and pad the ends with zeros, so that each sample lies within some window's answer.

    Gaps so long that a window fits in are kept. In strict mode nothing is filled.
    """
    if argument(model, argdict, "strict"):
        return stream
    if model.output_type == "array":
        before, after = blinding(model, argdict)
    else:
        before, after = model.pred_sample, model.in_samples - model.pred_sample
    rate = model.sampling_rate
    longest_gap = (model.in_samples + before + after) / rate

    traces = defaultdict(list)
    for trace in stream:
        traces[location_id(trace)].append(trace)
    filled = obspy.Stream()
    for pieces in traces.values():
        spans = [(trace.stats.starttime, trace.stats.endtime) for trace in pieces]
        for start, end in _union(spans, longest_gap):
            samples = max(round((end - start) * rate) + 1 + before + after, model.in_samples)
            # One more, as SeisBench truncates when it counts the samples of a segment.
            samples += 1
            inside = [t for t in pieces if start <= t.stats.starttime <= end]
            filled.extend(_fill_segment(inside, start - before / rate, samples, rate))
    return filled


def _fill_segment(
    pieces: list[obspy.Trace], start: obspy.UTCDateTime, samples: int, rate: float
) -> list[obspy.Trace]:
    components = {}
    for piece in pieces:
        offset = round((piece.stats.starttime - start) * rate)
        if piece.id not in components:
            trace = obspy.Trace(header=piece.stats)
            trace.data = np.zeros(samples, piece.data.dtype)
            # Keeps the fraction of a sample by which the trace is off the others' grid.
            trace.stats.starttime = piece.stats.starttime - offset / rate
            components[piece.id] = trace
        target = components[piece.id].data[offset : offset + piece.stats.npts]
        target[:] = piece.data[: target.size]
    return list(components.values())
