"""Records of sensors that point elsewhere than up, north and east, and what is known of them."""

import numpy as np
import obspy
import pandas as pd
from obspy.signal.rotate import rotate2zne

# Channel component -> azimuth and dip in degrees.
BOREHOLE = {"Z": (0, -90), "1": (137, 0), "2": (227, 0)}
SKEWED = {"1": (20, 0), "2": (95, 0), "3": (0, 90)}
GALPERIN = {c: (azimuth, -35.26) for c, azimuth in zip("UVW", (270, 30, 150), strict=True)}


def turned(stream, directions):
    """What channels in these directions record of the motion in a stream of Z, N and E."""
    out = stream.copy()
    data = [stream.select(component=c)[0].data for c in "ZNE"]
    for trace, (component, (azimuth, dip)) in zip(out, directions.items(), strict=True):
        azimuth, dip = np.radians([azimuth, dip])
        unit = [-np.sin(dip), np.cos(dip) * np.cos(azimuth), np.cos(dip) * np.sin(azimuth)]
        trace.data = np.tensordot(unit, data, axes=1)
        trace.stats.channel = trace.stats.channel[:-1] + component
    return out


def table_of(stream, directions):
    """Table of stations with the directions of their channels."""
    rows = [
        {"id": trace.id, "latitude": 50.0, "longitude": 9.0, "azimuth": azimuth, "dip": dip}
        for trace in stream
        for azimuth, dip in [directions[trace.stats.channel[-1]]]
    ]
    return pd.DataFrame(rows)


def rotated_by_obspy(stream, directions):
    """Z, N and E of three traces, by ObsPy."""
    arguments = [x for t in stream for x in (t.data, *directions[t.stats.channel[-1]])]
    return dict(zip("ZNE", rotate2zne(*arguments), strict=True))


def at(seconds):
    return obspy.UTCDateTime(2020, 1, 1) + seconds
