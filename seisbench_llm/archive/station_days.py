"""Station-days: the instruments of an archive that match patterns, one day at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from obspy import UTCDateTime

from ..trace_ids import split_channel

# Bands from 10 Hz and instruments of ground motion, for patterns that leave them open.
_SEISMIC = re.compile(r"[BSEHCDFG][HLNP]")


class StationDay(NamedTuple):
    """
    Unit of processing: one instrument of one station on one day (UTC).

    :param channel: Channel pattern, such as ``HH?`` or ``HHZ``.
    :param day: Day, such as ``2020-01-31``.
    """

    network: str
    station: str
    location: str
    channel: str
    day: str

    @property
    def id(self) -> str:
        """NET.STA.LOC.HH or, for one component, NET.STA.LOC.HHZ. Files have the same name."""
        return instrument_id(self[:4])

    @property
    def instrument(self) -> str:
        """Band and instrument code, HH."""
        return split_channel(self.channel)[0]

    @property
    def start(self) -> UTCDateTime:
        """Beginning of the day."""
        return UTCDateTime(self.day)

    @property
    def end(self) -> UTCDateTime:
        """Beginning of the next day."""
        return self.start + 86400


def instrument_id(codes: Iterable[str]) -> str:
    """NET.STA.LOC.HH of (network, station, location, channel pattern)."""
    return ".".join(codes).rstrip("?")


def choose_instruments(
    channels: Iterable[tuple], patterns: Iterable[str], archive: str
) -> list[tuple[str, str, str, str]]:
    """
    The instruments that match patterns.

    :param channels: All existing (network, station, location, channel).
    :param patterns: NET.STA.LOC.CHA with * and ?. Missing parts at the end match everything, and
        ``--`` is the empty location. If band and instrument are left open, only seismometers match.
    :param archive: Name of the archive for messages.
    :return: (network, station, location, channel pattern) of each instrument.
    :raises ValueError: If a pattern matches nothing, or if two patterns ask for different
        components.
    """
    channels = sorted(set(map(tuple, channels)))
    chosen: dict[tuple, tuple] = {}
    for pattern in patterns:
        parts = split_pattern(pattern)
        wanted = parts[3]
        is_open = not re.fullmatch(r"[A-Z0-9]{2}.?", wanted)
        matching = [
            c
            for c in channels
            if all(map(fnmatchcase, c, parts))
            and len(c[3]) == 3
            and (not is_open or _SEISMIC.match(c[3]))
        ]
        if not matching:
            stations = sorted({f"{n}.{s}.{loc}.{cha[:2]}?" for n, s, loc, cha in channels})
            raise ValueError(
                f"{archive} has nothing that matches {pattern}; it has "
                f"{', '.join(stations[:20]) or 'no waveforms in this time'}"
                f"{' ...' if len(stations) > 20 else ''}."
            )
        component = wanted[2] if len(wanted) == 3 and wanted[2].isalnum() else "?"
        for *place, channel in matching:
            key = (*place, channel[:2])
            codes = (*place, channel[:2] + component)
            if chosen.setdefault(key, codes) != codes:
                raise ValueError(
                    f"{instrument_id(chosen[key])} and {instrument_id(codes)} are the same "
                    f"instrument: ask for one component or for all of them ({channel[:2]}?)."
                )
    return [chosen[key] for key in sorted(chosen)]


def split_pattern(pattern: str) -> list[str]:
    """The four parts of a pattern of channels."""
    parts = pattern.split(".")
    if not 2 <= len(parts) <= 4 or not all(parts[:2]):
        raise ValueError(
            f"'{pattern}' is not a pattern of channels. Use one such as CX.PB01..HH? or CX.*."
        )
    parts += ["*"] * (4 - len(parts))
    parts[2] = "" if parts[2] == "--" else parts[2]
    return parts
