import itertools

import numpy as np
import obspy
from hypothesis import given, settings
from hypothesis import strategies as st

from seisbench_llm.live.buffer import TraceBuffer
from tests.helpers.live_stub import START

PIECES = st.lists(
    st.tuples(st.integers(0, 120), st.integers(1, 30), st.sampled_from([0, 0, 0, 1])),
    min_size=1,
    max_size=25,
)


@given(PIECES, st.integers(10, 150))
@settings(max_examples=200, deadline=None)
def test_buffer_against_a_reference(pieces, size):
    buffer = TraceBuffer(1.0, START, size)
    known, newest = {}, None
    for start, length, wrong in pieces:
        values = np.arange(start, start + length) + wrong
        added = buffer.add_samples(start, np.ma.asarray(values))
        newest = max(newest if newest is not None else -np.inf, start + length)
        late = sum(n < newest - buffer.size for n in range(start, start + length))
        assert added.late == late
        assert added.new + added.duplicate + added.conflicting + added.late <= length
        for number in range(start, start + length):
            known.setdefault(number, set()).add(number + wrong)
        known = {n: v for n, v in known.items() if n >= newest - buffer.size}
    good = {n: v.pop() for n, v in known.items() if len(v) == 1}
    pieces = buffer.contiguous(-10, 300)
    assert {at + i: v for at, piece in pieces for i, v in enumerate(piece)} == good
    assert all(b > a + len(piece) for (a, piece), (b, _) in itertools.pairwise(pieces))
    first = int(newest) - buffer.size
    missing = [n for n in range(first, int(newest)) if n not in known]
    assert buffer.complete_from(first) == (missing[0] if missing else newest)


@given(PIECES, st.randoms())
@settings(max_examples=100, deadline=None)
def test_buffer_merges_like_obspy_in_any_order(pieces, random):
    header = {"sampling_rate": 1.0, "starttime": START}
    stream = obspy.Stream()
    for start, length, _ in pieces:
        stream.append(obspy.Trace(np.arange(start, start + length), header))
        stream[-1].stats.starttime += start
    buffer = TraceBuffer(1.0, stream[0].stats.starttime, 200)
    for trace in random.sample(stream.traces, len(stream)):
        buffer.add(trace)
    merged = stream.merge(method=0)[0].split()
    pieces = buffer.contiguous(-200, 300)
    assert [buffer.time(at) for at, _ in pieces] == [trace.stats.starttime for trace in merged]
    for (_, samples), trace in zip(pieces, merged, strict=True):
        np.testing.assert_array_equal(samples, trace.data)


def test_buffer_leaves_out_what_contradicts_or_is_not_finite():
    buffer = TraceBuffer(1.0, START, 100)
    buffer.add_samples(0, np.ma.arange(10.0))
    wrong = buffer.add_samples(5, np.ma.array([5.0, 99.0, np.nan, 8.0], mask=[0, 0, 0, 1]))
    assert (wrong.duplicate, wrong.conflicting, wrong.invalid) == (1, 1, 2)
    buffer.add_samples(6, np.ma.array([6.0]))
    assert [(at, list(piece)) for at, piece in buffer.contiguous(0, 99)] == [
        (0, [0, 1, 2, 3, 4, 5]),
        (7, [7, 8, 9]),
    ]
