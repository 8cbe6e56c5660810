"""From an ObsPy stream as it comes to one that SeisBench's pipeline annotates without loss."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import obspy
import seisbench
from seisbench.models import WaveformModel

from ..preprocess import resample
from ..seisbench_private import annotate_arguments
from . import chunks
from .arguments import argument
from .contiguous import Run, find_runs, warn
from .pipeline import fail_instead_of_hanging
from .stitching import Curve, Excerpts, Sieve, Span, trim
from .windows import WindowLayout

if TYPE_CHECKING:
    from ..models.seismollm import SeisMoLLM
from ..trace_ids import location_id


async def annotate(
    model: SeisMoLLM, stream: obspy.Stream, kwargs: dict, sieve: Sieve | None = None
) -> obspy.Stream:
    """
    Annotate a stream of any kind and length; the stream is not changed.

    :param sieve: What to keep of the annotations; by default all.
    :return: Annotations over exactly the time spans that hold data. ``stats.instrument`` of each
        annotation is the band and instrument code it was made from, for example HH.
    """
    argdict = {**model.default_args, **kwargs}
    pipeline = _checked(model, kwargs)
    rate = model.sampling_rate
    output = obspy.Stream()
    for runs in one_instrument_per_location(usable(stream, model, argdict)):
        codes = {location_id(run): run.stats.channel[:-1] for run in runs}
        spans = data_spans(runs, rate)
        found = {}
        short, long = chunks.divide(runs, model, argdict)
        for part in short:
            for trace in await pipeline(obspy.Stream([run.trace() for run in part])):
                location = location_id(trace)
                trace.stats.instrument = codes[location]
                found[location] = trace.stats
                for piece in trim(trace, spans[location], rate):
                    output.extend([piece] if sieve is None else sieve.excerpts(piece)[0])
        for segment in long:
            location = location_id(segment.places[0][0])
            curves: dict[str, Curve | Excerpts] = {}
            for chunk in segment.chunks:
                for trace in await pipeline(segment.cut(chunk)):
                    first, channel = segment.place(trace, chunk), trace.stats.channel
                    if channel not in curves:
                        stats = trace.stats.copy()
                        stats.update({"starttime": segment.start, "instrument": codes[location]})
                        arguments = (stats, segment.outputs, spans[location], rate)
                        curves[channel] = (
                            Curve(*arguments) if sieve is None else Excerpts(*arguments, sieve)
                        )
                        found[location] = stats
                    curves[channel].take(*chunk.keep, first, trace.data)
            for curve in curves.values():
                output.extend(curve.parts())
        if sieve is not None:
            output.extend([sieve.reminder(stats) for stats in found.values()])
        for location in sorted(set(codes) - set(found)):
            seisbench.logger.warning(
                f"{location}.{codes[location]}: no annotation. With strict=True all of "
                f"{model.component_order} must be there for at least "
                f"{model.in_samples / model.sampling_rate:g} s without a gap."
            )
    return output


def _checked(model: SeisMoLLM, kwargs: dict):
    """SeisBench's own ``annotate_async``, to be called with a stream that it may change."""
    known = {name: v for name, v in kwargs.items() if name in annotate_arguments(model)}
    known.update({name: v for name, v in kwargs.items() if name.endswith("_threshold")})
    given = [kwargs, known]  # so that SeisBench warns of unknown arguments only once

    async def call(stream: obspy.Stream) -> obspy.Stream:
        now = given.pop(0) if len(given) > 1 else known
        seisbench_task = WaveformModel.annotate_async(model, stream, copy=False, **now)
        annotations = await fail_instead_of_hanging(seisbench_task)
        if model.output_type == "array" and "Detection" not in model.labels:
            add_detection(annotations, model.name)
        return annotations

    return call


def usable(stream: obspy.Stream, model: SeisMoLLM, argdict: dict) -> list[Run]:
    """
    Contiguous, finite records of components that the model knows, not copied.

    Whatever is left out is named in a warning.
    """
    flexible = argument(model, argdict, "flexible_horizontal_components")
    known = set(model.component_order) | (set("NE12") if flexible else set())
    parts = obspy.Stream()
    for trace in stream:
        if trace.stats.npts == 0:
            warn(trace, "it has no samples")
        elif trace.stats.channel[-1:] not in known:
            warn(trace, f"its component is none of {', '.join(sorted(known))}")
        elif not np.issubdtype(trace.data.dtype, np.number) or np.iscomplexobj(trace.data):
            warn(trace, f"its samples are {trace.data.dtype}, not real numbers")
        else:
            parts.append(trace)
    return _drop_incomplete(find_runs(parts), model)


def clean(stream: obspy.Stream, model: SeisMoLLM, argdict: dict) -> obspy.Stream:
    """
    Contiguous, finite, zero-mean traces in double precision, of components that the model knows.

    Whatever is left out is named in a warning.
    """
    return obspy.Stream([run.trace() for run in usable(stream, model, argdict)])


def _drop_incomplete(runs: list[Run], model: SeisMoLLM) -> list[Run]:
    if model.task.components == 1:
        return runs
    components = defaultdict(set)
    for run in runs:
        components[run.id[:-1]].add(run.id[-1])
    for instrument, present in sorted(components.items()):
        if len(present) < model.task.components:
            seisbench.logger.warning(
                f"{instrument}? is ignored: {model.task.name} needs three components "
                f"({', '.join(model.component_order)}) and found {', '.join(sorted(present))}. "
                f"Rotate other horizontals to north and east first (obspy.Stream.rotate)."
            )
    return [run for run in runs if len(components[run.id[:-1]]) >= model.task.components]


def one_instrument_per_location(runs: list[Run]) -> Iterator[list[Run]]:
    """
    Split records so that each part has at most one instrument per NET.STA.LOC.

    SeisBench does not look at band and instrument codes: of HH and HN at one location, one would
    overwrite the other.
    """
    instruments = defaultdict(lambda: defaultdict(list))
    for run in runs:
        instruments[location_id(run)][run.stats.channel[:-1]].append(run)
    for index in range(max((len(codes) for codes in instruments.values()), default=0)):
        part = []
        for codes in instruments.values():
            if index < len(codes):
                part.extend(codes[sorted(codes)[index]])
        yield part


def data_spans(stream: obspy.Stream | list[Run], rate: float) -> dict[str, list[Span]]:
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


def fill(
    stream: obspy.Stream | chunks.ChunkStream, model: SeisMoLLM, argdict: dict
) -> obspy.Stream:
    """
    Bridge gaps and pad the ends with zeros, so that each sample lies within some window's answer.

    Gaps so long that a window fits in are kept. In strict mode nothing is filled.
    """
    if isinstance(stream, chunks.ChunkStream):
        return stream.fill()
    layout = WindowLayout.of(model, argdict)
    if layout.strict:
        return stream
    rate = layout.rate
    traces = defaultdict(list)
    for trace in stream:
        traces[location_id(trace)].append(trace)
    filled = obspy.Stream()
    for pieces in traces.values():
        spans = [(trace.stats.starttime, trace.stats.endtime) for trace in pieces]
        for start, end in _union(spans, layout.bridge):
            samples = layout.padded(round((end - start) * rate) + 1)
            inside = [t for t in pieces if start <= t.stats.starttime <= end]
            filled.extend(_fill_segment(inside, start - layout.padding[0] / rate, samples, rate))
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
