"""The command ``seisbench-llm``."""

from __future__ import annotations

import json
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from . import cli_training

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Language-model-based seismic networks. Example: seisbench-llm pick DAY.mseed --out out",
)
weights_app = typer.Typer(no_args_is_help=True, help="Show which weights there are.")
app.add_typer(weights_app, name="weights")


class PickFormat(str, Enum):
    """File formats of picks."""

    csv = "csv"
    quakeml = "quakeml"


@app.command()
def pick(
    files: Annotated[list[Path], typer.Argument(help="Waveform files that ObsPy can read.")],
    weights: Annotated[str, typer.Option(help="Name, path or Hugging Face id.")] = (
        "compact_picking"
    ),
    out: Annotated[Path | None, typer.Option(help="Folder for the files written.")] = None,
    formats: Annotated[
        list[PickFormat], typer.Option("--format", help="Format to write; may be repeated.")
    ] = [PickFormat.csv, PickFormat.quakeml],  # noqa: B006 (typer copies it)
    plot: Annotated[bool, typer.Option(help="Draw waveforms, picks and curves.")] = False,
    p_threshold: Annotated[float, typer.Option(min=0, max=1)] = 0.3,
    s_threshold: Annotated[float, typer.Option(min=0, max=1)] = 0.3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines, no table.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no table.")] = False,
) -> None:
    """
    Pick P and S in waveform files.

    Example: seisbench-llm pick day.mseed --out picks --plot
    """
    thresholds = {"P_threshold": p_threshold, "S_threshold": s_threshold}
    how = "json" if as_json else "quiet" if quiet else "table"
    _pick(_read(files), weights, out, formats, plot, thresholds, how)


@app.command()
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
    stream = obspy.read() + _read(sorted(data.glob("BW.UH*.cut.slist.gz")))
    out.mkdir(parents=True, exist_ok=True)
    for trace in stream:
        trace.data = trace.data.astype("float32")
    stream.write(out / "waveforms.mseed", format="MSEED")
    _pick(stream, "compact_picking", out, list(PickFormat), True, {}, "table")


def _pick(stream, weights, out, formats, plot, thresholds, how) -> None:
    from .export import picks_to_catalog, picks_to_dataframe
    from .models import SeisMoLLM

    model = SeisMoLLM.from_pretrained(weights)
    if model.task.name != "picking":
        raise ValueError(f"The weights '{weights}' are for {model.task.name}, not for picking.")
    annotations = model.annotate(stream)
    result = model.classify_aggregate(annotations, thresholds)
    table = picks_to_dataframe(result.picks)
    if how == "json":
        typer.echo(table.to_json(orient="records", lines=True, date_format="iso"), nl=False)
    elif how == "table":
        _print(table, result.picks, stream)

    if out is None:
        return
    out.mkdir(parents=True, exist_ok=True)
    if PickFormat.csv in formats:
        table.to_csv(out / "picks.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S.%fZ")
    if PickFormat.quakeml in formats:
        method = f"{Path(weights).name}/{model.weights_version}"
        picks_to_catalog(result.picks, method).write(out / "picks.xml", format="QUAKEML")
    if plot:
        from .plotting import plot_picks

        plot_picks(stream, result.picks, annotations).savefig(out / "picks.png", dpi=150)
    if how == "table":
        typer.echo(f"Written to {out}: {', '.join(sorted(f.name for f in out.iterdir()))}")


def _read(files: list[Path]):
    import obspy

    stream = obspy.Stream()
    for file in files:
        if not file.is_file():
            raise FileNotFoundError(f"There is no file {file}.")
        try:
            stream += obspy.read(str(file))
        except Exception as error:
            # ObsPy's readers raise whatever comes to them on a broken file.
            raise ValueError(f"{file} is no waveform file that ObsPy can read: {error}") from error
    return stream


def _print(table, picks, stream) -> None:
    stations = {trace.id.rpartition(".")[0] for trace in stream}
    typer.echo(f"{len(picks)} picks at {len(stations)} stations")
    if len(table):
        shown = table[["trace_id", "phase", "time", "probability"]].copy()
        shown["time"] = shown["time"].dt.strftime("%Y-%m-%dT%H:%M:%S.%f").str[:-4]
        shown["probability"] = shown["probability"].map("{:.2f}".format)
        typer.echo(shown.to_string(index=False))


@weights_app.command("list")
def weights_list(
    remote: Annotated[bool, typer.Option(help="Also ask SeisBench's repository.")] = False,
) -> None:
    """
    List weights: packaged and cached ones, with --remote all.

    Example: seisbench-llm weights list
    """
    from .models import SeisMoLLM

    for name, text in SeisMoLLM.list_pretrained(details=True, remote=remote).items():
        typer.echo(f"{name}\t{text or ''}")


@weights_app.command("show")
def weights_show(name: Annotated[str, typer.Argument(help="Name, path or id.")]) -> None:
    """
    Show what is known of a weight, as JSON.

    Example: seisbench-llm weights show compact_picking
    """
    from dataclasses import asdict

    from .models import SeisMoLLM

    model = SeisMoLLM.from_pretrained(name)
    record = asdict(model.record) if model.record else {}
    typer.echo(json.dumps({"docstring": model.weights_docstring, **record}, indent=2))


@app.command()
def convert(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint of the research code.")],
    task: Annotated[str, typer.Option(help="Task, by our name or the published one.")],
    out: Annotated[Path, typer.Option(help="Path without suffix to write to.")],
    in_samples: Annotated[int, typer.Option(help="Window: 6000 (STEAD), 8192 (DiTing).")] = 6000,
    sampling_rate: Annotated[float, typer.Option(help="Hz: 100 (STEAD), 50 (DiTing).")] = 100,
) -> None:
    """
    Convert a checkpoint of the published research code to a SeisBench weight.

    Example: seisbench-llm convert best.pth --task dpk --out weights/stead
    """
    from .convert import load_published

    model = load_published(
        checkpoint, task, merge_lora=True, in_samples=in_samples, sampling_rate=sampling_rate
    )
    model.save(out, weights_docstring=f"Converted from {checkpoint.name}")
    typer.echo(f"Written: {out}.json, {out}.pt")


_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
app.command(context_settings=_PASS_ON)(cli_training.fit)
app.command()(cli_training.export)
app.command()(cli_training.evaluate)


def main() -> None:
    """Run the command; errors that a user can mend are one line, not a traceback."""
    try:
        app()
    except (OSError, ValueError, ImportError) as error:
        typer.echo(f"seisbench-llm: {error}", err=True)
        sys.exit(1)
