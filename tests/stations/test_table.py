"""Tables of stations."""

import numpy as np
import obspy
import pandas as pd
import pytest

from seisbench_llm.stations import stations_to_dataframe


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
