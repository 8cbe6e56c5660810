"""Warnings of what a server may do with each packet."""

from __future__ import annotations

from collections import Counter

import seisbench

# Of so many kinds the number is remembered; a server can make up names without end.
MOST_KINDS = 10_000


class RepeatedWarnings:
    """Warns of the first case of a kind, and then ever less often: of the second, the fourth ..."""

    def __init__(self):
        self._numbers: Counter = Counter()

    def warn(self, kind: tuple, text: str) -> None:
        """
        :param kind: What is the same about all cases, such as the id and the cause.
        :param text: Warning, a sentence without its full stop.
        """
        if kind not in self._numbers and len(self._numbers) >= MOST_KINDS:
            return
        self._numbers[kind] += 1
        number = self._numbers[kind]
        if number & (number - 1) == 0:
            again = f" (number {number} of this kind)" if number > 1 else ""
            seisbench.logger.warning(f"{text}{again}.")
