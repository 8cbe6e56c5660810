"""Tables of regions that no weight was trained on, of clear P, and of disturbances."""

from __future__ import annotations

from benchmarks.common.records import DEVELOPMENT_REGION

from .markdown import markdown, named, packaged, results, with_limits

COLUMNS = {"P@0.5": "P 0.5 s", "S@0.5": "S 0.5 s", "P@0.1": "P 0.1 s", "S@0.1": "S 0.1 s"}

# Short enough for the head of a column.
REGIONS = {
    "dev_sichuan": "Sichuan",
    "samos2020_greece": "Samos",
    "openeew_mexico": "Mexico",
    "hamm_mining_loki": "mine",
}


def current() -> str:
    """The packaged picker as the results name it."""
    return f"compact_picking {packaged('picking')['version']}"


def picking(level: str) -> str:
    """F1 of all pickers with limits."""
    rows = []
    for name, found in results("unseen_regions")["pickers"].items():
        cells = [with_limits(found[c][level]["all"], found[c][level]["limits"]) for c in COLUMNS]
        rows.append([named(name), *cells])
    return markdown(["Picker", *COLUMNS.values()], rows)


def false_picks() -> str:
    """False picks per hour of all pickers, at both thresholds."""
    rows = []
    for name, found in results("unseen_regions")["pickers"].items():
        cells = []
        for level in ("at 0.3", "best"):
            rates = [found["false picks per hour"][phase][level] for phase in "PS"]
            for kind in ("noise before P", "all"):
                cells.append(" / ".join(f"{rate[kind]:.1f}" for rate in rates))
        rows.append([named(name), *cells])
    head = [f"{kind}, {level}" for level in ("0.3", "best") for kind in ("noise", "negatives")]
    return markdown(["Picker", *head], rows)


def headline() -> str:
    """F1 of the packaged picker and of the best published ones, short enough for the first page."""
    found = results("unseen_regions")["pickers"]
    rows = []
    for name in (current(), "phasenet/volpick", "phasenet/original", "eqtransformer/volpick"):
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
    return markdown(["Picker", *COLUMNS.values(), *ends], rows)


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
        rows.append([named(name), *cells])
    picks = next(iter(found["pickers"].values()))
    head = [
        f"{phase} {REGIONS.get(region, region)} ({picks[f'{phase}@0.5']['picks'][region]})"
        for region in found["regions"]
        for phase in "PS"
        if picks[f"{phase}@0.5"]["picks"][region] > 1
    ]
    return markdown(["Picker", *head], rows)


def starts() -> str:
    """F1 at 0.1 s and the best threshold in the development region, by how its streams begin."""
    found, rows = results("unseen_regions"), []
    kept, region = found["pickers, starts kept"], DEVELOPMENT_REGION
    for name, figures in found["pickers"].items():
        if name in kept:
            cells = [
                f"{row[f'{phase}@0.1']['best'][region]:.2f}"
                for phase in "PS"
                for row in (kept[name], figures)
            ]
            rows.append([named(name), *cells])
    head = [f"{phase}, {how}" for phase in "PS" for how in ("as cut", "begun elsewhere")]
    return markdown(["Picker", *head], rows)


def times() -> str:
    """How well uncertainties of times hold, of the packaged picker."""
    found = results("unseen_regions")["pickers"][current()]["times"]
    rows = [
        [
            phase,
            region,
            f"{row['within 1']:.2f}",
            f"{row['within 2']:.2f}",
            f"{row['median error']:.3f}",
            str(row["picks"]),
        ]
        for phase, regions in found.items()
        for region, row in regions.items()
        if row["picks"] > 9
    ]
    head = ["Phase", "Set", "Within 1", "Within 2", "Median error, s", "n"]
    return markdown(head, rows, left=2)


def differences() -> str:
    """How much better the packaged picker is than others, record by record."""
    rows = []
    for name, found in results("unseen_regions")["pickers"].items():
        for level in ("at 0.3", "best"):
            others = [key for key in found["P@0.5"][level] if key.startswith("less ")]
            for other in others:
                cells = [
                    with_limits(value, limits)
                    for value, *limits in (found[column][level][other] for column in COLUMNS)
                ]
                label = f"`{name}` less {named(other.removeprefix('less '))}, {level}"
                rows.append([label, *cells])
    return markdown(["Difference", *COLUMNS.values()], rows)


def _named_set(group: str) -> str:
    name, _, rest = group.partition(", ")
    return ", ".join([REGIONS.get(name, name), *([rest] if rest else [])])


def estimates(task: str) -> str:
    """A row for each set and method."""
    found = results("unseen_estimates")[task]
    trained = results("trained_peers").get(task)
    if trained:
        found = found | {f"{trained['network']}, trained here": trained}
    sets = dict.fromkeys(s for row in found.values() for s in row if isinstance(row[s], dict))
    rows = []
    for group in sets:
        for name, row in found.items():
            figures = row.get(group, {})
            if figures.get("records", 0) < 2:
                continue
            value = list(figures.values())[1]
            cells = with_limits(value, figures["limits"], 2 if value < 2 else 1)
            spreads = [figures.get(f"within {n} spreads") for n in (1, 2)]
            shares = ", ".join(f"{share:.2f}" for share in spreads if share is not None)
            rows.append([_named_set(group), name, cells, shares, str(figures["records"])])
    head = [
        "Set",
        "Method",
        "Error" if task != "polarity" else "Accuracy",
        "Within 1, 2 spreads",
        "n",
    ]
    return markdown(head, rows, left=2)


def clear_p() -> str:
    """Share of clear P by kind of record, components and rate."""
    rows = []
    for name, found in results("clear_p")["pickers"].items():
        for kind, figures in found["clear P"].items():
            variants = figures["by variant"]
            cells = [f"{variants[v]['share']:.3f}" if v in variants else "-" for v in _variants()]
            rows.append([f"{named(name)}, {kind} ({figures['all']['records']})", *cells])
    return markdown(["Picker and records", *_variants()], rows)


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
        rows.append([named(name), *cells])
    return markdown(["Picker", *head], rows)


def robustness() -> str:
    """F1 of some pickers with the records made worse, and as they are."""
    found = results("robustness")
    rows = []
    for condition in next(iter(found.values()))["conditions"]:
        cells, picks = [], []
        for figures in found.values():
            phases = figures["conditions"][condition]
            cells.append(
                ", ".join(
                    f"{phase} {row['worse']['F1']:.2f} ({row['as recorded']['F1']:.2f})"
                    for phase, row in phases.items()
                )
            )
            picks = [str(row["worse"]["picks"]) for row in phases.values()]
        rows.append([condition, *cells, ", ".join(picks)])
    return markdown(["Condition", *map(named, found), "P, S"], rows)


def robustness_bins() -> str:
    """F1 of P and S of some pickers by what is known of a record."""
    found, rows = results("robustness"), []
    by_title = next(iter(found.values()))["bins"]
    for title, parts in by_title["P"].items():
        for part in parts:
            cells, picks = [], []
            for figures in found.values():
                both = [figures["bins"][phase][title][part] for phase in "PS"]
                cells.append(" / ".join(f"{r['F1']:.2f}" if r["picks"] else "-" for r in both))
                picks = [str(row["picks"]) for row in both]
            rows.append([f"{title}: {part}", *cells, ", ".join(picks)])
    return markdown(["Records", *map(named, found), "P, S"], rows)
