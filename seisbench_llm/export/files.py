"""Reading and writing of CSV and Parquet tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from ..extras import install_command
from .times import ISO


def write_csv(frame: pd.DataFrame, path: str | Path, mode: str = "w", header: bool = True) -> None:
    """Write a table as CSV, with times as ISO 8601 in UTC with microseconds and a Z."""
    frame.to_csv(
        path, mode=mode, header=header, index=False, date_format=f"{ISO}Z", lineterminator="\n"
    )


def import_pyarrow():
    """
    pyarrow with its reader and writer of Parquet.

    :raises ImportError: If it is not installed. The message says how to install it.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(f"Parquet needs pyarrow: {install_command('export')}") from error
    return pyarrow


def to_arrow(frame: pd.DataFrame):
    """
    An Arrow table with the same columns and types for every version of pandas: UTC in microseconds,
    strings.

    A column without any value, for example of an empty table, has the type string.
    """
    pa = import_pyarrow()
    arrow = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    schema = []
    for field in arrow.schema:
        kind = field.type
        if pa.types.is_timestamp(kind):
            kind = pa.timestamp("us", tz="UTC")
        elif pa.types.is_null(kind) or pa.types.is_large_string(kind):
            kind = pa.string()
        schema.append(pa.field(field.name, kind))
    return arrow.cast(pa.schema(schema), safe=False)


# Limits on rows and bytes per byte of a file. Our tables are far below, but a hostile file may
# claim any number.
_MOST_PER_BYTE, _NEVER_TOO_MUCH = 100, 2**28


@contextmanager
def open_parquet(path: str | Path) -> Iterator:
    """
    A Parquet file, to be read whole or in row groups.

    :raises ImportError: If pyarrow is not installed.
    :raises ValueError: If the file claims to hold more than a table of its size can.
    """
    with import_pyarrow().parquet.ParquetFile(path) as file:
        about, size = file.metadata, Path(path).stat().st_size
        groups = [about.row_group(i).total_byte_size for i in range(about.num_row_groups)]
        if about.num_rows > _MOST_PER_BYTE * size or (
            sum(groups) > max(_MOST_PER_BYTE * size, _NEVER_TOO_MUCH)
        ):
            raise ValueError(f"it claims {about.num_rows} rows of {sum(groups)} bytes in {size}")
        yield file


def read_parquet(path: str | Path) -> pd.DataFrame:
    """
    Read a Parquet file. The reader of data sets is not used, because it would add a folder's day as
    a column.

    :raises ImportError: If pyarrow is not installed.
    :raises ValueError: If the file claims to hold more than a table of its size can.
    """
    with open_parquet(path) as file:
        return file.read().to_pandas()


def write_parquet(frame: pd.DataFrame, path) -> None:
    """
    Write a table as Parquet.

    :param path: A path, or an open binary file.
    :raises ImportError: If pyarrow is not installed.
    """
    import_pyarrow().parquet.write_table(to_arrow(frame), path, compression="zstd")
