"""Commands of ``seisbench-llm`` about weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .options import Quiet, WeightsArgument

app = typer.Typer(no_args_is_help=True, help="Show and download weights.")


@app.command("list")
def weights_list(
    remote: Annotated[bool, typer.Option(help="Also ask SeisBench's repository.")] = False,
) -> None:
    """
    List the packaged and cached weights. With --remote, list all.

    Example: seisbench-llm weights list
    """
    from ..models.seismollm import SeisMoLLM

    for name, text in SeisMoLLM.list_pretrained(details=True, remote=remote).items():
        typer.echo(f"{name}\t{text or ''}")


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
