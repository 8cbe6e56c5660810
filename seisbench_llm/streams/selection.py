"""Selection of the records of a stream that a model can use."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import obspy
from seisbench.models import WaveformModel

from ..trace_ids import HORIZONTALS, TraceId, component_index, records_ground_motion
from .arguments import Arguments
from .contiguous import ContiguousRecord, find_contiguous
from .defects import without_defects
from .skipped import Skipped, SkippedList

# Fractions of the model's sampling rate. Below the first, resampling makes up most of what the
# model looks at; below the second, the upper half of its band is missing.
LOWEST_RATE = 0.1
POOR_RATE = 0.4


def select_records(
    stream: obspy.Stream | obspy.Trace,
    model: WaveformModel,
    arguments: Arguments,
    skipped: SkippedList,
) -> dict[str, list[ContiguousRecord]]:
    """
    Contiguous, finite records of components that a model knows, not copied.

    :param stream: Waveforms of any kind; not changed.
    :param arguments: Of ``annotate``.
    :param skipped: Takes what is left out.
    :return: NET.STA.LOC and instrument code -> records, in the order of channels and times.
    :raises TypeError: If it is no stream.
    """
    if isinstance(stream, obspy.Trace):
        stream = [stream]
    elif not isinstance(stream, obspy.Stream):
        raise TypeError(f"Waveforms are an obspy.Stream or Trace, not {type(stream).__name__}.")
    usable = []
    for trace in stream:
        cause = _unusable(trace, model, arguments)
        if cause is None:
            usable.append(trace)
        else:
            skipped.add(trace, cause)
    instruments = defaultdict(list)
    for record in find_contiguous(usable, skipped, model.sampling_rate):
        instruments[record.instrument_id] += without_defects(record, skipped)
    _warn_of_poor_rates(usable, model, skipped)
    needed = model.task.components
    return {
        name: records
        for name, records in sorted(instruments.items())
        if records and _is_complete(name, records, model, needed, skipped)
    }


def _unusable(trace: obspy.Trace, model: WaveformModel, arguments: Arguments) -> str | None:
    """Why a trace cannot be used, None if it can."""
    trace_id, rate = TraceId.of(trace), trace.stats.sampling_rate
    order = model.component_order
    flexible = arguments.flexible_horizontal_components
    if trace.stats.npts == 0:
        return "it has no samples"
    if component_index(trace_id.component, order, flexible) is None:
        known = sorted({*order, *(HORIZONTALS if flexible else "")})
        return f"its component is none of {', '.join(known)}"
    if not records_ground_motion(trace_id.channel):
        return "its channel code is that of something else than ground motion"
    if not np.issubdtype(trace.data.dtype, np.number) or np.iscomplexobj(trace.data):
        return f"its samples are {trace.data.dtype}, not real numbers"
    if not LOWEST_RATE * model.sampling_rate <= rate < np.inf:
        lowest = LOWEST_RATE * model.sampling_rate
        return f"its sampling rate is {rate:g} Hz; at least {lowest:g} Hz are needed"
    return None


def _warn_of_poor_rates(
    traces: list[obspy.Trace], model: WaveformModel, skipped: SkippedList
) -> None:
    for trace in traces:
        rate = trace.stats.sampling_rate
        if rate < POOR_RATE * model.sampling_rate:
            cause = (
                f"its sampling rate is {rate:g} Hz and the model's {model.sampling_rate:g} Hz, "
                f"so that picks are few and late"
            )
            skipped.add(trace, cause, used=True)


def _is_complete(
    name: str,
    records: list[ContiguousRecord],
    model: WaveformModel,
    needed: int,
    skipped: SkippedList,
) -> bool:
    """Whether an instrument has the components that the model's task needs."""
    present = {record.trace_id.component for record in records}
    if needed == 1 or len(present) >= needed:
        return True
    start = min(record.stats.starttime for record in records)
    end = max(record.stats.endtime for record in records)
    cause = (
        f"{model.task.name} needs three components ({', '.join(model.component_order)}) and found "
        f"{', '.join(sorted(present))}; rotate other horizontals to north and east first "
        f"(obspy.Stream.rotate)"
    )
    skipped.append(Skipped(f"{name}?", start, end, cause))
    return False
