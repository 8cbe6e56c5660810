"""Disturbances of recordings: late components, joints, steps, gaps, calibration pulses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import obspy

# Function of noise (a stream of one start and length) and random numbers -> a disturbed copy, and
# the seconds at which something changes.
Disturbance = Callable[[obspy.Stream, np.random.Generator], tuple[obspy.Stream, list[float]]]
# Size of steps and pulses in standard deviations of the noise.
LEAST_SIZE, LARGEST_SIZE = 5.0, 100.0


def _size(rng: np.random.Generator) -> float:
    return float(
        np.exp(rng.uniform(np.log(LEAST_SIZE), np.log(LARGEST_SIZE))) * rng.choice([-1, 1])
    )


def _place(stream: obspy.Stream, rng: np.random.Generator) -> float:
    length = stream[0].stats.npts * stream[0].stats.delta
    return float(rng.uniform(0.3, 0.7) * length)


def _some(stream: obspy.Stream, rng: np.random.Generator) -> list[obspy.Trace]:
    """One component, or all."""
    return list(stream) if rng.random() < 0.5 else [stream[rng.integers(len(stream))]]


def component_starts(stream, rng):
    """One or two components begin later than the others."""
    out, times = stream.copy(), []
    for index in rng.permutation(len(out))[: rng.integers(1, max(len(out), 2))]:
        times.append(_place(stream, rng))
        out[index].trim(out[index].stats.starttime + times[-1])
    return out, times


def joint(stream, rng):
    """The level of noise and the offset change from one sample to the next, as at joined files."""
    out, at = stream.copy(), _place(stream, rng)
    factor = np.exp(rng.uniform(np.log(0.3), np.log(3)))
    for trace in out:
        first, scale = round(at * trace.stats.sampling_rate), trace.data.std()
        trace.data = trace.data.astype(float)
        trace.data[first:] = factor * trace.data[first:][::-1] + rng.normal() * scale
    return out, [at]


def step(stream, rng):
    """The zero line jumps."""
    out, at, size = stream.copy(), _place(stream, rng), _size(rng)
    for trace in _some(out, rng):
        trace.data = trace.data.astype(float)
        trace.data[round(at * trace.stats.sampling_rate) :] += size * trace.data.std()
    return out, [at]


def gap(stream, rng):
    """All components have a gap of some seconds."""
    at, length = _place(stream, rng), rng.uniform(1, 10)
    out = obspy.Stream()
    for trace in stream:
        start = trace.stats.starttime
        out += trace.slice(endtime=start + at).copy()
        out += trace.slice(starttime=start + at + length).copy()
    return out, [at, at + length]


def filled_gap(stream, rng):
    """A gap that is filled with zeros, under an offset."""
    out, at, length = stream.copy(), _place(stream, rng), rng.uniform(0.5, 5)
    for trace in out:
        rate = trace.stats.sampling_rate
        trace.data = trace.data - trace.data.mean() + 3 * trace.data.std()
        trace.data[round(at * rate) : round((at + length) * rate)] = 0
    return out, [at, at + length]


def calibration_pulse(stream, rng):
    """The seismometer's answer to a step of current, or a square pulse of some seconds."""
    out, at, size = stream.copy(), _place(stream, rng), _size(rng)
    length, square = rng.uniform(0.5, 8), rng.random() < 0.5
    for trace in _some(out, rng):
        seconds = trace.times() - at
        pulse = np.where(seconds >= 0, np.exp(-np.clip(seconds, 0, None) / length), 0)
        if square:
            pulse = ((seconds >= 0) & (seconds < length)).astype(float)
        trace.data = trace.data + size * trace.data.std() * pulse
    return out, [at, at + length] if square else [at]


DISTURBANCES: dict[str, Disturbance] = {
    "component starts": component_starts,
    "joint": joint,
    "step": step,
    "gap": gap,
    "gap filled with zeros": filled_gap,
    "calibration pulse": calibration_pulse,
}
