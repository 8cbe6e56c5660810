"""The table of the first page: what the packaged weights do on unseen regions."""

from __future__ import annotations

from .markdown import markdown, packaged, results
from .unseen import current

WHAT = {
    "picking": "P and S onsets",
    "distance": "epicentral distance",
    "back_azimuth": "back-azimuth",
    "magnitude": "local magnitude",
    "polarity": "first-motion polarity",
}
# Task -> what is told of it, and another way: what a textbook does without a network, or, for
# polarity, a published network, as the truths there were found by a rule like the textbook's.
EXAMPLES = {
    "distance": ("MAE {:.1f} km, median {:.1f} km", "S minus P"),
    "back_azimuth": ("median error {:.0f}°", "polarisation of P"),
    "magnitude": ("MAE {:.1f}", "Wood-Anderson ML"),
    "polarity": ("{:.0%} correct", "pnsn_polar"),
}


def _network(task: str) -> str:
    return "convolutions" if packaged(task)["model_args"]["backbone"] is None else "one block"


def _picking() -> list[str]:
    found = results("unseen_regions")["pickers"]

    def shown(name: str) -> str:
        return ", ".join(f"{p} {found[name][f'{p}@0.5']['at 0.3']['all']:.2f}" for p in "PS")

    picks = found[current()]
    numbers = ", ".join(f"{picks[f'{p}@0.5']['picks']['all']} {p}" for p in "PS")
    return [f"F1: {shown(current())}", f"PhaseNet: {shown('phasenet/volpick')}", numbers]


def _estimate(task: str) -> list[str]:
    text, rule = EXAMPLES[task]
    found = results("unseen_estimates")[task]
    mine, theirs = found[f"compact_{task}"]["all"], found[rule]["all"]

    def shown(figures: dict) -> str:
        first = list(figures.values())[1]
        return text.format(first, figures.get("median error"))

    count = str(mine["records"])
    if theirs["records"] != mine["records"]:
        count += f" ({theirs['records']})"
    return [shown(mine), f"{rule}: {shown(theirs)}", count]


def weights() -> str:
    """Each packaged weight with its figure on unseen regions, and another way beside it."""
    rows = []
    for task, what in WHAT.items():
        name = f"`compact_{task}` {packaged(task)['version']}"
        figures = _picking() if task == "picking" else _estimate(task)
        rows.append([name, what, _network(task), *figures])
    head = ["Weight", "What", "Network", "Unseen regions", "For comparison", "n"]
    return markdown(head, rows, left=len(head))
