"""Where an archive's waveforms come from: SDS, a folder of miniSEED, or an FDSN web service."""

from __future__ import annotations

import importlib
import re
import time
import warnings
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import obspy
from obspy import UTCDateTime

# Bands from 10 Hz and instruments that feel ground motion, for patterns that leave them open.
_SEISMIC = re.compile(r"[BSEHCDFG][HLNP]")
READING = Lock()


class SourceError(ValueError):
    """
    Waveforms that cannot be had or used.

    :param file: The file to blame, or None.
    """

    def __init__(self, message: str, file=None):
        super().__init__(message)
        self.file = None if file is None else str(file)


class ArchiveLost(OSError):
    """An archive that is not there (any more): an error of the run, not of a station-day."""


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


def open_source(archive: str, index=None):
    """
    Open an archive.

    :param archive: A folder, which is taken for SDS if it looks like one; ``sds://FOLDER`` or
        ``folder://FOLDER`` to say so; ``fdsn://NAME`` with a name or address that ObsPy knows, or
        ``fdsn://eida-routing``, ``fdsn://earthscope-federator``; ``python://MODULE:CLASS`` for a
        class of your own with the methods ``channels`` and ``read`` of those here.
    :param index: Parquet file that keeps the headers of a folder's files.
    :raises ValueError: If there is no such kind of archive.
    :raises ArchiveLost: If the folder does not exist.
    """
    kind, separator, rest = str(archive).partition("://")
    if not separator:
        kind, rest = ("sds" if _looks_like_sds(Path(archive)) else "folder"), str(archive)
    if kind == "sds":
        return SDS(rest)
    if kind == "folder":
        from .archive_folder import Folder

        return Folder(rest, index)
    if kind == "fdsn":
        return FDSN(rest)
    if kind == "python":
        module, _, name = rest.partition(":")
        return getattr(importlib.import_module(module), name)()
    raise ValueError(f"'{archive}' is no archive: a folder, sds://, folder:// or fdsn:// is.")


def _looks_like_sds(root: Path) -> bool:
    return any(re.fullmatch(r".+\.[A-Z]", p.name) for p in root.glob("[12][0-9][0-9][0-9]/*/*/*.?"))


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


def read_file(file, **kwargs) -> obspy.Stream:
    """
    Read a miniSEED file, or fail.

    ObsPy takes a file that ends within a record for a shorter one, and warns of what it cannot
    decode; either means that data are missing that should be there.

    :param kwargs: See :py:func:`obspy.read`.
    :raises SourceError: If any of the file cannot be read.
    """
    from obspy.io.mseed import InternalMSEEDWarning

    try:
        # The warnings filter is one for all threads.
        with READING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _check_complete(Path(file))
            warnings.simplefilter("error", InternalMSEEDWarning)
            return obspy.read(str(file), format="MSEED", **kwargs)
    except SourceError:
        raise
    except Exception as error:
        # ObsPy's readers raise whatever comes to them on a broken file.
        raise SourceError(
            f"{file} cannot be read ({type(error).__name__}: {error}). Replace or remove it.", file
        ) from error


def _check_complete(file: Path) -> None:
    from obspy.io.mseed.util import get_record_information

    size = file.stat().st_size
    length = get_record_information(str(file))["record_length"]
    if size % length == 0:
        return
    # Records of several lengths are legal, so look at each before complaining.
    offset = 0
    while offset < size:
        offset += get_record_information(str(file), offset)["record_length"]
    if offset > size:
        raise SourceError(
            f"{file} is truncated: its last record lacks {offset - size} bytes. "
            f"Replace or remove it.",
            file,
        )


class Files:
    """
    Archives of files.

    :param root: The folder.
    :raises ArchiveLost: If it is none.
    """

    def __init__(self, root):
        self.root = Path(root).expanduser().resolve()
        self._check()

    def _check(self) -> None:
        # An archive that is not mounted would otherwise look like one without data.
        if not self.root.is_dir():
            raise ArchiveLost(f"The archive {self.root} is no folder, or not mounted.")

    def read(self, unit: Unit, day: UTCDateTime, padding: float):
        """
        Waveforms of a day, and of some time to both sides as far as there are any.

        :param padding: Seconds before and after the day.
        :return: Stream, and notes on parts of the padding that are missing.
        :raises SourceError: If a file of that day cannot be read, or its sampling rates differ.
        :raises ArchiveLost: If the archive is gone.
        """
        self._check()
        start, end = day - padding, day + 86400 + padding
        stream, notes = obspy.Stream(), []
        for file, own in self.files(unit, day, padding):
            try:
                found = read_file(
                    file, starttime=start, endtime=end, sourcename=".".join(unit[:3]) + ".*"
                )
            except SourceError as error:
                if own:
                    raise
                notes.append(f"Neighbouring day left out: {error}")
                continue
            found = found.select(*unit)
            for trace in found:
                trace.stats.file = str(file)
            stream += found
        return stream, notes


class SDS(Files):
    """An archive in the SeisComP data structure."""

    def channels(self, start: UTCDateTime, end: UTCDateTime, patterns, mapper=map) -> set[tuple]:
        """All (network, station, location, channel) that the archive has at any time."""
        from obspy.clients.filesystem.sds import Client

        return set(Client(str(self.root)).get_all_nslc())

    def files(self, unit: Unit, day: UTCDateTime, padding: float):
        """(file, whether it is the day's own), in the order of days and names."""
        from obspy.clients.filesystem.sds import SDS_FMTSTR

        parts = unit._asdict()
        for date in (day - 86400, day, day + 86400):
            pattern = SDS_FMTSTR.format(year=date.year, doy=date.julday, sds_type="D", **parts)
            for file in sorted(self.root.glob(pattern)):
                yield file, date == day


class FDSN:
    """
    An FDSN web service, or several behind a routing service.

    :param name: What :py:class:`obspy.clients.fdsn.Client` takes, or the name of a router.
    :param attempts: How often to ask a service that fails.
    :param patience: Seconds before the second attempt; doubles with each.
    """

    ROUTERS = ("eida-routing", "earthscope-federator", "iris-federator")

    def __init__(self, name: str, attempts: int = 4, patience: float = 5.0):
        self.name, self.attempts, self.patience = name, attempts, patience

    @cached_property
    def client(self):
        """ObsPy's client; made late, as that asks the service what it can do."""
        from obspy.clients import fdsn

        if self.name in self.ROUTERS:
            return fdsn.RoutingClient(self.name)
        return self._ask(lambda: fdsn.Client(self.name))

    def channels(self, start: UTCDateTime, end: UTCDateTime, patterns, mapper=map) -> set[tuple]:
        """All (network, station, location, channel) that the service has of these patterns."""
        found = set()
        for pattern in patterns:
            codes = dict(
                zip(
                    ("network", "station", "location", "channel"),
                    split_pattern(pattern),
                    strict=True,
                )
            )
            inventory = self._ask(
                lambda codes=codes: self.client.get_stations(
                    starttime=start, endtime=end, level="channel", **codes
                )
            )
            for network in inventory or ():
                for station in network:
                    for channel in station:
                        place = network.code, station.code, channel.location_code
                        found.add((*place, channel.code))
        return found

    def read(self, unit: Unit, day: UTCDateTime, padding: float):
        """
        See :py:meth:`Files.read`.

        :raises SourceError: If the service does not answer after all attempts.
        """
        span = day - padding, day + 86400 + padding
        stream = self._ask(lambda: self.client.get_waveforms(*unit, *span))
        return (obspy.Stream() if stream is None else stream), []

    def _ask(self, request):
        from obspy.clients.fdsn.header import (
            FDSNBadRequestException,
            FDSNForbiddenException,
            FDSNNoDataException,
            FDSNNoServiceException,
            FDSNUnauthorizedException,
        )

        for attempt in range(self.attempts):
            try:
                return request()
            except FDSNNoDataException:
                return None
            except (
                FDSNBadRequestException,
                FDSNForbiddenException,
                FDSNUnauthorizedException,
                FDSNNoServiceException,
                ValueError,
            ) as error:
                raise SourceError(
                    f"{self.name} refuses: {type(error).__name__}: {error}"
                ) from error
            except Exception as error:
                # Time-outs, lost connections, overload: of several kinds, down to http.client's.
                if attempt + 1 == self.attempts:
                    raise SourceError(
                        f"{self.name} failed {self.attempts} times: {type(error).__name__}: {error}"
                    ) from error
                time.sleep(self.patience * 2**attempt)
