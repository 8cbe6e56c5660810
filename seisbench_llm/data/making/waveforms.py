"""Waveforms of a station between two times, from an SDS archive or from files of any kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import obspy

from ...waveform_files import Reader, find_files


class SDSArchive:
    """
    An archive in the SeisComP data structure.

    :param root: Its folder.
    """

    def __init__(self, root: Path):
        from obspy.clients.filesystem.sds import Client

        self._client = Client(str(root))
        self.failed: dict[Path, str] = {}

    @cached_property
    def _networks(self) -> dict[str, set[str]]:
        networks = defaultdict(set)
        for network, station, *_ in self._client.get_all_nslc():
            networks[station].add(network)
        return networks

    def networks_of(self, station: str) -> set[str]:
        """Networks that have a station of this code."""
        return self._networks.get(station, set())

    def stream(self, station: str, start: obspy.UTCDateTime, end: obspy.UTCDateTime):
        """
        All channels of a station.

        :param station: NET.STA.
        """
        network, code = station.split(".")
        return self._client.get_waveforms(network, code, "*", "*", start, end)


class WaveformFiles:
    """
    Waveform files that ObsPy reads. Those that it cannot read are in ``failed``.

    :param paths: Files, folders or patterns.
    """

    def __init__(self, paths: Sequence[str | Path]):
        self._reader = Reader(keep_going=True)
        self._traces = defaultdict(list)
        self._networks = defaultdict(set)
        for trace in self._reader.traces(find_files(paths)):
            self._traces[trace.station].append(trace)
            network, _, code = trace.station.partition(".")
            self._networks[code].add(network)

    @property
    def failed(self) -> dict[Path, str]:
        """File that could not be read -> reason."""
        return self._reader.failed

    def networks_of(self, station: str) -> set[str]:
        """Networks that have a station of this code."""
        return self._networks.get(station, set())

    def stream(self, station: str, start: obspy.UTCDateTime, end: obspy.UTCDateTime):
        """
        All channels of a station.

        :param station: NET.STA.
        """
        return self._reader.stream(self._traces.get(station, []), start, end)


def open_waveforms(paths: Sequence[str | Path]) -> SDSArchive | WaveformFiles:
    """
    Open waveforms.

    :param paths: The folder of an SDS archive (``YEAR/NET/STA/CHA.D``), or files, folders or
        patterns.
    :raises FileNotFoundError: If there are no files.
    """
    if len(paths) == 1 and is_sds(Path(paths[0])):
        return SDSArchive(Path(paths[0]))
    return WaveformFiles(paths)


def is_sds(folder: Path) -> bool:
    """Whether a folder is an SDS archive."""
    return folder.is_dir() and any(folder.glob("[12][0-9][0-9][0-9]/*/*/*.D"))
