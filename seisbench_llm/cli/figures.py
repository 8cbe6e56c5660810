"""The command ``seisbench-llm figures``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .common import echo_written, save_figure
from .complete import weight_names
from .options import Quiet, StationsFile

if TYPE_CHECKING:
    import obspy
    import pandas as pd

# Seconds of waveforms around an event: a window of the packaged picker on both sides.
_AROUND_S = 120.0


def figures(
    catalogue: Annotated[
        Path,
        typer.Argument(
            help="Folder that monitor or associate has written, a catalogue in QuakeML or "
            "another format that ObsPy reads, or a table of events."
        ),
    ],
    waveforms: Annotated[
        list[Path] | None,
        typer.Argument(help="Waveform files, folders or an SDS archive, for record sections."),
    ] = None,
    inventory: StationsFile = None,
    out: Annotated[Path, typer.Option(help="Folder of the figures.")] = Path("figures"),
    event: Annotated[
        list[str] | None,
        typer.Option(help="Only this event, by the event_id of the table. May be repeated."),
    ] = None,
    begin: Annotated[
        str | None, typer.Option("--from", help="Only events from this time (UTC) on.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Only events before this time (UTC).")
    ] = None,
    most: Annotated[
        int, typer.Option(min=0, help="Most record sections; the largest events are drawn.")
    ] = 12,
    max_stations: Annotated[
        int, typer.Option(min=1, help="Most stations of a record section, the nearest with picks.")
    ] = 20,
    weights: Annotated[
        str,
        typer.Option(help="Picker whose curves are drawn.", autocompletion=weight_names),
    ] = "compact_picking",
    curves: Annotated[bool, typer.Option(help="Draw the curves of the picker.")] = True,
    quiet: Quiet = False,
) -> None:
    """
    Draw a catalogue: map, magnitudes, sections of depth, Wadati plot, and sections of its events.

    Record sections need waveforms and --stations.

    Example: seisbench-llm figures catalogue /data/sds --stations stations.xml --from 2020-03-01
    """
    from ..plotting import plot_depths, plot_magnitudes, plot_map, plot_wadati
    from ..stations import Stations

    stations = None if inventory is None else Stations.read(inventory)
    if waveforms and stations is None:
        raise ValueError("Record sections need the stations, too: use --stations.")
    events, picks = _read(catalogue)
    if event:
        strange = sorted(set(event) - set(events["event_id"]))
        if strange:
            raise ValueError(f"{catalogue} has no event {', '.join(strange)}.")
        events = events[events["event_id"].isin(event)]
    events = _between(events, _time(begin, "--from"), _time(end, "--to"))
    if not len(events):
        raise ValueError(f"{catalogue} has no events, or none in that time.")
    own = picks
    if "event_id" in picks:
        own = picks[picks["event_id"].isin(events["event_id"])]
    out.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, Callable] = {
        "map.png": lambda: plot_map(stations, own, events),
        "magnitudes.png": lambda: plot_magnitudes(events),
        "depths.png": lambda: plot_depths(events, stations),
        "wadati.png": lambda: plot_wadati(own, events),
    }
    written = []
    for name, draw in drawn.items():
        try:
            figure = draw()
        except ValueError as error:
            # A catalogue without magnitudes, depths or S has its other figures.
            typer.echo(f"No {name}: {error}", err=True)
            continue
        save_figure(figure, out / name)
        written.append(name)
    if waveforms:
        annotate = _annotate(weights, stations) if curves else None
        written += _sections(
            events, picks, stations, _reader(waveforms), annotate, most, max_stations, out
        )
    if not quiet:
        echo_written(out, written, most=20)


def _read(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Events and picks of a catalogue."""
    import pandas as pd

    from ..export import picks_to_dataframe, read_events, read_picks

    if not path.is_dir():
        # A table of events is one without picks.
        tables_only = path.suffix.lower() in (".csv", ".parquet")
        return read_events(path), picks_to_dataframe([]) if tables_only else read_picks(path)
    tables: dict[str, pd.DataFrame] = {}
    for name in ("events", "single_station", "picks"):
        files = [path / f"{name}{suffix}" for suffix in (".parquet", ".csv")]
        file = next((one for one in files if one.is_file()), None)
        if file is not None:
            tables[name] = (read_picks if name == "picks" else read_events)(file)
    if "events" not in tables:
        if (path / "catalog.xml").is_file():
            return _read(path / "catalog.xml")
        raise FileNotFoundError(f"There is no events.csv, events.parquet or catalog.xml in {path}.")
    parts = [tables[name] for name in ("events", "single_station") if name in tables]
    events = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return events.sort_values("time"), tables.get("picks", picks_to_dataframe([]))


def _time(text: str | None, option: str) -> pd.Timestamp | None:
    import obspy
    import pandas as pd

    if text is None:
        return None
    try:
        return pd.Timestamp(obspy.UTCDateTime(text).datetime, tz="UTC")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{option} '{text}' is not a time, such as 2020-03-01T12:00.") from error


def _between(events: pd.DataFrame, begin, end) -> pd.DataFrame:
    if begin is not None:
        events = events[events["time"] >= begin]
    return events if end is None else events[events["time"] < end]


def _reader(paths: Sequence[Path]) -> Callable:
    """Function that reads the waveforms from one time to another."""
    from ..archive.files import SDS
    from ..archive.sources import open_source
    from ..waveform_files import Reader, find_files

    if len(paths) == 1 and paths[0].is_dir() and isinstance(source := open_source(paths[0]), SDS):
        # Of a year of data, only the files of an event's days are read.
        return lambda start, end: source.get_waveforms("*", "*", "*", "*", start, end)
    reader = Reader()
    traces = reader.traces(find_files(paths))
    return lambda start, end: reader.stream(traces, start, end)


def _annotate(weights: str, stations) -> Callable:
    from ..models.seismollm import SeisMoLLM
    from ..streams.orientation import Rotation

    picker, rotation = SeisMoLLM.from_pretrained(weights), Rotation(stations)
    return lambda stream: picker.annotate(rotation(stream))


def _sections(
    events: pd.DataFrame,
    picks: pd.DataFrame,
    stations,
    read: Callable[..., obspy.Stream],
    annotate: Callable | None,
    most: int,
    max_stations: int,
    out: Path,
) -> list[str]:
    """Draw the record sections of the largest events, and return the names of the files."""
    import obspy

    from ..plotting import plot_event

    order = events.sort_values(["magnitude", "picks"], ascending=False, na_position="last")
    chosen = order.head(most).sort_values("time")
    if len(chosen) < len(events):
        text = f"Record sections of {len(chosen)} of {len(events)} events, the largest; use --most"
        typer.echo(f"{text}, or --event for others.", err=True)
    written = []
    for row in chosen.itertuples():
        time = obspy.UTCDateTime(ns=row.time.as_unit("ns").value)
        try:
            stream = read(time - _AROUND_S, time + _AROUND_S + 60)
            curves = annotate(stream) if annotate and stream else None
            figure = plot_event(stream, picks, row, stations, curves, max_stations)
        except ValueError as error:
            typer.echo(f"No record section of {row.event_id}: {error}", err=True)
            continue
        name = f"event_{time.strftime('%Y%m%dT%H%M%S')}_{row.event_id[:8]}.png"
        save_figure(figure, out / name)
        written.append(name)
    return written
