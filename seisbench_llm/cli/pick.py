"""Commands of ``seisbench-llm`` that pick waveform files."""

from __future__ import annotations

import sys
from collections import defaultdict
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

PickFormat = Enum(
    "PickFormat",
    {name: name for name in ("csv", "parquet", "quakeml", "pyocto", "gamma", "hypodd", "nlloc")},
    type=str,
)


# Longer records are drawn as days, an hour a line.
_LONGEST_AS_WAVEFORMS = 2 * 3600


def pick(
    files: Annotated[
        list[Path], typer.Argument(help="Waveform files, folders, or 'patterns*' in quotes.")
    ],
    weights: Annotated[str, typer.Option(help="Name, path or Hugging Face id.")] = (
        "compact_picking"
    ),
    out: Annotated[Path | None, typer.Option(help="Folder for the files written.")] = None,
    formats: Annotated[
        list[PickFormat] | None,
        typer.Option("--format", help="Format to write, csv and quakeml by default; repeatable."),
    ] = None,
    plot: Annotated[bool, typer.Option(help="Draw waveforms and picks.")] = False,
    stations: Annotated[
        Path | None,
        typer.Option(help="StationXML, or CSV with id, latitude, longitude: table and map."),
    ] = None,
    p_threshold: Annotated[float, typer.Option(min=0, max=1)] = 0.3,
    s_threshold: Annotated[float, typer.Option(min=0, max=1)] = 0.3,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Skip files that cannot be read; exit code 2.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines, no table.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print no table and no progress.")
    ] = False,
) -> None:
    """
    Pick P and S in waveform files.

    Exit codes: 0 done, 1 an error, 2 done but for files that could not be read (--keep-going).

    Example: seisbench-llm pick day.mseed --out picks --plot
    """
    thresholds = {"P_threshold": p_threshold, "S_threshold": s_threshold}
    how = "json" if as_json else "quiet" if quiet else "table"
    _pick(files, weights, out, formats, plot, stations, thresholds, how, keep_going)


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the files written.")] = Path("demo_output"),
) -> None:
    """
    Pick the earthquakes that come with ObsPy: one at BW.RJOB, a swarm at the UH array.

    Writes waveforms.mseed first; the rest is what "pick waveforms.mseed --plot" does.

    Example: seisbench-llm demo --out demo_output
    """
    import obspy

    data = Path(obspy.__file__).parent / "signal" / "tests" / "data"
    stream = obspy.read()
    for file in sorted(data.glob("BW.UH*.cut.slist.gz")):
        stream += obspy.read(file)
    out.mkdir(parents=True, exist_ok=True)
    for trace in stream:
        trace.data = trace.data.astype("float32")
    stream.write(out / "waveforms.mseed", format="MSEED")
    _pick([out / "waveforms.mseed"], "compact_picking", out, None, True, None, {}, "table", False)


def _pick(files, weights, out, formats, plot, stations, thresholds, how, keep_going) -> None:
    from ..export.formats import FORMATS, require
    from ..export.tables import picks_to_dataframe
    from ..export.write import export
    from ..models.seismollm import SeisMoLLM
    from ..pick_files import pick_files
    from ..stations import read_stations, stations_to_dataframe

    if out is None and (formats or plot or stations):
        raise ValueError("--format, --plot and --stations need a folder to write to: --out.")
    names = [form.value for form in formats or [PickFormat.csv, PickFormat.quakeml]]
    for name in names:
        require(name, associated=False)
    coordinates = stations_to_dataframe(read_stations(stations)) if stations else None

    model = SeisMoLLM.from_pretrained(weights)
    if model.task.name != "picking":
        raise ValueError(f"The weights '{weights}' are for {model.task.name}, not for picking.")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []

    def watch(stream, annotations, picks):
        _plot(out, written, stream, picks, annotations)

    found = pick_files(
        model,
        files,
        keep_going=keep_going,
        progress=how != "quiet" and sys.stderr.isatty(),
        watch=watch if plot else None,
        **thresholds,
    )
    table = picks_to_dataframe(found.picks)
    if how == "json":
        lines = table.to_json(orient="records", lines=True, date_format="iso", date_unit="us")
        typer.echo(lines, nl=False)
    elif how == "table":
        _print(table, found)

    if out is not None:
        method = f"{Path(weights).name}/{model.weights_version}"
        for name in names:
            path = out / f"picks{FORMATS[name].suffixes[0]}"
            written.append(export(found.picks, path, name, method=method))
        if coordinates is not None:
            written.append(out / "stations.csv")
            coordinates.to_csv(written[-1], index=False)
            if plot:
                from ..plotting.map import plot_map

                written.append(out / "map.png")
                plot_map(coordinates, picks=table).savefig(written[-1], dpi=150)
    if out is not None and how == "table":
        shown = sorted({path.name for path in written})
        more = f" and {len(shown) - 10} more" if len(shown) > 10 else ""
        typer.echo(f"Written to {out}: {', '.join(shown[:10])}{more}")
    for file, why in found.failed.items():
        typer.echo(f"seisbench-llm: skipped {file}: {why}", err=True)
    if found.failed:
        raise typer.Exit(2)


def _plot(out: Path, written: list[Path], stream, picks, annotations) -> None:
    """Draw a part: waveforms if all are short, else each instrument's days."""
    from obspy import Stream, UTCDateTime

    from ..plotting.day import plot_day
    from ..plotting.picks import plot_picks

    instruments = defaultdict(Stream)
    for trace in stream:
        instruments[trace.id[:-1]].append(trace)
    spans = {
        name: (min(t.stats.starttime for t in own), max(t.stats.endtime for t in own))
        for name, own in instruments.items()
    }
    if all(last - first <= _LONGEST_AS_WAVEFORMS for first, last in spans.values()):
        path = out / "picks.png"
        if path in written:
            path = out / f"picks_{'.'.join(stream[0].id.split('.')[:2])}.png"
        plot_picks(stream, picks, annotations).savefig(path, dpi=150)
        written.append(path)
        return
    for name, own in instruments.items():
        first, last = spans[name]
        day = UTCDateTime(first.date)
        while day <= last:
            # Files begin and end a little beside midnight.
            inside = min(last, day + 86400) - max(first, day)
            if inside > 60 and own.slice(day, day + 86400):
                written.append(out / f"picks_{name}_{day.date}.png")
                plot_day(own, picks, day=day).savefig(written[-1], dpi=150)
            day += 86400


def _print(table, found) -> None:
    typer.echo(f"{len(table)} picks at {len(found.stations)} stations")
    if len(table):
        shown = table[["trace_id", "phase", "time", "probability"]].copy()
        shown["time"] = shown["time"].dt.strftime("%Y-%m-%dT%H:%M:%S.%f").str[:-4]
        shown["probability"] = shown["probability"].map("{:.2f}".format)
        typer.echo(shown.to_string(index=False))
