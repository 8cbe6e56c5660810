"""The record of a group of picks: instrument, grid, gaps."""

from types import SimpleNamespace

import numpy as np
import obspy
import pytest

from seisbench_llm.data.making.bulletin import Group
from seisbench_llm.data.making.records import Unusable, build_record
from tests.helpers.own_data import START, records


def group_of(trace_id="BW.RJOB.", instrument=None):
    pick = SimpleNamespace(trace_id=trace_id, instrument=instrument, phase="P", time=None)
    return Group("BW.RJOB", "one", (pick,))


def with_channels(*names):
    stream = obspy.Stream()
    for number, name in enumerate(names):
        trace = records()[0]
        trace.stats.location, trace.stats.channel = name.split(".")
        trace.data = np.full(trace.stats.npts, number + 1.0)
        stream += trace
    return stream


def built(stream, group=None, start=0, end=20):
    return build_record(stream, group or group_of(), START + start, START + end)


@pytest.mark.parametrize(
    "channels, trace_id, instrument, expected",
    [
        ([".HNZ", ".HHZ"], "BW.RJOB.", None, ".HH"),
        ([".HNZ", ".HNN", ".HHZ"], "BW.RJOB.", "HN", ".HN"),
        (["00.HHZ", "10.HHZ"], "BW.RJOB.10", "HH", "10.HH"),
        ([".EHZ", ".HHZ", ".HHN"], "BW.RJOB.", None, ".HH"),
        (["00.BHZ", "00.HHZ"], "BW.RJOB.", "H", "00.HH"),
        ([".HNZ"], "BW.RJOB.", "HH", ".HN"),
    ],
)
def test_the_instrument_of_the_pick_is_taken(channels, trace_id, instrument, expected):
    record = built(with_channels(*channels), group_of(trace_id, instrument))
    assert f"{record.place.location}.{record.place.instrument}" == expected


def test_missing_components_are_zero_and_said():
    record = built(with_channels(".HHZ", ".HH2"))
    assert record.components == "ZE" and record.data[:, 0].tolist() == [1, 0, 2]


def test_the_window_is_cut_to_the_data():
    record = built(records(), start=-10, end=500)
    assert record.start == START and record.data.shape == (3, 3000)
    assert record.sample_of(START + 1.2345) == 123.45
    assert record.defect_at(-1) == record.defect_at(3000) == "it is off the record"
    with pytest.raises(Unusable, match="no waveforms at its time"):
        built(records(), start=100, end=200)
    with pytest.raises(Unusable, match="no waveforms at its time"):
        built(obspy.Stream())
    with pytest.raises(Unusable, match="no component Z, N or E"):
        built(with_channels(".HDH"))


def test_several_rates_are_told():
    stream = records()
    stream[1].stats.sampling_rate = 50
    with pytest.raises(Unusable, match=r"several sampling rates: \[50.0, 100.0\] Hz"):
        built(stream)


def test_gaps_are_straight_lines_and_overlaps_are_compared(warnings_of):
    trace = records()[0]
    parts = trace.slice(endtime=START + 5), trace.slice(starttime=START + 6)
    record = built(obspy.Stream(parts))
    line = record.data[0, 500:601]
    np.testing.assert_allclose(line, np.linspace(line[0], line[-1], 101), rtol=1e-3)
    assert record.defect_at(550) == "it lies in a gap" and record.defect_at(400) is None
    other = trace.copy()
    other.data = other.data + 1
    record = built(obspy.Stream([trace, other]))
    assert "overlapping data differ" in warnings_of()
    np.testing.assert_allclose(record.data[0], trace.data[:2001], rtol=1e-6)
