"""SCML is valid, and keeps picks that belong to no event."""

import obspy
from lxml import etree
from obspy.io.seiscomp.core import validate

from seisbench_llm.export import export, picks_to_dataframe, read_events, read_picks
from seisbench_llm.export.quakeml import unassociated_event
from seisbench_llm.export.scml import read_scml
from tests.helpers.picks import T0, TWO, located


def test_picks_without_an_event_are_valid_and_come_back(tmp_path):
    path = export(TWO, tmp_path / "a.scml")
    assert validate(str(path))
    # ObsPy alone reads no pick that no origin refers to.
    assert not [pick for event in obspy.read_events(path) for pick in event.picks]
    found, expected = read_picks(path), picks_to_dataframe(TWO)
    for name in ("trace_id", "phase", "time", "probability", "instrument"):
        assert list(found[name]) == list(expected[name])
    assert list(found["polarity"]) == ["D", None]
    assert list(found["time_uncertainty"]) == [0.1, 0.1]
    assert len(read_events(path)) == 0


def test_picks_without_an_event_make_none(tmp_path):
    """SeisComP would show it as an earthquake."""
    catalog = located() + obspy.Catalog([unassociated_event(located("YY.OTHER.")[0].picks)])
    for written, events in ((TWO, 0), (catalog, 1)):
        root = etree.parse(export(written, tmp_path / "a.scml")).getroot()
        assert len(root.findall("{*}EventParameters/{*}event")) == events
        assert len(root.findall("{*}EventParameters/{*}pick")) >= 2


def test_nothing_that_a_file_names_is_opened(tmp_path):
    path = export(TWO, tmp_path / "a.scml")
    head, rest = path.read_text().split("<seiscomp", 1)
    # If this was read, it would be an error.
    (tmp_path / "other.dtd").write_text("<!ELEMENT")
    doctype = f'<!DOCTYPE seiscomp SYSTEM "{tmp_path / "other.dtd"}">'
    path.write_text(f"{head}{doctype}<seiscomp{rest}")
    assert len(read_picks(path)) == 2


def test_no_text_of_another_file_gets_into_a_table(tmp_path):
    path = export(TWO, tmp_path / "a.scml")
    (tmp_path / "other.txt").write_text("SECRET")
    head, rest = path.read_text().split("<seiscomp", 1)
    doctype = f'<!DOCTYPE seiscomp [<!ENTITY x SYSTEM "{tmp_path / "other.txt"}">]>'
    assert "<phaseHint>P<" in rest
    path.write_text(f"{head}{doctype}<seiscomp{rest.replace('<phaseHint>P<', '<phaseHint>&x;<')}")
    try:
        assert "SECRET" not in read_picks(path).to_csv()
    except ValueError as error:
        assert "SECRET" not in str(error)


def test_an_event_without_picks_is_one(tmp_path):
    catalog = located()
    catalog[0].picks = []
    found = read_scml(export(catalog, tmp_path / "a.scml"))
    assert len(found) == 1 and found[0].origins and not found[0].picks


def test_each_pick_is_read_once(tmp_path):
    catalog = located()
    arrivals = [
        obspy.core.event.Arrival(pick_id=p.resource_id, phase="P") for p in catalog[0].picks
    ]
    catalog[0].origins[0].arrivals = arrivals
    catalog[0].preferred_origin_id = catalog[0].origins[0].resource_id
    other = located("YY.OTHER.")[0].picks
    catalog.append(unassociated_event(other))
    path = export(catalog, tmp_path / "a.scml")
    assert validate(str(path))
    found = read_picks(path)
    assert list(found["trace_id"]) == ["XX.STA.00"] * 2 + ["YY.OTHER."] * 2
    assert list(found["event_id"].notna()) == [True, True, False, False]
    assert len(read_events(path)) == 1 and T0


def test_scml_in_a_file_of_another_name_is_recognised(tmp_path):
    path = export(TWO, tmp_path / "a.scml")
    for name in ("b.xml", "b.txt"):
        assert len(read_picks(path.rename(tmp_path / name))) == 2
        path = tmp_path / name
