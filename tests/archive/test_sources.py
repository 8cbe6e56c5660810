import pytest

from seisbench_llm.archive import fdsn, open_source, status
from seisbench_llm.archive.files import SDS
from seisbench_llm.archive.station_days import StationDay, choose_instruments, instrument_id
from tests.helpers.archive_stub import (
    EXPECTED,
    FIRST,
    contents,
    merged,
    run_stub,
    spiky_stream,
    times,
)

pytest.importorskip("distributed")
pytest.importorskip("pyarrow")


class Service:
    """An FDSN web service, as ObsPy's client shows it, that is busy at first."""

    busy = 2

    def __init__(self, name):
        assert name == "HERE"
        self.stream = spiky_stream()

    def get_stations(self, network, station, location, channel, level, **kwargs):
        from obspy.core.inventory import Channel, Inventory, Network, Station

        place = {"latitude": 0, "longitude": 0, "elevation": 0}
        stations = [
            Station(name, channels=[Channel("BHZ", "", depth=0, **place)], **place)
            for name in ("ONE", "TWO")
        ]
        return Inventory([Network("XX", stations)])

    def get_waveforms(self, network, station, location, channel, start, end):
        from obspy.clients.fdsn.header import FDSNNoDataException, FDSNUnauthorizedException

        if Service.busy:
            Service.busy -= 1
            raise TimeoutError("busy")
        if station == "TWO" and start > FIRST + 86400:
            raise FDSNUnauthorizedException("not for you")
        if start > FIRST + 86400:
            raise FDSNNoDataException("nothing")
        return self.stream.select(station=station).slice(start, end).copy()


def test_fdsn(scheduler, tmp_path, monkeypatch):
    monkeypatch.setattr("obspy.clients.fdsn.Client", Service)
    monkeypatch.setattr(fdsn.time, "sleep", lambda seconds: None)
    result = run_stub("fdsn://HERE", tmp_path / "out", scheduler=scheduler)
    assert (result.done, result.empty, result.failed) == (4, 1, 1)
    assert "not for you" in status(tmp_path / "out").failures[0]["message"]
    last = FIRST + 2 * 86400
    assert times(merged(tmp_path / "out")) == [pick for pick in EXPECTED if pick[0] < last]
    Service.busy = 100
    with pytest.raises(ValueError, match="HERE failed 4 times: TimeoutError"):
        fdsn.FDSN("HERE").get_waveforms("XX", "ONE", "", "BH?", FIRST, FIRST + 86400)


class Counting(Service):
    """A service that gives whole records, and counts what it was asked for."""

    busy, asked = 0, []

    def get_waveforms(self, network, station, location, channel, start, end):
        from obspy.clients.fdsn.header import FDSNNoDataException

        assert end == start + 86400
        Counting.asked.append((station, str(start.date)))
        stream = self.stream.select(station=station).slice(start - 30, end + 30).copy()
        if not stream:
            raise FDSNNoDataException("nothing")
        for trace in stream:
            # As of a file of that time, which cannot be written.
            trace.stats.mseed = {"encoding": "SRO"}
        return stream


def test_what_a_service_gave_is_kept(scheduler, undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr("obspy.clients.fdsn.Client", Counting)
    keep, outs = tmp_path / "keep", [tmp_path / "out", tmp_path / "again"]
    run_stub("fdsn://HERE", outs[0], scheduler=scheduler, keep=keep)
    assert contents(outs[0]) == contents(undisturbed)
    # Days without data are asked for again.
    days = [str((FIRST + 86400 * day).date) for day in range(3)]
    neighbours = {str((FIRST + 86400 * day).date) for day in (-1, 3)}
    asked = [day for day in Counting.asked if day[1] not in neighbours]
    assert sorted(asked) == [(name, day) for name in ("ONE", "TWO") for day in days]
    assert {day for _, day in Counting.asked} == {*days, *neighbours}
    kept = SDS(keep).get_waveforms("XX", "ONE", "", "BHZ", FIRST, FIRST + 86400, 86400)
    assert [trace.stats.npts for trace in kept] == [86400 * 20, 86400 * 20]
    Counting.asked.clear()
    assert run_stub("fdsn://HERE", outs[1], scheduler=scheduler, keep=keep).done == 6
    assert {day for _, day in Counting.asked} == neighbours
    # A day without its mark, because the process was killed before all channels were there, and one
    # without its file are fetched again.
    source = open_source("fdsn://HERE", keep=keep)
    for gone in (f"{fdsn.MARKS}/2020/XX.ONE..BH.2020.001", "2020/XX/ONE/BHZ.D/*.001"):
        Counting.asked.clear()
        next(keep.glob(gone)).unlink()
        source.get_waveforms("XX", "ONE", "", "BH?", FIRST + 86400, FIRST + 2 * 86400)
        assert Counting.asked == [("ONE", "2020-01-01")]
    assert next(keep.glob(gone)).stat().st_size > 0


def test_steps_too_large_for_compression_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("obspy.clients.fdsn.Client", Counting)
    source = open_source("fdsn://HERE", keep=tmp_path)
    data = source.remote.client.stream.select(station="ONE")[0].data
    data[1000:1004] = [2**31 - 1, -(2**31), 0, 7]
    (kept, *_) = source.get_waveforms("XX", "ONE", "", "BH?", FIRST, FIRST + 86400)
    assert (kept.data == data[: 86400 * 20]).all()


def test_nothing_is_kept_of_a_folder(original, tmp_path):
    with pytest.raises(ValueError, match="Leave 'keep' out"):
        open_source(str(original), keep=tmp_path / "keep")


CHANNELS = [
    ("XX", "ONE", loc, cha) for loc in ("", "00") for cha in ("HHZ", "HHN", "HNZ", "LHZ", "LOG")
]


@pytest.mark.parametrize(
    "patterns, expected",
    [
        (["XX.*"], ["XX.ONE..HH", "XX.ONE..HN", "XX.ONE.00.HH", "XX.ONE.00.HN"]),
        (["XX.ONE.--.HH?"], ["XX.ONE..HH"]),
        (["XX.ONE..HHZ", "XX.ONE.00.LH?"], ["XX.ONE..HHZ", "XX.ONE.00.LH"]),
    ],
)
def test_choice_of_instruments(patterns, expected):
    assert [
        instrument_id(codes) for codes in choose_instruments(CHANNELS, patterns, "it")
    ] == expected


@pytest.mark.parametrize(
    "patterns, message",
    [
        (["YY.*"], "it has nothing that matches YY.*"),
        (["XX."], "'XX.' is not a pattern"),
        (["XX.ONE..HHZ", "XX.ONE..HH?"], "same instrument"),
    ],
)
def test_choice_of_instruments_refuses(patterns, message):
    with pytest.raises(ValueError, match=message.replace(".", r"\.").replace("*", r"\*")):
        choose_instruments(CHANNELS, patterns, "it")


def test_the_instrument_of_a_station_day_has_no_component():
    for channel in ("HHZ", "HH?"):
        assert StationDay("XX", "ONE", "", channel, "2020-01-01").instrument == "HH"
