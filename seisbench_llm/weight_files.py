"""Safe reading of weight files: JSON, safetensors and PyTorch."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
import threading
import zipfile
from pathlib import Path

import safetensors.torch
import torch
from torch.overrides import TorchFunctionMode

MAX_JSON_BYTES = 2**24


class WeightsError(ValueError):
    """Error of weights that cannot be found, or whose files are wrong."""


def check_tensor(value, name: str) -> torch.Tensor:
    """
    Check a tensor of a file and return it.

    :param name: Name of the tensor in error messages.
    :raises WeightsError: If it is not a plain tensor, if it has more values than the file holds, or
        if values are not finite.
    """
    plain = isinstance(value, torch.Tensor) and value.layout == torch.strided
    if not plain or value.is_quantized or value.device.type != "cpu":
        raise WeightsError(f"{name} is not a plain tensor.")
    # A tensor of any size can be a view of a single value.
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise WeightsError(f"{name} has more values than the file holds.")
    if not value.isfinite().all():
        raise WeightsError(f"{name} holds values that are not finite.")
    return value


def load_tensor(value, name: str) -> torch.Tensor:
    """
    A tensor of a file in single precision, see :py:func:`check_tensor`.

    The result is a copy, because safetensors maps the file into memory, where its content may
    change.
    """
    tensor = check_tensor(value, name)
    return tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)


class Uninitialised(TorchFunctionMode):
    """
    Context in which the tensors of new layers are not initialised.

    This saves time, because the tensors of a file replace them. Memory that is allocated but never
    written is not used, so the sizes in a damaged file cannot exhaust it.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func.__name__ in _INITIALISERS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


# Functions of torch.nn.init, and the tensor methods that they and BatchNorm call.
_INITIALISERS = {"kaiming_uniform_", "uniform_", "normal_", "constant_", "ones_", "zeros_"}
_INITIALISERS |= {"fill_", "zero_"}


def one_line(error: Exception) -> str:
    """The message of an error as one short line."""
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

    :raises WeightsError: If it is not such a file, or if an entry has a wrong type.
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
    Tensors of a safetensors or PyTorch file. Nothing in the file is executed.

    :raises WeightsError: If the file is of another kind, or holds anything but plain data.
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
        # Both libraries raise exceptions of many kinds for a broken or hostile file. All mean the
        # same here.
        raise WeightsError(
            f"{path} is not a safe and complete weight file: {one_line(error)}"
        ) from error


def read_torch(path):
    """
    Content of a PyTorch file, on the CPU. Nothing in the file is executed.

    :raises Exception: Exceptions of many kinds, if the file is broken or hostile.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in file.infolist()):
                raise ValueError("it is compressed, so its content may have any size")
    return _load_plain(path)


def write_torch(content, path: Path) -> None:
    """
    Write a PyTorch file.

    :raises OSError: If the file cannot be written, for example because the disk is full.
    """
    try:
        with open(path, "wb") as file:
            torch.save(content, file)
    except RuntimeError as error:
        # PyTorch's writer reports a full disk, or Ctrl-C, as an unexpected position in the file.
        if isinstance(error.__context__, OSError | KeyboardInterrupt | SystemExit):
            raise error.__context__ from error
        raise


def _load_plain(path: Path):
    """
    Content of a PyTorch file of plain data. NumPy numbers become None.

    Training code often saves its loss as a NumPy number beside the state dict. PyTorch refuses such
    a file.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        known = [(stand_in, name) for name, stand_in in _NUMPY_NUMBERS.items()]
        try:
            with _ALLOWING, torch.serialization.safe_globals(known):
                return torch.load(path, map_location="cpu", weights_only=True)
        except (AttributeError, TypeError):
            # This PyTorch cannot allow names. The first error says what is wrong.
            pass
        raise


class _NumpyType:
    """Stand-in for ``numpy.dtype``. It ignores what the file holds."""

    def __init__(self, *args):
        pass

    def __setstate__(self, state):
        pass


def _numpy_number(*args) -> None:
    """Stand-in for the function that makes a NumPy number."""


_NUMPY_NUMBERS = {
    "numpy.dtype": _NumpyType,
    "numpy._core.multiarray.scalar": _numpy_number,
    "numpy.core.multiarray.scalar": _numpy_number,
}
# Allowed names hold for the whole process.
_ALLOWING = threading.Lock()


def sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_cache_folder(folder: Path) -> None:
    """
    Make a folder of SeisBench's cache unless it exists.

    :raises WeightsError: If nothing can be written to it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise WeightsError(
            f"SeisBench's cache {folder} is not writable ({error.strerror}). Set "
            f"SEISBENCH_CACHE_ROOT to a folder that is writable."
        ) from error
