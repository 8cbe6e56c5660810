"""Tables of stations."""

import numpy as np
import obspy
import pandas as pd
import pytest

from seisbench_llm.stations import stations_to_dataframe
from seisbench_llm.stations.table import check_table


def test_tables_of_stations():
    inventory = obspy.read_inventory()
    table = stations_to_dataframe(inventory)
    assert "BW.RJOB." in set(table["id"]) and table["id"].is_unique
    row = table.set_index("id").loc["BW.RJOB."]
    assert row["z(km)"] == -row["elevation"] / 1000
    # 180 degrees apart on paper, 22 km in truth.
    line = pd.DataFrame({"network": "X", "station": ["A", "B"]})
    line = stations_to_dataframe(line.assign(latitude=0.0, longitude=[179.9, -179.9]))
    assert list(line["id"]) == ["X.A.", "X.B."]
    assert np.diff(line["x(km)"])[0] == pytest.approx(22.3, abs=0.1)
    with pytest.raises(ValueError, match="no column latitude"):
        stations_to_dataframe(pd.DataFrame({"id": ["X.A."], "longitude": [1.0]}))
    with pytest.raises(ValueError, match="no stations"):
        stations_to_dataframe(obspy.Inventory([], ""))


def test_codes_that_are_no_texts():
    places = {"latitude": [47.0, 48.0], "longitude": 12.0}
    codes = {"network": ["XX", "XX"], "station": [1, 2], "location": [0, 10]}
    assert list(check_table(pd.DataFrame({**codes, **places}))["id"]) == ["XX.1.0", "XX.2.10"]
    names = ["XX.A .", "XX. B.--", " XX.C.--.HHZ"]
    table = check_table(pd.DataFrame({"id": names, "latitude": 47.0, "longitude": 12.0}))
    assert list(table["id"]) == ["XX.A.", "XX.B.", "XX.C..HHZ"]
    with pytest.raises(ValueError, match="XX.1 has impossible coordinates.*elevation=1450000"):
        check_table(pd.DataFrame({"id": ["XX.1", "XX.2"], **places, "elevation": 1_450_000}))
    with pytest.raises(ValueError, match="Row 1 of the station table has no id"):
        check_table(pd.DataFrame({"id": ["XX.A", None], **places}))
