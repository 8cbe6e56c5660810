"""Files that are whole or not there."""

import io
import os
import resource
import stat
import subprocess
import sys
import threading

import pytest
import torch

from seisbench_llm import weight_files
from seisbench_llm.atomic import new_folder, remove_leftovers, replacing
from seisbench_llm.weight_files import write_torch


class Killed(BaseException):
    """What nothing catches, as nothing catches SIGKILL."""


def test_takes_its_place_once_it_is_complete(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    path = tmp_path / "new" / "folder" / "a.txt"
    for text in ("first", "second"):
        before = path.read_text() if path.exists() else None
        with replacing(path) as partial:
            assert partial.name == "a.txt"
            partial.write_text(text)
            assert (path.read_text() if path.exists() else None) == before
        assert path.read_text() == text
        assert [file.name for file in path.parent.iterdir()] == ["a.txt"]
    umask = os.umask(0o22)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), Killed(), ValueError()])
def test_the_file_of_before_is_kept(tmp_path, fault):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(type(fault)) as caught:
        with replacing(path) as partial:
            partial.write_text("half")
            raise fault
    if isinstance(fault, OSError):
        assert str(caught.value) == f"{path} cannot be written: No space left on device"
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def test_our_own_errors_are_passed_on(tmp_path):
    class DamagedError(OSError):
        pass

    with pytest.raises(DamagedError, match="^input is damaged$"):
        with replacing(tmp_path / "a.txt"):
            raise DamagedError("input is damaged")


def test_links_stay_and_pipes_are_written_to(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "a.txt")
    with replacing(tmp_path / "link") as partial:
        partial.write_text("text")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "there" / "a.txt").read_text() == "text"
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_text()))
    reader.start()
    with replacing(tmp_path / "pipe") as partial:
        partial.write_text("through")
    reader.join(10)
    assert got == ["through"] and stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    with replacing(os.devnull) as partial:
        partial.write_text("nothing")
    assert not os.path.isfile(os.devnull)
    with pytest.raises(OSError, match="there cannot be written: Is a directory"):
        with replacing(tmp_path / "there") as partial:
            partial.write_text("text")


def test_leftovers_of_killed_processes(tmp_path):
    kill = f"""
import os, signal
from seisbench_llm.atomic import replacing
with replacing({str(tmp_path / "a.txt")!r}) as partial:
    partial.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", kill]).returncode == -9
    assert not (tmp_path / "a.txt").exists() and len(list(tmp_path.iterdir())) == 1
    remove_leftovers([tmp_path], age=3600)
    assert len(list(tmp_path.iterdir())) == 1
    remove_leftovers([tmp_path, tmp_path / "missing"])
    assert not list(tmp_path.iterdir())


def test_full_disk_while_tensors_are_written(tmp_path):
    """PyTorch's writer raises a RuntimeError about positions."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"a\.pt cannot be written: File too large"):
            with replacing(tmp_path / "a.pt") as partial:
                write_torch({"a": torch.zeros(100_000)}, partial)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    for make in (new_folder, replacing):
        with pytest.raises(OSError, match="file/set cannot be written"):
            with make(tmp_path / "file" / "set"):
                pass


def test_a_folder_is_no_file_to_replace(tmp_path):
    """A figure was written beside it, under another name."""
    (tmp_path / "set").mkdir()
    with pytest.raises(OSError, match="set cannot be written: Is a directory"):
        with replacing(tmp_path / "set"):
            pass


def test_a_folder_is_whole_or_not_there(tmp_path):
    path = tmp_path / "new" / "set"
    with pytest.raises(Killed), new_folder(path) as partial:
        (partial / "a.txt").write_text("half")
        raise Killed
    assert list((tmp_path / "new").iterdir()) == []
    with new_folder(path) as partial:
        (partial / "a.txt").write_text("whole")
        assert not path.exists()
    assert [file.name for file in path.iterdir()] == ["a.txt"]
    with pytest.raises(FileExistsError, match="set exists"), new_folder(path):
        pass
    with pytest.raises(OSError, match="other"), new_folder(tmp_path / "other") as partial:
        # Somebody else is faster.
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "b.txt").touch()
    assert [file.name for file in (tmp_path / "other").iterdir()] == ["b.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_while_tensors_are_written(tmp_path, monkeypatch, error):
    """PyTorch's writer raises a RuntimeError about positions, which hides the signal."""

    class Interrupted(io.BytesIO):
        def write(self, data):
            if self.tell():
                raise error
            return super().write(data)

    monkeypatch.setattr(weight_files, "open", lambda *_: Interrupted(), raising=False)
    with pytest.raises(error):
        write_torch({"a": torch.zeros(100_000)}, tmp_path / "a.pt")
