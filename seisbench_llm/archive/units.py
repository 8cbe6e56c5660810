"""seisbench_llm/archive/units.py."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

# Bands from 10 Hz and instruments that feel ground motion, for patterns that leave them open.
_SEISMIC = re.compile(r"[BSEHCDFG][HLNP]")


class Unit(NamedTuple):
    """
    What is processed together: one instrument of one station.

    :param channel: Channel pattern, such as ``HH?`` or ``HHZ``.
    """

    network: str
    station: str
    location: str
    channel: str

    @property
    def id(self) -> str:
        """NET.STA.LOC.HH or, for one component, NET.STA.LOC.HHZ; also the name of its files."""
        return ".".join(self).rstrip("?")


def choose_units(channels: Iterable[tuple], patterns: Iterable[str], archive: str) -> list[Unit]:
    """
    The units that match patterns.

    :param channels: All (network, station, location, channel) there are.
    :param patterns: NET.STA.LOC.CHA with * and ?; parts left out at the end are open, and ``--``
        is the empty location. Open bands and instruments mean those of seismometers.
    :raises ValueError: If a pattern matches nothing, or two patterns want different components.
    """
    channels = sorted(set(map(tuple, channels)))
    found: dict[tuple, Unit] = {}
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
            unit = Unit(*place, channel[:2] + component)
            if found.setdefault(key, unit) != unit:
                raise ValueError(
                    f"{found[key].id} and {unit.id} are the same instrument: ask for one "
                    f"component or for all of them ({channel[:2]}?)."
                )
    return [found[key] for key in sorted(found)]


def split_pattern(pattern: str) -> list[str]:
    """The four parts of a pattern of channels."""
    parts = pattern.split(".")
    if not 2 <= len(parts) <= 4 or not all(parts[:2]):
        raise ValueError(f"'{pattern}' is no pattern of channels such as CX.PB01..HH? or CX.*.")
    parts += ["*"] * (4 - len(parts))
    parts[2] = "" if parts[2] == "--" else parts[2]
    return parts
