from dataclasses import replace

import numpy as np
import obspy
import pandas as pd
import pytest
from seisbench.util import Pick

from seisbench_llm.amplitudes import local_magnitude, measure
from seisbench_llm.amplitudes.event import station_magnitudes, with_local_magnitudes
from seisbench_llm.amplitudes.magnitude import STATION_ERROR
from seisbench_llm.export.tables import AMPLITUDE_TYPES, picks_to_dataframe
from seisbench_llm.stations import Stations
from seisbench_llm.streams.skipped import SkippedList

START = obspy.UTCDateTime(2020, 1, 1)
RATE, GAIN = 100.0, 5e8


def stream_of(size=1e-6, components="ZNE", channel="HH", clip=None):
    """Velocity: noise, P at 30 s on Z, S at 40 s on N, three times as large, in counts."""
    rng, time = np.random.default_rng(0), np.arange(0, 120, 1 / RATE)

    def packet(at, amplitude):
        later = np.clip(time - at, 0, None)
        return amplitude * later * np.exp(1 - later) * np.sin(2 * np.pi * 4 * later)

    stream = obspy.Stream()
    for name in components:
        data = rng.normal(0, size / 500, len(time))
        data += packet(30, size if name == "Z" else size / 4)
        data += packet(40, 3 * size if name == "N" else size / 2)
        data *= GAIN
        if clip is not None:
            data = np.clip(data, -clip, clip)
        header = {"network": "XX", "station": "A", "location": "", "channel": channel + name}
        stream += obspy.Trace(data, {**header, "sampling_rate": RATE, "starttime": START})
    return stream


def picks_of(trace_id="XX.A."):
    times = {"P": START + 30, "S": START + 40}
    return [Pick(trace_id, t, t, t, 0.9, phase) for phase, t in times.items()]


def stations_of(gain=GAIN, units="M/S", channels=("HHZ", "HHN", "HHE")):
    ids = [f"XX.A..{channel}" for channel in channels]
    table = {"id": ids, "latitude": 50.0, "longitude": 10.0, "gain": gain, "units": units}
    return Stations.read(pd.DataFrame(table))


def test_amplitudes_are_those_of_the_record():
    stream, skipped = stream_of(), SkippedList()
    before = stream.copy()
    table = measure(stream, picks_of(), stations_of(), skipped)
    assert stream == before and not skipped
    assert {name: str(kind) for name, kind in table.dtypes.items()} == AMPLITUDE_TYPES
    p, s = table.to_dict("records")
    assert (p["trace_id"], s["trace_id"]) == ("XX.A..HHZ", "XX.A..HHN")
    assert p["velocity_m_s"] == pytest.approx(1e-6, rel=0.05)
    assert s["velocity_m_s"] == pytest.approx(3e-6, rel=0.05)
    assert s["displacement_m"] == pytest.approx(3e-6 / (2 * np.pi * 4), rel=0.06)
    # At 4 Hz the pendulum moves nearly as the ground does.
    assert s["wood_anderson_nm"] == pytest.approx(1e9 * s["displacement_m"], rel=0.1)
    assert s["amplitude_counts"] == pytest.approx(3e-6 * GAIN, rel=0.05)
    assert p["snr"] == pytest.approx(500, rel=0.2) and not table.clipped.any()


def test_counts_without_stations():
    table = measure(stream_of(), picks_of())
    assert (table.amplitude_counts > 0).all() and table.velocity_m_s.isna().all()


def test_one_component_is_enough():
    table = measure(stream_of(components="Z"), picks_of(), stations_of())
    assert list(table.trace_id) == ["XX.A..HHZ"] * 2 and (table.wood_anderson_nm > 0).all()


@pytest.mark.parametrize(
    ("stations", "cause"),
    [
        (stations_of(channels=("BHZ",)), "no response"),
        (stations_of(gain=0.0), "gain of zero"),
    ],
)
def test_what_cannot_be_converted_is_said_once_per_trace(stations, cause):
    skipped = SkippedList()
    table = measure(stream_of(), picks_of() * 3, stations, skipped)
    assert table.velocity_m_s.isna().all() and (table.amplitude_counts > 0).all()
    assert sorted(entry.trace_id for entry in skipped) == ["XX.A..HHE", "XX.A..HHN", "XX.A..HHZ"]
    assert all(cause in entry.cause and entry.used for entry in skipped)


def test_clipped_records_make_no_magnitude():
    skipped = SkippedList()
    table = measure(stream_of(clip=600.0), picks_of(), stations_of(), skipped)
    assert list(table.clipped) == [False, True]
    assert np.isnan(table.wood_anderson_nm[1]) and table.amplitude_counts[1] > 0
    assert [entry.trace_id for entry in skipped] == ["XX.A..HHN"]
    assert "clipped" in skipped[0].cause


def test_no_data_no_row():
    late = [Pick("XX.A.", START + 500, START + 500, START + 500, 0.9, "P")]
    assert len(measure(stream_of(), [*late, *picks_of("XX.B.")])) == 0


def test_text_is_no_amplitude():
    stream, picks = stream_of(), picks_of()
    known = measure(stream, picks)
    text = stream[0].copy()
    text.data = np.full(text.stats.npts, "a")
    pd.testing.assert_frame_equal(measure(stream + text, picks), known)
    assert len(known) == 2


@pytest.mark.parametrize(("second", "phases"), [(31, []), (90, ["P", "S"])])
def test_gaps_about_a_pick_make_no_amplitude(second, phases):
    stream = stream_of(components="Z")
    gap = np.arange(12000) // 100 == second
    stream[0].data = np.ma.masked_array(stream[0].data, mask=gap)
    assert list(measure(stream, picks_of()).phase) == phases


def test_files_may_end_within_a_window():
    whole, second = stream_of(), START + 42
    pieces = whole.slice(endtime=second) + whole.slice(second + 1 / RATE)
    assert len(pieces) == 6
    known = measure(whole, picks_of(), stations_of())
    pd.testing.assert_frame_equal(measure(pieces, picks_of(), stations_of()), known)


def test_magnitude_of_an_event():
    amplitudes = measure(stream_of(), picks_of(), stations_of())
    arrivals = pd.DataFrame({"event_id": ["e", "e"], "pick": [0, 1], "distance_km": [60.0, 60.0]})
    table = station_magnitudes(amplitudes, arrivals, {"e": 80.0}, corrections={"XX.A": 0.5})
    assert list(table["pick"]) == [1]
    expected = local_magnitude(amplitudes.wood_anderson_nm[1], 100.0) + 0.5
    assert table.ml[0] == pytest.approx(float(expected))
    events = pd.DataFrame(
        {
            "event_id": ["e", "other"],
            "magnitude": [expected + 2, 1.0],
            "magnitude_spread": [0.2, 0.2],
            "magnitude_stations": [3, 3],
        }
    )
    found = with_local_magnitudes(events, table, least_error=2.0)
    assert found.ml[0] == pytest.approx(float(expected)) and found.ml_stations[0] == 1
    # The models' estimate hardly counts.
    assert abs(found.magnitude[0] - found.ml[0]) < 0.1 and found.magnitude_spread[0] < STATION_ERROR
    assert np.isnan(found.ml[1]) and (found.magnitude[1], found.ml_stations[1]) == (1.0, 0)
    assert list(found.magnitude_source) == ["amplitudes and models", "models"]
    assert list(found.model_magnitude) == pytest.approx([float(expected) + 2, 1.0])
    assert list(found.magnitude_stations) == list(found.model_magnitude_stations) == [3, 3]
    unknown = events.assign(magnitude=np.nan, magnitude_stations=0)
    found = with_local_magnitudes(unknown, table)
    assert list(found.magnitude_source) == ["amplitudes", None]
    assert found.magnitude[0] == pytest.approx(found.ml[0]) and found.magnitude_stations[0] == 1


@pytest.mark.parametrize(("depth", "added"), [(np.nan, 0), (99.0, 0), (160.0, np.log10(2))])
def test_sensors_in_boreholes_have_no_free_surface(depth, added):
    stations = stations_of()
    for channels in stations.channels.values():
        channels[:] = [replace(channel, depth=depth) for channel in channels]
    amplitudes = measure(stream_of(), picks_of(), stations)
    arrivals = pd.DataFrame({"event_id": ["e"], "pick": [1], "distance_km": [60.0]})
    arguments = amplitudes, arrivals, {"e": 80.0}, "iaspei"
    plain, below = (station_magnitudes(*arguments, {}, known) for known in (None, stations))
    assert below.ml[0] - plain.ml[0] == pytest.approx(added)
    # A correction that was measured holds all that is known of the station.
    own = station_magnitudes(*arguments, {"XX.A": 0.1}, stations)
    assert own.ml[0] - plain.ml[0] == pytest.approx(0.1)


def test_a_trace_and_a_table_will_do():
    stream = stream_of(components="Z")
    expected = measure(stream, picks_of())
    assert len(expected) == 2
    pd.testing.assert_frame_equal(measure(stream[0], picks_of()), expected)
    pd.testing.assert_frame_equal(measure(stream, picks_to_dataframe(picks_of())), expected)
