"""Files of weights (JSON, safetensors, PyTorch), read safely whatever they hold."""

from __future__ import annotations

import hashlib
import json
import pickle
import threading
import zipfile
from pathlib import Path

import safetensors.torch
import torch
from torch.overrides import TorchFunctionMode

MAX_JSON_BYTES = 2**24


class WeightsError(ValueError):
    """Weights that cannot be found, or that are not what they claim to be."""


def check_tensor(value, name: str) -> torch.Tensor:
    """
    A tensor of a file, if it is one that can be worked with.

    :param name: What to call it in an error.
    :raises WeightsError: If it is none, has another number of values than the file, or some that
        are not finite.
    """
    plain = isinstance(value, torch.Tensor) and value.layout == torch.strided
    if not plain or value.is_quantized or value.device.type != "cpu":
        raise WeightsError(f"{name} is no plain tensor.")
    # A tensor of any size can be a view of a single value.
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise WeightsError(f"{name} has more values than the file holds.")
    if not value.isfinite().all():
        raise WeightsError(f"{name} holds values that are not finite.")
    return value


def load_tensor(value, name: str) -> torch.Tensor:
    """
    A tensor of a file in single precision, see :py:func:`check_tensor`.

    It is a copy: safetensors maps the file into memory, and somebody may write to it.
    """
    tensor = check_tensor(value, name)
    return tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)


class Uninitialised(TorchFunctionMode):
    """
    Leaves the tensors of new layers as they are allocated.

    Saves time, as those of a file take their place; and what is allocated but never written takes
    no memory, whatever sizes a damaged file names.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func.__name__ in _INITIALISERS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


# Of torch.nn.init, and the methods of a tensor that they and BatchNorm call.
_INITIALISERS = {"kaiming_uniform_", "uniform_", "normal_", "constant_", "ones_", "zeros_"}
_INITIALISERS |= {"fill_", "zero_"}


def one_line(error: Exception) -> str:
    """The message of an error, short and in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]} ..."


# Entry of a weight's JSON file -> its types.
_ENTRIES = {
    "docstring": (str, type(None)),
    "model_args": (dict,),
    "default_args": (dict,),
    "version": (str,),
    "sha256": (str, type(None)),
    "record": (dict, type(None)),
}


def read_metadata(path: Path) -> dict:
    """
    Content of a weight's JSON file.

    :raises WeightsError: If it is not one, or has entries of a wrong type.
    """
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ValueError(f"it has more than {MAX_JSON_BYTES} bytes")
        metadata = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(metadata, dict):
            raise ValueError(f"it is a {type(metadata).__name__}, not an object")
        for name, types in _ENTRIES.items():
            if name in metadata and not isinstance(metadata[name], types):
                raise ValueError(f"{name} is a {type(metadata[name]).__name__}")
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path} does not describe a weight: {one_line(error)}") from error
    return metadata


def read_tensors(path) -> dict[str, torch.Tensor]:
    """
    Tensors of a safetensors or PyTorch file; nothing in the file is ever executed.

    :raises WeightsError: If the file is not of that kind, or holds anything but plain data.
    """
    path = Path(path)
    try:
        if ".safetensors" in path.name:
            return safetensors.torch.load_file(path)
        content = read_torch(path)
        if not isinstance(content, dict):
            raise TypeError(f"it holds a {type(content).__name__}, not a state dict")
        return content
    except Exception as error:
        # Both libraries raise many kinds for a broken or hostile file; all mean the same here.
        raise WeightsError(
            f"{path} is not a safe and complete weight file: {one_line(error)}"
        ) from error


def read_torch(path):
    """
    Content of a PyTorch file, on the CPU; nothing in the file is ever executed.

    :raises Exception: Of many kinds, if the file is broken or hostile.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in file.infolist()):
                raise ValueError("it is compressed, and may be of any size")
    return _load_plain(path)


def write_torch(content, path: Path) -> None:
    """
    Write a PyTorch file.

    :raises OSError: If that is not possible, for example as the disk is full.
    """
    try:
        with open(path, "wb") as file:
            torch.save(content, file)
    except RuntimeError as error:
        # PyTorch's writer tells of a full disk as of a position that it did not expect.
        if isinstance(error.__context__, OSError):
            raise error.__context__ from error
        raise


def _load_plain(path: Path):
    """
    Content of a PyTorch file of plain data, numbers of NumPy as None.

    Training code leaves its loss as such a number beside the state dict, and PyTorch refuses it.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        known = [(stand_in, name) for name, stand_in in _NUMPY_NUMBERS.items()]
        try:
            with _ALLOWING, torch.serialization.safe_globals(known):
                return torch.load(path, map_location="cpu", weights_only=True)
        except (AttributeError, TypeError):
            # A PyTorch that cannot allow names; the first error says what is wrong.
            pass
        raise


class _NumpyType:
    """Stands for ``numpy.dtype``, which nothing of a file is handed to."""

    def __init__(self, *args):
        pass

    def __setstate__(self, state):
        pass


def _numpy_number(*args) -> None:
    """Stands for the function that makes a number of NumPy."""


_NUMPY_NUMBERS = {
    "numpy.dtype": _NumpyType,
    "numpy._core.multiarray.scalar": _numpy_number,
    "numpy.core.multiarray.scalar": _numpy_number,
}
# What is allowed holds for the process.
_ALLOWING = threading.Lock()


def sha256(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
