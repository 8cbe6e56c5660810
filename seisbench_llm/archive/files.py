"""seisbench_llm/archive/files.py."""

from __future__ import annotations

import warnings
from pathlib import Path
from threading import Lock

import obspy
from obspy import UTCDateTime

from .units import Unit

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
