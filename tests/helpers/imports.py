"""Which module of a package imports which: all import statements, lazy and typing-only ones too."""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path


def find_imports(package: Path) -> dict[str, set[str]]:
    """
    Modules of a package that each of its modules imports, by names without that of the package.

    :param package: Its folder.
    """
    files = {_name(file.relative_to(package)): file for file in sorted(package.rglob("*.py"))}
    return {
        name: set(_imported(name, file, package.name, files)) - {name}
        for name, file in files.items()
    }


def _name(file: Path) -> str:
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(name: str, file: Path, root: str, files: Mapping[str, Path]) -> Iterator[str]:
    # Folder of a module; of a package, it is the package itself.
    folder = name.split(".") if file.name == "__init__.py" and name else name.split(".")[:-1]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first, _, rest = alias.name.partition(".")
                if first == root:
                    yield rest
        elif isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            if node.level:
                base = folder[: len(folder) - node.level + 1] + module
            elif module and module[0] == root:
                base = module[1:]
            else:
                continue
            for alias in node.names:
                child = ".".join([*base, alias.name])
                yield child if child in files else ".".join(base)


def find_cycle(imports: Mapping[str, set[str]]) -> list[str] | None:
    """Modules of which each imports the next, from one to itself; None if there are none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return error.args[1][::-1]
    return None


def find_forbidden(
    imports: Mapping[str, set[str]], allowed: Mapping[str, set[str]]
) -> set[tuple[str, str]]:
    """
    Imports between folders that are not allowed, as (module, module that it imports).

    :param imports: See :py:func:`find_imports`.
    :param allowed: Top-level folder or module -> those that its modules may import.
    """
    return {
        (name, other)
        for name, others in imports.items()
        for other in others
        if (above := name.partition(".")[0]) != (below := other.partition(".")[0])
        and below not in allowed.get(above, set())
    }
