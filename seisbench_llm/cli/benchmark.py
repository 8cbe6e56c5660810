"""Commands of ``seisbench-llm benchmark``: targets, training, predictions, scores, reports."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="SeisBench's benchmark of pickers, the paper's tables, and a report of the results.",
)

Data = Annotated[str, typer.Option(help="Data set: folder, name in SeisBench, or synthetic:N.")]
Rate = Annotated[
    float,
    typer.Option(help="Sampling rate in Hz. The benchmark has 100 Hz, its resampled runs others."),
]
Root = Annotated[Path, typer.Option(help="Folder for pred, pred_cross and the like.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Number of windows per batch.")]
NumWorkers = Annotated[int, typer.Option(min=0, help="Number of processes that read records.")]
Device = Annotated[str, typer.Option(help="Device, such as cuda.")]
TASKS = "1,23,polarity,magnitude,distance,azimuth"


@app.command("targets")
def targets(
    data: Data,
    out: Annotated[Path, typer.Argument(help="Folder targets/NAME. NAME has no underscore.")],
    tasks: Annotated[str, typer.Option(help="Tasks, separated by commas.")] = TASKS,
    noise_before_events: Annotated[
        bool, typer.Option(help="Whether windows before the first arrival are noise targets.")
    ] = True,
    fractions: Annotated[
        str, typer.Option(help="Fractions of train, dev and test for a data set without a split.")
    ] = "0.6,0.1,0.3",
) -> None:
    """
    Write the targets of a data set. The targets of tasks 1 and 2/3 are as in pick-benchmark.

    Example: seisbench-llm benchmark targets --data ETHZ targets/ethz
    """
    from ..benchmark.making import make_targets

    parts = [float(part) for part in fractions.split(",")]
    made = make_targets(data, out, tasks.split(","), noise_before_events, parts)
    for name, count in made.items():
        typer.echo(f"{name}: {count} targets")


@app.command("train")
def train(
    config: Annotated[Path, typer.Argument(help="DATA_MODEL.json, as in pick-benchmark.")],
    out: Annotated[Path, typer.Option(help="Folder for the weights.")] = Path("weights"),
    lr: Annotated[
        float | None, typer.Option(help="Learning rate, instead of the one in the file.")
    ] = None,
    test_run: Annotated[bool, typer.Option("--test-run", help="Use only 500 records.")] = False,
) -> None:
    """
    Train a picker through the benchmark.

    Example: seisbench-llm benchmark train configs/ethz_phasenet.json
    """
    from ..benchmark.training import train as run

    typer.echo(f"Written: {run(config, out, lr, test_run)}")


@app.command("predict")
def predict(
    targets: Annotated[Path, typer.Argument(help="Folder targets/NAME.")],
    data: Annotated[str | None, typer.Option(help="Data set of the targets.")] = None,
    trained: Annotated[
        Path | None, typer.Option(help="Folder weights/DATA_MODEL of 'benchmark train'.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Weight, instead of --trained: compact_picking, phasenet/volpick and the like."
        ),
    ] = None,
    out: Root = Path("."),
    rate: Rate = 100,
    mask_s: Annotated[
        bool, typer.Option("--mask-s", help="Cut records before S (not for pickers).")
    ] = False,
    batch_size: BatchSize = 64,
    num_workers: NumWorkers = 0,
    device: Device = "cpu",
) -> None:
    """
    Predict targets with a trained model or any weight.

    Example: seisbench-llm benchmark predict targets/ethz --data ETHZ --weights phasenet/instance
    """
    from ..benchmark.making import predict_with_weights
    from ..benchmark.training import evaluate

    if (trained is None) == (weights is None):
        raise ValueError("Pass either --trained or --weights.")
    options = {"batch_size": batch_size, "num_workers": num_workers, "device": device}
    if trained is not None:
        folder = evaluate(trained, targets, data, out, rate, **options)
    elif data is None:
        raise ValueError("--weights also needs --data, the data set of the targets.")
    else:
        folder = predict_with_weights(weights, targets, data, out, rate, mask_s, **options)
    typer.echo(f"Written: {folder}")


@app.command("collect")
def collect(
    root: Annotated[Path, typer.Argument(help="Folder pred, pred_cross or the like.")],
    out: Annotated[Path, typer.Argument(help="CSV file to write.")],
    cross: Annotated[
        bool | None,
        typer.Option(help="Names end with the target. Default: by the name of the folder."),
    ] = None,
    resampled: Annotated[
        bool | None,
        typer.Option(help="Names end with the rate. Default: by the name of the folder."),
    ] = None,
) -> None:
    """
    Score predictions in the columns of pick-benchmark. Other scores go to a second file.

    Example: seisbench-llm benchmark collect pred results.csv
    """
    from ..atomic import replacing
    from ..benchmark import scores

    cross = "cross" in root.name if cross is None else cross
    resampled = "resampled" in root.name if resampled is None else resampled
    beside = out.with_name(f"{out.stem}_beside{out.suffix}")
    for path, function in ((out, scores.collect), (beside, scores.collect_beside)):
        with replacing(path) as file:
            function(root, cross, resampled).to_csv(file, index=False)
    typer.echo(f"Written: {out}, {beside}")


@app.command("paper")
def paper(
    data: Annotated[str, typer.Option(help="stead or diting.")],
    path: Annotated[
        Path | None,
        typer.Option(help="Folder of the data, as published or in SeisBench's format."),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            help="Weights to measure. Default: those of the authors, and the packaged ones."
        ),
    ] = None,
    few_shot: Annotated[
        bool,
        typer.Option(
            "--few-shot", help="Compare with the paper's training on a tenth of the data."
        ),
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Largest number of records.")] = None,
    out: Annotated[Path | None, typer.Option(help="CSV file to write.")] = None,
    batch_size: BatchSize = 64,
    num_workers: NumWorkers = 0,
    device: Device = "cpu",
) -> None:
    """
    Measure the paper's metrics and show the published values and the differences.

    Example: seisbench-llm benchmark paper --data diting --path /data/DiTing330km
    """
    from ..atomic import replacing
    from ..benchmark.paper import compare, to_text

    options = {"batch_size": batch_size, "num_workers": num_workers, "device": device}
    table = compare(data, path, weights, few_shot, limit, **options)
    typer.echo(to_text(table))
    if out is not None:
        with replacing(out) as file:
            table.to_csv(file, index=False)
        typer.echo(f"Written: {out}")


@app.command("report")
def report(
    results: Annotated[
        Path, typer.Argument(help="Folder with targets, pred, pred_cross and the like.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="HTML file to write.")] = Path(
        "report.html"
    ),
    title: Annotated[str, typer.Option(help="Title of the page.")] = "",
    draws: Annotated[int, typer.Option(min=0, help="Draws of the bootstrap.")] = 300,
) -> None:
    """
    Write an HTML page about the results: a verdict, tables with intervals, curves and examples.

    Example: seisbench-llm benchmark report results -o report.html
    """
    from ..benchmark.report import write_report

    typer.echo(f"Written: {write_report(results, out, title, draws)}")
