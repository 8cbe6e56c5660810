"""The public address is set in all files by one command."""

import re
import shutil
import subprocess
import sys

import pytest

from tests.helpers.pages import ROOT

SCRIPT = ROOT / "tools" / "owner.py"


def run(*arguments):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def clone(tmp_path):
    """A repository with the files that name the address, and one in which OWNER is a word."""
    if not shutil.which("git"):
        pytest.skip("there is no git")
    for name in ("README.md", "setup.cfg", "CITATION.cff", "CHANGELOG.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs/conf.py", tmp_path / "docs/conf.py")
    (tmp_path / "word.txt").write_bytes(b"OWNER and owner\r\n")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "add", "."], check=True)
    return tmp_path


def test_one_command_sets_the_address_everywhere(clone):
    assert run("--check", "--root", clone).returncode == 1
    done = run("example-lab", "--root", clone)
    assert done.returncode == 0 and {"README.md", "setup.cfg"} <= set(done.stdout.split())
    assert run("--check", "--root", clone).returncode == 0
    text = "".join(file.read_text() for file in clone.rglob("*") if file.suffix in (".md", ".cfg"))
    assert "github.com/OWNER" not in text and "github.com/example-lab/seisbench_llm" in text
    assert (clone / "word.txt").read_bytes() == b"OWNER and owner\r\n"


@pytest.mark.parametrize("name", ["", "a/b", "a-", "a b", "x" * 40])
def test_a_name_that_github_does_not_allow(clone, name):
    done = run(*([name] if name else []), "--root", clone)
    assert done.returncode == 2 and "is not the name of an account" in done.stderr
    assert run("--check", "--root", clone).returncode == 1


def test_there_is_one_form_of_the_address():
    """Another form would not be found by the command."""
    git = shutil.which("git")
    if not git or not (ROOT / ".git").exists():
        pytest.skip("this is no clone")
    command = [git, "-C", ROOT, "grep", "-hw", "OWNER", "--", ".", ":!tests", ":!tools"]
    lines = subprocess.run(command, capture_output=True, text=True)
    for line in lines.stdout.splitlines():
        if re.search(r"/OWNER\b|OWNER/", line):
            assert "github.com/OWNER/seisbench_llm" in line, line
