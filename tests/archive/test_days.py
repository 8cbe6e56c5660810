"""Days of an archive are those of one run over the whole stream."""

import numpy as np
import obspy
import pandas as pd
import pytest
import torch

from seisbench_llm import archive
from seisbench_llm.archive.days import align
from seisbench_llm.archive.picker import Picker
from seisbench_llm.export.tables import picks_to_dataframe
from seisbench_llm.models.seismollm import SeisMoLLM
from tests.helpers.archive_stub import FIRST, merged, write_sds
from tests.helpers.models import tiny_model
from tests.helpers.streams import make_stream

pytest.importorskip("distributed")
pytest.importorskip("pyarrow")


def continuous(samples, rate, start, gap=None):
    stream = make_stream(samples, rate, station="ONE")
    for trace in stream:
        rng = np.random.default_rng(ord(trace.id[-1]))
        for onset in rng.integers(0, samples - 500, samples // 1000):
            trace.data[onset : onset + 500] += rng.normal(0, 8, 500)
        trace.stats.starttime = start
    return stream.cutout(*gap) if gap else stream


MIDNIGHT = FIRST + 86400


@pytest.mark.parametrize(
    "rate, before, gap",
    [
        (100, 900, None),
        (100, 911.137, None),
        (40, 907.025, None),
        (100, 1200, (-400.21, -200.5)),
        (100, 903.3, (120, 310)),
    ],
)
def test_days_equal_one_run(rate, before, gap, scheduler, tmp_path):
    """Whatever the cut: away from gaps, same picks as in one piece, also next to midnight."""
    gap = gap and tuple(MIDNIGHT + seconds for seconds in gap)
    stream = continuous(rate * 1800, float(rate), MIDNIGHT - before, gap)
    write_sds(stream, tmp_path / "sds")
    model = tiny_model(filter_args=["highpass"], filter_kwargs={"freq": 1.0})
    with torch.no_grad():
        # Peaks of 1 all over would be chosen among by the last digit.
        model.network.head.out.weight.mul_(0.2)
    model.save(tmp_path / "tiny")
    levels = {"P_threshold": 0.6, "S_threshold": 0.6, "min_separation": 0.2}
    archive.run(
        str(tmp_path / "sds"), tmp_path / "out", FIRST.date, (MIDNIGHT + 86400).date,
        ["XX.ONE.00.HH?"], str(tmp_path / "tiny"), levels, scheduler=scheduler,
    )  # fmt: skip
    found = merged(tmp_path / "out")

    whole = obspy.read(str(tmp_path / "sds/*/*/*/*/*")).merge(-1)
    if before != 900:
        assert align(whole, 15.0, 35.0)
    expected = picks_to_dataframe(model.classify(whole, **levels).picks)
    found, expected = (
        away_from(t, stream[0].stats.starttime, *(gap or ())) for t in (found, expected)
    )
    offsets = np.array([obspy.UTCDateTime(t) - MIDNIGHT for t in expected.time])
    assert min(sum((offsets > -5) & (offsets < 0)), sum((offsets > 0) & (offsets < 5))) > 1
    assert list(found.phase) == list(expected.phase)
    # Of samples equal to the last digit, either may be the peak.
    same = (found.time - expected.time).abs() < pd.Timedelta("100us")
    assert same.mean() > 0.999 and (found.time - expected.time).abs().max() < pd.Timedelta("50ms")
    assert np.abs(found.probability - expected.probability).max() < 1e-4


def away_from(table, *edges):
    """Picks at least a window away from some times, in a fixed order."""
    near = [any(abs(obspy.UTCDateTime(t) - edge) < 35 for edge in edges) for t in table.time]
    return table[~np.array(near)].sort_values(["time", "phase"], ignore_index=True)


def test_real_records_equal_one_run(shared, scheduler, tmp_path):
    file = shared / "data/continuous/iquique_cx/CX_20140301_0200.mseed"
    stream = obspy.read(file, endtime=obspy.UTCDateTime("2014-03-01T02:20:00"))
    stream = stream.select(station="PB01")
    picker = Picker("compact_picking")
    start = obspy.UTCDateTime(
        ns=int(obspy.UTCDateTime(2014, 3, 1).ns // 90.24e9 - 7) * 90_240_000_000
    )
    for trace in stream:
        trace.stats.starttime = start
    write_sds(stream, tmp_path / "sds")
    archive.run(
        str(tmp_path / "sds"), tmp_path / "out", "2014-02-28", "2014-03-02", ["CX.PB01"],
        scheduler=scheduler,
    )  # fmt: skip
    found = merged(tmp_path / "out")
    expected = picks_to_dataframe(
        SeisMoLLM.from_pretrained("compact_picking").classify(stream).picks
    )
    assert picker.step == 90.24 and len(found) == len(expected) > 5
    assert found.time.dt.date.nunique() == 2
    # Of samples equal to the last digit, either may be the peak.
    same = (found.time - expected.time).abs() < pd.Timedelta("100us")
    assert same.mean() > 0.999 and (found.time - expected.time).abs().max() < pd.Timedelta("50ms")
    assert np.abs(found.probability - expected.probability).max() < 1e-3


@pytest.mark.parametrize("rate", [40.0, 62.5, 100.0])
def test_segments_begin_at_whole_windows_and_whole_samples(rate):
    """A hop of 15.04 s is no whole number of samples at 40 Hz: five of them are."""
    (trace,) = make_stream(1000, rate).select(component="Z")
    first = obspy.UTCDateTime(2020, 1, 1) + 7 / rate
    trace.stats.starttime = first
    ((start, end),) = align(obspy.Stream([trace]), 15.04, 60.0)
    assert (start, end) == (trace.stats.starttime, first)
    assert start.ns % 15_040_000_000 == 0
    assert (first - start) * rate == pytest.approx(round((first - start) * rate))
