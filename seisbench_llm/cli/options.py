"""Options that several commands share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated

import typer

from .complete import weight_names

# Exit codes. Typer also ends with 2 for a wrong option.
USER_ERROR = 2
DONE_IN_PART = 3

_WEIGHTS_HELP = "Weight: name, path without suffix, or Hugging Face id."
Weights = Annotated[str, typer.Option(help=_WEIGHTS_HELP, autocompletion=weight_names)]
WeightsArgument = Annotated[str, typer.Argument(help=_WEIGHTS_HELP, autocompletion=weight_names)]

Out = Annotated[Path | None, typer.Option(help="Folder for the output files.")]
OutFile = Annotated[Path, typer.Option(help="Output path without suffix.")]

DeviceName = Annotated[
    str,
    typer.Option(
        "--device", help="auto (CUDA if available), cpu, cuda, cuda:N or mps.", metavar="NAME"
    ),
]
# Options of all commands that pick, by the name of the argument of ``classify``.
_PICKING = {
    "P_threshold": Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Lowest probability of a P pick. Default: the weight's own."
        ),
    ],
    "S_threshold": Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Lowest probability of an S pick. Default: the weight's own."
        ),
    ],
    "precision": Annotated[
        str | None,
        typer.Option(help="Number format inside the network: float32, bfloat16 or float16 (GPUs)."),
    ],
    "batch_size": Annotated[int | None, typer.Option(min=1, help="Number of windows per batch.")],
    "overlap": Annotated[
        float | None,
        typer.Option(min=0, help="Overlap of windows: a fraction below 1, or a number of samples."),
    ],
    "min_separation": Annotated[
        float | None,
        typer.Option(min=0, help="Shortest time between two picks of the same phase, in seconds."),
    ],
}

_STATIONS_HELP = (
    "Stations: StationXML, dataless SEED, CSV with id, latitude, longitude and elevation, or "
    "fdsn://GFZ?network=CX. Components are rotated to Z, N, E"
)
StationsFile = Annotated[
    str | None, typer.Option("--stations", "--inventory", help=f"{_STATIONS_HELP}.")
]
Inventory = Annotated[str | None, typer.Option(help=f"{_STATIONS_HELP}.")]

VelocityModelFile = Annotated[
    Path | None,
    typer.Option(
        help="Velocity model of the locations: CSV with depth_km (tops of layers, below sea "
        "level), vp and vs in km/s. Default: continental crust."
    ),
]
MagnitudeScale = Annotated[
    str,
    typer.Option(
        help="Scale of ML: iaspei, norway, uk, or near (Luckett et al. 2019, for distances below "
        "20 km). ML needs stations with responses."
    ),
]
StationCorrections = Annotated[
    Path | None,
    typer.Option(help="Station corrections of ML: CSV with id (NET.STA) and correction."),
]
KeepPoor = Annotated[bool, typer.Option("--keep-poor", help="Keep located events of quality D.")]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsJsonLines = Annotated[bool, typer.Option("--json", help="Print JSON lines instead of a table.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def with_picking_options(command: Callable) -> Callable:
    """
    A command with the options of all commands that pick, in place of its parameter ``picking``.

    :param command: Function with the parameter ``picking``: arguments of ``classify`` that were
        passed, by name. The others are those of the weights.
    """

    @wraps(command)
    def run(**values):
        passed = {name: values.pop(name.lower()) for name in _PICKING}
        picking = {name: value for name, value in passed.items() if value is not None}
        return command(**values, picking=picking)

    # Typer makes its options from the signature.
    signature = inspect.signature(command, eval_str=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    options = [
        inspect.Parameter(name.lower(), kind, default=None, annotation=annotation)
        for name, annotation in _PICKING.items()
    ]
    own = list(signature.parameters.values())
    at = list(signature.parameters).index("picking")
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*own[:at], *options, *own[at + 1 :]]
    )
    return run
