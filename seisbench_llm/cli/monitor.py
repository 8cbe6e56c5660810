"""The command ``seisbench-llm monitor``."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .common import (
    echo_json_lines,
    echo_skipped,
    echo_table,
    echo_written,
    input_files,
    save_figure,
    short_time,
)
from .complete import family_names
from .options import (
    AsJsonLines,
    DeviceName,
    KeepPoor,
    MagnitudeScale,
    Out,
    StationCorrections,
    StationsFile,
    VelocityModelFile,
    with_picking_options,
)


class MonitorFormat(StrEnum):
    """File formats of a monitor's results."""

    csv = "csv"
    parquet = "parquet"
    quakeml = "quakeml"


_COLUMNS = {
    "trace_id": str,
    "p_time": short_time,
    "s_time": lambda time: time.strftime("%H:%M:%S.%f")[:-4],
    "polarity": str,
    "magnitude": "{:.1f}".format,
    "distance_km": "{:.0f}".format,
    "sp_distance_km": "{:.0f}".format,
    "back_azimuth": "{:.0f}".format,
    "latitude": "{:.3f}".format,
    "longitude": "{:.3f}".format,
}


_EVENT_COLUMNS = {
    "time": short_time,
    "latitude": "{:.3f}".format,
    "longitude": "{:.3f}".format,
    "depth_km": "{:.1f}".format,
    "uncertainty_km": "{:.1f}".format,
    "magnitude": "{:.1f}".format,
    "magnitude_source": str,
    "picks": str,
    "stations": str,
    "quality": str,
    "method": str,
}


@with_picking_options
def monitor(
    files: Annotated[list[Path], typer.Argument(help="Waveform files that ObsPy can read.")],
    weights: Annotated[
        str,
        typer.Option(help="Family of weights: name, or path.", autocompletion=family_names),
    ] = "compact",
    inventory: StationsFile = None,
    out: Out = None,
    formats: Annotated[
        list[MonitorFormat], typer.Option("--format", help="Output format. May be repeated.")
    ] = [MonitorFormat.csv, MonitorFormat.quakeml],  # noqa: B006 (typer copies it)
    plot: Annotated[
        bool, typer.Option(help="Draw waveforms, picks and, with stations, a map.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(help="Report to write: an HTML page that needs no internet access."),
    ] = None,
    velocity_model: VelocityModelFile = None,
    keep_poor: KeepPoor = False,
    magnitude_scale: MagnitudeScale = "iaspei",
    station_corrections: StationCorrections = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail if one of the five weights is missing.")
    ] = (False),
    device: DeviceName = "auto",
    *,
    picking: dict,
    as_json: AsJsonLines = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no table.")] = False,
) -> None:
    """
    Pick, estimate polarity, magnitude, distance and back-azimuth at each P, and locate.

    With --stations, picks of at least three stations are associated by PyOcto, and events are
    located with their uncertainties. Epicentres of single stations are in separate files.

    Example: seisbench-llm monitor day.mseed --stations stations.xml --out catalogue
    """
    from ..models.devices import find_device
    from ..monitor.monitor import SeismicMonitor
    from ..stations import Stations
    from ..waveform_files import read_files

    if report is not None:
        from ..monitor.report import write_report
        from ..pages import plotly_script

        # A missing extra is reported before the work starts.
        plotly_script()
    stations = None if inventory is None else Stations.read(inventory)
    stream = read_files(input_files(files, out))
    place = find_device(device)
    model = SeismicMonitor.from_pretrained(weights, strict=strict).to(place)
    result = model.classify(
        stream,
        stations,
        layers=velocity_model,
        keep_poor=keep_poor,
        magnitude_scale=magnitude_scale,
        station_corrections=station_corrections,
        **picking,
    )
    if as_json:
        echo_json_lines(result.table)
        echo_skipped(result.skipped)
    elif not quiet:
        typer.echo(str(result))
        for table, columns in ((result.table, _COLUMNS), (result.events, _EVENT_COLUMNS)):
            if len(table):
                typer.echo("")
                echo_table(table, columns)
    if report is not None:
        write_report(result, report, stream, stations, model.models["picking"])
        if not (as_json or quiet):
            typer.echo(f"Written: {report}")
    if out is None:
        return
    out.mkdir(parents=True, exist_ok=True)
    written = write(result, out, formats)
    if plot:
        written += _draw(stream, stations, result, out)
    if not (as_json or quiet):
        echo_written(out, written)


def write(result, out: Path, formats: Sequence[MonitorFormat]) -> list[str]:
    """
    Write the estimates, all picks, the located events and the catalogue.

    :param result: Results of a monitor.
    :param out: Existing folder.
    :param formats: File formats.
    :return: Names of the written files.
    """
    from ..atomic import replacing
    from ..export.files import write_csv, write_parquet
    from ..export.tables import picks_to_dataframe

    tables = {
        "monitor": result.table,
        "picks": picks_to_dataframe(result.picks),
        "events": result.network_events,
        "single_station": result.single_station_events,
        "arrivals": result.arrivals,
        "amplitudes": result.amplitudes,
    }
    writers = {MonitorFormat.csv: write_csv, MonitorFormat.parquet: write_parquet}
    written = []
    for form, write_table in writers.items():
        if form in formats:
            for name, table in tables.items():
                with replacing(out / f"{name}.{form.value}") as partial:
                    write_table(table, partial)
                written.append(f"{name}.{form.value}")
    if MonitorFormat.quakeml in formats:
        catalogues = {
            "catalog.xml": (False, False),
            "single_station.xml": (False, True),
            "unassociated.xml": (True, None),
        }
        for name, which in catalogues.items():
            with replacing(out / name) as partial:
                result.to_catalog(*which).write(partial, format="QUAKEML")
            written.append(name)
    return written


def _draw(stream, stations, result, out: Path) -> list[str]:
    """Draw waveforms with picks and, with stations, a map. Returns the names of the files."""
    from ..plotting.map import plot_map
    from ..plotting.picks import plot_picks

    figures = {"monitor.png": plot_picks(stream, result.picks)}
    if stations is not None:
        figures["map.png"] = plot_map(stations, result.picks, result.events)
    for name, figure in figures.items():
        save_figure(figure, out / name)
    return list(figures)
