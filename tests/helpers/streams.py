"""Streams with arrivals, and comparison of streams."""

import numpy as np
import obspy


def make_stream(samples=6000, rate=100.0, components="ZNE", code="HH", station="STA", seed=0):
    """Noise with a decaying arrival on each component."""
    rng = np.random.default_rng(seed)
    stream = obspy.Stream()
    for component in components:
        data = rng.standard_normal(samples)
        onset = samples // 2
        data[onset:] += 20 * np.exp(-np.arange(samples - onset) / (2 * rate))
        header = {
            "network": "XX",
            "station": station,
            "location": "00",
            "channel": code + component,
            "sampling_rate": rate,
            "starttime": obspy.UTCDateTime(2020, 1, 1),
        }
        stream.append(obspy.Trace(data, header))
    return stream


def assert_same(one, other, tolerance=1e-5):
    assert len(one) == len(other) > 0
    for a, b in zip(one, other, strict=True):
        assert a.id == b.id and abs(a.stats.starttime - b.stats.starttime) < 1e-6
        np.testing.assert_allclose(a.data, b.data, atol=tolerance)
