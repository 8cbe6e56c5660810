"""Waveform files as they come."""

import gzip
import zipfile

import pytest

from seisbench_llm.waveform_files import Reader, find_files, read_files
from tests.helpers.streams import make_stream


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "day.mseed"
    make_stream(6000).write(str(path), format="MSEED", reclen=512)
    return path


def test_whole_file_is_read_without_a_word(file, warnings_of):
    assert len(read_files([file])) == 3
    compressed = file.with_suffix(".mseed.gz")
    compressed.write_bytes(gzip.compress(file.read_bytes()))
    assert len(read_files([compressed])) == 3
    assert "cut off" not in warnings_of()


def test_truncated_mseed_is_named_once(file, warnings_of):
    file.write_bytes(file.read_bytes()[:-100])
    reader = Reader()
    traces = reader.traces([file])
    reader.stream(traces)
    lines = {line for line in warnings_of().splitlines() if "is truncated" in line}
    assert len(lines) == 1 and str(file) in lines.pop()


@pytest.mark.parametrize("kind", [str, lambda path: path, lambda path: [str(path)]])
def test_one_name_is_not_taken_for_letters(kind, file):
    """Of "/data/day.mseed", the letter "/" was the whole disk."""
    assert find_files(kind(file)) == find_files(kind(file.parent)) == [file]
    assert len(read_files(kind(file))) == 3


@pytest.mark.parametrize("format", ["SLIST", "TSPAIR"])
def test_ascii_files_are_read(format, tmp_path, warnings_of):
    """They were an AttributeError about the length of a record."""
    path, stream = tmp_path / "a.txt", make_stream(6000)
    stream.write(str(path), format=format)
    assert [t.stats.npts for t in read_files(path)] == [t.stats.npts for t in stream]
    assert [trace.samples for trace in Reader().traces([path])] == [6000] * 3
    assert "truncated" not in warnings_of()


def test_members_of_an_archive_that_are_no_waveforms(file, tmp_path):
    """A zip of data and a README was lost as a whole, under the name of a temporary file."""
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("README.txt", "hello")
        content.write(file, "data/day.mseed")
    with pytest.raises(ValueError, match=r"all.zip .* member README.txt: .* file README.txt"):
        read_files([archive])
    reader = Reader(keep_going=True)
    assert len(reader.stream(reader.traces([archive]))) == 3
    assert list(reader.failed) == [archive / "README.txt"]
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("README.txt", "hello")
    reader = Reader(keep_going=True)
    assert reader.traces([archive]) == [] and list(reader.failed) == [archive]
