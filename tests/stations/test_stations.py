import shutil

import numpy as np
import obspy
import pandas as pd
import pytest
from obspy.clients.fdsn.header import FDSNNoDataException

from seisbench_llm.stations import Stations, read_stations, stations_to_dataframe

NOW = obspy.UTCDateTime(2020, 1, 1)


@pytest.fixture
def written(tmp_path):
    def write(text, name="stations[1].csv"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_codes_stay_as_they_are_written(written):
    # Network NA, station 007 and location 00 are neither missing nor numbers.
    table = read_stations(
        written("network,station,location,latitude,longitude\nNA,007,00,17.5,-63.2\nNA,SABA,,1,2\n")
    )
    assert list(table.id) == ["NA.007.00", "NA.SABA."]
    found = Stations.read(table)
    assert found.find("NA.007.00", NOW).latitude == 17.5
    assert found.find("NA.SABA.", NOW).longitude == found.find("NA.SABA.10", NOW).longitude == 2
    assert list(stations_to_dataframe(table).id) == list(table.id)


def test_ids_and_missing_elevations(written):
    table = read_stations(
        written("id, latitude, longitude, elevation\nXX.A,1,2,\nXX.B,3,4,500\nXX.C,5,6,nan\n")
    )
    found = Stations.read(table)
    assert [found.find(f"XX.{c}.", NOW).elevation for c in "ABC"] == [0, 500, 0]
    # Without location, network and station will do.
    table = read_stations(written("station,network,latitude,longitude\nB916,PB,36.2,-117.7\n"))
    assert Stations.read(table).find("PB.B916.", NOW).latitude == 36.2


def test_inventory(tmp_path):
    path = tmp_path / "stations[1].xml"
    obspy.read_inventory().write(path, format="STATIONXML")
    shutil.copy(path, tmp_path / "stations1.xml")
    found = Stations.read(read_stations(str(path)))
    assert found.find("BW.RJOB.", obspy.UTCDateTime(2009, 8, 24)).latitude == pytest.approx(47.7372)


def test_what_is_no_station_file_is_named(written, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no file .*nothing\.csv"):
        read_stations(tmp_path / "nothing.csv")
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_stations(tmp_path)
    for name in ("stations.xml", "stations.csv"):
        with pytest.raises(ValueError, match="cannot be read as a station file"):
            read_stations(written("", name))
    with pytest.raises(ValueError, match="no column id"):
        Stations.read(read_stations(written("name,latitude,longitude\nA,1,2\n")))


TABLE = "id,latitude,longitude,elevation\n"


@pytest.mark.parametrize(
    "rows, message",
    [
        ("XX.A,north,2,3\n", "Station XX.A has the latitude 'north', which is not a number"),
        ("XX.A,1,2,high\n", "Station XX.A has the elevation 'high', which is not a number"),
        ("XX.A,1,,3\n", "Station XX.A has impossible coordinates"),
        ("XX.A,91,2,3\n", "Station XX.A has impossible coordinates"),
        ("XX.A.,1,2,\nXX.A.,1.5,2,3\n", "Station XX.A. occurs twice, at different places"),
        ("XX.A,1,2,3\nXX.A.,1.5,2,3\n", "Station XX.A. occurs twice, at different places"),
        ("XX,1,2,3\n", "Station id 'XX' is neither NET.STA nor NET.STA.LOC"),
    ],
)
def test_wrong_rows_are_named_with_their_file(written, rows, message):
    with pytest.raises(ValueError, match=rf"stations\[1\]\.csv: .*{message}"):
        read_stations(written(TABLE + rows))
    table = pd.read_csv(written(TABLE + rows))
    for function in (Stations.read, stations_to_dataframe):
        with pytest.raises(ValueError, match=message):
            function(table)


def test_empty_elevations_and_rows_that_repeat(written):
    table = stations_to_dataframe(read_stations(written(TABLE + "XX.A,1,2,\nXX.A,1,2,\n")))
    assert list(table["elevation"]) == [0.0] and list(table["z(km)"]) == [0.0]
    with pytest.raises(ValueError, match="There are no stations"):
        stations_to_dataframe(read_stations(written(TABLE)))


CHANNELS = """network,station,location,channel,latitude,longitude,azimuth,dip,gain,units
XX,A,,HH1,50,9,30,0,1e9,
XX,A,,HH2,50,9,120,,1e9,m/s
XX,A,,HHZ,50,9,,,1e9,M/S
XX,A,,HNZ,50,9,0,90,4e5,m/s2
XX,B,10,HHZ,51,9,,,,
"""


def test_channels_of_a_table(written):
    stations = Stations.read(written(CHANNELS))
    turns = {c.code: c.direction for c in stations.channels["XX.A"]}
    assert turns == {"HH1": (30, 0), "HH2": (120, 0), "HHZ": (0, -90), "HNZ": (0, 90)}
    assert stations.find("XX.A.00", NOW).latitude == 50
    response = stations.response("XX.A.00.HNZ", NOW).instrument_sensitivity
    assert (response.value, response.input_units) == (4e5, "M/S**2")
    assert stations.response("XX.A..HH1", NOW).instrument_sensitivity.input_units == "M/S"
    assert stations.response("XX.B.10.HHZ", NOW) is None
    assert list(stations_to_dataframe(stations)["id"]) == ["XX.A.", "XX.B.10"]
    assert list(stations_to_dataframe(read_stations(written(CHANNELS)))["id"]) == [
        "XX.A.",
        "XX.B.10",
    ]
    assert repr(stations) == "Stations(2 stations, 5 channels, 4 epochs with a response)"


@pytest.mark.parametrize(
    "row, message",
    [
        ("XX,A,,HH1,50,9,31,0,1e9,\n", "Channel XX.A..HH1 occurs twice, with different azimuth"),
        ("XX,C,,HH1,50,9,31,0,1e9,volt\n", "has the units 'VOLT'; gains are per M, M/S, M/S"),
        ("XX,C,,HH1,50,9,east,0,1e9,\n", "XX.C..HH1 has the azimuth 'east', which is not a number"),
    ],
)
def test_wrong_channels_are_named(written, row, message):
    with pytest.raises(ValueError, match=message):
        Stations.read(written(CHANNELS + row))


def test_responses_and_instruments_of_an_inventory():
    inventory = obspy.read_inventory()
    stations, time = Stations.read(inventory), obspy.UTCDateTime(2009, 8, 24)
    known = stations.response("BW.RJOB..EHZ", time)
    assert (
        known.instrument_sensitivity.value
        == inventory.get_response("BW.RJOB..EHZ", time).instrument_sensitivity.value
    )
    assert stations.response("BW.RJOB..HHZ", time) is None
    assert stations.digest() == Stations.read(inventory).digest()
    assert stations.digest() != Stations.read(inventory.select(channel="*Z")).digest()


def test_depths_of_sensors(written):
    stations = Stations.read(
        written("id,latitude,longitude,depth\nXX.A..HHN,50,9,160\nXX.A..HNN,50,9,\nXX.B,51,9,3\n")
    )
    depths = [stations.depth(name, NOW) for name in ("XX.A..HHN", "XX.A..HNN", "XX.B.00.HHZ")]
    assert depths == pytest.approx([160, np.nan, 3], nan_ok=True)
    assert np.isnan(stations.depth("XX.C..HHZ", NOW))
    inventory = obspy.read_inventory()
    time = obspy.UTCDateTime(2009, 8, 24)
    known = inventory.select("BW", "RJOB", channel="EHZ", time=time)[0][0][0]
    known.depth = 12.5
    assert Stations.read(inventory).depth("BW.RJOB..EHZ", time) == 12.5
    with pytest.raises(ValueError, match="XX.A has the depth -160 m; it counts from the ground"):
        Stations.read(written("id,latitude,longitude,depth\nXX.A,50,9,-160\n"))


class Service:
    """Stands for ObsPy's client of an FDSN service."""

    asked = None

    def __init__(self, name):
        self.name = name

    def get_stations(self, **wanted):
        Service.asked = {"name": self.name, **wanted}
        if wanted["network"] == "XX":
            raise FDSNNoDataException("No data available for request.", None)
        return obspy.read_inventory()


def test_fdsn_service(monkeypatch):
    monkeypatch.setattr("obspy.clients.fdsn.Client", Service)
    stations = Stations.read("fdsn://LMU?network=BW&station=RJOB,MANZ&starttime=2009-08-24")
    assert stations.find("BW.RJOB.", obspy.UTCDateTime(2009, 8, 24)).latitude > 47
    assert Service.asked == {
        "name": "LMU",
        "level": "response",
        "network": "BW",
        "station": "RJOB,MANZ",
        "starttime": obspy.UTCDateTime(2009, 8, 24),
    }
    for address, message in (
        ("fdsn://LMU", "it names no network"),
        ("fdsn://LMU?net=BW", "there is no parameter net"),
        ("fdsn://LMU?network=BW&starttime=now", "an invalid time"),
        ("fdsn://LMU?network=XX", "the service has no such stations"),
    ):
        with pytest.raises(ValueError, match=message):
            Stations.read(address)
