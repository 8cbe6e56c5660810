"""Archives behind FDSN web services."""

from __future__ import annotations

import time
from functools import cached_property
from pathlib import Path

import obspy
from obspy import UTCDateTime

from ..trace_ids import codes_of
from .files import Codes, SourceError
from .kept import keeping, kept_file
from .station_days import instrument_id, split_pattern

# Folder of the marks of instruments and days that were fetched with all of their channels.
MARKS = ".fetched"


class FDSN:
    """
    An FDSN web service, or several behind a routing service.

    :param name: Name or address for :py:class:`obspy.clients.fdsn.Client`, or name of a router.
    :param attempts: Number of attempts if a service fails.
    :param patience: Seconds before the second attempt. The time doubles with each attempt.
    """

    ROUTERS = ("eida-routing", "earthscope-federator", "iris-federator")

    def __init__(self, name: str, attempts: int = 4, patience: float = 5.0):
        self.name, self.attempts, self.patience = name, attempts, patience

    @cached_property
    def client(self):
        """ObsPy's client. It is made at first use, because that sends a request to the service."""
        from obspy.clients import fdsn

        if self.name in self.ROUTERS:
            return self._ask(lambda: fdsn.RoutingClient(self.name))
        return self._ask(lambda: fdsn.Client(self.name))

    def channels(self, start: UTCDateTime, end: UTCDateTime, patterns) -> set[tuple]:
        """All (network, station, location, channel) of the service that match the patterns."""
        channels = set()
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
                        location = channel.location_code
                        channels.add((network.code, station.code, location, channel.code))
        return channels

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
        See :py:meth:`seisbench_llm.archive.files.Files.get_waveforms`.

        :raises SourceError: If the service does not answer after all attempts.
        """
        codes, span = (network, station, location, channel), (start - padding, end + padding)
        stream = self._ask(lambda: self.client.get_waveforms(*codes, *span))
        return obspy.Stream() if stream is None else stream

    def fetch(self, codes: Codes, day: UTCDateTime, folder: Path) -> dict[Path, str]:
        """
        See :py:meth:`seisbench_llm.archive.kept.Remote.fetch`.

        A mark names the channels of an instrument, once all of them are there. A day without data
        has none and is asked for again, because data may come late.
        """
        name = f"{instrument_id(codes)}.{day.year}.{day.julday:03d}"
        mark = folder / MARKS / str(day.year) / name
        if mark.exists():
            channels = [codes_of(channel) for channel in mark.read_text().split()]
            if all(kept_file(folder, channel, day).exists() for channel in channels):
                return {}
        # Services give whole records, which may begin or end on a neighbouring day.
        stream = self.get_waveforms(*codes, day, day + 86400).select(*codes)
        stream = stream.slice(day, day + 86400 - 1e-6, nearest_sample=False)
        for trace in stream:
            # It may name an encoding that cannot be written.
            trace.stats.pop("mseed", None)
        names = sorted({trace.id for trace in stream})
        for channel in names:
            with keeping(kept_file(folder, codes_of(channel), day)) as partial:
                _write(stream.select(id=channel), partial)
        if names:
            with keeping(mark) as partial:
                partial.write_text("\n".join(names))
        return {}

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
                # Time-outs, lost connections and overload raise exceptions of several kinds, also
                # those of http.client.
                if attempt + 1 == self.attempts:
                    raise SourceError(
                        f"{self.name} failed {self.attempts} times: {type(error).__name__}: {error}"
                    ) from error
                time.sleep(self.patience * 2**attempt)
        return None


def _write(stream: obspy.Stream, file: Path) -> None:
    from obspy.io.mseed import InternalMSEEDError

    try:
        stream.write(str(file), format="MSEED")
    except InternalMSEEDError:
        # A step between samples is too large for Steim's compression.
        stream.write(str(file), format="MSEED", encoding="INT32")
