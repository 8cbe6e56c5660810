"""State of a live picker on disk, from which it can be continued after a kill."""

from __future__ import annotations

import errno
import io
import json
import os
import time
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
import seisbench
from filelock import FileLock, Timeout

from ..atomic import remove_leftovers, replacing
from .picks import LivePick

FORMAT = 4


class StateError(ValueError):
    """The state is damaged or belongs to another picker."""


class LiveState:
    """
    State of a live picker, and the file of its picks with the reports since that state.

    A state is written every few seconds. It replaces the previous state when it is complete. Picks
    are appended to their file at once, as JSON lines. After a restart, the picker continues from
    the state and receives some packets again. Picks that are already in the file are not reported
    again. After any kill, each report is therefore in the file once. ::

        with LiveState("out/state.npz", "out/picks.jsonl") as state:
            live = Live(model, on_pick=state.append)
            feed_from(live, source, stop, state=state)

    :param file: File of the state, a .npz file of NumPy.
    :param picks: File of the picks.
    :param every: Shortest time between two states in seconds. The time is longer if writing would
        otherwise take more than a twentieth of it.
    :raises StateError: On entering, if another process uses the file.
    """

    def __init__(self, file: str | Path, picks: str | Path, every: float = 10.0):
        self.file, self.picks, self.every = Path(file), Path(picks), every
        self._lock = FileLock(self.file.with_name(f".{self.file.name}.lock"))
        self._due = 0.0
        self._output: BinaryIO | None = None

    def __enter__(self) -> LiveState:
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise StateError(
                f"Another process uses {self.file}. Stop it, or use another folder."
            ) from None
        # Files that a killed process has left. With the lock, no other process uses them.
        remove_leftovers([self.file.parent])
        return self

    def __exit__(self, *exc) -> None:
        if self._output is not None:
            self._output.close()
            self._output = None
        self._lock.release()

    def load(self) -> tuple[dict | None, list[LivePick]]:
        """
        The last state, or None if there is none, and the picks reported since then.

        An incomplete last line of picks, which a kill may leave, is removed.

        :raises StateError: If the state is damaged.
        """
        if not self.file.is_file():
            return None, []
        state = read_arrays(self.file)
        if state.get("format") != FORMAT:
            raise StateError(f"{self.file} is from another version. Remove it to start again.")
        return state, [LivePick.from_json(line) for line in self._lines_after(state["said"])]

    def _lines_after(self, offset: int) -> list[str]:
        if not self.picks.is_file():
            return []
        with open(self.picks, "rb+") as file:
            file.seek(offset)
            rest = file.read()
            whole = rest.rfind(b"\n") + 1
            if whole < len(rest):
                file.truncate(offset + whole)
        return rest[:whole].decode("utf-8", "replace").splitlines()

    def append(self, pick: LivePick) -> None:
        """
        Write a pick to the file of picks. This has to be the last output of a pick.

        :raises OSError: If the pick cannot be written, for example because the disk is full.
        """
        if self._output is None:
            self._output = open(self.picks, "ab", buffering=0)  # noqa: SIM115 (closed in __exit__)
        line = pick.to_json().encode() + b"\n"
        written = self._output.write(line)
        if written != len(line):
            self._output.truncate(self._output.tell() - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.picks))

    @property
    def due(self) -> bool:
        """Whether it is time for the next state."""
        return time.monotonic() >= self._due

    def save(self, state: dict) -> None:
        """
        Write a state. If this is not possible, the previous state is kept, and there is a warning.

        :param state: Nested dictionaries and lists of numbers, text and arrays.
        """
        begun = time.monotonic()
        try:
            if self._output is not None:
                os.fsync(self._output.fileno())
            said = self.picks.stat().st_size if self.picks.is_file() else 0
            write_arrays(self.file, {**state, "format": FORMAT, "said": said})
        except OSError as error:
            seisbench.logger.warning(f"The state cannot be written to {self.file}: {error}")
        now = time.monotonic()
        self._due = now + max(self.every, 20 * (now - begun))


def write_arrays(file: Path, tree: dict) -> None:
    """
    Write nested dictionaries and lists of numbers, text and arrays, either completely or not.

    The file is a .npz file. Its first array is JSON with everything except the other arrays.
    """
    arrays: list[np.ndarray] = []

    def pack(value):
        if isinstance(value, np.ndarray):
            arrays.append(value)
            return {"array": len(arrays)}
        if isinstance(value, dict):
            return {"dict": {key: pack(entry) for key, entry in value.items()}}
        if isinstance(value, list | tuple):
            return [pack(entry) for entry in value]
        return value.item() if isinstance(value, np.generic) else value

    text = json.dumps(pack(tree)).encode()
    with replacing(file) as partial:
        np.savez(partial, np.frombuffer(text, np.uint8), *arrays)


def read_arrays(file: Path) -> dict:
    """
    Read a file of :py:func:`write_arrays`.

    :raises StateError: If the file is damaged.
    """

    def unpack(value):
        if isinstance(value, list):
            return [unpack(entry) for entry in value]
        if isinstance(value, dict):
            if "array" in value:
                return loaded[f"arr_{value['array']}"]
            return {key: unpack(entry) for key, entry in value["dict"].items()}
        return value

    try:
        content = io.BytesIO(file.read_bytes())
        with zipfile.ZipFile(content) as packed:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in packed.infolist()):
                raise ValueError("it is compressed, and may be of any size")
        with np.load(content, allow_pickle=False) as loaded:
            tree = unpack(json.loads(loaded["arr_0"].tobytes()))
        if isinstance(tree, dict):
            return tree
        cause = "it holds no state"
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, RecursionError,
            zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, OverflowError,
            MemoryError) as error:  # fmt: skip
        cause = f"{type(error).__name__}: {error}"[:300]
    raise StateError(f"{file} is damaged ({cause}). Remove it to start again.")
