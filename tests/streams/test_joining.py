"""Records without gaps, part by part: where each begins, ends and is joined, sample by sample."""

from fractions import Fraction

import numpy as np
import obspy
import pytest
from obspy import UTCDateTime

from seisbench_llm.streams import contiguous
from seisbench_llm.streams.contiguous import ContiguousRecord, find_contiguous
from seisbench_llm.streams.skipped import SkippedList

START = UTCDateTime(2020, 1, 1)


def trace_of(data, rate=50.0, late=0.0, channel="HHZ"):
    """A trace that starts so many samples late."""
    header = {"network": "XX", "station": "A", "channel": channel, "sampling_rate": rate}
    trace = obspy.Trace(header={**header, "starttime": START + late / rate})
    trace.data = np.asanyarray(data)
    return trace


def record_of(data, rate=50.0, late=0.0, **kwargs):
    return ContiguousRecord.of(trace_of(data, rate, late, **kwargs), 0, len(data))


def values(record):
    return record.read(0, record.stats.npts).tolist()


def first_of(record):
    """Place of its first sample."""
    return round((record.stats.starttime - START) * record.stats.sampling_rate)


def joined(*parts):
    """A record of several pieces."""
    record, late = record_of(parts[0]), len(parts[0])
    for part in parts[1:]:
        assert record.join(record_of(part, late=late))
        late += len(part)
    return record


def test_part_of_a_trace():
    record = ContiguousRecord.of(trace_of(range(10), channel="NS2"), 3, 7)
    assert values(record) == [3, 4, 5, 6]
    assert first_of(record) == 3 and record.stats.npts == 4
    assert record.stats.endtime == START + 6 / 50
    assert (record.id, record.instrument_id) == ("XX.A..NS2", "XX.A..2")
    # The component comes last, as SEED has it.
    assert record.stats.channel == "2N"
    assert (record.stats.network, record.stats.station, record.stats.location) == ("XX", "A", "")


@pytest.mark.parametrize("first, last", [(0, 9), (0, 3), (2, 3), (3, 4), (3, 9), (4, 8), (2, 5)])
def test_slices_across_pieces(first, last):
    record = joined([0, 1, 2], [3], [4, 5, 6, 7, 8])
    part = record.slice(first, last)
    assert values(part) == list(range(first, last))
    assert first_of(part) == first and part.stats.npts == last - first
    assert values(part.slice(1, last - first)) == list(range(first + 1, last))
    assert values(record) == list(range(9))


@pytest.mark.parametrize("first, last", [(0, 9), (0, 1), (2, 4), (3, 4), (8, 9), (4, 4)])
def test_reading_across_pieces(first, last):
    read = joined([0, 1, 2], [3], [4, 5, 6, 7, 8]).read(first, last)
    assert read.tolist() == list(range(first, last)) and read.dtype == np.float64


@pytest.mark.parametrize(
    "spans, kept",
    [
        ([], [(0, 10)]),
        ([(3, 4)], [(0, 3), (5, 10)]),
        ([(0, 0)], [(1, 10)]),
        ([(9, 9)], [(0, 9)]),
        ([(-5, -1)], [(0, 10)]),
        ([(-5, 0)], [(1, 10)]),
        ([(10, 12)], [(0, 10)]),
        ([(9, 12)], [(0, 9)]),
        ([(-2, 12)], []),
        ([(-9, -2), (-1, 1), (4, 4), (6, 8), (12, 14)], [(2, 4), (5, 6), (9, 10)]),
    ],
)
def test_what_lies_outside_of_spans(spans, kept):
    record = joined(range(4), range(4, 10))
    spans = [(START + first / 50, START + last / 50) for first, last in spans]
    parts = record.outside(spans)
    assert [(first_of(p), first_of(p) + p.stats.npts) for p in parts] == kept
    for part, (first, last) in zip(parts, kept, strict=True):
        assert values(part) == list(range(first, last))


def test_mean_and_peak():
    record = joined([1, 2], [9])
    assert (record.mean, record.peak) == (4.0, 5.0)
    # Both are those of the longer record once it is joined.
    assert record.join(record_of([-8, -4], late=3))
    assert (record.mean, record.peak) == (0.0, 9.0)
    # Of equal samples exactly their value, which a sum of many is not.
    third = record_of(np.full(100_001, 1 / 3))
    assert third.mean == 1 / 3 and third.peak == 0
    assert joined([0.1] * 3, [0.1] * 7).mean == 0.1
    assert joined([0.1] * 3, [0.2]).mean == pytest.approx(0.125)
    with np.errstate(all="raise"):
        assert not np.isfinite(record_of([1e308, 1e308, 1e307]).peak)


def test_trace_without_its_mean():
    trace = joined([1, 2], [9]).trace()
    assert trace.data.tolist() == [-3, -2, 5] and trace.stats.record_peak == 5
    assert trace.stats.starttime == START and trace.stats.npts == 3


@pytest.mark.parametrize(
    "late, rate, fits",
    [(3, 50, True), (3.0099, 50, True), (2.9901, 50, True), (3.0101, 50, False)]
    + [(2.9899, 50, False), (4, 50, False), (2, 50, False), (3, 25, False)],
)
def test_what_goes_on_where_another_ends(late, rate, fits):
    record = record_of([1, 2, 3])
    other = record_of([4, 5], rate, late * rate / 50)
    if rate == 50:
        assert record.late(other) == pytest.approx(late - 3)
    assert record.join(other) is fits
    assert values(record) == ([1, 2, 3, 4, 5] if fits else [1, 2, 3])
    assert record.stats.npts == (5 if fits else 3)


@pytest.mark.parametrize("block", [1, 2, 3, 1 << 20])
@pytest.mark.parametrize("changed", [[], [0], [1], [4], [0, 4], [1, 2], [2, 3]])
def test_samples_in_which_two_differ(monkeypatch, block, changed):
    monkeypatch.setattr(contiguous, "BLOCK", block)
    other = np.arange(3, 8)
    other[changed] += 1
    found = record_of(range(10)).difference(record_of(other, late=3), 3, 5)
    assert found == ((changed[0], changed[-1]) if changed else None)
    # Only so many are compared.
    found = record_of(range(10)).difference(record_of(other, late=3), 3, 2)
    early = [at for at in changed if at < 2]
    assert found == ((early[0], early[-1]) if early else None)


@pytest.mark.parametrize(
    "rate, target, ratio",
    [
        (50, 100, Fraction(2)),
        (200, 100, Fraction(1, 2)),
        (62.5, 100, Fraction(8, 5)),
        (33.333333333333336, 100, Fraction(3)),
        (100 * (1 + 5e-10), 100, Fraction(1)),
        (100 * (1 + 2e-9), 100, None),
        (99.99, 100, None),
        (1e6, 100, None),
        (1e5, 100, Fraction(1, 1000)),
    ],
)
def test_ratios_of_rates(rate, target, ratio):
    assert record_of([1.0], rate).ratio(target) == ratio


def test_at_another_rate():
    data = np.sin(np.arange(400) / 30) + 7
    record = record_of(data)
    assert record.at_rate(50.0) is record
    twice = record.at_rate(100.0)
    assert twice.stats.sampling_rate == 100 and twice.stats.npts == 800
    assert twice.stats.starttime == START and record.stats.npts == 400
    np.testing.assert_allclose(values(twice)[20:-20:2], data[10:-10], atol=1e-3)
    odd = record_of(data, 99.99).at_rate(100.0)
    assert odd.stats.sampling_rate == 100 and odd.stats.npts == len(values(odd)) == 400
    assert np.mean(values(odd)) == pytest.approx(np.mean(data), abs=0.01)
    # A sample more or less: what is started is counted.
    assert [record_of([1.0] * n, 200.0).resampled_stats(100.0).npts for n in (1, 2, 3)] == [1, 1, 2]
    assert record_of([1.0] * 9, 99.99).resampled_stats(100.0).npts == 10


def test_part_at_the_same_rate():
    record = joined([1, 2], [9])
    assert record.resampled(1, 3, 50.0).tolist() == [-2, 5]


def test_one_sample_at_another_rate():
    # There is no line through one sample, and its mean is itself.
    assert record_of([5.0], 50.0).resampled(0, 2, 100.0).tolist() == [0, 0]


def test_samples_that_are_not_finite_are_told_of():
    data = np.array([np.nan, 1, 2, np.inf, np.nan, 3, 4, np.nan])
    skipped = SkippedList()
    records = find_contiguous([trace_of(data)], skipped)
    assert [(first_of(r), values(r)) for r in records] == [(1, [1, 2]), (5, [3, 4])]
    spans = [(round((e.start - START) * 50), round((e.end - START) * 50)) for e in skipped]
    assert spans == [(0, 0), (3, 4), (7, 7)]
    assert {e.cause for e in skipped} == {"its samples are not finite numbers"}
    assert {e.trace_id for e in skipped} == {"XX.A..HHZ"} and not any(e.used for e in skipped)


def test_masked_samples_are_gaps_and_no_more_is_said():
    masked = np.ma.masked_array(np.arange(6.0), [1, 0, 0, 1, 1, 0])
    skipped = SkippedList()
    assert [values(r) for r in find_contiguous([trace_of(masked)], skipped)] == [[1, 2], [5]]
    assert not skipped
    # Unless one is neither masked nor a number.
    masked = np.ma.masked_array([0, np.nan, 2, np.nan, np.nan, 5], [0, 1, 0, 1, 0, 0])
    find_contiguous([trace_of(masked)], skipped)
    assert [(round((e.start - START) * 50), round((e.end - START) * 50)) for e in skipped] == [
        (3, 4)
    ]


def test_nothing_that_is_finite(warnings_of):
    for data in (np.full(5, np.nan), np.ma.masked_array(np.zeros(5), True)):
        skipped = SkippedList()
        assert find_contiguous([trace_of(data)], skipped) == []
        assert [e.cause for e in skipped] == ["all its samples are masked or not finite"]
        assert warnings_of() == ""
    # Who hands over no list is warned.
    find_contiguous([trace_of(data)])
    assert "all its samples are masked" in warnings_of()


def test_round_rates_are_assumed_for_a_quarter_of_a_sample():
    def rate_of(samples, rate, target=100.0):
        (record,) = find_contiguous([trace_of(np.zeros(samples), rate)], SkippedList(), rate=target)
        return record.stats.sampling_rate

    # 1e-4 off: 0.25 samples are reached after 2500.
    assert rate_of(2400, 99.99) == 100 and rate_of(2600, 99.99) == 99.99
    # Round are all whose ratio to the model's rate is.
    assert rate_of(1000, 49.9999) == 50 and rate_of(1000, 200.0001) == 200
    assert rate_of(1000, 33.333333) == pytest.approx(100 / 3, abs=1e-12)


def test_rates_stay_unless_there_are_several():
    stream = [trace_of(range(4), 50.0), trace_of(range(4), 50.0, 10)]
    rates = [r.stats.sampling_rate for r in find_contiguous(stream, SkippedList(), rate=100.0)]
    assert rates == [50, 50]
    stream.append(trace_of(range(8), 100.0, 100))
    rates = [r.stats.sampling_rate for r in find_contiguous(stream, SkippedList(), rate=100.0)]
    assert rates == [100, 100, 100]
    # Without a rate to bring them to, all stay, and other ids are left alone.
    assert len({r.stats.sampling_rate for r in find_contiguous(stream, SkippedList())}) == 2


@pytest.mark.parametrize(
    "parts, kept, lost",
    [
        # (first sample, samples) of pieces; (first sample, samples) that are left; spans lost
        ([(0, [1, 2, 3]), (3, [4])], [(0, [1, 2, 3, 4])], []),
        ([(0, [1, 2, 3]), (4, [5])], [(0, [1, 2, 3]), (4, [5])], []),
        ([(0, [1, 2, 3]), (2, [3, 4])], [(0, [1, 2, 3, 4])], []),
        ([(0, [1, 2, 3]), (1, [2])], [(0, [1, 2, 3])], []),
        ([(0, [1, 2, 3]), (0, [1, 2, 3])], [(0, [1, 2, 3])], []),
        ([(0, [1, 2, 3]), (2, [9, 4])], [(0, [1, 2]), (3, [4])], [(2, 2)]),
        ([(0, [1, 2, 3]), (0, [9, 2, 3])], [(1, [2, 3])], [(0, 0)]),
        ([(0, [1, 2, 3]), (0, [1, 2, 9])], [(0, [1, 2])], [(2, 2)]),
        ([(0, [1, 2, 3, 4]), (1, [9, 3])], [(0, [1]), (2, [3, 4])], [(1, 1)]),
        ([(0, [1, 2, 3, 4]), (1, [9, 3, 9])], [(0, [1])], [(1, 3)]),
        ([(0, [1]), (0, [2])], [], [(0, 0)]),
        # The third agrees with the first, and may not decide.
        ([(0, [1, 2, 3]), (1, [9, 3]), (1, [2, 3])], [(0, [1]), (2, [3])], [(1, 1)]),
        # Two conflicts.
        (
            [(0, [1, 2, 3, 4, 5, 6]), (1, [9]), (4, [9])],
            [(0, [1]), (2, [3, 4]), (5, [6])],
            [(1, 1), (4, 4)],
        ),
        ([(0, [1, 2, 3, 4]), (1, [9]), (2, [9])], [(0, [1]), (3, [4])], [(1, 2)]),
    ],
)
@pytest.mark.parametrize("backwards", [False, True])
def test_overlaps(parts, kept, lost, backwards):
    traces = [trace_of(data, late=first) for first, data in parts]
    skipped = SkippedList()
    records = find_contiguous(traces[::-1] if backwards else traces, skipped)
    found = {}
    for record in records:
        for at, value in enumerate(values(record), first_of(record)):
            assert found.setdefault(at, value) == value
    assert found == {at: v for first, data in kept for at, v in enumerate(data, first)}
    spans = [(round((e.start - START) * 50), round((e.end - START) * 50)) for e in skipped]
    assert spans == lost
    assert all("contradict each other" in e.cause for e in skipped)


def test_misaligned_overlaps_keep_the_nearest_sample():
    """Half a sample decides whether the last sample of one is the first of the other."""
    records = find_contiguous([trace_of([1, 2, 3]), trace_of([4, 5], late=2.6)], SkippedList())
    assert [values(r) for r in records] == [[1, 2, 3], [4, 5]]
    skipped = SkippedList()
    records = find_contiguous([trace_of([1, 2, 3]), trace_of([4, 5], late=2.4)], skipped)
    assert [values(r) for r in records] == [[1, 2], [5]] and len(skipped) == 1


def test_order_of_the_records():
    stream = [trace_of([1], late=9), trace_of([2], channel="HHN"), trace_of([3])]
    found = [(r.id, values(r)) for r in find_contiguous(stream, SkippedList())]
    assert found == [("XX.A..HHN", [2]), ("XX.A..HHZ", [3]), ("XX.A..HHZ", [1])]


def test_records_of_other_rates_do_not_conflict():
    skipped = SkippedList()
    stream = [trace_of([1, 2, 3]), trace_of([4, 5], 25.0)]
    assert len(find_contiguous(stream, skipped)) == 2 and not skipped
