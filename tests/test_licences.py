"""NOTICE.md, which the wheel carries, lists the licences of all that is shipped."""

import configparser
import json
import re
from pathlib import Path

import pytest

from seisbench_llm import weights

ROOT = Path(__file__).parents[1]
NOTICE = (ROOT / "NOTICE.md").read_text()

PAGES = ("pages", "live/dashboard/page", "monitor/report")

# Package data that NOTICE.md speaks of.
LISTED = (
    *("py.typed", "pretrained/*.json", "pretrained/*.safetensors"),
    *("benchmark/paper_results.json", "benchmark/report/*.html", "training/configs/*.yaml"),
    *(f"{folder}/*.{kind}" for folder in PAGES for kind in ("html", "js", "css")),
)

# As the records of weights name what they were made from: "hvsrpy, GPL-3", "MIT".
SOURCE = re.compile(
    r"([A-Za-z][\w/-]+)(?: jma| volpick)?,? \(?(L?GPL-3(?:\.0)?|MIT|public domain)\b"
)


def rows(text):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]


def test_wheel_carries_licences():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["metadata"]["license_files"].split() == ["LICENSE", "NOTICE.md"]
    shipped = setup["options.package_data"]["seisbench_llm"].split()
    # Whatever else is shipped has to be in NOTICE.md, too.
    assert [name for name in shipped if name not in LISTED] == []


@pytest.mark.parametrize("name", weights.packaged_names())
def test_weights_and_their_sources_are_listed(name):
    record = json.loads((weights.PACKAGED / f"{name}.json").read_text())["record"]
    listed = {row[0].strip("`"): row for row in rows(NOTICE) if row}
    assert listed[name][1] == record["licence"]
    shape = record["language_model"] is None
    assert shape == ("pre-trained" not in listed[name][4])
    sources = set(SOURCE.findall(record["data"]))
    assert sources, "the record names no source"
    for source, licence in sources:
        said = [
            line for line in NOTICE.splitlines() if re.search(rf"\b{re.escape(source)}\b", line)
        ]
        wanted = rf"\b{licence.removesuffix('.0')}\b"
        assert any(re.search(wanted, line) for line in said), (source, licence)


def test_nothing_unlisted_is_packaged():
    names = {file.name.partition(".")[0] for file in weights.PACKAGED.iterdir()}
    assert names == set(weights.packaged_names())
    assert all(f"`{name}`" in NOTICE for name in names)
