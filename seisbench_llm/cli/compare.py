"""The command ``seisbench-llm compare``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .common import save_figure
from .options import AsJson


def compare(
    ours: Annotated[
        Path,
        typer.Argument(
            help="Our catalogue: QuakeML, another format that ObsPy reads, or a table of events "
            "(CSV, Parquet; also of GaMMA or PyOcto)."
        ),
    ],
    theirs: Annotated[Path, typer.Argument(help="Their catalogue, to compare ours with.")],
    seconds: Annotated[
        float,
        typer.Option(help="Largest difference between the origin times of a pair, in seconds."),
    ] = 5.0,
    km: Annotated[
        float, typer.Option(help="Largest distance between the epicentres of a pair, in km.")
    ] = 50.0,
    plot: Annotated[Path | None, typer.Option(help="Figure to write, such as out.png.")] = None,
    as_json: AsJson = False,
) -> None:
    """
    Compare two catalogues: events in both, events in one only, and differences (ours - theirs).

    Each event is matched with at most one other event. The magnitude of completeness is computed by
    maximum curvature plus 0.2, from at least 50 magnitudes.

    Example: seisbench-llm compare catalogue/catalog.xml agency.xml --plot compared.png
    """
    from ..monitor.compare import UNITS
    from ..monitor.compare import compare as run

    result = run(_read(ours), _read(theirs), seconds, km)
    summary = result.summary()
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        typer.echo(
            f"{summary['matched']} events in both, {summary['missed']} only in theirs, "
            f"{summary['new']} only in ours"
        )
        for name, unit in UNITS.items():
            entry = summary[name]
            if entry["count"]:
                numbers = [entry[key] for key in ("median", "median_size", "p90_size")]
                texts = "median {:+.2f}, size {:.2f}, 90 % below {:.2f}".format(*numbers)
                title = name.removesuffix("_km")
                typer.echo(f"{title:10} {texts} {unit} ({entry['count']} events)")
        for name in ("ours", "theirs"):
            value = summary[f"completeness_{name}"]
            text = "not known, too few magnitudes" if value is None else f"{value:.1f}"
            typer.echo(f"Magnitude of completeness of {name}: {text}")
    if plot is not None:
        from ..plotting.comparison import plot_comparison

        save_figure(plot_comparison(result), plot)


def _read(path: Path):
    """A catalogue, or a table of events."""
    from ..export import read_events
    from ..export.detect import detect_format
    from ..obspy_files import read_catalog

    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        table = detect_format(path) in ("csv", "parquet", "pyocto", "gamma")
        if not table:
            return read_catalog(path)
    except Exception as error:
        # ObsPy's readers raise exceptions of any kind on a file that is none of theirs.
        raise ValueError(f"{path} cannot be read as a catalogue: {error}") from error
    return read_events(path)
