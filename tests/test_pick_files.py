"""Picks of files, in parts where they are large."""

import obspy
import pandas as pd
import pytest

from seisbench_llm.amplitudes import measure
from seisbench_llm.pick_files import pick_files
from tests.helpers.models import tiny_model
from tests.helpers.streams import make_stream


def test_of_many_parts_each_cause_is_said_once(tmp_path, warnings_of):
    midnight = obspy.UTCDateTime(2020, 1, 2)
    for number in range(4):
        stream = make_stream(9000, station=f"S{number}")
        stream += make_stream(90, rate=1.0, components="Z", code="LH", station=f"S{number}")
        for trace in stream:
            trace.stats.starttime = midnight - 45
            trace.data = trace.data.astype("float32")
        stream.write(tmp_path / f"{number}.mseed", format="MSEED")
    levels = {"P_threshold": 0.9, "S_threshold": 0.9}
    whole = pick_files(tiny_model(), [tmp_path], **levels)
    # Stations one by one, and their days.
    parts = pick_files(tiny_model(), [tmp_path], largest=20_000, **levels)
    assert [str(p) for p in parts.picks] == [str(p) for p in whole.picks] != []
    assert parts.skipped == whole.skipped and len(whole.skipped) == 4
    said = [line for line in warnings_of().splitlines() if "at least 10 Hz are needed" in line]
    assert len(set(said)) == 1 and "4 traces with 4 ids" in said[0]


def test_days_are_picked_one_by_one_without_loss_at_midnight(tmp_path):
    model = tiny_model()
    stream = make_stream(60_000) + make_stream(3000, station="TWO")
    for trace in stream:
        trace.stats.starttime = obspy.UTCDateTime(2020, 1, 2) - 300
    stream.write(tmp_path / "a.mseed", format="MSEED")
    levels = {"P_threshold": 0.6, "S_threshold": 0.6}
    whole = pick_files(model, [tmp_path], **levels).picks
    parts = []
    found = pick_files(
        model, [tmp_path], largest=100_000, watch=lambda s, *_: parts.append(s), **levels
    ).picks
    # A day of one station at a time: never all of it, and nothing twice.
    assert [sum(t.stats.npts for t in part) for part in parts] == [90_000, 90_000, 9000]
    places = [(p.trace_id, p.phase, p.peak_time.ns // 10**7) for p in found]
    assert len(set(places)) == len(places)
    near = [p for p in whole if abs(p.peak_time - obspy.UTCDateTime(2020, 1, 2)) < 20]
    assert near
    for pick in near:
        same = [p for p in found if (p.trace_id, p.phase) == (pick.trace_id, pick.phase)]
        assert sum(abs(p.peak_time - pick.peak_time) < 0.5 for p in same) == 1
    assert len(found) == pytest.approx(len(whole), rel=0.05)


def test_amplitudes_do_not_depend_on_parts(tmp_path):
    """In particular those of an S after midnight whose P is before it."""
    midnight, stream = obspy.UTCDateTime(2020, 1, 2), make_stream(60_000)
    for trace in stream:
        trace.stats.starttime = midnight - 300
    stream.write(tmp_path / "a.mseed", format="MSEED")
    levels = {"P_threshold": 0.6, "S_threshold": 0.6, "amplitudes": True}
    found = pick_files(tiny_model(), [tmp_path], largest=100_000, **levels)
    known = measure(stream, found.picks)
    pd.testing.assert_frame_equal(found.amplitudes, known)
    near = abs((known["time"] - pd.Timestamp(midnight.datetime, tz="UTC")).dt.total_seconds()) < 60
    assert set(known[near]["time"].dt.day) == {1, 2} and len(known) > 100
    assert pick_files(tiny_model(), [tmp_path], P_threshold=1.0, S_threshold=1.0).amplitudes is None
