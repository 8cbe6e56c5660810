"""Commands of ``seisbench-llm`` about weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .common import echo_json_lines, echo_table
from .convert import convert
from .options import AsJsonLines, Quiet, WeightsArgument

app = typer.Typer(no_args_is_help=True, help="Show, download and convert weights.")
app.command("convert")(convert)


# Metric in a record -> how it is written, the more telling one first.
_FIGURES = {
    "accuracy": "accuracy {:.2f}",
    "MAE": "mean error {:.2f}",
    "mean absolute error": "mean error {:.1f}",
    "mean absolute error, km": "mean error {:.0f} km",
    "median relative error": "median error {:.0%}",
    "median error, degrees": "median error {:.0f} deg",
}


@app.command("list")
def weights_list(
    remote: Annotated[bool, typer.Option(help="Also ask SeisBench's repository.")] = False,
    as_json: AsJsonLines = False,
) -> None:
    """
    List the packaged and cached weights. With --remote, list all.

    The figure is from the record, see 'weights show'. Weights were measured on different data, so
    that their figures cannot be compared.

    Example: seisbench-llm weights list
    """
    import pandas as pd

    from .. import weights
    from ..models.seismollm import SeisMoLLM

    known = weights.local_metadata(SeisMoLLM)
    rows = []
    for name, text in SeisMoLLM.list_pretrained(details=True, remote=remote).items():
        metadata, size = known.get(name, ({}, 0))
        record = metadata.get("record") or {}
        rows.append(
            {
                "name": name,
                "task": record.get("task") or metadata.get("model_args", {}).get("task"),
                "version": record.get("version") or metadata.get("version"),
                "MB": size / 1e6 if size else None,
                "licence": record.get("licence") or None,
                "figure": _figure(record.get("figures") or {}),
                "description": " ".join((text or "").split()) or None,
            }
        )
    table = pd.DataFrame(rows)
    if as_json:
        echo_json_lines(table)
        return
    if len(table):
        # Only where there is no record to tell more.
        described = table["task"].isna() & table["description"].notna()
        table["figure"] = table["figure"].where(~described, table["description"].str[:60])
    formats = dict.fromkeys(("name", "task", "version", "MB", "licence", "figure"), str)
    echo_table(table, {**formats, "MB": "{:.1f}".format})


def _figure(figures: dict) -> str | None:
    """The figure that tells most, measured on records of regions or sets apart where there are."""
    if "P@0.5" in figures and "S@0.5" in figures:
        return f"F1 P {figures['P@0.5']:.2f}, S {figures['S@0.5']:.2f}"
    first = ("all", "unused", "test")
    groups = [*(figures.get(name) for name in first), *figures.values()]
    for group in groups:
        for name, text in _FIGURES.items():
            if isinstance(group, dict) and isinstance(group.get(name), int | float):
                return text.format(group[name])
    return None


@app.command("show")
def weights_show(name: WeightsArgument) -> None:
    """
    Show the record of a weight as JSON.

    Example: seisbench-llm weights show compact_picking
    """
    from dataclasses import asdict

    from ..models.seismollm import SeisMoLLM

    model = SeisMoLLM.from_pretrained(name)
    record = asdict(model.record) if model.record else {}
    typer.echo(json.dumps({"docstring": model.weights_docstring, **record}, indent=2))


@app.command("pull")
def weights_pull(
    name: WeightsArgument,
    version: Annotated[str, typer.Option(help="Version of the weight.")] = "latest",
    force: Annotated[bool, typer.Option("--force", help="Download it again.")] = False,
    quiet: Quiet = False,
) -> None:
    """
    Download a weight into the cache and check it. It can then be used without a network.

    Packaged, cached and local weights are only checked. It is an error if the SHA-256 of a file
    differs from its record.

    Example: seisbench-llm weights pull compact_picking
    """
    from ..models.seismollm import SeisMoLLM

    # Loading checks the SHA-256 and whether the tensors fit the model.
    model = SeisMoLLM.from_pretrained(name, version_str=version, force=force)
    checked = f"SHA-256 {model.sha256}" if model.sha256 else "no SHA-256 on record"
    if not quiet:
        typer.echo(f"{name}, version {model.weights_version}: complete, {checked}")


@app.command("onnx")
def weights_onnx(
    name: WeightsArgument,
    out: Annotated[Path, typer.Option(help="File to write.")],
    normalize: Annotated[
        bool, typer.Option(help="Include the normalisation, so that windows may have any unit.")
    ] = True,
    quiet: Quiet = False,
) -> None:
    """
    Write a weight as an ONNX file, for programs without Python or PyTorch.

    Task, sampling rate, component order, filter and licence are in the file's metadata.

    Example: seisbench-llm weights onnx compact_picking --out picker.onnx
    """
    from ..models.seismollm import SeisMoLLM

    SeisMoLLM.from_pretrained(name).to_onnx(out, normalize)
    if not quiet:
        typer.echo(f"Written: {out}")
