"""
Links above each tutorial, to get it as a notebook or to run it elsewhere.

In all pages, links to files of the repository that are no pages lead to the repository.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\((?P<path>(?:\.\./)+[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def links(name: str, repository: str) -> str:
    """
    A line of links.

    :param name: Of a tutorial, without suffix.
    """
    place = repository.removeprefix("https://github.com/")
    colab = f"https://colab.research.google.com/github/{place}/blob/notebooks/{name}.ipynb"
    binder = f"https://mybinder.org/v2/gh/{place}/notebooks?labpath={name}.ipynb"
    return f"{{nb-download}}`{name}.ipynb` · [Open in Colab]({colab}) · [Open in Binder]({binder})"


def add_links(app, page: str, source: list[str]) -> None:
    """Put the links below the title of a tutorial, and lead others to the repository."""
    folder, _, name = page.partition("/")
    repository = app.config.html_theme_options["source_repository"]
    text = source[0]
    if folder == "tutorials" and name != "index":
        title = re.search(r"^# .*\n", text, re.MULTILINE)
        text = f"{text[: title.end()]}\n{links(name, repository)}\n{text[title.end() :]}"
    here = (Path(app.srcdir) / page).parent

    def outside(match: re.Match) -> str:
        target = (here / match["path"]).resolve()
        inside = target.is_relative_to(app.srcdir)
        if inside or not target.is_relative_to(ROOT) or not target.exists():
            return match[0]
        kind = "tree" if target.is_dir() else "blob"
        path = target.relative_to(ROOT)
        return f"]({repository}/{kind}/main/{path}{match['anchor'] or ''})"

    source[0] = LINK.sub(outside, text)


def setup(app) -> dict:
    app.connect("source-read", add_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
