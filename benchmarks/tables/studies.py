"""Tables of single studies: language model, learning, held-out records, failures, live picks."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from .markdown import by_share, digits_of, markdown, named, results, with_limits

BASE = "random, all trained"
# Task -> key of a record -> what went wrong there, as somebody saw who looked at the figure.
CAUSES = Path(__file__).with_name("causes.json")


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


def decoder() -> str:
    """Three blocks of SmolLM2 in the middle: mean over the seeds, least and largest."""
    table = pd.DataFrame(results("decoder"))
    units = {"picking": "F1 of picking", "distance": "MAE of distance, km"}
    tasks = list(dict.fromkeys(table["task"]))
    rows = []
    for variant, part in table.groupby("variant", sort=False):
        seeds = [part.loc[part["task"] == task, "score"] for task in tasks]
        cells = []
        for scores, task in zip(seeds, tasks, strict=True):
            digits, ends = 3 if task == "picking" else 1, [scores.min(), scores.max()]
            alone = len(scores) == 1
            cells.append(
                f"{ends[0]:.{digits}f}" if alone else with_limits(scores.mean(), ends, digits)
            )
        first = part.iloc[0]
        sizes = [f"{first['weights'] / 1e6:.2f} M", f"{first['trained'] / 1e6:.2f} M"]
        rows.append([str(variant), *sizes, *cells])
    median = table.groupby("task")["trivial"].mean()
    cells = ["" if pd.isna(median[task]) else f"{median[task]:.1f}" for task in tasks]
    rows.append(["always the median", "", "", *cells])
    names = [units.get(task, task.replace("distance", "MAE of distance, km")) for task in tasks]
    return markdown(["Variant", "weights", "trained", *names], rows)


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


def failures(task: str) -> str:
    """
    The worst held-out records of a task, and what went wrong.

    :raises KeyError: If nobody has said yet what went wrong with a record.
    """
    causes = json.loads(CAUSES.read_text())[task]
    rows = [
        [str(number), row["record"], row["outcome"].replace(" degree,", "°,"), causes[row["key"]]]
        for number, row in enumerate(results("failures")[task]["worst"], start=1)
    ]
    return markdown(["No.", "Record", "Truth and answer", "What went wrong"], rows, left=4)


def live() -> str:
    """Preliminary picks against confirmed ones, by settling time."""
    rows = []
    for settle, found in results("live_agreement")["settle"].items():
        phases = []
        for phase in "PS":
            row = found[phase]
            both = row["preliminary and confirmed"]
            rejected = row["preliminary"] - both
            shares = both / row["confirmed"], rejected / row["preliminary"]
            phases.append(", ".join(f"{100 * share:.0f} %" for share in shares))
        late, moved = (
            [max(found[phase][key][i] for phase in "PS") for i in (0, 1)]
            for key in ("after the onset, s", "moved, s")
        )
        rows.append(
            [
                f"{settle} s",
                f"{late[0]:.1f} s, {late[1]:.1f} s",
                *phases,
                f"{moved[0]:.2f} s, {moved[1]:.2f} s",
            ]
        )
    head = ["`--settle`", "After the onset (median, 95 %)", "P found, rejected"]
    return markdown([*head, "S found, rejected", "Moved (median, 95 %)"], rows)


def stability() -> str:
    """How far picks move when the stream starts elsewhere."""
    rows = [
        [
            f"{named(name)}, {phase}",
            f"{100 * row['at most 2 samples']:.0f} %",
            f"{100 * row['lost']:.0f} %",
            f"{row['50, 90, 95, 99 %, s'][2]:.2f}",
            str(row["picks"]),
        ]
        for name, phases in results("pick_stability").items()
        for phase, row in phases.items()
    ]
    head = ["Picker", "At most 2 samples", "Lost", "95 % of the others within, s", "Picks"]
    return markdown(head, rows)


_LOCATED = {
    "synthetic": "Synthetic networks",
    "ridgecrest": "Ridgecrest",
    "iceland": "Iceland",
    "iceland, its own medium": "Iceland, medium of the region",
    "new zealand": "New Zealand",
    "new zealand, its own medium": "New Zealand, medium of the region",
}


def locations() -> str:
    """Whether regions of located events hold the true places, by set and number of stations."""
    found, rows = results("locations"), []
    for name, title in _LOCATED.items():
        for count, one in found[name].items():
            low, high = one["limits"]
            rows.append(
                [
                    title,
                    count,
                    f"{one['locations']}",
                    f"{one['inside']:.0%} ({low:.0%} to {high:.0%})",
                    f"{one['error_km']:.1f} km",
                    f"{one['depth_inside']:.0%}",
                    f"{one['depth_bias_km']:+.1f} km",
                    f"{one['without_depth']:.0%}",
                    f"{one['quality']['D']:.0%}",
                ]
            )
    columns = ["Events", "Stations", "Locations", "Epicentres inside", "Error, median"]
    columns += ["Depths inside", "Depth minus true", "Without depth", "Class D"]
    return markdown(columns, rows)


def magnitudes() -> str:
    """ML from amplitudes at S picks against catalogues."""
    titles = {
        "openeew_mexico": "Mexico, accelerometers",
        "ridgecrest": "Ridgecrest, boreholes",
        "ridgecrest_corrected": "Ridgecrest, corrected for boreholes",
    }
    rows = [
        [
            titles[name],
            f"{one['events']}",
            f"{one['stations']}",
            f"{one['bias']:+.2f}",
            f"{one['mean absolute error']:.2f}",
            f"{one['spread of stations']:.2f}",
            f"{one['stations within one error']:.0%}",
            f"{one['within one error']:.0%}",
        ]
        for name, one in results("magnitudes").items()
    ]
    columns = ["ML from amplitudes", "Events", "Station magnitudes", "ML minus catalogue, median"]
    columns += ["Mean absolute error", "Spread of stations"]
    columns += ["Stations within their error", "Events within their error"]
    return markdown(columns, rows)
