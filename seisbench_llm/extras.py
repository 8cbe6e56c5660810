"""Installation commands for the packages of an extra."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement


def install_command(extra: str) -> str:
    """
    A command that installs the packages of an extra.

    It works wherever this package came from: PyPI, a repository or a clone, installed or not.

    >>> install_command("pages").startswith("pip install 'plotly")
    True

    :param extra: Name of the extra in ``setup.cfg``.
    """
    try:
        wanted = [Requirement(text) for text in requires("seisbench_llm") or ()]
    except PackageNotFoundError:
        wanted = []
    packages = [
        f"'{str(requirement).partition(';')[0].strip()}'"
        for requirement in wanted
        if requirement.marker is not None
        and requirement.marker.evaluate({"extra": extra})
        and not requirement.marker.evaluate({"extra": ""})
    ]
    clone = Path(__file__).parents[1]
    whole = clone if (clone / "setup.cfg").is_file() else "seisbench_llm"
    return " ".join(["pip install", *(packages or [f"'{whole}[{extra}]'"])])
