"""Who imports whom: no circle, and nothing upwards."""

from pathlib import Path

import pytest

import seisbench_llm
from tests.helpers.imports import find_cycle, find_forbidden, find_imports

PACKAGE = Path(seisbench_llm.__file__).parent
CONTRIBUTING = Path(__file__).parents[1] / "CONTRIBUTING.md"


def allowed() -> dict[str, set[str]]:
    """
    Folder or module -> what it may import, by the list in CONTRIBUTING.md.

    The empty name is the face of the package, which nothing in it imports.
    """
    table = {"": {"cache_folder", "models", "streams", "tasks", "weights"}, "__main__": {"cli"}}
    block = CONTRIBUTING.read_text().split("```imports\n")[1].split("```")[0]
    for line in block.splitlines():
        name, others = line.split("->")
        table.setdefault(name.strip(), set()).update(others.split())
    return table


def test_nothing_is_imported_upwards():
    assert not find_forbidden(find_imports(PACKAGE), allowed())


def test_every_folder_and_module_is_in_the_picture():
    places = {path.stem for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    places |= {path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")}
    listed = allowed()
    assert set().union(*listed.values()) | listed.keys() - {"", "__main__"} == places
    picture = CONTRIBUTING.read_text().split("| folder or module")[1].split("\n\n")[0]
    assert [name for name in sorted(places) if f"`{name}" not in picture] == []


def test_nothing_is_imported_in_a_circle():
    assert find_cycle(find_imports(PACKAGE)) is None
    assert find_cycle(allowed()) is None


TREE = {
    "__init__.py": "",
    "low/__init__.py": "from .tools import tool\n",
    "low/tools.py": "import numpy\nfrom . import sizes\n",
    "low/sizes.py": "",
    "high/__init__.py": "",
    "high/face.py": "from ..low import tool\nfrom ..low.sizes import size\n",
}


def imports_of(folder, **changes):
    for name, text in {**TREE, **changes}.items():
        file = folder / "package" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return find_imports(folder / "package")


def test_imports_of_a_tree(tmp_path):
    imports = imports_of(tmp_path)
    assert imports == {
        "": set(),
        "low": {"low.tools"},
        "low.tools": {"low.sizes"},
        "low.sizes": set(),
        "high": set(),
        "high.face": {"low", "low.sizes"},
    }
    assert not find_forbidden(imports, {"high": {"low"}})
    assert find_cycle(imports) is None


@pytest.mark.parametrize(
    "statement",
    [
        "from ..high.face import Face",
        "from ..high import face",
        "import package.high.face",
        "from package.high import face",
        "def lazy():\n    from ..high.face import Face",
        "if TYPE_CHECKING:\n    from ..high.face import Face",
    ],
)
def test_import_upwards_is_found(tmp_path, statement):
    imports = imports_of(tmp_path, **{"low/sizes.py": statement})
    assert find_forbidden(imports, {"high": {"low"}}) == {("low.sizes", "high.face")}
    assert set(find_cycle(imports)) == {"low.sizes", "high.face"}


@pytest.mark.parametrize(
    "statement", ["from .tools import tool", "if TYPE_CHECKING:\n    from . import tools"]
)
def test_circle_within_a_folder_is_found(tmp_path, statement):
    imports = imports_of(tmp_path, **{"low/sizes.py": statement})
    assert set(find_cycle(imports)) == {"low.sizes", "low.tools"}
