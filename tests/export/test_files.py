"""Parquet and CSV."""

import pytest

from seisbench_llm.export import files
from seisbench_llm.export.write import export
from tests.helpers.picks import pick_at


def test_parquet_without_picks_has_the_types_of_one_with_picks(tmp_path):
    import pyarrow.parquet

    none = pyarrow.parquet.read_schema(export([], tmp_path / "none.parquet"))
    some = pyarrow.parquet.read_schema(export([pick_at(0)], tmp_path / "some.parquet"))
    assert none.equals(some)
    assert str(some.field("time").type) == "timestamp[us, tz=UTC]"


def test_the_larger_a_parquet_file_the_more_it_may_hold(tmp_path, monkeypatch):
    path = export([pick_at(0)], tmp_path / "some.parquet")
    monkeypatch.setattr(files, "_NEVER_TOO_MUCH", 0)
    assert len(files.read_parquet(path)) == 1
    monkeypatch.setattr(files, "_MOST_PER_BYTE", 0.01)
    with pytest.raises(ValueError, match="it claims 1 rows of"):
        files.read_parquet(path)
    monkeypatch.setattr(files, "_NEVER_TOO_MUCH", 2**20)
    assert len(files.read_parquet(path)) == 1
