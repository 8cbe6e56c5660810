import pytest

from seisbench_llm.archive import fdsn
from seisbench_llm.archive.fdsn import FDSN
from seisbench_llm.archive.results import status
from seisbench_llm.archive.units import Unit, choose_units
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
    assert {s: result[s] for s in ("done", "empty", "failed")} == {
        "done": 4, "empty": 1, "failed": 1,
    }  # fmt: skip
    assert "not for you" in status(tmp_path / "out")["failures"][0]["message"]
    last = FIRST + 2 * 86400
    assert times(merged(tmp_path / "out")) == [pick for pick in EXPECTED if pick[0] < last]
    Service.busy = 100
    with pytest.raises(ValueError, match="HERE failed 4 times: TimeoutError"):
        FDSN("HERE").read(Unit("XX", "ONE", "", "BH?"), FIRST, 1)


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
def test_choice_of_units(patterns, expected):
    assert [u.id for u in choose_units(CHANNELS, patterns, "it")] == expected


@pytest.mark.parametrize(
    "patterns, message",
    [
        (["YY.*"], "it has nothing that matches YY.*"),
        (["XX."], "'XX.' is no pattern"),
        (["XX.ONE..HHZ", "XX.ONE..HH?"], "same instrument"),
    ],
)
def test_choice_of_units_refuses(patterns, message):
    with pytest.raises(ValueError, match=message.replace(".", r"\.").replace("*", r"\*")):
        choose_units(CHANNELS, patterns, "it")
