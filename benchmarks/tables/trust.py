"""Tables of what the tests were run with: environments, mutants, examples of properties."""

from __future__ import annotations

from .markdown import markdown, results


def environments() -> str:
    """What came of the tests in each environment, and the versions there."""
    rows = []
    for name, row in results("environments").items():
        versions = row["versions"]
        shown = ("python", "torch", "seisbench", "obspy", "numpy", "pandas")
        rows.append(
            [
                f"`{name}`",
                row["result"],
                ", ".join(f"{key} {versions[key]}" for key in shown if key in versions) or "-",
            ]
        )
    return markdown(["Environment", "Result", "Versions"], rows, left=3)


def mutants() -> str:
    """How many small faults the tests of each module find."""
    keys = ("places", "tried", "killed", "equivalent", "survived")
    rows = [
        [f"`{name}`", *(str(row[key]) for key in keys)] for name, row in results("mutants").items()
    ]
    head = ["Module", "Possible", "Tried", "Found", "No difference", "Not found"]
    return markdown(head, rows)


def properties() -> str:
    """Examples of each file of properties."""
    rows = [
        [f"`{name}`", str(len(row["properties"])), str(row["examples"])]
        for name, row in results("properties").items()
    ]
    return markdown(["File", "Properties", "Examples"], rows)
