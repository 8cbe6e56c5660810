"""What was left out is told once per cause."""

import obspy
from obspy import UTCDateTime

from seisbench_llm.streams.skipped import Skipped, SkippedList, said_once

START = UTCDateTime(2020, 1, 1)


def entry(trace_id, first, last, cause, used=False):
    return Skipped(trace_id, START + first, START + last, cause, used)


def lines_of(text):
    """Each message once: two handlers may have seen it."""
    return list(dict.fromkeys(line.split(maxsplit=2)[2] for line in text.splitlines()))


def test_one_warning_per_cause(warnings_of):
    skipped = SkippedList(
        [
            entry("XX.B..HHZ", 5, 6, "it is late"),
            entry("XX.A..HHZ", 2, 3, "it is late"),
            entry("XX.A..HHZ", 0, 1, "it is late"),
            entry("XX.A..HHZ", 0, 1, "it is late", used=True),
            entry("XX.C..HHZ", 0, 1, "it is empty"),
        ]
    )
    assert skipped.causes() == {"it is late": 4, "it is empty": 1}
    skipped.warn()
    assert [e.trace_id[3] for e in skipped] == list("AAABC")
    begin = "at 2020-01-01T00:00:00.000000Z is"
    assert lines_of(warnings_of()) == [
        f"3 traces with 2 ids are ignored, the first: XX.A..HHZ {begin} ignored: it is late.",
        f"XX.A..HHZ {begin} annotated nevertheless: it is late.",
        f"XX.C..HHZ {begin} ignored: it is empty.",
    ]


def test_a_list_that_is_cut_has_each_cause():
    skipped = SkippedList([entry("XX.A..HHZ", i, i, "often") for i in range(9)])
    skipped.append(entry("XX.A..HHZ", 20, 21, "seldom"))
    skipped.append(entry("XX.A..HHZ", 22, 23, "seldom"))
    assert [e.cause for e in skipped.first(3)] == ["often", "seldom", "often"]
    assert [e.start - START for e in skipped.first(3)] == [0, 20, 1]
    assert len(skipped.first(99)) == 11 and skipped.first(0) == []


def test_parts_of_one_call_are_told_of_together(warnings_of):
    with said_once() as whole:
        SkippedList([entry("XX.A..HHZ", 0, 5, "why"), entry("XX.A..HHZ", 9, 9, "why")]).warn()
        SkippedList([entry("XX.A..HHZ", 5, 8, "why"), entry("XX.A..HHZ", 1, 2, "other")]).warn()
        assert warnings_of() == ""
    spans = [(e.start - START, e.end - START, e.cause) for e in whole]
    assert spans == [(0, 8, "why"), (1, 2, "other"), (9, 9, "why")]
    assert len(lines_of(warnings_of())) == 2
    assert "2 traces with 1 ids are ignored, the first: XX.A..HHZ" in warnings_of()
    # Not any more.
    SkippedList([entry("XX.A..HHZ", 0, 1, "later")]).warn()
    assert "later" in warnings_of()


def test_entry_of_a_trace():
    trace = obspy.Trace(header={"network": "XX", "station": "A", "npts": 101, "delta": 0.01})
    trace.stats.starttime = START
    skipped = SkippedList()
    skipped.add(trace, "why", used=True)
    assert skipped == [entry("XX.A..", 0, 1, "why", used=True)]
