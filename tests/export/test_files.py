"""Parquet and CSV."""

from seisbench_llm.export.write import export
from tests.helpers.picks import pick_at


def test_parquet_without_picks_has_the_types_of_one_with_picks(tmp_path):
    import pyarrow.parquet

    none = pyarrow.parquet.read_schema(export([], tmp_path / "none.parquet"))
    some = pyarrow.parquet.read_schema(export([pick_at(0)], tmp_path / "some.parquet"))
    assert none.equals(some)
    assert str(some.field("time").type) == "timestamp[us, tz=UTC]"
