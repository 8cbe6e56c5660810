"""SCML, the XML of SeisComP: writing, and reading with the picks that belong to no event."""

from __future__ import annotations

from pathlib import Path

import obspy
from lxml import etree
from obspy.core.event import Catalog, Comment, Pick, QuantityError, WaveformStreamID

from ..obspy_files import read_catalog, unpacked
from .quakeml import UNASSOCIATED, unassociated_event

# Version that SeisComP 5 and later read.
_VERSION = "0.12"


def write_scml(catalog: Catalog, path: Path, method: str | None = None) -> None:
    """
    Write a catalogue as SCML.

    Picks of no event are there without one. SeisComP would take the event that QuakeML needs for
    them for an earthquake.

    :param method: Method of all picks. ObsPy would make a URI of such a name.
    """
    catalog.write(str(path), format="SCML", version=_VERSION)
    tree = etree.parse(str(path))
    for event in tree.findall("{*}EventParameters/{*}event"):
        located = event.find("{*}originReference") is not None
        if f"/{UNASSOCIATED}/" in event.get("publicID") and not located:
            event.getparent().remove(event)
    for element in tree.findall("{*}EventParameters/{*}pick/{*}methodID"):
        element.text = method or element.text
    tree.write(str(path), encoding="UTF-8", xml_declaration=True)


def read_scml(path: Path) -> Catalog:
    """
    Read SCML.

    ObsPy leaves out picks that no origin refers to. They are in an event without an origin here,
    as in QuakeML.
    """
    catalog = read_catalog(path)
    known = {pick.resource_id.id for event in catalog for pick in event.picks}
    picks = [pick for pick in _picks(path) if pick.resource_id.id not in known]
    # What is left is an event without anything, if the file was made from a list of picks.
    events = [event for event in catalog if event.origins or event.picks]
    return Catalog([*events, *([unassociated_event(picks)] if picks else [])])


def _picks(path: Path) -> list[Pick]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    with unpacked(path) as parts:
        roots = [etree.parse(str(part), parser).getroot() for part in parts]
    elements = [one for root in roots for one in root.iterfind("{*}EventParameters/{*}pick")]
    return [_pick(element) for element in elements if element.find("{*}time/{*}value") is not None]


def _pick(element) -> Pick:
    codes = element.find("{*}waveformID")
    codes = {} if codes is None else codes.attrib
    uncertainty = element.findtext("{*}time/{*}uncertainty")
    return Pick(
        resource_id=element.get("publicID"),
        time=obspy.UTCDateTime(element.findtext("{*}time/{*}value").strip()),
        time_errors=QuantityError(uncertainty=float(uncertainty) if uncertainty else None),
        waveform_id=WaveformStreamID(
            network_code=codes.get("networkCode", ""),
            station_code=codes.get("stationCode", ""),
            location_code=codes.get("locationCode"),
            channel_code=codes.get("channelCode"),
        ),
        phase_hint=element.findtext("{*}phaseHint"),
        polarity=element.findtext("{*}polarity"),
        evaluation_mode=element.findtext("{*}evaluationMode"),
        comments=[
            Comment(text=text)
            for one in element.iterfind("{*}comment/{*}text")
            if (text := one.text)
        ],
    )
