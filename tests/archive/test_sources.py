import pytest

from seisbench_llm.archive import fdsn, status
from seisbench_llm.archive.station_days import StationDay, choose_instruments, instrument_id
from tests.helpers.archive_stub import EXPECTED, FIRST, merged, run_stub, spiky_stream, times

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
