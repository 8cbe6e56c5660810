"""Devices by name: the processor, a GPU, or what there is."""

from __future__ import annotations

import torch

_KNOWN = "auto, cpu, cuda, cuda:N or mps"


def find_device(name: str = "auto") -> torch.device:
    """
    A device that models can be moved to.

    >>> find_device("cpu")
    device(type='cpu')

    :param name: ``cpu``, ``cuda``, ``cuda:1``, ``mps``, or ``auto`` for a CUDA device if there is
        one and the processor otherwise.
    :raises ValueError: If there is no such device. The message says which ones there are.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps"):
        raise ValueError(f"device='{name}' is not possible: {_KNOWN}.")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            there = f"cuda:0 to cuda:{count - 1}" if count else "none that PyTorch can use"
            raise ValueError(f"There is no device {name}: of CUDA devices there are {there}.")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError(f"There is no device {name}: this machine or this PyTorch has no MPS.")
    return device
