"""The commands ``seisbench-llm pick`` and ``demo``."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from ..trace_ids import TraceId
from .common import (
    echo_json_lines,
    echo_skipped,
    echo_table,
    echo_written,
    input_files,
    save_figure,
    short_time,
)
from .options import (
    DONE_IN_PART,
    AsJsonLines,
    DeviceName,
    Out,
    StationsFile,
    Weights,
    with_picking_options,
)

PickFormat = Enum(  # type: ignore[misc]
    "PickFormat",
    {
        name: name
        for name in (
            *("csv", "parquet", "quakeml", "scml", "pyocto", "gamma"),
            *("phasenet", "eqtransformer", "hypodd", "growclust", "nlloc"),
        )
    },
    type=str,
)

_COLUMNS = {
    "trace_id": str,
    "phase": str,
    "time": short_time,
    "probability": "{:.2f}".format,
    "amplitude_counts": "{:.4g}".format,
    "snr": "{:.1f}".format,
    "amplitude": "{:.3g}".format,
}

# Seconds. Longer records are drawn as days with one hour per line.
_LONGEST_AS_WAVEFORMS = 2 * 3600


@with_picking_options
def pick(
    files: Annotated[
        list[Path], typer.Argument(help="Waveform files, folders, or 'patterns*' in quotes.")
    ],
    weights: Weights = "compact_picking",
    out: Out = None,
    formats: Annotated[
        list[PickFormat] | None,
        typer.Option("--format", help="Output format. May be repeated. Default: csv and quakeml."),
    ] = None,
    plot: Annotated[bool, typer.Option(help="Draw waveforms and picks.")] = False,
    stations: StationsFile = None,
    amplitudes: Annotated[
        bool,
        typer.Option(
            "--amplitudes", help="Measure amplitudes at picks, with --stations also ground motion."
        ),
    ] = False,
    device: DeviceName = "auto",
    *,
    picking: dict,
    keep_going: Annotated[
        bool,
        typer.Option(
            "--keep-going", help="Skip files that cannot be read, and end with exit code 3."
        ),
    ] = False,
    as_json: AsJsonLines = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print no table and no progress.")
    ] = False,
) -> None:
    """
    Pick P and S in waveform files.

    Exit codes: 0 done, 2 an error, 3 done except for files that could not be read (--keep-going).

    Example: seisbench-llm pick day.mseed --out picks --plot
    """
    run_pick(
        files,
        weights,
        out=out,
        formats=[form.value for form in formats] if formats else None,
        plot=plot,
        stations=stations,
        amplitudes=amplitudes,
        keep_going=keep_going,
        show="json" if as_json else "quiet" if quiet else "table",
        device=device,
        **picking,
    )


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the output files.")] = Path("demo_output"),
) -> None:
    """
    Pick the example earthquakes of ObsPy: one at BW.RJOB, and a swarm at the UH array.

    It writes waveforms.mseed and then runs "pick waveforms.mseed --plot".

    Example: seisbench-llm demo --out demo_output
    """
    import obspy

    from ..atomic import replacing

    data = Path(obspy.__file__).parent / "signal" / "tests" / "data"
    stream = obspy.read()
    for file in sorted(data.glob("BW.UH*.cut.slist.gz")):
        stream += obspy.read(file)
    for trace in stream:
        trace.data = trace.data.astype("float32")
    with replacing(out / "waveforms.mseed") as partial:
        stream.write(str(partial), format="MSEED")
    run_pick([out / "waveforms.mseed"], out=out, plot=True)


def run_pick(
    files: Sequence[Path],
    weights: str = "compact_picking",
    *,
    out: Path | None = None,
    formats: Sequence[str] | None = None,
    plot: bool = False,
    stations: str | None = None,
    amplitudes: bool = False,
    keep_going: bool = False,
    show: str = "table",
    device: str = "auto",
    **arguments,
) -> None:
    """
    Pick files, print the picks, and write them.

    :param stations: File or service with stations. Components are rotated and, with ``out``, a
        table of coordinates is written.
    :param amplitudes: Whether picks get columns with amplitudes.
    :param show: ``table``, ``json`` or ``quiet``.
    :param device: See :py:func:`seisbench_llm.models.devices.find_device`.
    :param arguments: Arguments of the model's ``classify``.
    """
    from ..export.at_picks import amplitude_columns
    from ..export.formats import require
    from ..export.tables import picks_to_dataframe
    from ..models.devices import find_device
    from ..models.seismollm import SeisMoLLM
    from ..pick_files import pick_files
    from ..stations import Stations, stations_to_dataframe

    if out is None and (formats or plot):
        raise ValueError("--format and --plot need a folder for the files: --out.")
    formats = formats or ("csv", "quakeml")
    for name in formats:
        require(name, associated=False)
    known = Stations.read(stations) if stations else None
    coordinates = None if known is None else stations_to_dataframe(known)
    paths = input_files(files, out)
    place = find_device(device)
    model = SeisMoLLM.from_pretrained(weights).to(place)
    if model.task.name != "picking":
        raise ValueError(f"The weights '{weights}' are for {model.task.name}, not for picking.")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    figures = PartFigures(out) if plot else None
    picked = pick_files(
        model,
        paths,
        keep_going=keep_going,
        progress=show != "quiet" and sys.stderr.isatty(),
        watch=figures,
        stations=known,
        amplitudes=amplitudes,
        **arguments,
    )
    table = picks_to_dataframe(picked.picks)
    if picked.amplitudes is not None:
        physical = known is not None
        table = table.join(amplitude_columns(picked.amplitudes, len(table), physical))
    if show == "json":
        echo_json_lines(table)
        echo_skipped(picked.skipped, picked.failed)
    elif show == "table":
        typer.echo(f"{len(table)} picks at {len(picked.stations)} stations")
        echo_table(table, _COLUMNS)
    if out is not None:
        written = figures.names if figures else []
        written += _write(table, out, formats, f"{Path(weights).name}/{model.weights_version}")
        if coordinates is not None:
            written += _write_stations(coordinates, table, out, plot)
        if show == "table":
            echo_written(out, written)
    for file, why in picked.failed.items():
        typer.echo(f"seisbench-llm: skipped {file}: {why}", err=True)
    if picked.failed:
        raise typer.Exit(DONE_IN_PART)


def _write(table, out: Path, formats: Sequence[str], method: str) -> list[str]:
    """Write picks in several formats and return the names of the files."""
    from ..export.formats import FORMATS
    from ..export.write import export

    paths = {name: out / f"picks{FORMATS[name].suffixes[0]}" for name in formats}
    return [export(table, path, name, method=method).name for name, path in paths.items()]


def _write_stations(coordinates, table, out: Path, plot: bool) -> list[str]:
    """Write a table of stations and, if asked for, a map. Return the names of the files."""
    from ..atomic import replacing
    from ..export.files import write_csv

    with replacing(out / "stations.csv") as partial:
        write_csv(coordinates, partial)
    if not plot:
        return ["stations.csv"]
    from ..plotting.map import plot_map

    save_figure(plot_map(coordinates, picks=table), out / "map.png")
    return ["stations.csv", "map.png"]


class PartFigures:
    """
    Figures of the parts that are picked together: waveforms of short records, otherwise days.

    :param out: Folder of the figures.
    :param names: Names of the files that were written.
    """

    def __init__(self, out: Path):
        self.out = out
        self.names: list[str] = []

    def __call__(self, stream, annotations, picks) -> None:
        """Draw a part that :py:func:`~seisbench_llm.pick_files.pick_files` passes."""
        from obspy import Stream

        instruments = defaultdict(Stream)
        for trace in stream:
            instruments[TraceId.of(trace).instrument_id].append(trace)
        spans = {
            name: (
                min(t.stats.starttime for t in traces),
                max(t.stats.endtime for t in traces),
            )
            for name, traces in instruments.items()
        }
        if all(last - first <= _LONGEST_AS_WAVEFORMS for first, last in spans.values()):
            self._draw_waveforms(stream, annotations, picks)
            return
        for name, traces in instruments.items():
            self._draw_days(name, traces, spans[name], picks)

    def _draw_waveforms(self, stream, annotations, picks) -> None:
        from ..plotting.picks import plot_picks

        name = "picks.png"
        if name in self.names:
            name = f"picks_{TraceId.of(stream[0]).station_id}.png"
        self._save(plot_picks(stream, picks, annotations), name)

    def _draw_days(self, name: str, stream, span, picks) -> None:
        from obspy import UTCDateTime

        from ..plotting.day import plot_day

        first, last = span
        day = UTCDateTime(first.date)
        while day <= last:
            # Files begin and end a little before or after midnight.
            inside = min(last, day + 86400) - max(first, day)
            if inside > 60 and stream.slice(day, day + 86400):
                self._save(plot_day(stream, picks, day=day), f"picks_{name}_{day.date}.png")
            day += 86400

    def _save(self, figure, name: str) -> None:
        # Codes come from files and may be "../..".
        name = quote(name, safe="")
        save_figure(figure, self.out / name)
        self.names.append(name)
