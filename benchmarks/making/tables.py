"""
Tables, figures in the text, and printed output of the documentation, from the files of results.

    python -m benchmarks.making.tables [PAGE ...]

A page marks the place of a table by its name, ``<!-- table NAME -->`` and ``<!-- end -->``, of a
figure in a sentence by ``<!-- value NAME -->`` and ``<!-- end -->``, and of what the Python block
above prints by ``<!-- output -->`` and ``<!-- end -->``; what is between the two marks is replaced.
``--check`` changes nothing and fails if a page is not up to date.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.tables import cost, first_page, reliability, studies, trust, unseen, values
from benchmarks.tables.markdown import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("[!_]*/*.md"))]
MARK = re.compile(r"(<!-- (?P<kind>table|value) (?P<name>[\w-]+) -->).*?(<!-- end -->)", re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
OUTPUT = re.compile(r"(<!-- output -->).*?(<!-- end -->)", re.DOTALL)

TABLES: dict[str, Callable[[], str]] = {
    "weights": first_page.weights,
    "headline": unseen.headline,
    "unseen-picking": lambda: unseen.picking("at 0.3"),
    "unseen-picking-best": lambda: unseen.picking("best"),
    "unseen-false-picks": unseen.false_picks,
    "unseen-by-region": unseen.picking_by_region,
    "unseen-differences": unseen.differences,
    "unseen-starts": unseen.starts,
    "unseen-times": unseen.times,
    **{
        f"unseen-{task.replace('_', '-')}": lambda task=task: unseen.estimates(task)
        for task in ("magnitude", "distance", "back_azimuth", "polarity")
    },
    "clear-p": unseen.clear_p,
    "disturbances": unseen.disturbances,
    "robustness": unseen.robustness,
    "robustness-bins": unseen.robustness_bins,
    "held-out-picking": studies.held_out_picking,
    **{
        f"failures-{task.replace('_', '-')}": lambda task=task: studies.failures(task)
        for task in ("picking", "polarity", "magnitude", "distance", "back_azimuth")
    },
    "learning": studies.learning,
    "live-agreement": studies.live,
    "live-soak": reliability.soak,
    "kills": reliability.kills,
    "damage": reliability.damage,
    "pick-stability": studies.stability,
    "monitor": studies.monitor,
    "locations": studies.locations,
    "magnitudes": studies.magnitudes,
    "language-model-sizes": studies.language_model_sizes,
    **{
        f"language-model-{task}{'-difference' if less else ''}": lambda task=task, less=less: (
            studies.language_model(task, less)
        )
        for task in ("picking", "distance")
        for less in (False, True)
    },
    "decoder": studies.decoder,
    "cost-models": cost.models,
    "cost-pickers": cost.pickers,
    "cost-window": cost.window,
    "cost-day": cost.day,
    "cost-settings": cost.settings,
    "cost-cores": cost.cores,
    "cost-memory": cost.memory,
    "cost-training": cost.training,
    "cost-loader": cost.loader,
    "environments": trust.environments,
    "mutants": trust.mutants,
    "properties": trust.properties,
}


def printed(code: str) -> str:
    """What a Python block prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "<page>", "exec"), {"__name__": "__main__"})
    return out.getvalue()


def filled(text: str) -> str:
    """
    A page with all its tables and figures.

    :raises ValueError: If a table or a figure is not known.
    """

    def put(match: re.Match) -> str:
        kind, name = match["kind"], match["name"]
        known = TABLES if kind == "table" else values.VALUES
        if name not in known:
            raise ValueError(f"No {kind} '{name}'. Known: {', '.join(known)}.")
        made = known[name]()
        return match[1] + (f"\n\n{made}\n" if kind == "table" else made) + match[4]

    return MARK.sub(put, text)


def with_output(text: str) -> str:
    """A page in which each marked output is what the last Python block before it prints."""

    def put(match: re.Match) -> str:
        code = PYTHON.findall(text[: match.start()])[-1]
        return f"{match[1]}\n\n```text\n{printed(code)}```\n\n{match[2]}"

    return OUTPUT.sub(put, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pages", nargs="*", type=Path, default=PAGES)
    parser.add_argument("--check", action="store_true", help="change nothing, fail if out of date")
    args = parser.parse_args()
    for page in args.pages:
        text = page.read_text()
        new = with_output(filled(text))
        if args.check and new != text:
            sys.exit(f"{page} is not what the results say: run python -m benchmarks.making.tables.")
        if new != text:
            page.write_text(new)


if __name__ == "__main__":
    main()
