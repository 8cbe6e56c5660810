"""Waveform files: finding them, reading their headers, and reading parts of them."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import obspy
import seisbench

from .obspy_files import read_waveforms
from .trace_ids import TraceId


@dataclass(frozen=True)
class FileTrace:
    """
    A trace in a file.

    :param file: The file.
    :param station: NET.STA.
    :param start: Time of the first sample.
    :param end: Time of the last sample.
    :param samples: Number of samples.
    :param format: ObsPy's name of the file's format.
    """

    file: Path
    station: str
    start: obspy.UTCDateTime
    end: obspy.UTCDateTime
    samples: int
    format: str


@dataclass
class Reader:
    """
    Reader of waveform files. It remembers files that cannot be read.

    :param keep_going: Whether to go on after a file that cannot be read.
    :param failed: File, or member of an archive, that could not be read -> reason.
    :param hint: What to do about such a file, as the end of the error message.
    """

    keep_going: bool = False
    failed: dict[Path, str] = field(default_factory=dict)
    hint: str = ""
    _seen: set[Path] = field(default_factory=set)

    def read(self, file: Path, **kwargs) -> obspy.Stream:
        """
        :py:func:`obspy.read` for one file.

        :return: The stream. It is empty if the file cannot be read and ``keep_going`` is true.
        :raises ValueError: If the file cannot be read and ``keep_going`` is false. The message has
            its name.
        """
        if file in self.failed:
            return obspy.Stream()
        members: dict[str, str] = {}
        try:
            stream = read_waveforms(file, members if self.keep_going else None, **kwargs)
        except Exception as error:
            # ObsPy's readers raise exceptions of any kind on a broken file.
            why = str(error).partition("\n")[0] or type(error).__name__
            if not self.keep_going:
                raise ValueError(
                    f"{file} is not a waveform file that ObsPy can read: {why}{self.hint}"
                ) from error
            self.failed[file] = why
            return obspy.Stream()
        self.failed.update({file / name: why for name, why in members.items()})
        self._warn_if_cut(file, stream)
        return stream

    def _warn_if_cut(self, file: Path, stream: obspy.Stream) -> None:
        """
        Warn once about a miniSEED file that ends within a record. ObsPy leaves out that record.
        """
        # ObsPy's ASCII formats have an entry "mseed" with the quality only.
        records = [t.stats.mseed for t in stream if "record_length" in t.stats.get("mseed", ())]
        if not records or file in self._seen:
            return
        self._seen.add(file)
        # The size of the file does not tell, because it may be compressed.
        length = min(record.record_length for record in records)
        rest = max(record.filesize for record in records) % length
        if rest:
            seisbench.logger.warning(
                f"{file} is truncated: its last {rest} bytes are part of a record of "
                f"{length} bytes and are not read."
            )

    def traces(self, files: Iterable[Path]) -> list[FileTrace]:
        """The traces in files. Only headers are read."""
        traces = []
        for file in files:
            for trace in self.read(file, headonly=True):
                stats = trace.stats
                if stats.npts:
                    station = TraceId.of(trace).station_id
                    span = stats.starttime, stats.endtime
                    traces.append(FileTrace(file, station, *span, stats.npts, stats._format))
        return traces

    def stream(
        self,
        traces: Sequence[FileTrace],
        start: obspy.UTCDateTime | None = None,
        end: obspy.UTCDateTime | None = None,
    ) -> obspy.Stream:
        """The samples of traces from ``start`` to ``end``."""
        stream = obspy.Stream()
        wanted: dict[Path, dict[str, FileTrace]] = {}
        for part in traces:
            if (end is None or part.start <= end) and (start is None or part.end >= start):
                wanted.setdefault(part.file, {})[part.station] = part
        for file, stations in wanted.items():
            kwargs = {"starttime": start, "endtime": end}
            (name, first), *others = stations.items()
            if first.format == "MSEED" and not others:
                kwargs["sourcename"] = f"{name}.*"
            for trace in self.read(file, **kwargs):
                if trace.stats.npts and TraceId.of(trace).station_id in stations:
                    stream.append(trace)
        return stream


def find_files(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """
    Find files by name, by pattern (``day*.mseed``, ``**`` for all folders), or all in a folder.

    :param paths: Names, folders and patterns, or one of them.
    :return: Each file once. Files of a folder or a pattern are sorted by name. Hidden files are
        left out.
    :raises FileNotFoundError: If a file does not exist, or a folder or a pattern has no files.
    """
    found: dict[Path, None] = {}
    for path in map(Path, [paths] if isinstance(paths, str | Path) else paths):
        if path.is_file():
            files = [path]
        elif path.is_dir():
            files = sorted(
                file
                for file in path.rglob("*")
                if file.is_file() and not any(n[0] == "." for n in file.relative_to(path).parts)
            )
            if not files:
                raise FileNotFoundError(f"There are no files in {path}.")
        else:
            files = sorted(filter(Path.is_file, map(Path, glob.glob(str(path), recursive=True))))
            if not files:
                pattern = glob.has_magic(str(path))
                raise FileNotFoundError(f"There is no file {'like ' if pattern else ''}{path}.")
        found.update(dict.fromkeys(files))
    seen = {}
    for file in found:
        seen.setdefault(file.resolve(), file)
    return list(seen.values())


def read_files(paths: str | Path | Iterable[str | Path]) -> obspy.Stream:
    """
    Read all files into one stream, see :py:func:`find_files`.

    :raises FileNotFoundError: If a file does not exist.
    :raises ValueError: If a file cannot be read. The message has its name.
    """
    reader = Reader()
    return sum(map(reader.read, find_files(paths)), obspy.Stream())
