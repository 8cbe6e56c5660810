"""The README and docs/: blocks run, figures come from results, links lead somewhere."""

import ast
import importlib
import json
import re

import pytest
import yaml

from benchmarks.making import tables
from benchmarks.tables import studies
from benchmarks.tables.markdown import results
from tests.helpers.pages import PAGES, ROOT, blocks, run

BLOCKS = [block for page in PAGES for block in blocks(page)]
README = ROOT / "README.md"
# Run here; all others are run by `make docs`.
QUICK = ["README.md", "docs/getting-started/quickstart.md", "docs/how-to/formats.md"]
NUMBER = re.compile(r"\d+\.\d+")


def ids(page):
    return str(page.relative_to(ROOT))


def test_there_are_pages_and_blocks():
    assert len(PAGES) > 20 and len(BLOCKS) > 50


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_is_python_and_imports_what_is_there(block):
    for node in ast.walk(ast.parse(block.code)):
        names = []
        if isinstance(node, ast.Import):
            names = [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module, alias.name) for alias in node.names]
        for module, name in names:
            if module.partition(".")[0] in ("seisbench_llm", "seisbench", "obspy"):
                found = importlib.import_module(module)
                assert name is None or hasattr(found, name), f"{block}: no {name} in {module}"


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_fences_are_lines_of_their_own_and_close(page):
    opened = None
    for line in page.read_text().splitlines():
        assert "```" not in line or re.fullmatch(r" *`{3,}(\{[\w:-]+\}.*|[\w-]*)", line), line
        fence = re.match(r" *(`{3,})", line)
        if fence and opened is None:
            opened = fence[1]
        elif fence and line.strip() == opened:
            opened = None
    assert opened is None


def test_each_term_of_the_glossary_has_a_definition():
    page = (ROOT / "docs" / "explanation" / "glossary.md").read_text()
    entries = re.search(r"```\{glossary\}\n(.*?)\n```\n", page, re.DOTALL)[1].split("\n\n")
    assert len(entries) > 20
    for entry in entries:
        term, *lines = entry.splitlines()
        assert lines and not term.startswith(" ") and all(x.startswith("  ") for x in lines), entry


@pytest.mark.parametrize("page", QUICK)
def test_a_page_runs(page, capsys):
    names = run(ROOT / page)
    assert names and not [w for w in capsys.readouterr().err.splitlines() if "Error" in w]


def test_the_first_page_shows_what_is_printed():
    text = README.read_text()
    shown = re.search(r"<!-- output -->\s+```text\n(.*?)```", text, re.DOTALL)[1].split()
    made = tables.printed(blocks(README)[0].code).split()
    assert len(shown) == len(made) > 6
    for was, now in zip(shown, made, strict=True):
        if re.fullmatch(NUMBER, was):
            # The last digit may differ between processors.
            assert float(was) == pytest.approx(float(now), abs=0.015)
        else:
            assert was == now


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_tables_and_figures_are_those_of_the_results(page):
    text = page.read_text()
    assert tables.filled(text) == text, "python -m benchmarks.making.tables brings them up to date"
    # A line that begins with a comment is HTML as a whole, in which Markdown is text.
    assert not re.search(r"^\s*<!-- value", text, re.MULTILINE)


def test_a_figure_that_was_typed_is_found():
    text = README.read_text()
    assert tables.filled(text.replace("F1: P 0.", "F1: P 1.")) == text


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_no_table_has_figures_of_its_own(page):
    text = re.sub(r"<!-- table .*?<!-- end -->", "", page.read_text(), flags=re.DOTALL)
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    for match in re.finditer(r"(?:^\|.*\n)+", text, re.MULTILINE):
        # Sizes, options and the like, which no script measures, say so; so does what a script
        # prints and writes to no file.
        before = text[: match.start()].rstrip()
        script = re.search(r"<!-- printed by ([\w.]+) -->\Z", before)
        if script:
            assert (ROOT / f"{script[1].replace('.', '/')}.py").is_file()
        if script or before.endswith("<!-- definitions -->"):
            continue
        assert not NUMBER.search(match[0]), f"{ids(page)}: a table that no result file makes"


def test_each_failure_has_a_cause_and_each_cause_a_failure():
    causes = json.loads(studies.CAUSES.read_text())
    for task, found in results("failures").items():
        assert {row["key"] for row in found["worst"]} == set(causes[task]), task


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_lead_to_files_that_are_there(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        if path.startswith(("http", "mailto")) or not path:
            continue
        assert (page.parent / path).exists(), f"{ids(page)} links to {target}"
        if anchor and path.endswith(".md"):
            headings = re.findall(r"^#+ (.*)$", (page.parent / path).read_text(), re.MULTILINE)
            slugs = [re.sub(r"[^\w\- ]", "", h).strip().lower().replace(" ", "-") for h in headings]
            assert anchor in slugs, f"{ids(page)} links to {target}"


def test_pages_that_code_names_are_there():
    named = [
        (file, name)
        for folder in ("seisbench_llm", "benchmarks", "tests")
        for file in (ROOT / folder).rglob("*.py")
        for name in re.findall(r"\bdocs/[\w/-]+\.md\b", file.read_text())
    ]
    assert len(named) > 5
    assert [f"{file}: {name}" for file, name in named if not (ROOT / name).exists()] == []


def test_no_packaged_weight_holds_a_language_model():
    """As the first page says."""
    from seisbench_llm.weights import PACKAGED, read_metadata

    assert "No packaged weight contains a pre-trained language model" in README.read_text()
    records = [read_metadata(path)["record"] for path in PACKAGED.glob("*.json")]
    assert len(records) >= 5
    assert [r["name"] for r in records if r["language_model"] is not None] == []


def test_the_version_stands_alike_everywhere():
    setup = re.search(r"^version = (.*)$", (ROOT / "setup.cfg").read_text(), re.MULTILINE)[1]
    citation = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)[1]
    changes = re.search(r"^## \[(.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1]
    assert setup == citation == changes


@pytest.mark.parametrize("name", ["CITATION.cff", ".readthedocs.yaml", ".github"])
def test_files_for_services_are_yaml(name):
    path = ROOT / name
    files = [path] if path.is_file() else sorted(path.rglob("*.yml"))
    assert files
    for file in files:
        assert isinstance(yaml.safe_load(file.read_text()), dict), file
