"""Trace ids and channel codes."""

import obspy
import pytest

from seisbench_llm.trace_ids import (
    InstrumentId,
    TraceId,
    codes_of,
    component_index,
    location_of,
    records_ground_motion,
    split_channel,
    station_of,
    with_component,
)


@pytest.mark.parametrize(
    "text, instrument, component, pick_id",
    [
        ("XX.ABC.00.HHZ", "HH", "Z", "XX.ABC.00"),
        ("XX.ABC..HNE", "HN", "E", "XX.ABC..HN"),
        ("XX.ABC..DPZ", "DP", "Z", "XX.ABC."),
        ("XX.ABC.", "", "", "XX.ABC."),
        ("BO.AIC001..UD", "", "Z", "BO.AIC001."),
        ("BO.AICH04..NS1", "1", "N", "BO.AICH04..1"),
        ("BO.AICH04..EW2", "2", "E", "BO.AICH04..2"),
    ],
)
def test_parts(text, instrument, component, pick_id):
    trace_id = TraceId.parse(text)
    assert str(trace_id) == text
    assert (trace_id.instrument, trace_id.component) == (instrument, component)
    assert trace_id.pick_id == pick_id
    assert TraceId.parse(trace_id.pick_id).pick_id == pick_id
    assert text.startswith(trace_id.location_id) and text.startswith(trace_id.station_id)


@pytest.mark.parametrize("text", ["", "XX", "XX.ABC", "XX.ABC.00.HHZ.D", None])
def test_what_is_no_id(text):
    with pytest.raises(ValueError, match="is not NET.STA.LOC"):
        TraceId.parse(text)


def test_codes_may_hold_anything():
    trace = obspy.Trace(header={"network": "X.Y", "station": "[a]", "location": "*"})
    assert TraceId.of(trace)[:3] == ("X.Y", "[a]", "*")


def test_joined_code_of_kik_net_is_read_again():
    # Records have SEED's order: the component comes last.
    for code in ("NS1", "EW2", "UD", "HHZ"):
        assert split_channel("".join(split_channel(code))) == split_channel(code)


@pytest.mark.parametrize(
    "code, expected",
    [("HHZ", True), ("LHZ", True), ("HNE", True), ("NS1", True), ("UD", True), ("Z", True)]
    + [(code, False) for code in ("LCE", "ACE", "VMZ", "VM1", "BDZ", "LFN", "LWZ", "VKE")],
)
def test_ground_motion(code, expected):
    assert records_ground_motion(code) is expected


@pytest.mark.parametrize(
    "codes, instrument",
    [
        (("Z", "N", "E"), ""),
        (("Z", "1", "2"), ""),
        (("SZ", "SN", "SE"), "S"),
        (("HZ", "H1", "H2"), "H"),
        (("S  Z", "S  N", "S  E"), "S"),
        (("HHZ ", "HHN ", "HHE "), "HH"),
        (("U-D", "N-S", "E-W"), ""),
        (("UD2", "NS2", "EW2"), "2"),
        (("[Z", "[N", "[E"), "["),
        (("BDFZ", "BDFN", "BDFE"), "BDF"),
    ],
)
def test_codes_of_traces_end_with_the_component(codes, instrument):
    ids = [
        TraceId.of(obspy.Trace(header={"network": "XX", "station": "A", "channel": code}))
        for code in codes
    ]
    assert {trace_id.instrument for trace_id in ids} == {instrument}
    assert [component_index(i.component, "ZNE", flexible=True) for i in ids] == [0, 1, 2]
    # Read from text, the name of their picks means the same instrument.
    names = {trace_id.pick_id for trace_id in ids}
    assert names == {InstrumentId("XX", "A", "", instrument).pick_id}
    if len(instrument) <= 2:
        assert {TraceId.parse(name).pick_id for name in names} == names
    assert {trace_id.without_component for trace_id in ids} == {("XX", "A", "", instrument)}


@pytest.mark.parametrize("code", ["", "001", "12", "  "])
def test_codes_without_a_component(code):
    assert component_index(split_channel(code)[1], "ZNE", flexible=True) is None


def test_component_index():
    assert [component_index(c, "ZNE") for c in "ZNE1X"] == [0, 1, 2, None, None]
    assert [component_index(c, "ZNE", flexible=True) for c in ("1", "2", "")] == [1, 2, None]
    assert component_index("N", "Z12", flexible=True) == 1


@pytest.mark.parametrize("component", "ZNE")
def test_code_of_another_component(component):
    for codes in (
        ("HHZ", "HHN", "HHE"),
        ("UD", "NS", "EW"),
        ("UD2", "NS2", "EW2"),
        ("Z", "N", "E"),
    ):
        for code in codes:
            other = with_component(code, component)
            assert other == codes["ZNE".index(component)]
            assert split_channel(other) == (split_channel(code)[0], component)


@pytest.mark.parametrize(
    "text, codes",
    [
        ("XX.ABC.00.HHZ", ("XX", "ABC", "00", "HHZ")),
        ("XX.ABC..HH", ("XX", "ABC", "", "HH")),
        ("XX.ABC", ("XX", "ABC", "", "")),
        ("", ("", "", "", "")),
        # More than four: the first four.
        ("XX.ABC.00.HHZ.D", ("XX", "ABC", "00", "HHZ")),
    ],
)
def test_codes_of_ids_of_any_length(text, codes):
    assert codes_of(text) == codes
    assert station_of(text) == ".".join(text.split(".")[:2])
    assert location_of(text) == ".".join(text.split(".")[:3])


@pytest.mark.parametrize(
    "channel, pick_id",
    [
        ("HHZ", "XX.A."),
        ("HPZ", "XX.A."),
        ("HH", "XX.A."),
        ("HN", "XX.A..HN"),
        ("S", "XX.A."),
        ("", "XX.A."),
        ("UD1", "XX.A..1"),
        ("001", "XX.A..001"),
        ("HHZ.D", "XX.A..HHZ."),
    ],
)
def test_names_of_picks(channel, pick_id):
    assert TraceId("XX", "A", "", channel).pick_id == pick_id


def test_an_instrument_is_no_channel():
    instrument = InstrumentId("XX", "A", "00", "HHZ")
    assert (instrument.instrument, instrument.component) == ("HHZ", "")
    assert str(instrument) == instrument.instrument_id == "XX.A.00.HHZ"
    # What was read from text may have no component, what a trace says ends with one.
    assert TraceId("XX", "A", "", "SZ").instrument == "SZ"
    trace = obspy.Trace(header={"network": "XX", "station": "A", "channel": "SZ"})
    assert TraceId.of(trace).instrument == "S"


@pytest.mark.parametrize(
    "code, expected",
    [("AHZ", False), ("OHZ", False), ("HAZ", False), ("HWZ", False), ("HLZ", True), ("HPZ", True)]
    + [("HDFX", True), ("LC", True), ("N-S", True), ("EW2", True), ("HGZ", True), ("HJZ", True)],
)
def test_bands_and_instruments_of_seed(code, expected):
    assert records_ground_motion(code) is expected
