"""
Numbers in the text of the pages: substituted from result files, or declared in numbers.txt.

``numbers.txt`` lists, page by page, the numbers that no script measures: definitions, defaults,
sizes of data sets, citations. ``python -m tests.docs.test_numbers`` writes it anew. Read the
difference: a figure that was measured does not belong there, but between the marks
``<!-- value NAME -->`` and ``<!-- end -->``, see benchmarks/tables/values.py.
"""

import re
from pathlib import Path

import pytest

from tests.helpers.pages import PAGES, ROOT

DECLARED = Path(__file__).with_name("numbers.txt")
# What is no text: front matter, substituted parts, code, HTML comments, addresses of links,
# tables of definitions. The mathematics of a page stands in lines with an indent of four.
NO_TEXT = [
    re.compile(r"\A---\n.*?\n---\n", re.DOTALL),
    re.compile(r"<!-- (?:table|value|output)\b.*?<!-- end -->", re.DOTALL),
    re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE),
    re.compile(r"<!-- definitions -->\n\n(?:\|.*\n)+"),
    re.compile(r"<!--.*?-->", re.DOTALL),
    re.compile(r"`[^`]*`"),
    re.compile(r"\]\([^)]*\)"),
    re.compile(r"^ {4}.*$", re.MULTILINE),
    re.compile(r"^\d+\. ", re.MULTILINE),
]
UNITS = "%|°|µs|ms|s|h|km|Hz|dB|[GM]i?B|ML|degrees?|times|(?:samples|minutes|stations|windows)"
# A number, with its unit if there is one. Digits of a name are not a number: GPT-2, SHA-256, F1.
NUMBER = re.compile(rf"(?<![\w.,/-])\d[\d.,]*(?:e-?\d+)?(?: ?(?:{UNITS})(?!\w))?")


def numbers_of(text):
    """
    The numbers in the text of a page, each with its unit.

    >>> numbers_of("GPT-2 takes 3 s, `4 s` or <!-- value a -->5<!-- end --> s.")
    ['3 s']
    """
    for pattern in NO_TEXT:
        text = pattern.sub(" ", text)
    found = (match[0].rstrip(".,") for match in NUMBER.finditer(" ".join(text.split())))
    return sorted(set(found))


def declared():
    """Page -> its declared numbers."""
    lines = [x for x in DECLARED.read_text().splitlines() if x and not x.startswith("#")]
    pages = (line.partition(": ") for line in lines)
    return {page: [x for x in numbers.split("; ") if x] for page, _, numbers in pages}


def ids(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_numbers_are_measured_or_declared(page):
    found, known = numbers_of(page.read_text()), declared().get(ids(page), [])
    assert set(found) <= set(known), f"{ids(page)}: see the head of tests/docs/test_numbers.py"


def test_what_is_declared_is_there():
    texts = {ids(page): numbers_of(page.read_text()) for page in PAGES}
    for page, numbers in declared().items():
        gone = set(numbers) - set(texts.get(page, []))
        assert not gone, f"{page} has no more {', '.join(sorted(gone))}: remove it from numbers.txt"


def test_a_typed_number_is_found():
    text = (ROOT / "README.md").read_text()
    assert numbers_of(text + "\nIt finds 97.3 % of all P.\n") != numbers_of(text)


if __name__ == "__main__":
    HEAD = "# Numbers in the pages that no script measures, see test_numbers.py.\n"
    rows = [(ids(page), numbers_of(page.read_text())) for page in PAGES]
    DECLARED.write_text(HEAD + "".join(f"{p}: {'; '.join(n)}\n" for p, n in rows if n))
