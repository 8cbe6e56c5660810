"""Archives of miniSEED files, and reading them without losing a record unnoticed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import obspy
import seisbench
from obspy import UTCDateTime

from ..obspy_files import read_mseed

# Network, station, location and channel; the channel may be a pattern.
Codes = tuple[str, str, str, str]

# Python's warning filters, which read_file changes, are one for all threads.
read_lock = Lock()


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
        with read_lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _check_complete(Path(file))
            warnings.simplefilter("error", InternalMSEEDWarning)
            return read_mseed(file, **kwargs)
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
            raise ArchiveLost(f"The archive {self.root} is not a folder, or is not mounted.")

    def files(
        self, codes: Codes, start: UTCDateTime, end: UTCDateTime, padding: float
    ) -> Iterator[tuple[Path, bool]]:
        """Files of some days and of the padding, and whether each is of the days themselves."""
        raise NotImplementedError

    def get_waveforms(
        self,
        network: str,
        station: str,
        location: str,
        channel: str,
        start: UTCDateTime,
        end: UTCDateTime,
        padding: float = 0.0,
    ) -> obspy.Stream:
        """
        Waveforms of whole days, and of some time to both sides as far as there are any.

        Parts of the padding that cannot be read are named in a warning. ``stats.file`` of each
        trace is where it comes from.

        :param channel: Code, or a pattern such as ``HH?``.
        :param start: Beginning of the first day.
        :param end: End of the last day.
        :param padding: Seconds before and after.
        :raises SourceError: If a file of the days themselves cannot be read.
        :raises ArchiveLost: If the archive is gone.
        """
        self._check()
        codes = network, station, location, channel
        span = {"starttime": start - padding, "endtime": end + padding}
        stream = obspy.Stream()
        for file, own in self.files(codes, start, end, padding):
            try:
                traces = read_file(file, **span, sourcename=".".join(codes[:3]) + ".*")
            except SourceError as error:
                if own:
                    raise
                seisbench.logger.warning(f"Neighbouring day left out: {error}")
                continue
            traces = traces.select(*codes)
            for trace in traces:
                trace.stats.file = str(file)
            stream += traces
        return stream


class SDS(Files):
    """An archive in the SeisComP data structure."""

    def channels(self, start: UTCDateTime, end: UTCDateTime, patterns) -> set[tuple]:
        """All (network, station, location, channel) that the archive has at any time."""
        from obspy.clients.filesystem.sds import Client

        return set(Client(str(self.root)).get_all_nslc())

    def files(
        self, codes: Codes, start: UTCDateTime, end: UTCDateTime, padding: float
    ) -> Iterator[tuple[Path, bool]]:
        """(file, whether it is of the days themselves), in the order of days and names."""
        for day in days_and_neighbours(start, end):
            for file in sorted(self.root.glob(sds_name(codes, day))):
                yield file, start <= day < end


def days_and_neighbours(start: UTCDateTime, end: UTCDateTime) -> Iterator[UTCDateTime]:
    """Beginnings of the days from ``start`` to ``end``, of the one before, and of the one after."""
    day = UTCDateTime((start - 86400).date)
    while day < end + 86400:
        yield day
        day += 86400


def sds_name(codes: Codes, day: UTCDateTime) -> str:
    """Path of a channel's day in SDS. Codes may be patterns."""
    from obspy.clients.filesystem.sds import SDS_FMTSTR

    network, station, location, channel = codes
    names = {"network": network, "station": station, "location": location, "channel": channel}
    return SDS_FMTSTR.format(year=day.year, doy=day.julday, sds_type="D", **names)
