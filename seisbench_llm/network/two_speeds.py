"""
Curves of a window at two speeds.

A network that has mostly learnt from near earthquakes misses onsets of distant ones, whose waves
have lower frequencies and whose S comes later. Played at twice the speed, they look like near ones.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from scipy.signal import firwin

from ..preprocess import normalize

# Low-pass to the Nyquist frequency of every second sample, zero-phase.
_REACH = 20
_TAPS = firwin(2 * _REACH + 1, 0.5, window=("kaiser", 5.0))

# Least share of the curves at the window's own speed. Small earthquakes nearby have waves that are
# gone at twice the speed.
_OWN = 0.8

# Samples from its edge within which the answer for a part counts less than those for others.
_RAMP = 1000


def two_speeds(curves: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """
    Mean of the curves of a window as it is and at twice the speed, but at least four fifths of the
    former.

    As it is, the window is cut into three parts of half its length, of which the second overlaps
    the other two. Twice as fast means every second sample after a low-pass, so that all that the
    network sees has half the length of the window.

    :param curves: Function of normalised windows (batch, components, samples / 2) that returns
        probabilities (batch, outputs, samples / 2).
    :param x: Windows, shape (batch, components, samples), where samples is a multiple of four.
    :return: Probabilities, shape (batch, outputs, samples).
    """
    samples = x.shape[-1]
    size = samples // 2
    # The outer parts keep their outer edges, as no other part is there.
    at = torch.arange(size, device=x.device)
    rising, falling = ((n.clamp(max=_RAMP) / _RAMP) for n in (at + 1, size - at))
    whole = torch.ones_like(rising)
    weights = (
        torch.where(at < size // 2, whole, falling),
        torch.minimum(rising, falling),
        torch.where(at < size // 2, rising, whole),
    )
    total, weight = 0, 0
    for first, share in zip((0, size // 2, size), weights, strict=True):
        sides = (first, samples - size - first)
        total = total + F.pad(curves(normalize(x[..., first : first + size])) * share, sides)
        weight = weight + F.pad(share, sides)
    own, other = total / weight, _slowed(curves(normalize(_faster(x))))
    return torch.maximum((own + other) / 2, _OWN * own)


def _faster(x: torch.Tensor) -> torch.Tensor:
    """Every second sample after a low-pass; the first sample stays the first."""
    batch, components, samples = x.shape
    taps = torch.as_tensor(_TAPS / _TAPS.sum(), dtype=x.dtype, device=x.device)
    padded = F.pad(x.reshape(batch * components, 1, samples), (_REACH, _REACH), mode="replicate")
    return F.conv1d(padded, taps[None, None], stride=2).reshape(batch, components, samples // 2)


def _slowed(y: torch.Tensor) -> torch.Tensor:
    """Curves with twice as many samples, by linear interpolation; the last one is repeated."""
    following = torch.cat([y[..., 1:], y[..., -1:]], dim=-1)
    return torch.stack([y, (y + following) / 2], dim=-1).flatten(-2)
