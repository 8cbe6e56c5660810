"""
Trace ids: network, station, location and channel code.

Only this module splits NET.STA.LOC.CHA into codes, and channel codes into instrument and component.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

# Codes of components that are equivalent if horizontals may point anywhere.
HORIZONTALS = {"1": "N", "2": "E", "N": "1", "E": "2"}

# Codes of K-NET and KiK-net (NIED): the direction and, for KiK-net, the sensor: 1 in the borehole,
# 2 at the surface.
_NIED = re.compile(r"(N-?S|E-?W|U-?D)([1-6]?)")

# SEED instrument codes of channels other than ground motion (SEED manual 2.4, appendix A):
# tiltmeters, creep, calibration input, pressure, electronic test points, magnetometers, humidity,
# temperature, mass position, currents, electric potential, rain, strain, tide, bolometers,
# volumetric strain and wind.
_NO_GROUND_MOTION = frozenset("ABCDEFIKMOQRSTUVW")


class TraceId(NamedTuple):
    """
    Id of a trace, an instrument or a place.

    >>> TraceId.parse("XX.ABC.00.HHZ").instrument_id
    'XX.ABC.00.HH'

    :param network: Network code.
    :param station: Station code.
    :param location: Location code, often empty.
    :param channel: Channel code, band and instrument code (HH), or empty.
    """

    network: str
    station: str
    location: str
    channel: str = ""

    @classmethod
    def parse(cls, text: Any) -> TraceId:
        """
        :param text: NET.STA.LOC, with or without a channel or instrument code.
        :raises ValueError: If the text has another form.
        """
        parts = str(text).split(".")
        if len(parts) not in (3, 4):
            raise ValueError(f"The trace id '{text}' is not NET.STA.LOC or NET.STA.LOC.CHANNEL.")
        return cls(*parts)

    @classmethod
    def of(cls, trace: Any) -> TraceId:
        """
        Id of any object with ObsPy's ``stats``.

        The last letter of its channel code is the component, even in a code as short as SZ.
        :py:meth:`parse` takes SZ for an instrument.
        """
        stats = trace.stats
        return _ChannelId(stats.network, stats.station, stats.location, stats.channel)

    def __str__(self) -> str:
        return f"{self.location_id}.{self.channel}" if self.channel else self.location_id

    @property
    def station_id(self) -> str:
        """NET.STA"""
        return f"{self.network}.{self.station}"

    @property
    def location_id(self) -> str:
        """NET.STA.LOC"""
        return f"{self.network}.{self.station}.{self.location}"

    @property
    def instrument_id(self) -> str:
        """NET.STA.LOC and instrument code, such as XX.ABC.00.HH."""
        return f"{self.location_id}.{self.instrument}"

    @property
    def instrument(self) -> str:
        """Band and instrument code (HH), with or without a component in the id."""
        code = self.channel
        has_component = _NIED.fullmatch(code) or not (len(code) == 2 or code.isdigit())
        return split_channel(code)[0] if has_component else code

    @property
    def component(self) -> str:
        """Component code, such as Z."""
        return split_channel(self.channel)[1]

    @property
    def without_component(self) -> InstrumentId:
        """Id of the instrument."""
        return InstrumentId(self.network, self.station, self.location, self.instrument)

    @property
    def pick_id(self) -> str:
        """
        Trace id of the picks and estimates of an instrument. It depends on the instrument's id
        alone.

        Seismometers (H) and geophones (P) have NET.STA.LOC, as in SeisBench. Other instruments have
        NET.STA.LOC.HN, because accelerometers often share a location with a seismometer.
        Seismometers that share a location also share the id. In most cases they are one sensor that
        is recorded at several rates. A single letter before the component, as in SZ, is a band
        code.
        """
        instrument = self.instrument
        band_only = len(instrument) == 1 and not instrument.isdigit()
        if band_only or instrument[-1:] in ("", "H", "P"):
            return self.location_id
        return self.instrument_id


class InstrumentId(TraceId):
    """Id of an instrument: NET.STA.LOC with the band and instrument code as ``channel``."""

    __slots__ = ()

    @property
    def instrument(self) -> str:
        """Band and instrument code."""
        return self.channel

    @property
    def component(self) -> str:
        """Empty, because an instrument has no component."""
        return ""


class _ChannelId(TraceId):
    """Id of a trace, whose channel code ends with a component."""

    __slots__ = ()

    @property
    def instrument(self) -> str:
        """Band and instrument code."""
        return split_channel(self.channel)[0]


def split_channel(channel: str) -> tuple[str, str]:
    """
    Instrument code and component of a channel code.

    >>> split_channel("HHZ"), split_channel("UD"), split_channel("NS2")
    (('HH', 'Z'), ('', 'Z'), ('2', 'N'))

    :return: Instrument code and component. The component is empty if the code is a number of
        several digits, as for geophones.
    """
    channel = channel.strip()
    nied = _NIED.fullmatch(channel)
    if nied:
        return nied[2], {"N": "N", "E": "E", "U": "Z"}[nied[1][0]]
    if len(channel) > 1 and channel.isdigit():
        return channel, ""
    return channel[:-1].rstrip(), channel[-1:]


def with_component(channel: str, component: str) -> str:
    """
    Channel code of another component of the same instrument.

    >>> with_component("HH1", "N"), with_component("NS2", "Z")
    ('HHN', 'UD2')
    """
    nied = _NIED.fullmatch(channel)
    if nied:
        return {"N": "NS", "E": "EW", "Z": "UD"}[component] + nied[2]
    return channel[:-1] + component


def records_ground_motion(channel: str) -> bool:
    """
    Whether a channel code is one of ground motion, unlike clocks or pressure (SEED, appendix A).
    """
    if len(channel) != 3 or _NIED.fullmatch(channel):
        return True
    # Bands A and O hold administrative and opaque channels.
    return channel[0] not in "AO" and channel[1] not in _NO_GROUND_MOTION


def component_index(component: str, order: str, flexible: bool = False) -> int | None:
    """
    Index of a component in a model's input, or None.

    :param order: Components of the model, such as ZNE.
    :param flexible: Whether horizontals 1 and 2 may stand for north and east, and vice versa.
    """
    if flexible and component not in order:
        component = HORIZONTALS.get(component, component)
    return order.index(component) if component and component in order else None


def codes_of(trace_id: Any) -> TraceId:
    """
    Codes of an id of any length. Codes that are left out are empty.

    >>> codes_of("XX.ABC").station, codes_of("XX.ABC.00.HHZ").channel
    ('ABC', 'HHZ')
    """
    return TraceId(*[*str(trace_id).split("."), "", "", ""][:4])


def station_of(trace_id: Any) -> str:
    """NET.STA of the id of a trace or a pick."""
    return ".".join(str(trace_id).split(".")[:2])


def location_of(trace_id: Any) -> str:
    """NET.STA.LOC of the id of a trace or a pick."""
    return ".".join(str(trace_id).split(".")[:3])
