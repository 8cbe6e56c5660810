"""Commands of ``seisbench-llm`` about weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .options import Quiet, WeightsArgument

app = typer.Typer(no_args_is_help=True, help="Show and fetch weights.")


@app.command("list")
def weights_list(
    remote: Annotated[bool, typer.Option(help="Also ask SeisBench's repository.")] = False,
) -> None:
    """
    List the packaged and the cached weights; with --remote, all.

    Example: seisbench-llm weights list
    """
    from ..models.seismollm import SeisMoLLM

    for name, text in SeisMoLLM.list_pretrained(details=True, remote=remote).items():
        typer.echo(f"{name}\t{text or ''}")


@app.command("show")
def weights_show(name: WeightsArgument) -> None:
    """
    Show what is known of a weight, as JSON.

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
    force: Annotated[bool, typer.Option("--force", help="Fetch it again.")] = False,
    quiet: Quiet = False,
) -> None:
    """
    Fetch a weight into the cache and check it, so that it can be used without a network.

    Packaged, cached and local weights are only checked. A file whose SHA-256 is not that of its
    record is an error.

    Example: seisbench-llm weights pull compact_picking
    """
    from ..models.seismollm import SeisMoLLM

    # Loading checks the SHA-256, and that the tensors fit the model.
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
