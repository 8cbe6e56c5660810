"""Commands to be disturbed, each in a process of its own, and what has to be left of it."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import obspy
import pandas as pd
import safetensors.torch

from seisbench_llm import cli
from seisbench_llm.export.files import write_csv
from seisbench_llm.tasks import TASKS
from tests.faults.live_archive import archive_run, attempt
from tests.helpers import own_data
from tests.helpers.archive_stub import spiky_stream, write_sds
from tests.helpers.catalogue import make_catalogue
from tests.helpers.models import save_family
from tests.helpers.monitor import NETWORK
from tests.helpers.streams import make_stream
from tests.helpers.training import fit, run_config, synthetic_records

# Beginning of what is printed for a user who can mend it.
OURS = "seisbench-llm: "


@dataclass
class Case:
    """
    A command.

    :param name: Its name.
    :param arguments: Of the command line, for a folder of results.
    :param codes: Exit codes of an undisturbed end.
    """

    name: str
    arguments: Callable[[Path], list[str]]
    codes: tuple[int, ...] = (0,)


@dataclass
class End:
    """
    How a process ended.

    :param code: Exit code; a negative one is the signal that ended it.
    :param errors: What it printed to standard error.
    :param seconds: How long it took.
    """

    code: int
    errors: str
    seconds: float
    lines: list[str] = field(init=False)

    def __post_init__(self):
        self.lines = [line for line in self.errors.splitlines() if line.startswith(OURS)]


def prepare(folder: Path) -> list[Case]:
    """Small inputs of all commands; the commands."""
    make_stream(20_000).write(str(folder / "day.mseed"), format="MSEED")
    weights = save_family(folder, TASKS)
    write_sds(spiky_stream(), folder / "sds")
    # In another process, as a process with threads of Dask has no children that work.
    attempt(lambda: archive_run(folder / "sds", folder / "archive"), None)
    records = synthetic_records(folder / "records", 40)
    config = run_config(folder / "config.yaml", records, trainer={"enable_progress_bar": False})
    fit(config)
    _, picks = make_catalogue(12, days=0.5)
    write_csv(picks, folder / "picks.csv")
    write_csv(NETWORK, folder / "stations.csv")
    own = folder / "own"
    own.mkdir()
    obspy.read_inventory().write(str(own / "s.xml"), format="STATIONXML")
    own_data.write_sds(own / "sds", own_data.records())
    own_data.write_bulletin(own / "a.xml")
    day, picker = str(folder / "day.mseed"), f"{weights}_picking"
    of_weights = ["--weights", picker]
    formats = [x for name in ("csv", "parquet", "quakeml") for x in ("--format", name)]
    return [
        Case("pick", lambda out: ["pick", day, *of_weights, *formats, "--plot", f"--out={out}"]),
        Case("monitor", lambda out: ["monitor", day, "--weights", weights, f"--out={out}"]),
        Case("merge", lambda out: ["archive", "merge", f"{folder}/archive", f"--out={out}/a.csv"]),
        Case("onnx", lambda out: ["weights", "onnx", picker, f"--out={out}/picker.onnx"]),
        Case("export", lambda out: ["export", f"{folder}/run", f"--out={out}/exported"]),
        Case(
            "evaluate",
            lambda out: [
                *("evaluate", *of_weights, "--data", str(records), "--limit", "10"),
                *("--split", "all", f"--out={out}"),
            ],
        ),
        Case(
            "associate",
            lambda out: [
                *("associate", f"{folder}/picks.csv", f"--stations={folder}/stations.csv"),
                *("--format=csv", "--format=quakeml", f"--out={out}/catalogue"),
            ],
        ),
        Case(
            "picks convert", lambda out: ["picks", "convert", f"{folder}/picks.csv", f"{out}/a.xml"]
        ),
        # A set that is there is not made again.
        Case(
            "dataset make",
            lambda out: [
                *("dataset", "make", f"--waveforms={own}/sds", f"--picks={own}/a.xml"),
                *(f"--stations={own}/s.xml", "--before=3", "--after=5", f"--out={out}/set"),
            ],
            codes=(0, 2),
        ),
        Case("fit", lambda out: ["fit", "--config", str(config), f"--run={out}/run"]),
        Case(
            "archive run",
            lambda out: [
                *("archive", "run", f"--archive={folder}/sds", "--start=2019-12-31"),
                *("--end=2020-01-02", *of_weights, f"--out={out}/run", "--workers=1"),
            ],
        ),
    ]


def run(
    case: Case,
    out: Path,
    number: int | None = None,
    after: float = 0.0,
    largest: int | None = None,
    log: Path | None = None,
) -> End:
    """
    Run a command in a process of its own.

    :param number: Signal that it gets, ``after`` so many seconds.
    :param largest: Most bytes of a file, to stand for a full disk.
    :param log: What is printed goes there, by default beside ``out``.
    """
    out.mkdir(parents=True, exist_ok=True)
    log = log or out.with_name(f"{out.name}.log")
    log.write_bytes(b"")
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        if largest is not None:
            # What is printed is no file that has a limit.
            child = _into_a_pipe(log)
        _command(case.arguments(out), child or log, largest)
    status = None
    while number is not None and time.monotonic() - began < after and status is None:
        time.sleep(0.002)
        done, ended = os.waitpid(child, os.WNOHANG)
        status = ended if done else None
    if status is None:
        if number is not None:
            os.kill(child, number)
        status = os.waitpid(child, 0)[1]
    code = os.waitstatus_to_exitcode(status)
    if largest is not None:
        time.sleep(0.5)
    return End(code, log.read_text(errors="replace"), time.monotonic() - began)


def _into_a_pipe(log: Path) -> int:
    """A file descriptor whose content another process writes into a file."""
    read, write = os.pipe()
    if os.fork() == 0:
        os.close(write)
        with open(log, "wb", buffering=0) as file:
            while data := os.read(read, 4096):
                file.write(data)
        os._exit(0)
    os.close(read)
    return write


def _command(arguments: list[str], log: Path | int, largest: int | None) -> None:
    """
    The command in this process, which is a child; never returns.

    :param log: File, or file descriptor, that standard error goes to.
    """
    code = 1
    try:
        with open(log, "wb") as file:
            os.dup2(file.fileno(), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stderr = os.fdopen(2, "w", buffering=1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
        sys.argv = ["seisbench-llm", *arguments]
        cli.main()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException as error:
        # As Python does, without its exit handlers: those are the parent's.
        print(f"Traceback: {type(error).__name__}: {error}", file=sys.stderr)
    finally:
        # Whatever happens: what this process leaves by would remove the parent's folders.
        try:
            sys.stderr.flush()
        finally:
            os._exit(code)


def damaged(out: Path) -> list[str]:
    """Files under a final name that are not whole."""
    faults = []
    for file in sorted(out.rglob("*")):
        inside = file.relative_to(out).parts
        # Logs of Lightning are written line by line.
        if not file.is_file() or any(part.startswith(".") for part in inside) or "logs" in inside:
            continue
        try:
            _READERS.get(file.suffix, lambda file: None)(file)
        except Exception as error:
            faults.append(f"{file} is half: {type(error).__name__} {str(error)[:100]}")
    return faults


def _read_png(file: Path) -> None:
    from PIL import Image

    with Image.open(file) as image:
        image.load()


def _read_onnx(file: Path) -> None:
    import onnx

    onnx.checker.check_model(onnx.load(file))


def _read_checkpoint(file: Path) -> None:
    from seisbench_llm.training.checkpoints import load_checkpoint

    load_checkpoint(file)


_READERS = {
    ".csv": pd.read_csv,
    ".gz": pd.read_csv,
    ".parquet": lambda file: pd.read_parquet(file, partitioning=None),
    ".json": lambda file: json.loads(file.read_text()),
    ".xml": obspy.read_events,
    ".png": _read_png,
    ".onnx": _read_onnx,
    ".safetensors": safetensors.torch.load_file,
    ".ckpt": _read_checkpoint,
}


def tables(out: Path) -> dict[str, bytes]:
    """What a command leaves that does not depend on the clock or the start."""
    kinds = (".csv", ".parquet", ".xml", ".safetensors")
    return {
        str(file.relative_to(out)): _CLOCK.sub(b"", file.read_bytes())
        for file in sorted(out.rglob("*"))
        if file.suffix in kinds and "logs" not in file.relative_to(out).parts
    }


# Of QuakeML: when it was made, and an identifier that ObsPy draws.
_CLOCK = re.compile(rb"<creationTime>.*?</creationTime>|<eventParameters publicID=[^>]*>")


def partial(out: Path) -> list[Path]:
    """What is left half written, under names of its own."""
    return list(out.rglob(".part-*"))
