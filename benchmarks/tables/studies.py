"""Tables of single studies: language model, learning, held-out records, monitor."""

from __future__ import annotations

import pandas as pd

from .markdown import by_share, digits_of, markdown, named, results

BASE = "random, all trained"


def _scores(task: str) -> pd.DataFrame:
    table = pd.DataFrame(results("language_model"))
    part = table[table["task"] == task]
    scores = part.pivot_table(index="variant", columns=["share", "seed"], values="score")
    return scores.loc[list(dict.fromkeys(part["variant"]))]


def language_model(task: str, difference: bool = False) -> str:
    """Mean and range over the seeds, by variant and share of the records."""
    scores = _scores(task)
    digits = digits_of(scores)
    if difference:
        scores = (scores - scores.loc[BASE]).drop(index=BASE)
    return by_share(scores, digits)


def language_model_sizes() -> str:
    """Millions of weights of the variants."""
    table = pd.DataFrame(results("language_model"))
    first = table[table["task"] == "picking"].drop_duplicates("variant")
    rows = [
        [row.variant, f"{row.weights / 1e6:.2f} M", f"{row.trained / 1e6:.2f} M"]
        for row in first.itertuples()
    ]
    return markdown(["Variant", "weights", "trained"], rows)


def learning() -> str:
    """Each task after minutes on synthetic records."""
    rows = [
        [
            task.replace("_", "-"),
            row["measure"],
            f"{row['model']:.3g}",
            f"{row['trivial']:.3g}",
            str(row["records"]),
        ]
        for task, row in results("learning").items()
    ]
    return markdown(["Task", "Measure", "Model", "Trivial predictor", "Test records"], rows, left=2)


def held_out_picking() -> str:
    """F1 on held-out records of the training's own regions, at 0.3."""
    found, columns = results("picking"), ("P@0.5", "S@0.5", "P@0.1", "S@0.1")
    rows = [
        [named(name), *(f"{row[column]['at 0.3']['all']:.2f}" for column in columns)]
        for name, row in found.items()
        if isinstance(row, dict) and "P@0.5" in row
    ]
    return markdown(["Picker", *(f"{c[0]} {c[2:]} s" for c in columns)], rows)


def monitor() -> str:
    """What the monitor finds of a known swarm."""
    found = results("monitor")
    error, pairs, others = found["epicentre_error_km"], found["pairs"], found["not_catalogued"]
    first, likely = pairs["first S"], pairs["most probable S"]
    rows = [
        ["catalogued events", f"{found['catalogued_events']}"],
        ["found within 2 s of origin time", f"{found['found_and_catalogued']}"],
        ["found, not in the catalogue", f"{others['all']}"],
        ["uncertainty above 4 km, among the latter", f"{others['uncertainty_above_4_km']}"],
        ["error of the epicentre, median", f"{error['median']:.1f} km"],
        ["error of the epicentre, 90 % below", f"{error['p90']:.1f} km"],
        ["error of the depth, median", f"{found['depth_error_km_median']:.1f} km"],
        ["epicentres within their stated 68 % region", f"{found['within_stated_uncertainty']}"],
        ["S of a P: right, wrong, none", f"{first['right']}, {first['wrong']}, {first['none']}"],
        [
            "with the most probable S instead of the first",
            f"{likely['right']}, {likely['wrong']}, {likely['none']}",
        ],
    ]
    return markdown(["Swarm in Iceland", "Result"], rows)
