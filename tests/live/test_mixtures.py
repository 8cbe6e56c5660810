"""Any mixture of gaps, filled gaps, components apart, late and doubled packets, as in a batch."""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.helpers.live_stub import (
    LEVELS,
    START,
    arrivals,
    assert_same,
    fed,
    filtered_model,
    packets,
)

SECONDS = 90

# Seconds between two troubles and lengths, both even numbers of samples: then no piece has a mean.
TROUBLES = st.lists(
    st.tuples(
        st.sampled_from(["cut", "zeros"]),
        st.integers(100, 2000).map(lambda n: n / 50),
        st.one_of(st.integers(30, 300), st.integers(300, 2500)).map(lambda n: n / 50),
    ),
    max_size=3,
)
PATTERNS = st.lists(TROUBLES, min_size=1, max_size=3)


def troubled(patterns):
    """A stream whose components have the troubles of a pattern each, the last one for the rest."""
    whole = arrivals(SECONDS * 100)
    stream = whole[:0]
    for trace, pattern in zip(whole, patterns + patterns[-1:] * 2, strict=False):
        trace.data += 1e5
        at, kept = 0.0, trace
        for kind, before, length in pattern:
            first, last = round((at + before) * 100), round((at + before + length) * 100)
            at += before + length
            if kind == "zeros":
                kept.data[first:last] = 0
                continue
            part = kept.slice(endtime=START + first / 100 - 0.005)
            stream.extend([part] if part.stats.npts else [])
            kept = kept.slice(START + last / 100)
        stream.extend([kept] if kept.stats.npts else [])
    return stream


@given(PATTERNS, st.sampled_from([0.5, 1.0, 3.3]), st.integers(0, 1000))
@settings(
    max_examples=int(os.environ.get("LIVE_EXAMPLES", "4")),
    deadline=None,
    database=None,
    # The same ones each time, unless many are asked for.
    derandomize="LIVE_EXAMPLES" not in os.environ,
    # Each takes a second.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_any_mixture_is_picked_as_in_a_batch(patterns, seconds, seed):
    assert_as_in_a_batch(patterns, seconds, seed)


MIXTURES = {
    # A peak behind a gap gives way to one before it, and displaces none itself.
    "peaks on either side of a gap": (
        [
            [("zeros", 14.0, 15.88), ("zeros", 2.76, 1.2), ("cut", 10.44, 13.2)],
            [("zeros", 2.02, 3.48), ("cut", 5.92, 2.84)],
            [("zeros", 13.98, 1.88), ("zeros", 13.58, 22.02)],
        ],
        1.0,
        250,
    ),
    # The last window ends with the data, which end where the gap begins.
    "a filled gap at the end": (
        [[("zeros", 5.26, 2.92), ("zeros", 39.06, 4.36), ("zeros", 21.5, 37.56)]],
        0.5,
        839,
    ),
    # Windows begin anew behind it, though zeros come out of order while it is filled.
    "a filled gap longer than a window": ([[("zeros", 3.84, 35.64)]], 3.3, 937),
    # Of the packets behind it, a later one comes first.
    "a gap nearly too long": ([[("zeros", 15.12, 1.74), ("cut", 35.78, 34.76)]], 0.5, 614),
}


@pytest.mark.parametrize("patterns, seconds, seed", MIXTURES.values(), ids=MIXTURES)
def test_mixtures_that_were_not_picked_as_in_a_batch(patterns, seconds, seed):
    assert_as_in_a_batch(patterns, seconds, seed)


def assert_as_in_a_batch(patterns, seconds, seed):
    model, stream = filtered_model(), troubled(patterns)
    traces, rng = packets(stream, seconds), np.random.default_rng(seed)
    traces += [traces[i].copy() for i in rng.integers(0, len(traces), 10)]
    place = [trace.stats.endtime.timestamp + rng.uniform(0, 4) for trace in traces]
    picks, _ = fed([traces[i] for i in np.argsort(place)], model, **LEVELS)
    assert_same(picks, model.classify(stream, **LEVELS).picks)
