"""Magnitudes of a catalogue, from columns of picks: those of the monitor."""

import obspy
import pandas as pd
import pytest
from obspy.io.quakeml.core import _validate as validate_quakeml

from seisbench_llm.catalogue import associate
from seisbench_llm.export import picks_to_dataframe, read_events, read_picks
from seisbench_llm.export.at_picks import ESTIMATES, amplitudes_of
from seisbench_llm.export.tables import EVENT_TYPES
from seisbench_llm.monitor.amplitudes import with_ml
from tests.helpers.monitor import NETWORK, network_monitor

pytest.importorskip("pyocto")
pytest.importorskip("pyarrow")

MAGNITUDES = ["magnitude", "magnitude_spread", "magnitude_stations", "ml", "ml_spread"]


@pytest.fixture(scope="module")
def result():
    return network_monitor().classify(obspy.Stream(), NETWORK)


@pytest.fixture(scope="module")
def picks(result):
    """Picks of a monitor, with its estimates as columns."""
    names = [name for columns in ESTIMATES.values() for name in columns]
    estimates = result.table.rename(columns={"p_time": "time"}).assign(phase="P")
    keys = ["trace_id", "time", "phase"]
    table = picks_to_dataframe(result.picks).drop(columns=["event_id", "polarity"])
    return table.merge(estimates[[*keys, "polarity", *names]], how="left", on=keys)


def test_estimates_of_picks_give_the_magnitudes_of_the_monitor(result, picks, tmp_path):
    made = associate(picks, tmp_path, NETWORK, formats=("csv", "parquet", "quakeml"))
    known = result.network_events
    assert made.events == len(known) == 1 and known["magnitude_stations"][0] > 3
    for name in ("events.csv", "events.parquet"):
        events = read_events(tmp_path / name)
        pd.testing.assert_frame_equal(events[MAGNITUDES], known[MAGNITUDES], check_dtype=False)
    assert validate_quakeml(str(tmp_path / "catalog.xml"))
    (event,) = obspy.read_events(tmp_path / "catalog.xml")
    (theirs,) = result.to_catalog(single_station=False)
    assert event.magnitudes[0].mag == theirs.magnitudes[0].mag
    assert [one.mag for one in event.station_magnitudes] == [
        one.mag for one in theirs.station_magnitudes
    ]
    texts = {comment.text for pick in event.picks for comment in pick.comments}
    assert any(text.startswith("polarity U") for text in texts)
    assert {pick.polarity for pick in event.picks} >= {"positive", "negative"}
    csv, parquet = (read_picks(tmp_path / f"picks.{form}") for form in ("csv", "parquet"))
    pd.testing.assert_frame_equal(csv, parquet, check_dtype=False)
    assert csv["magnitude"].count() == picks["magnitude"].count() > 3


def test_amplitudes_of_picks_give_ml(picks, tmp_path):
    corrections = tmp_path / "corrections.csv"
    pd.DataFrame({"id": ["XX.S1"], "correction": [0.4]}).to_csv(corrections, index=False)
    s = picks["phase"] == "S"
    table = picks.assign(
        amplitude_trace_id=(picks["trace_id"] + ".HHN").where(s),
        amplitude_counts=pd.Series(range(len(picks)), dtype=float).where(s),
        snr=20.0,
        clipped=False,
        wood_anderson_nm=(100.0 + 50 * pd.Series(range(len(picks)))).where(s),
    )
    settings = {"magnitude_scale": "norway", "station_corrections": corrections}
    associate(table, tmp_path / "out", NETWORK, formats=("csv", "quakeml"), **settings)
    events = read_events(tmp_path / "out" / "events.csv")
    arrivals = pd.read_csv(tmp_path / "out" / "arrivals.csv")
    ordered = read_picks(tmp_path / "out" / "picks.csv")
    # The models' estimates, before they are joined with ML.
    models = events.assign(magnitude=float("nan"), magnitude_spread=float("nan"))
    scale = "norway", {"XX.S1": 0.4}
    expected, stations = with_ml(models, amplitudes_of(ordered), arrivals, *scale)
    assert len(stations) > 3 and events["ml_stations"][0] == stations["trace_id"].nunique()
    assert events["ml"][0] == pytest.approx(expected["ml"][0])
    plain = with_ml(models, amplitudes_of(ordered), arrivals)[0]
    assert abs(events["ml"][0] - plain["ml"][0]) > 0.01
    (event,) = obspy.read_events(tmp_path / "out" / "catalog.xml")
    assert len(event.amplitudes) == len(stations)
    assert event.preferred_magnitude().mag == pytest.approx(events["magnitude"][0])
    # Each magnitude with its error and number of stations, in the table and in QuakeML.
    assert events["magnitude_source"][0] == "amplitudes and models"
    columns = [name for name in EVENT_TYPES if "magnitude" in name or name.startswith("ml")]
    read = read_events(tmp_path / "out" / "catalog.xml")
    assert len(columns) == 10 and read[columns].notna().all(axis=None)
    pd.testing.assert_frame_equal(read[columns], events[columns], check_dtype=False)
    local = next(m for m in event.magnitudes if m.mag == pytest.approx(events["ml"][0]))
    assert "scale norway: Alsaker and others 1991" in local.comments[0].text
    with pytest.raises(ValueError, match="Unknown magnitude scale 'mars'"):
        associate(table, tmp_path / "other", NETWORK, magnitude_scale="mars")
