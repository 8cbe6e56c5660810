import shutil

import obspy
import pandas as pd
import pytest

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
        with pytest.raises(ValueError, match="no station file that can be read"):
            read_stations(written("", name))
    with pytest.raises(ValueError, match="no column id"):
        Stations.read(read_stations(written("name,latitude,longitude\nA,1,2\n")))


TABLE = "id,latitude,longitude,elevation\n"


@pytest.mark.parametrize(
    "rows, message",
    [
        ("XX.A,north,2,3\n", "Station XX.A has the latitude 'north', which is no number"),
        ("XX.A,1,2,high\n", "Station XX.A has the elevation 'high', which is no number"),
        ("XX.A,1,,3\n", "Station XX.A has no possible coordinates"),
        ("XX.A,91,2,3\n", "Station XX.A has no possible coordinates"),
        ("XX.A.,1,2,\nXX.A.,1.5,2,3\n", "Station XX.A. is there twice, at different places"),
        ("XX.A,1,2,3\nXX.A.,1.5,2,3\n", "Station XX.A. is there twice, at different places"),
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
