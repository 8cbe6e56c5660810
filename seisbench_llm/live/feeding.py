"""A picker and a source of packets, from the beginning or a saved state to the end."""

from __future__ import annotations

import threading
import time

from .picker import Live
from .sources import Packet
from .state import LiveState, StateError


def feed_from(
    live: Live,
    source,
    stop: threading.Event,
    duration: float | None = None,
    state: LiveState | None = None,
) -> None:
    """
    Feed a picker from a source until the source ends, the time is over, or ``stop`` is set.

    Without a state, the picker is then closed, and all open picks are decided. With a state, the
    state is saved and picks stay open, unless the source has ended.

    :param live: Picker.
    :param source: A :py:class:`SeedLink` or :py:class:`Replay` source.
    :param stop: Event that ends the run.
    :param duration: Seconds by the wall clock, None for no limit.
    :param state: Saved state to continue from, if there is one, and to write to. It has to be
        entered.
    :raises StateError: If the state is damaged, or belongs to another picker.
    """
    begun, waiting = time.monotonic(), 0
    live.data_now = source.data_now
    positions = {} if state is None else _go_on(live, source, state)

    def take(packet: Packet) -> None:
        live.feed(packet.trace, source.clock(), packet.wall)
        positions[packet.origin] = packet.number

    def save() -> None:
        kept = live.state(source.clock())
        state.save({**kept, "source": source.name, "positions": positions})

    try:
        if state is not None:
            # From now on, the file of picks contains what was reported since the state was saved.
            save()
        while not stop.is_set() and not source.ended:
            if duration is not None and time.monotonic() - begun >= duration:
                break
            packet = source.get(timeout=0.2)
            if packet is not None:
                take(packet)
                waiting += 1
            # Packets that arrived together are processed together, so that one pass of the network
            # handles many windows.
            if not source.more() or waiting >= 256:
                live.process(source.clock())
                waiting = 0
                if state is not None and state.due:
                    save()
    finally:
        source.close()
    for packet in source.received():
        take(packet)
    if state is None or source.ended:
        live.close(source.clock())
    else:
        live.process(source.clock())
    if state is not None:
        save()


def _go_on(live: Live, source, state: LiveState) -> dict[str, int]:
    """
    Set picker and source to the saved state, if there is one.

    :return: Number of the last packet taken from each of the source's parts.
    """
    saved, reported = state.load()
    if saved is None:
        return {}
    if saved["source"] != source.name:
        raise StateError(
            f"{state.file} belongs to {saved['source']}, not to {source.name}. Remove it to start "
            f"again."
        )
    source.resume(saved["positions"])
    live.restore(saved, reported, source.clock())
    return saved["positions"]


# Name in earlier versions.
run = feed_from
