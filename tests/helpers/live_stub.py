"""Models, streams and sources for the tests of live picking."""

import functools
import threading
import time
from collections.abc import Sequence

import numpy as np
import obspy
import torch

from seisbench_llm.live import Live, LiveSettings, Replay, SeedLink, run
from seisbench_llm.live.sources import Packet
from tests.helpers.models import tiny_model
from tests.helpers.streams import make_stream

START = obspy.UTCDateTime(2020, 1, 1)
LEVELS = {"P_threshold": 0.6, "S_threshold": 0.6}


class Spikes(torch.nn.Module):
    """P where the first component stands out, S where the last one does."""

    def forward(self, x, logits=False):
        p, s = (x[:, [0]] / 25).clamp(0, 1), (x[:, [2]] / 25).clamp(0, 1)
        return torch.cat([torch.maximum(p, s), p, s], dim=1)


@functools.cache
def spike_model():
    model = tiny_model()
    model.network = Spikes()
    return model.eval()


def spikes(seconds, p=(), s=(), **kwargs):
    """Noise with one-sample pulses at these seconds."""
    stream = make_stream(int(seconds * 100), **kwargs)
    rng = np.random.default_rng(0)
    for trace in stream:
        trace.data = rng.standard_normal(trace.stats.npts)
        for at in {"Z": p, "E": s}.get(trace.stats.channel[-1], ()):
            trace.data[round(at * 100)] += 200
    return stream


@functools.cache
def filtered_model():
    """Without a high-pass, what batch processing gives depends on the mean of the whole record."""
    model = tiny_model(filter_args=["highpass"], filter_kwargs={"freq": 1.0})
    # Not to the point of saturation, for of two peaks of 1.0 either may win.
    with torch.no_grad():
        model.network.head.out.weight *= 0.2
        model.network.head.out.bias *= 0.2
    return model


def arrivals(samples, **kwargs):
    """As make_stream, but every piece of an even number of samples has a mean of zero."""
    stream = make_stream(samples, **kwargs)
    for trace in stream:
        trace.data[1::2] = -trace.data[: 2 * (samples // 2) : 2]
    return stream


def integers(stream):
    """The stream as miniSEED holds it, in place."""
    for trace in stream:
        trace.data = np.round(trace.data * 1000).astype("int32")
    return stream


class Listed:
    """Packets in the order given, the clock following the newest one."""

    def __init__(self, traces):
        self.traces, self.now = traces, 0.0

    @property
    def ended(self):
        return not self.traces

    def get(self, timeout):
        trace = self.traces.pop(0)
        self.now = max(self.now, trace.stats.endtime.timestamp)
        return Packet(trace, time.time())

    def clock(self):
        return self.now

    data_now = clock

    def more(self):
        return bool(self.traces) and self.traces[0].stats.endtime.timestamp <= self.now

    def received(self):
        return ()

    def close(self):
        pass


class DataClock(SeedLink):
    """
    A server whose clock is the time of the newest data, so that no wait depends on the machine.

    ``number`` is that of the last packet taken; ``ends`` are the times that the packets of the
    server end at, by which the clock goes on after a restart.
    """

    number, now = 0, 0.0
    ends: Sequence[float] = ()

    def resume(self, positions):
        super().resume(positions)
        if positions:
            self.now = max(self.ends[: max(positions.values())])

    def get(self, timeout):
        packet = super().get(timeout)
        if packet is not None:
            self.number = packet.number
            self.now = max(self.now, packet.trace.stats.endtime.timestamp)
        return packet

    def clock(self):
        return self.now

    data_now = clock

    def more(self):
        """No: then windows are answered after each packet, however the packets arrive."""
        return False


class Until:
    """
    Stops a picker once a condition holds, in place of an event.

    :param condition: Looked at before each packet, in the thread of the picker.
    :param seconds: After so many the test fails. No test waits for as long when all is well.
    """

    def __init__(self, condition, seconds=100):
        self.condition, self.over = condition, time.monotonic() + seconds

    def is_set(self):
        assert time.monotonic() < self.over, "What was waited for did not happen."
        return self.condition()


def packets(stream, seconds=1.0):
    source, traces = Replay(stream, 0, seconds), []
    while not source.ended:
        traces.append(source.get(0).trace)
    return traces


def fed(traces, model, settings=None, **kwargs):
    """Picks from packets as listed."""
    got = []
    live = Live(model, got.append, settings or LiveSettings(step=4), **kwargs)
    run(live, Listed(list(traces)), threading.Event())
    return got, live


def of(picks, status):
    found = [p for p in picks if p.status == status]
    return sorted(found, key=lambda p: (p.time.ns, p.phase))


def assert_same(picks, batch, atol=1e-3):
    confirmed = of(picks, "confirmed")
    batch = sorted(batch, key=lambda p: (p.peak_time.ns, p.phase))
    assert [p.phase for p in confirmed] == [p.phase for p in batch]
    times = [live.time - one.peak_time for live, one in zip(confirmed, batch, strict=True)]
    assert np.abs(times).max(initial=0) < 1e-5
    values = [p.probability for p in confirmed]
    np.testing.assert_allclose(values, [p.peak_value for p in batch], atol=atol)
