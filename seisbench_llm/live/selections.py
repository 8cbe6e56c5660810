"""Selections of SeedLink streams in the forms of users and of servers."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import obspy

SELECTION = re.compile(
    r"([A-Z0-9?*]{1,2})\.([A-Z0-9?*]{1,5})\.([A-Z0-9?]{0,2}|--|\*)\.([A-Z0-9?*]{1,3})"
)

STREAM = re.compile(r"([A-Z0-9?*]{1,2})_([A-Z0-9?*]{1,5})(?::(.*))?")
SELECTOR = re.compile(r"([A-Z0-9?-]{2})?([A-Z0-9?]{3})(?:\.D)?")

# Selectors of a stream without selectors: seismometers of at least 10 Hz.
SEISMOMETERS = ("BH?", "EH?", "HH?", "SH?")


def parse_selections(selections: list[str]) -> dict[tuple[str, str], list[str]]:
    """
    Selections by station in SeedLink's form.

    >>> parse_selections(["XX.ABC.00.HH?", "XX.ABC..EHZ", "X?.*..HH?"])
    {('XX', 'ABC'): ['00HH?', 'EHZ'], ('X?', '*'): ['HH?']}

    :param selections: Selections in the form NET.STA.LOC.CH.
    :raises ValueError: If a selection has another form.
    """
    stations: dict[tuple[str, str], list[str]] = {}
    for text in selections:
        match = SELECTION.fullmatch(text.upper())
        if match is None:
            raise ValueError(
                f"'{text}' is not a selection. Pass NET.STA.LOC.CH, such as XX.ABC.00.HH?, "
                f"XX.ABC..EH? or XX.*.*.HH?."
            )
        network, station, location, channel = match.groups()
        location = "" if location == "*" else location
        channel = "???" if channel == "*" else channel.replace("*", "?").ljust(3, "?")
        stations.setdefault((network, station), []).append(location + channel)
    if not stations:
        raise ValueError("Nothing is selected. Pass at least one NET.STA.LOC.CH.")
    return stations


def has_wildcard(text: str) -> bool:
    """Whether a code has wildcards."""
    return "?" in text or "*" in text


def is_selected(trace: obspy.Trace, stations: dict[tuple[str, str], list[str]]) -> bool:
    """Whether a trace matches the stations and selectors of :py:func:`parse_selections`."""
    stats = trace.stats
    stream = stats.location.ljust(2) + stats.channel
    return any(
        fnmatchcase(stats.network, network)
        and fnmatchcase(stats.station, station)
        and any(fnmatchcase(stream, s.replace("-", " ").rjust(5, "?")) for s in selectors)
        for (network, station), selectors in stations.items()
    )


def selections_of_streams(text: str) -> list[str]:
    """
    Selections from a list of streams in the form of slinktool and other SeedLink programs.

    >>> selections_of_streams("IU_*:00BH?,GE_APE:BHZ BHN")
    ['IU.*.00.BH?', 'GE.APE.*.BHZ', 'GE.APE.*.BHN']
    >>> selections_of_streams("IU_*")
    ['IU.*.*.BH?', 'IU.*.*.EH?', 'IU.*.*.HH?', 'IU.*.*.SH?']

    :param text: NET_STA or NET_STA:SELECTORS, with ``?`` and ``*``, separated by commas. Selectors
        are separated by spaces.
    :raises ValueError: If the text has another form.
    """
    selections = []
    for part in text.upper().split(","):
        match = STREAM.fullmatch(part.strip())
        selectors = match[3].split() if match and match[3] is not None else SEISMOMETERS
        found = [SELECTOR.fullmatch(selector) for selector in selectors]
        if match is None or not found or not all(found):
            raise ValueError(
                f"'{part.strip()}' is not a stream. Pass NET_STA or NET_STA:SELECTORS."
            )
        selections += [f"{match[1]}.{match[2]}.{one[1] or '*'}.{one[2]}" for one in found]
    return selections
