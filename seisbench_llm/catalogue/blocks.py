"""
Blocks of a catalogue: events of a day, kept until the catalogue is written.

    blocks/2020-01-01T00.events.parquet     events
    blocks/2020-01-01T00.arrivals.parquet   arrivals, with rows of picks from those of first_row on
    blocks/2020-01-01T00.json               written last: the block is finished

A block is associated again if its picks, those near it, or the network have changed.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, chain
from pathlib import Path

import pandas as pd

from ..archive.store import read_json, read_table, write_json
from ..atomic import remove_leftovers, replacing
from ..export.files import write_parquet
from ..monitor.association import Associator
from ..monitor.quality import with_quality, without_poor
from ..monitor.slices import MICRO, Slices
from .windows import DAY, Windows

FOLDER = "blocks"


@dataclass(frozen=True)
class Block:
    """
    Consecutive slices that are associated together.

    :param name: Its start, such as 2020-01-01T00.
    :param start: Its start in microseconds since 1970.
    :param stop: Its end, which is not included.
    :param numbers: Slices that begin in it.
    """

    name: str
    start: int
    stop: int
    numbers: range

    def reach(self, slices: Slices) -> tuple[int, int]:
        """First and last microsecond of the picks on which its events depend."""
        return slices.window(self.numbers[0] - 1)[0], slices.window(self.numbers[-1] + 1)[1]


def plan_blocks(windows: Windows, slices: Slices, length: float) -> list[Block]:
    """
    Blocks of all picks, in order of time.

    :param length: Length of a block in s. Blocks begin at multiples of it, counted from 1970.
    """
    step = round(length * MICRO)
    wanted: set[int] = set()
    for day in range(len(windows.days)):
        first = windows.start_of(day)
        numbers = slices.needed(first, first + DAY - 1)
        grid = slices.length * MICRO
        wanted.update(range(numbers[0] * grid // step, numbers[-1] * grid // step + 1))
    blocks = []
    for number in sorted(wanted):
        start, stop = number * step, (number + 1) * step
        grid = slices.length * MICRO
        numbers = range(-(-start // grid), -(-stop // grid))
        if numbers:
            name = pd.Timestamp(start, unit="us").strftime("%Y-%m-%dT%H")
            if start % (3600 * MICRO):
                name = pd.Timestamp(start, unit="us").strftime("%Y-%m-%dT%H%M%S.%f")
            blocks.append(Block(name, start, stop, numbers))
    return blocks


class BlockStore:
    """
    Finished blocks of a catalogue.

    :param out: Folder of the catalogue.
    :param windows: All picks.
    :param associator: Association for the network.
    :param keep_poor: Whether to keep events of quality D.
    """

    def __init__(self, out: Path, windows: Windows, associator: Associator, keep_poor: bool):
        self.path = out / FOLDER
        self._windows, self._associator, self._keep_poor = windows, associator, keep_poor
        places = sorted((name, repr(place)) for name, place in windows.places.items())
        self._network = hashlib.sha256(repr(places).encode()).hexdigest()

    def prepare(self) -> None:
        """Make the folder, and remove what killed runs left there. Needs the lock of the folder."""
        self.path.mkdir(parents=True, exist_ok=True)
        remove_leftovers([self.path, self.path.parent])

    def finished(self, block: Block) -> bool:
        """Whether a block was associated with the present picks."""
        file = self._file(block, "json")
        return file.is_file() and read_json(file).get("digest") == self._digest(block)

    def associate(self, block: Block) -> None:
        """Associate and locate a block, and keep it."""
        began = time.perf_counter()
        found = self._associator.find(block.numbers, self._windows.between)
        events, arrivals = self._associator.locate(chain.from_iterable(found))
        left_out = 0
        if not self._keep_poor:
            events, arrivals, left_out = without_poor(events, arrivals)
        arrivals["pick"] -= self.first_row(block)
        file = self._file(block, "json")
        # Until all of it is there, the block is not finished.
        file.unlink(missing_ok=True)
        for kind, table in (("events", with_quality(events)), ("arrivals", arrivals)):
            with replacing(self._file(block, f"{kind}.parquet")) as partial:
                write_parquet(table, partial)
        about = {
            "digest": self._digest(block),
            "events": len(events),
            "left_out": left_out,
            "associated": len(arrivals),
            "first": int(events["time"].astype("int64").min()) if len(events) else None,
            "seconds": round(time.perf_counter() - began, 1),
        }
        write_json(file, about)

    def about(self, block: Block) -> dict:
        """Numbers of events and of those left out, and time of the first one."""
        return read_json(self._file(block, "json"))

    def read(self, block: Block) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Events and arrivals of a finished block. Picks are rows of all picks."""
        events, arrivals = (
            read_table(self._file(block, f"{kind}.parquet")) for kind in ("events", "arrivals")
        )
        return events, arrivals.assign(pick=arrivals["pick"] + self.first_row(block))

    def remove_others(self, blocks: list[Block]) -> None:
        """Remove blocks of picks that are not there any more."""
        names = {block.name for block in blocks}
        for file in self.path.glob("*.json"):
            if file.name.removesuffix(".json") not in names:
                for own in self.path.glob(f"{file.name.removesuffix('.json')}.*"):
                    own.unlink()

    def _file(self, block: Block, suffix: str) -> Path:
        return self.path / f"{block.name}.{suffix}"

    def first_row(self, block: Block) -> int:
        """Row from which the rows of picks in the arrivals of a block are counted."""
        return self._windows.first_row(*block.reach(self._associator.slices))

    def _digest(self, block: Block) -> str:
        """What determines the events of a block, apart from the configuration."""
        picks = self._windows.digest(*block.reach(self._associator.slices))
        text = f"{self._network} {picks} {block.start} {block.stop}"
        return hashlib.sha256(text.encode()).hexdigest()


def events_in_order(
    store: BlockStore, blocks: list[Block]
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """
    Events of all blocks in order of time, in parts, with the arrivals of each part.

    An event at a seam may be a little earlier than the last event of the block before.
    """
    blocks = [block for block in blocks if store.about(block)["events"]]
    first = [store.about(block)["first"] for block in blocks]
    # Before this time, the blocks that follow have no event.
    limits = [*list(accumulate(reversed(first), min))[::-1][1:], None]
    held: tuple[pd.DataFrame, pd.DataFrame] | None = None
    for block, limit in zip(blocks, limits[: len(blocks)], strict=True):
        parts = [part for part in (held, store.read(block)) if part is not None and len(part[0])]
        events, arrivals = (
            pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True)
        )
        events = events.sort_values(["time", "event_id"], ignore_index=True)
        ready = len(events)
        if limit is not None:
            ready = int(events["time"].astype("int64").searchsorted(limit))
        inside = arrivals["event_id"].isin(events["event_id"][:ready])
        held = events[ready:], arrivals[~inside]
        if ready:
            order = {name: number for number, name in enumerate(events["event_id"][:ready])}
            own = arrivals[inside]
            own = own.iloc[own["event_id"].map(order).argsort(kind="stable")]
            yield events[:ready], own.reset_index(drop=True)
