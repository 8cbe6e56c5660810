"""Versions that are tested agree with those that setup.cfg allows."""

import configparser
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(name):
    lines = (ROOT / name).read_text().splitlines()
    found = [re.match(r"([\w.-]+)==(\S+)", line) for line in lines if line[:1] not in ("", "#")]
    return {canonical(pin[1]): Version(pin[2]) for pin in found}


def dependencies():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    return sorted({line.strip() for text in lines for line in text.splitlines() if line.strip()})


@pytest.mark.parametrize("line", dependencies())
def test_versions_are_allowed_and_the_oldest_is_tested(line):
    requirement = Requirement(line)
    name = canonical(requirement.name)
    oldest = pins("constraints-oldest.txt")[name]
    assert oldest in requirement.specifier
    tested = pins("constraints.txt").get(name)
    assert tested is None or (tested in requirement.specifier and tested >= oldest)
    bounds = [Version(s.version) for s in requirement.specifier if s.operator == ">="]
    assert len(bounds) == 1, f"{name} has no oldest version"
    # Of 1.11, 1.11.1 may be the first that is to be had: make constraints-oldest.txt.
    assert oldest.release[: len(bounds[0].release)] == bounds[0].release


def test_every_python_that_is_claimed_is_in_the_matrix():
    text = (ROOT / "tools" / "environments.py").read_text()
    tested = set(re.search(r"^PYTHONS = \((.*)\)$", text, re.M)[1].replace('"', "").split(", "))
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    claimed = re.findall(r"Python :: (3\.\d+)", setup["metadata"]["classifiers"])
    assert tested == set(claimed)
    assert setup["options"]["python_requires"] == f">={min(tested, key=Version)}"
