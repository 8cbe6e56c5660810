"""Figures as they are drawn, and picks and stations for them."""

import io

import numpy as np
import obspy
import pandas as pd
from matplotlib.figure import Figure
from seisbench.util import Pick

DAY = obspy.UTCDateTime(2020, 1, 1)
STATIONS = pd.DataFrame(
    {"id": ["XX.STA.", "XX.TWO."], "latitude": [64.0, 64.1], "longitude": [-17.0, -16.8]}
)


def pick_at(seconds, phase="P", trace_id="XX.STA.00", probability=0.8):
    time = DAY + seconds
    return Pick(trace_id, time, time, time, probability, phase)


def drawn(figure):
    """The figure as it is drawn, which is where mistakes come out."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="rgba", dpi=40)
    pixels = np.frombuffer(buffer.getvalue(), np.uint8)
    assert isinstance(figure, Figure) and "matplotlib.pyplot" not in str(type(figure.canvas))
    return pixels.reshape(-1, 4)


def colored(figure, color):
    """Number of pixels of nearly a colour."""
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return (np.abs(drawn(figure)[:, :3].astype(int) - wanted).max(axis=1) < 60).sum()
