"""
Tables of the documentation from the files of results.

    python -m benchmarks.making.tables [PAGE ...]

A page marks the place of a table by its name, ``<!-- table NAME -->`` and ``<!-- end -->``; what is
between the two is replaced. ``--check`` changes nothing and fails if a page is not up to date.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.common.pickers import TEACHERS

RESULTS = Path(__file__).parents[1] / "results"
ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("[!_]*/*.md"))]
MARK = re.compile(r"(<!-- table (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
COLUMNS = {"P@0.5": "P 0.5 s", "S@0.5": "S 0.5 s", "P@0.1": "P 0.1 s", "S@0.1": "S 0.1 s"}
MEAN_OF_TEACHERS = (
    "mean of the annotations of phasenet/volpick, phasenet/jma, eqtransformer/volpick"
)


def results(name: str) -> dict:
    """What a script has written."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table; all columns but the first to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _named(name: str) -> str:
    return MEAN_OF_TEACHERS if name == TEACHERS else f"`{name}`"


def _with_limits(value: float, limits: list[float], digits: int = 2) -> str:
    low, high = limits
    return f"{value:.{digits}f} ({low:.{digits}f}, {high:.{digits}f})"


def picking(level: str) -> str:
    """F1 of all pickers with limits, and false picks per hour."""
    rows = []
    for name, found in results("unseen_regions")["pickers"].items():
        cells = [_with_limits(found[c][level]["all"], found[c][level]["limits"]) for c in COLUMNS]
        rates = (found["false picks per hour"][phase][level] for phase in "PS")
        kinds = ("noise before P", "all")
        by_phase = [[f"{rate[kind]:.1f}" for kind in kinds] for rate in rates]
        cells += [", ".join(rate) for rate in zip(*by_phase, strict=True)]
        rows.append([_named(name), *cells])
    ends = ["false P, S an hour before P", "with negatives"]
    return markdown(["", *COLUMNS.values(), *ends], rows)


def headline() -> str:
    """F1 of the packaged picker and of the best published ones, short enough for the first page."""
    found = results("unseen_regions")["pickers"]
    packaged = max(name for name in found if name.startswith("compact_picking"))
    rows = []
    for name in (packaged, "phasenet/volpick", "phasenet/original", "eqtransformer/volpick"):
        by_column = found[name]
        cells = [
            f"{by_column[c]['at 0.3']['all']:.2f} ({by_column[c]['best']['all']:.2f})"
            for c in COLUMNS
        ]
        rates = [by_column["false picks per hour"][phase]["at 0.3"] for phase in "PS"]
        for kind in ("noise before P", "all"):
            cells.append(" / ".join(f"{rate[kind]:.1f}" for rate in rates))
        rows.append([f"`{name}`", *cells])
    ends = ["false P / S an hour of noise", "with negatives"]
    return markdown(["model", *COLUMNS.values(), *ends], rows)


def picking_by_region() -> str:
    """F1 at 0.3 and 0.5 s by region."""
    found, rows = results("unseen_regions"), []
    for name, figures in found["pickers"].items():
        cells = [
            f"{figures[f'{phase}@0.5']['at 0.3'][region]:.2f}"
            for region in found["regions"]
            for phase in "PS"
            if figures[f"{phase}@0.5"]["picks"][region] > 1
        ]
        rows.append([_named(name), *cells])
    picks = next(iter(found["pickers"].values()))
    head = [
        f"{phase} {region} ({picks[f'{phase}@0.5']['picks'][region]})"
        for region in found["regions"]
        for phase in "PS"
        if picks[f"{phase}@0.5"]["picks"][region] > 1
    ]
    return markdown(["", *head], rows)


def differences() -> str:
    """How much better the packaged picker is than others, record by record."""
    rows = []
    for name, found in results("unseen_regions")["pickers"].items():
        for level in ("at 0.3", "best"):
            others = [key for key in found["P@0.5"][level] if key.startswith("less ")]
            for other in others:
                cells = [
                    _with_limits(value, limits)
                    for value, *limits in (found[column][level][other] for column in COLUMNS)
                ]
                label = f"`{name}` less {_named(other.removeprefix('less '))}, {level}"
                rows.append([label, *cells])
    return markdown(["", *COLUMNS.values()], rows)


def estimates(task: str) -> str:
    """All rows of a task, by set."""
    found = results("unseen_estimates")[task]
    groups = dict.fromkeys(s for row in found.values() for s in row if isinstance(row[s], dict))
    sets = [
        s for s in groups if any(row.get(s, {}).get("records", 0) > 1 for row in found.values())
    ]
    rows = []
    for name, row in found.items():
        cells = []
        for group in sets:
            figures = row.get(group, {})
            if figures.get("records", 0) < 2:
                cells.append("-")
                continue
            value = list(figures.values())[1]
            cell = _with_limits(value, figures["limits"], 2 if value < 2 else 1)
            if "within 1 spreads" in figures:
                cell += f"; {figures['within 1 spreads']:.2f}, {figures['within 2 spreads']:.2f}"
            cells.append(f"{cell} [{figures['records']}]")
        rows.append([name, *cells])
    return markdown(["", *sets], rows)


def clear_p() -> str:
    """Share of clear P by kind of record, components and rate."""
    rows = []
    for name, found in results("clear_p")["pickers"].items():
        for kind, figures in found["clear P"].items():
            variants = figures["by variant"]
            cells = [f"{variants[v]['share']:.3f}" if v in variants else "-" for v in _variants()]
            rows.append([f"{_named(name)}, {kind} ({figures['all']['records']})", *cells])
    return markdown(["", *_variants()], rows)


def _variants() -> list[str]:
    return ["ZNE", "ZN", "Z", "20 Hz", "50 Hz", "100 Hz", "250 Hz"]


def disturbances() -> str:
    """Share of disturbances with a false P and S."""
    rows, head = [], []
    for name, found in results("clear_p")["pickers"].items():
        head = list(found["disturbances"])
        cells = [
            f"{row['P'] / row['cases']:.2f}, {row['S'] / row['cases']:.2f}"
            for row in found["disturbances"].values()
        ]
        rows.append([_named(name), *cells])
    return markdown(["", *head], rows)


TABLES: dict[str, Callable[[], str]] = {
    "headline": headline,
    "unseen-picking": lambda: picking("at 0.3"),
    "unseen-picking-best": lambda: picking("best"),
    "unseen-by-region": picking_by_region,
    "unseen-differences": differences,
    **{
        f"unseen-{task.replace('_', '-')}": lambda task=task: estimates(task)
        for task in ("magnitude", "distance", "back_azimuth", "polarity")
    },
    "clear-p": clear_p,
    "disturbances": disturbances,
}


def filled(text: str) -> str:
    """
    A page with all its tables.

    :raises ValueError: If a table is not known.
    """

    def put(match: re.Match) -> str:
        if match["name"] not in TABLES:
            raise ValueError(f"No table '{match['name']}'. Known: {', '.join(TABLES)}.")
        return match[1] + "\n" + TABLES[match["name"]]() + "\n" + match[3]

    return MARK.sub(put, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pages", nargs="*", type=Path, default=PAGES)
    parser.add_argument("--check", action="store_true", help="change nothing, fail if out of date")
    args = parser.parse_args()
    for page in args.pages:
        text = page.read_text()
        new = filled(text)
        if args.check and new != text:
            sys.exit(f"{page} is not what the results say: run python -m benchmarks.making.tables.")
        page.write_text(new)


if __name__ == "__main__":
    main()
