"""
The tutorials as Jupyter notebooks, for Colab and Binder.

    python docs/make_notebooks.py --out notebooks

Needs jupytext. Each notebook begins with a cell that installs the package; Binder's
requirements.txt is written beside them.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import jupytext

HERE = Path(__file__).parent
REPOSITORY = re.search(r'^REPOSITORY = "(.*)"', (HERE / "conf.py").read_text(), re.MULTILINE)[1]
REQUIREMENT = f"seisbench_llm[monitor,archive,train,language,benchmark] @ git+{REPOSITORY}"
INSTALL = f'%pip install --quiet "{REQUIREMENT}"'


def notebook(page: Path):
    """A tutorial as a notebook whose links lead to the site's sources."""
    text = page.read_text().replace("file_format: mystnb\n", "")
    text = text.replace("  name: python3\n", "  name: python3\n  display_name: Python 3\n")
    text = re.sub(r"\]\((?!http)([^)#]+)", rf"]({REPOSITORY}/blob/main/docs/tutorials/\1", text)
    made = jupytext.reads(text, fmt="md:myst")
    made.cells.insert(0, jupytext.reads(INSTALL, fmt="py:percent").cells[0])
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=Path("notebooks"))
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    (out / "requirements.txt").write_text(f"{REQUIREMENT}\n")
    for page in sorted((HERE / "tutorials").glob("*.md")):
        if page.stem != "index":
            jupytext.write(notebook(page), out / f"{page.stem}.ipynb")


if __name__ == "__main__":
    main()
