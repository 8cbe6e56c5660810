"""Archives behind FDSN web services."""

from __future__ import annotations

import time
from functools import cached_property

import obspy
from obspy import UTCDateTime

from .files import SourceError
from .station_days import split_pattern


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
            return fdsn.RoutingClient(self.name)
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
