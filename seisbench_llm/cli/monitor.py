"""The command ``seisbench-llm monitor``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class MonitorFormat(str, Enum):
    """File formats of a monitor's results."""

    csv = "csv"
    parquet = "parquet"
    quakeml = "quakeml"


SHOWN = {
    "trace_id": str,
    "p_time": lambda time: time.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-4],
    "s_time": lambda time: time.strftime("%H:%M:%S.%f")[:-4],
    "polarity": str,
    "magnitude": "{:.1f}".format,
    "distance_km": "{:.0f}".format,
    "sp_distance_km": "{:.0f}".format,
    "back_azimuth": "{:.0f}".format,
    "latitude": "{:.3f}".format,
    "longitude": "{:.3f}".format,
}


SHOWN_EVENTS = {
    "time": lambda time: time.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-4],
    "latitude": "{:.3f}".format,
    "longitude": "{:.3f}".format,
    "depth_km": "{:.1f}".format,
    "uncertainty_km": "{:.1f}".format,
    "magnitude": "{:.1f}".format,
    "picks": str,
    "stations": str,
    "method": str,
}


def monitor(
    files: Annotated[list[Path], typer.Argument(help="Waveform files that ObsPy can read.")],
    weights: Annotated[str, typer.Option(help="Family of weights: name or path.")] = "compact",
    inventory: Annotated[
        Path | None,
        typer.Option(help="Stations: StationXML, or CSV with id, latitude, longitude, elevation."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the files written.")] = None,
    formats: Annotated[
        list[MonitorFormat], typer.Option("--format", help="Format to write; may be repeated.")
    ] = [MonitorFormat.csv, MonitorFormat.quakeml],  # noqa: B006 (typer copies it)
    plot: Annotated[
        bool, typer.Option(help="Draw waveforms, picks and, with stations, a map.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="All five weights must be there.")] = (
        False
    ),
    p_threshold: Annotated[float, typer.Option(min=0, max=1)] = 0.3,
    s_threshold: Annotated[float, typer.Option(min=0, max=1)] = 0.3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines, no table.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no table.")] = False,
) -> None:
    """
    Pick, estimate polarity, magnitude, distance and back-azimuth at each P, and locate.

    With --inventory: epicentres of single stations and, from three stations, association by
    PyOcto.

    Example: seisbench-llm monitor day.mseed --inventory stations.xml --out catalogue
    """
    from ..monitor.monitor import SeismicMonitor
    from ..stations import read_stations
    from ..waveform_files import read_files

    stations = None if inventory is None else read_stations(inventory)
    stream = read_files(files)
    model = SeismicMonitor.from_pretrained(weights, strict=strict)
    result = model.classify(stream, stations, P_threshold=p_threshold, S_threshold=s_threshold)
    how = "json" if as_json else "quiet" if quiet else "table"
    if how == "json":
        lines = result.table.to_json(
            orient="records", lines=True, date_format="iso", date_unit="us"
        )
        typer.echo(lines, nl=False)
    elif how == "table":
        typer.echo(str(result))
        _print(result.table, SHOWN)
        _print(result.events, SHOWN_EVENTS)
    if out is None:
        return
    out.mkdir(parents=True, exist_ok=True)
    written = write(result, out, formats)
    if plot:
        from ..plotting.map import plot_map
        from ..plotting.picks import plot_picks

        figures = {"monitor.png": plot_picks(stream, result.picks)}
        if stations is not None:
            figures["map.png"] = plot_map(stations, result.picks, result.events)
        for name, figure in figures.items():
            figure.savefig(out / name, dpi=150)
        written.extend(figures)
    if how == "table":
        typer.echo(f"Written to {out}: {', '.join(sorted(written))}")


def write(result, out: Path, formats: list[MonitorFormat]) -> list[str]:
    """
    Write the table, all picks, the located events and the catalogue.

    :param result: What a monitor found.
    :param out: Folder, which exists.
    :return: Names of the files written.
    """
    from ..export.tables import picks_to_dataframe

    tables = {
        "monitor": result.table,
        "picks": picks_to_dataframe(result.picks),
        "events": result.events,
    }
    written = []
    for name, table in tables.items():
        if MonitorFormat.csv in formats:
            table.to_csv(out / f"{name}.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S.%fZ")
            written.append(f"{name}.csv")
        if MonitorFormat.parquet in formats:
            try:
                table.to_parquet(out / f"{name}.parquet", engine="pyarrow", index=False)
            except ImportError as error:
                raise ImportError(
                    "Parquet needs pyarrow: pip install 'seisbench_llm[export]'"
                ) from error
            written.append(f"{name}.parquet")
    if MonitorFormat.quakeml in formats:
        result.to_catalog().write(out / "catalog.xml", format="QUAKEML")
        written.append("catalog.xml")
    return written


def _print(table, formats: dict) -> None:
    """The columns that hold anything."""
    from pandas import notna

    shown = table[list(formats)].dropna(axis="columns", how="all")
    if not len(shown):
        return
    columns = {
        name: [formats[name](value) if notna(value) else "-" for value in shown[name]]
        for name in shown
    }
    typer.echo("\n" + type(shown)(columns).to_string(index=False))
