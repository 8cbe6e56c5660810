"""Tables of what windows, days, memory and training cost."""

from __future__ import annotations

from seisbench_llm.tasks import TASKS

from .markdown import markdown, results

NETWORKS = {
    "EQTransformer": "EQTransformer",
    "PhaseNet": "PhaseNet (two windows)",
    "packaged": "`compact_picking`",
    "compact": "preset `compact`",
    "full": "published size",
}


def _label(name: str) -> str:
    first, _, rest = name.partition(", ")
    shown = NETWORKS.get(first, first)
    return f"{shown}, {rest}" if rest else shown


def _median(row: dict, key: str) -> str:
    return f"{row[key][0]:.2f}" if key in row else ""


def window() -> str:
    """Milliseconds per window of 60 s, and ratios."""
    rows = [
        [
            _label(name),
            f"{row['milliseconds']:.1f}",
            _median(row, "times EQTransformer"),
            _median(row, "times stock"),
        ]
        for name, row in results("annotate")["forward"].items()
        if isinstance(row, dict)
    ]
    return markdown(["Network", "ms", "times EQTransformer", "times its stock"], rows)


def day() -> str:
    """Seconds per station-day through annotate, and ratios."""
    keys = ("times EQTransformer, stock", "times PhaseNet, stock")
    rows = [
        [_label(name), f"{row['seconds']:.1f}", *(_median(row, key) for key in keys)]
        for name, row in results("annotate")["day"].items()
        if isinstance(row, dict)
    ]
    return markdown(["Picker", "seconds", "times EQTransformer", "times PhaseNet"], rows)


def settings() -> str:
    """Seconds per station-day of the packaged picker by setting."""
    rows = [
        [name, f"{row['seconds']:.1f}", _median(row, "times overlap 0.5")]
        for name, row in results("annotate")["settings"].items()
        if isinstance(row, dict)
    ]
    return markdown(["Setting", "seconds", "times overlap 0.5"], rows)


def cores() -> str:
    """Cores for networks in real time, from a station-day."""
    found = results("annotate")
    threads = found["day"]["threads"]
    days = {
        _label(n): row["seconds"] * threads for n, row in found["day"].items() if n != "threads"
    }
    days["`compact_picking`, one thread"] = found["settings"]["one thread"]["seconds"]
    rows = []
    for name, seconds in sorted(days.items(), key=lambda entry: entry[1]):
        loads = [f"{n * seconds / 86400:.2g}" for n in (100, 1000, 10000)]
        hours = f"{300 * 365.25 * seconds / 3600:,.0f}"
        rows.append([name, f"{seconds:.0f}", *loads, hours])
    head = ["core-seconds per station-day", "100 stations", "1,000", "10,000"]
    return markdown(["Picker", *head, "300 stations, a year (core-hours)"], rows)


def _of_all(name: str) -> list[str]:
    """Task and network of a row of costs.json."""
    task, network = name.split(", ")
    shown = f"`compact_{task}`" if network == "packaged" else NETWORKS.get(network, network)
    return [task.replace("_", "-"), shown.removesuffix(" (two windows)")]


def _measured(head: list[str], rows: list[list[str]], left: int) -> str:
    """A table without the columns of what was not measured yet."""
    keep = [i for i in range(len(head)) if any(row[i] for row in rows)]
    return markdown([head[i] for i in keep], [[row[i] for i in keep] for row in rows], left)


def _quartiles(row: dict, key: str = "value") -> str:
    if key not in row:
        return ""
    middle, low, high = (f"{x:.3g}" for x in row[key])
    return f"{middle} ({low}, {high})"


def models() -> str:
    """All networks of all tasks: their sizes, milliseconds and MiB."""
    found = results("costs")
    times, memory, rows = found.get("windows", {}), found["memory"], []
    counts = {name: row for name, row in found["counts"].items() if name != "threads"}
    for name in sorted(counts, key=lambda name: list(TASKS).index(name.split(", ")[0])):
        row = counts[name]
        held = memory.get(name, {})
        rows.append(
            [
                *_of_all(name),
                f"{row['seconds of window']:.4g} s",
                f"{row['parameters']:,}",
                f"{row['flops'] / 1e6:,.0f}",
                _quartiles(times.get(name, {})),
                str(held.get("batch", "")),
            ]
        )
    head = ["Task", "Network", "Window", "Parameters", "MFLOPs", "ms", "MiB"]
    return _measured(head, rows, 2)


def pickers() -> str:
    """Station-days of pickers through annotate: seconds and MiB."""
    found = results("costs")
    times, memory = found.get("day", {}), found["memory"]
    rows = [
        [
            _of_all(name)[1],
            _quartiles(times.get(name, {})),
            _median(times.get(name, {}), "times PhaseNet"),
            str(memory.get(name, {}).get("day", "")),
        ]
        for name in found["counts"]
        if name.startswith("picking, ") and (name in times or "day" in memory.get(name, {}))
    ]
    return _measured(["Picker", "seconds", "times PhaseNet", "MiB"], rows, 1)


def memory() -> str:
    """MiB beside the stream and its result."""
    rows = [
        [name, *(str(row[key]) for key in ("stream", "peak above it", "of which result"))]
        for name, row in results("memory")["memory"].items()
        if isinstance(row, dict)
    ]
    return markdown(["Call", "stream", "peak above it", "result in it"], rows)


def training() -> str:
    """Samples per second and memory of training steps."""
    rows = [
        [_label(name), str(row["batch"]), f"{row['samples per second']:.1f}", str(row["peak MiB"])]
        for name, row in results("training")["training"].items()
        if isinstance(row, dict)
    ]
    return markdown(["Model", "batch", "samples per second", "peak MiB"], rows)


def loader() -> str:
    """How many times faster than the training step the loader is."""
    rows = [
        [name, f"{row['loader']:.0f}", f"{row['step']:.1f}", f"{row['ratio']:.1f}"]
        for name, row in results("loader").items()
        if isinstance(row, dict)
    ]
    return markdown(["Training", "loader, windows per second", "step", "ratio"], rows)
