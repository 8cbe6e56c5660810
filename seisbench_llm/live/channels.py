"""Channels of an instrument: which input of the model they are, their filter, their rotation."""

from __future__ import annotations

import obspy
from obspy.core.trace import Stats

from ..models.seismollm import SeisMoLLM
from ..streams.arguments import Arguments
from ..streams.orientation import Rotation
from ..streams.windows import filter_reach
from ..trace_ids import TraceId, component_index, split_channel


def warm_up(model: SeisMoLLM, arguments: Arguments, instrument: str) -> float:
    """
    Seconds after which the start of the data no longer affects the model's filter.

    :param instrument: Band and instrument code. Filters may differ by channel.
    :raises ValueError: If the filter cannot be applied.
    """
    rate = model.sampling_rate
    headers = [
        Stats({"sampling_rate": rate, "channel": instrument + code})
        for code in model.component_order
    ]
    reach = filter_reach(model, arguments, headers)
    # Without a limit, as much as there is room for.
    return (model.in_samples if reach is None else reach) / rate


def component(model: SeisMoLLM, arguments: Arguments, channel: str) -> int | None:
    """Row of a channel in the model's input, None if the model does not know its component."""
    flexible = arguments.flexible_horizontal_components
    return component_index(split_channel(channel)[1], model.component_order, flexible)


def orient_as(rotation: Rotation, name: str, stream: obspy.Stream) -> obspy.Stream:
    """
    Rotate a stream of one instrument to Z, N, E.

    :param name: NET.STA.LOC, perhaps with more codes after it. The traces get these three codes.
    """
    network, station, location = TraceId.parse(name)[:3]
    for trace in stream:
        trace.stats.update({"network": network, "station": station, "location": location})
    return rotation(stream)
