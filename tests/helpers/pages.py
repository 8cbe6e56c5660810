"""
Python blocks of the README and of the pages of docs/, to read and to run.

``python -m tests.helpers.pages PAGE ...`` runs pages and says how long each took.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("[!_]*/*.md"))]
_BLOCK = re.compile(
    r"^(?P<fence>```+)(?P<head>\{code-cell\} ipython3|python)\n"
    r"(?P<options>(?::[^\n]*\n)*)(?P<code>.*?)^(?P=fence)$",
    re.DOTALL | re.MULTILINE,
)

# Lines for the shell and for IPython, with those that continue them; a cell with %% is all so.
_SHELL = re.compile(r"^[!%](?:[^\n]*\\\n)*[^\n]*\n", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """
    A Python block of a page.

    :param page: The file.
    :param line: Number of its first line.
    :param code: Its text, without lines for the shell.
    :param cell: Whether it is run when the site is built.
    :param shell: Whether it also has lines for the shell.
    """

    page: Path
    line: int
    code: str
    cell: bool
    shell: bool

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """All Python blocks of a page, in their order."""
    text, found = page.read_text(), []
    for match in _BLOCK.finditer(text):
        code = "" if match["code"].lstrip().startswith("%%") else _SHELL.sub("", match["code"])
        number = text[: match.start("code")].count("\n") + 1
        found.append(
            Block(page, number, code, match["head"] != "python", len(code) < len(match["code"]))
        )
    return found


def run(page: Path) -> dict:
    """
    Run all blocks of a page one after the other, in an empty folder.

    :return: The names that the blocks have defined.
    :raises Exception: Of a block, with the number of its line in the page.
    """
    import matplotlib

    matplotlib.use("Agg")
    names: dict = {"__name__": "__page__"}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for block in blocks(page):
            code = "\n" * (block.line - 1) + block.code
            exec(compile(code, str(page), "exec"), names)
    return names


if __name__ == "__main__":
    for name in sys.argv[1:]:
        begun = time.time()
        os.environ.setdefault("TQDM_DISABLE", "1")
        run(Path(name).resolve())
        print(f"{name}: {time.time() - begun:.1f} s")
