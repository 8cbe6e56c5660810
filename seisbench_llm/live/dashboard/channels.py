"""Data of a channel for the dashboard: the last minutes, and the health of the data."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import obspy
from scipy.signal import butter, sosfiltfilt

# Largest number of packets of a channel. A server may send packets of one sample.
MOST_PIECES = 5000
# Largest number of points of a channel in a figure.
MOST_POINTS = 4000
# Seconds for which the share of data is given.
COMPLETE_S = 300.0


class Piece(NamedTuple):
    """
    Samples without a gap.

    :param start: Unix time of the first sample.
    :param rate: Sampling rate in Hz.
    :param data: Shape (samples,), float32.
    """

    start: float
    rate: float
    data: np.ndarray

    @property
    def end(self) -> float:
        """Unix time of the sample after the last one."""
        return self.start + len(self.data) / self.rate

    def cut(self, start: float, end: float) -> Piece:
        """The samples from ``start`` up to ``end``. The piece may be empty."""
        places = (np.array([start, end]) - self.start) * self.rate
        # The sample at the end belongs to the next piece. Times have errors of up to some
        # hundredths of a sample.
        first, last = np.ceil(places - 1e-3).clip(0, len(self.data)).astype(int)
        return Piece(self.start + first / self.rate, self.rate, self.data[first:last])


@dataclass
class ChannelRecord:
    """
    The last minutes of a channel.

    :param pieces: Pieces in the order of arrival.
    :param rate: Sampling rate of the newest piece in Hz.
    :param end: Unix time after the newest sample.
    :param wall: Unix time of the last arrival.
    :param packets: Number of packets.
    :param samples: Number of samples in these packets.
    :param gaps: Number of packets that arrived with a gap before them. Late packets may fill it.
    :param late: Number of packets without samples newer than those before.
    """

    pieces: deque[Piece] = field(default_factory=lambda: deque(maxlen=MOST_PIECES))
    rate: float = 0.0
    end: float = -np.inf
    wall: float = 0.0
    packets: int = 0
    samples: int = 0
    gaps: int = 0
    late: int = 0

    def add(self, trace: obspy.Trace, wall: float, seconds: float) -> None:
        """
        Note a packet.

        :param trace: The packet.
        :param wall: Unix time of its arrival.
        :param seconds: Seconds of data to keep.
        """
        with np.errstate(over="ignore"):
            data = np.ma.filled(trace.data.astype(np.float32), np.nan)
        piece = Piece(trace.stats.starttime.timestamp, trace.stats.sampling_rate, data)
        step = 1 / piece.rate
        if piece.end <= self.end:
            self.late += 1
        elif self.packets and piece.start - self.end > 0.75 * step:
            self.gaps += 1
        # A time far ahead is an error of a clock. The next packet has the true time.
        if piece.end > self.end or piece.end < self.end - 86_400:
            self.rate, self.end = piece.rate, piece.end
        self.wall = wall
        self.packets += 1
        self.samples += len(data)
        self.pieces.append(piece)
        while self.pieces and self.pieces[0].end < self.end - seconds:
            self.pieces.popleft()

    def numbers(self) -> dict[str, float]:
        """Counts by name."""
        return {
            "rate": self.rate,
            "end": self.end,
            "arrived": self.wall,
            "packets": self.packets,
            "samples": self.samples,
            "gaps": self.gaps,
            "late": self.late,
        }

    def cut(self, start: float, end: float) -> list[Piece]:
        """Pieces between two Unix times, sorted by time."""
        parts = [piece.cut(start, end) for piece in self.pieces if piece.end > start]
        return sorted((part for part in parts if len(part.data)), key=lambda part: part.start)


def coverage(pieces: list[Piece], end: float) -> tuple[float, float]:
    """
    Completeness of the last COMPLETE_S seconds, or of the time since the first sample if shorter.

    :param pieces: Pieces in any order, which may overlap.
    :param end: Unix time after the newest sample.
    :return: Share of this time with data, and samples per second of this time.
    """
    rows = [(p.start, p.end, len(p.data)) for p in pieces if end - COMPLETE_S < p.end <= end]
    if not rows:
        return 0.0, 0.0
    starts, ends, counts = np.array(sorted(rows)).T
    first = max(end - COMPLETE_S, starts[0])
    reached = np.maximum.accumulate(np.concatenate([[first], ends[:-1]]))
    covered = np.maximum(0, ends - np.maximum(starts, reached)).sum()
    return float(min(1.0, covered / (end - first))), float(counts.sum() / (end - starts[0]))


def drawn(pieces: list[Piece], highpass: float) -> tuple[list[dict], float]:
    """
    Pieces of a channel for a figure: joined, filtered, thinned out, and divided by their peak.

    :param pieces: Pieces sorted by time.
    :param highpass: Corner frequency in Hz, 0 for no filter.
    :return: Joined pieces and the peak. Each piece has the Unix time of its first sample, the
        seconds between two samples, and the samples.
    """
    joined = [_filtered(piece, highpass) for piece in _joined(pieces)]
    peaks = [np.abs(x.data[np.isfinite(x.data)]).max(initial=0.0) for x in joined]
    peak = float(max(peaks, default=0.0))
    parts = []
    for piece in joined:
        data, step = _thinned(piece.data / (peak or 1.0)), 1 / piece.rate
        step *= len(piece.data) / len(data)
        values = [None if np.isnan(x) else round(float(x), 4) for x in data]
        parts.append({"start": piece.start, "step": step, "values": values})
    return parts, peak


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Consecutive pieces joined to one. Samples in overlaps are left out."""
    runs: list[list[Piece]] = []
    for piece in pieces:
        last = runs[-1][-1] if runs else None
        if (
            last is not None
            and piece.rate == last.rate
            and piece.start - last.end < 0.75 / piece.rate
        ):
            piece = piece.cut(last.end - 0.5 / piece.rate, np.inf)
            if len(piece.data):
                runs[-1].append(piece)
        else:
            runs.append([piece])
    return [Piece(r[0].start, r[0].rate, np.concatenate([p.data for p in r])) for r in runs]


def _filtered(piece: Piece, highpass: float) -> Piece:
    data = np.where(np.isfinite(piece.data), piece.data, np.nan).astype(float)
    known = np.isfinite(data)
    if known.any():
        data = data - data[known].mean()
    if highpass and known.all() and len(data) > 30 and highpass < 0.45 * piece.rate:
        sos = butter(2, highpass, "highpass", fs=piece.rate, output="sos")
        data = sosfiltfilt(sos, data, padlen=min(len(data) - 1, int(piece.rate)))
    return piece._replace(data=data)


def _thinned(data: np.ndarray) -> np.ndarray:
    """Smallest and largest value of every few samples, so that no peak is lost."""
    few = -(-len(data) // (MOST_POINTS // 2))
    if few <= 2:
        return data
    padded = np.pad(data, (0, -len(data) % few), mode="edge").reshape(-1, few)
    return np.stack([padded.min(axis=1), padded.max(axis=1)], axis=1).ravel()
