"""Tables and QuakeML of a catalogue, written part by part."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import obspy
import pandas as pd

from ..atomic import replacing
from ..export import picks_to_dataframe
from ..export.files import import_pyarrow, to_arrow, write_csv
from ..export.quakeml import creation_info, resource_id, unassociated_event
from ..export.tables import ARRIVAL_TYPES, EVENT_TYPES, empty
from ..monitor import MonitorResult
from .blocks import Block, BlockStore, events_in_order
from .magnitudes import result_of
from .windows import Windows

FORMATS = ("csv", "parquet", "quakeml")


def write_catalogue(
    out: Path,
    store: BlockStore,
    blocks: list[Block],
    windows: Windows,
    formats: Sequence[str],
    medium: str,
    **magnitudes,
) -> list[str]:
    """
    Write events with magnitudes, arrivals and picks, and the catalogue as QuakeML.

    :param out: Existing folder.
    :param formats: Some of ``FORMATS``.
    :param medium: Name of the medium of the locations.
    :param magnitudes: ``scale``, ``corrections`` and ``stations``, see
        :py:func:`.magnitudes.result_of`.
    :return: Names of the files.
    """
    written = []
    with ExitStack() as stack:
        events, arrivals = (
            _Tables(out, name, formats, empty(types), stack)
            for name, types in (("events", EVENT_TYPES), ("arrivals", ARRIVAL_TYPES))
        )
        written += [*events.names, *arrivals.names]
        quakeml = None
        if "quakeml" in formats:
            name = _name_of(store, blocks)
            quakeml = stack.enter_context(_quakeml(out / "catalog.xml", name))
            written.append("catalog.xml")
        for some, own in events_in_order(store, blocks):
            table = windows.rows_of(list(own["pick"]))
            result = result_of(some, own, table, windows.picks.methods, medium, **magnitudes)
            events.add(result.events)
            arrivals.add(own)
            if quakeml is not None:
                quakeml.add(result)
    with ExitStack() as stack:
        picks = _Tables(out, "picks", formats, picks_to_dataframe([]).assign(event_id=None), stack)
        written += picks.names
        for table in _picks(store, blocks, windows):
            picks.add(table)
    return written


def _picks(store: BlockStore, blocks: list[Block], windows: Windows) -> Iterator[pd.DataFrame]:
    """All picks with the event of each, day by day."""
    members: dict[int, str] = {}
    waiting = (block for block in blocks if store.about(block)["events"])
    block = next(waiting, None)
    for index in range(len(windows.days)):
        table = windows.table(index)
        # Blocks whose events may have picks of this day.
        stop = windows.rows[index + 1]
        while block is not None and store.first_row(block) < stop:
            arrivals = store.read(block)[1]
            members.update(zip(arrivals["pick"], arrivals["event_id"], strict=True))
            block = next(waiting, None)
        ids = [members.pop(row, None) for row in table.index]
        yield table.assign(event_id=pd.Series(ids, index=table.index, dtype=object))


class _Tables:
    """A table that grows, as CSV and Parquet."""

    def __init__(
        self, out: Path, name: str, formats: Sequence[str], like: pd.DataFrame, stack: ExitStack
    ):
        self.names = [f"{name}.{form}" for form in ("csv", "parquet") if form in formats]
        self._files = {
            file.rpartition(".")[2]: stack.enter_context(replacing(out / file))
            for file in self.names
        }
        self._like = like
        self._parquet: Any = None
        self._columns: list[str] | None = None
        # Without any part, there is an empty table with all columns.
        stack.callback(self._finish)

    def add(self, table: pd.DataFrame) -> None:
        """Add rows. The first part says which columns there are."""
        first = self._columns is None
        if first:
            self._columns = list(table)
        table = table.reindex(columns=self._columns)
        if "csv" in self._files:
            write_csv(table, self._files["csv"], mode="w" if first else "a", header=first)
        if "parquet" in self._files:
            arrow = to_arrow(table)
            if self._parquet is None:
                writer = import_pyarrow().parquet.ParquetWriter
                self._parquet = writer(self._files["parquet"], arrow.schema, compression="zstd")
            self._parquet.write_table(arrow.cast(self._parquet.schema))

    def _finish(self) -> None:
        if self._columns is None:
            self.add(self._like)
        if self._parquet is not None:
            self._parquet.close()


def _name_of(store: BlockStore, blocks: list[Block]) -> str:
    """Name of the catalogue, which is the same for the same events."""
    digest = hashlib.sha256()
    for events, _ in events_in_order(store, blocks):
        digest.update("\n".join([*events["event_id"], ""]).encode())
    return digest.hexdigest()[:16]


@contextmanager
def _quakeml(path: Path, name: str) -> Iterator[_Quakeml]:
    with replacing(path) as partial, open(partial, "wb") as file:
        writer = _Quakeml(file, name)
        yield writer
        writer.finish()


class _Quakeml:
    """
    A QuakeML file of any number of events.

    ObsPy writes catalogues at once. Here it writes some events at a time, and their text is put
    between the beginning and the end of an empty catalogue.
    """

    def __init__(self, file, name: str):
        self._file = file
        frame = unassociated_event([])
        about = {"resource_id": resource_id("catalog", name), "creation_info": creation_info()}
        start, end = _around_events(_text(obspy.Catalog([frame], **about)))
        self._end = end
        file.write(start)

    def add(self, result: MonitorResult) -> None:
        """Add events with their arrivals."""
        text = _text(result.to_catalog())
        start, end = _around_events(text)
        self._file.write(text[len(start) : len(text) - len(end)])

    def finish(self) -> None:
        """Write the end."""
        self._file.write(self._end)


def _around_events(text: bytes) -> tuple[bytes, bytes]:
    """Text before and after the events of a catalogue that has some."""
    start, stop = text.index(b"    <event "), text.rindex(b"</event>\n") + len(b"</event>\n")
    return text[:start], text[stop:]


def _text(catalog: obspy.Catalog) -> bytes:
    file = io.BytesIO()
    catalog.write(file, format="QUAKEML")
    return file.getvalue()
