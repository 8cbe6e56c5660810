"""Warnings about faults that are repeated: by a server with each packet, by traces of one kind."""

from __future__ import annotations

import logging
from collections import Counter

import seisbench

# Number of kinds that are counted. A server can make up names without end.
MOST_KINDS = 10_000


class RepeatedWarnings:
    """Warnings about the first, second, fourth, eighth case of a kind, and so on."""

    def __init__(self):
        self._numbers: Counter = Counter()

    def warn(self, kind: tuple, text: str) -> None:
        """
        Warn, if this case of the kind is to be reported.

        :param kind: The part that is the same in all cases, such as the cause.
        :param text: Warning, a sentence without its full stop.
        """
        number = self._number(kind)
        if number:
            again = f" (number {number} of this kind)" if number > 1 else ""
            seisbench.logger.warning(f"{text}{again}.")

    def _number(self, kind: tuple) -> int:
        """Number of this case, 0 if there is no warning for it."""
        if kind not in self._numbers and len(self._numbers) >= MOST_KINDS:
            return 0
        self._numbers[kind] += 1
        number = self._numbers[kind]
        return 0 if number & (number - 1) else number


class RepeatedFilter(logging.Filter, RepeatedWarnings):
    """The same for messages of other loggers, which are not changed."""

    def __init__(self):
        logging.Filter.__init__(self)
        RepeatedWarnings.__init__(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a message is passed on."""
        return bool(self._number((record.name, record.getMessage())))
