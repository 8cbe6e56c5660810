"""The command ``seisbench-llm live``."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .options import (
    DeviceName,
    Out,
    StationsFile,
    Weights,
    with_picking_options,
)


class LiveFormat(StrEnum):
    """Files of live picks."""

    jsonl = "jsonl"
    quakeml = "quakeml"
    scml = "scml"


@with_picking_options
def live(
    seedlink: Annotated[str | None, typer.Option(help="SeedLink server, HOST:PORT.")] = None,
    select: Annotated[
        list[str] | None, typer.Option(help="Channels, such as 'XX.ABC..HH?'. May be repeated.")
    ] = None,
    streams: Annotated[
        list[str] | None,
        typer.Option(
            help="Streams in the notation of slinktool, separated by commas: NET_STA or "
            "NET_STA:SELECTORS, such as 'IU_*:BH?,GE_APE'. Default selectors: BH?, EH?, HH?, SH?."
        ),
    ] = None,
    replay: Annotated[
        list[Path] | None, typer.Option(help="File to replay instead of a server. May be repeated.")
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0, help="Speed of the replay. 0 is as fast as possible.")
    ] = 1.0,
    stations: StationsFile = None,
    weights: Weights = "compact_picking",
    device: DeviceName = "auto",
    *,
    picking: dict,
    out: Out = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep the state in --out and continue from it.")
    ] = False,
    formats: Annotated[
        list[LiveFormat], typer.Option("--format", help="Output format. May be repeated.")
    ] = [LiveFormat.jsonl, LiveFormat.quakeml],  # noqa: B006 (typer copies it)
    step: Annotated[float, typer.Option(help="Seconds of data between two windows.")] = 1.0,
    settle: Annotated[
        float,
        typer.Option(help="Seconds of data after a pick before its first report."),
    ] = 2.0,
    max_latency: Annotated[
        float, typer.Option(help="Seconds to wait for late packets and components.")
    ] = 10.0,
    duration: Annotated[
        float | None, typer.Option(min=0, help="Stop after this many seconds.")
    ] = None,
    reconnect: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two attempts to connect.")
    ] = 5.0,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds without data after which a connection is lost.")
    ] = 60.0,
    dashboard: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port of the dashboard, a page for the browser. 0 is any free port.",
        ),
    ] = None,
    dashboard_host: Annotated[
        str, typer.Option(help="Address of the dashboard. 127.0.0.1 is for this machine only.")
    ] = "127.0.0.1",
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print no statistics at the end.")
    ] = False,
) -> None:
    """
    Pick P and S in incoming data. Picks are JSON lines on standard output.

    Each pick is reported as preliminary a few seconds after its onset. About two minutes later it
    is reported as confirmed if "pick" finds it in the same data, otherwise as rejected. SIGINT or
    SIGTERM ends the command after all remaining reports. With --resume, the command may be ended or
    killed at any time: the same command continues, and OUT/picks.jsonl has each report once. With
    --dashboard, a page shows a map, picks, waveforms, latencies and the health of the stations.

    Example: seisbench-llm live --seedlink geofon.gfz.de:18000 --select 'GE.APE..BH?'
    """
    from ..live import Live, LiveSettings, LiveState, Replay, SeedLink, feed_from
    from ..live.output import JsonLines, QuakeMLFiles, SCMLFiles
    from ..live.selections import parse_selections, selections_of_streams
    from ..models.devices import find_device
    from ..models.seismollm import SeisMoLLM

    if (seedlink is None) == (not replay):
        raise ValueError("Pass either --seedlink HOST:PORT with --select, or --replay FILE.")
    select = [*(select or []), *(s for text in streams or [] for s in selections_of_streams(text))]
    if resume and out is None:
        raise ValueError("--resume needs --out, the folder where the state is kept.")
    if seedlink is not None:
        parse_selections(select)
    stream = _read(replay, select) if replay else None
    settings = LiveSettings(step=step, settle=settle, max_latency=max_latency)

    place = find_device(device)

    with ExitStack() as stack:
        stop = stack.enter_context(_stop_on_signals())
        stack.enter_context(_log_to_stderr())
        model = SeisMoLLM.from_pretrained(weights).to(place)
        outputs, state = [JsonLines(sys.stdout)], None
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            if LiveFormat.quakeml in formats:
                outputs.append(QuakeMLFiles(out / "quakeml"))
            if LiveFormat.scml in formats:
                outputs.append(SCMLFiles(out / "scml"))
            if resume:
                state = LiveState(out / "state.npz", out / "picks.jsonl")
                outputs.append(stack.enter_context(state).append)
            elif LiveFormat.jsonl in formats:
                outputs.append(JsonLines(stack.enter_context(open(out / "picks.jsonl", "a"))))
        picker = Live(
            model,
            lambda pick: [output(pick) for output in outputs],
            settings,
            weight=f"{Path(weights).name}/{model.weights_version}",
            stations=stations,
            **picking,
        )
        if stream is not None:
            source = Replay(stream, speed)
        else:
            source = SeedLink(seedlink, select, reconnect, timeout, picker.counts)
        if dashboard is not None:
            from ..live.dashboard import Dashboard

            page = Dashboard(picker, dashboard, dashboard_host, source=source)
            typer.echo(f"Dashboard: {stack.enter_context(page).url}", err=True)
        feed_from(picker, source, stop, duration, state)
    if not quiet:
        for name, value in picker.statistics().items():
            typer.echo(f"{name}: {value}", err=True)


def _read(files: list[Path], select: list[str]):
    import obspy

    from ..live.selections import is_selected, parse_selections
    from ..waveform_files import read_files

    stream = read_files(files)
    if select:
        selected = parse_selections(select)
        stream = obspy.Stream(trace for trace in stream if is_selected(trace, selected))
        if not stream:
            raise ValueError(f"The files have no data for {', '.join(select)}.")
    return stream


@contextmanager
def _stop_on_signals():
    """An event that the first SIGINT or SIGTERM sets. The second one ends the program."""
    stop = threading.Event()
    before = {}

    def handle(number, frame):
        stop.set()
        signal.signal(number, before[number])

    # In Python, only the main thread can handle signals.
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, handle)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _log_to_stderr():
    """Write messages of SeisBench's and ObsPy's loggers to standard error, with the time."""
    import seisbench

    from ..live.messages import RepeatedFilter

    own, of_obspy = logging.StreamHandler(sys.stderr), logging.StreamHandler(sys.stderr)
    for handler in (own, of_obspy):
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    # ObsPy repeats its messages with each attempt to connect.
    of_obspy.addFilter(RepeatedFilter())
    loggers = [
        (seisbench.logger, logging.INFO, own),
        (logging.getLogger("obspy.clients"), logging.WARNING, of_obspy),
    ]
    before = [(logger, logger.level, logger.handlers[:]) for logger, _, _ in loggers]
    for logger, level, handler in loggers:
        logger.handlers = [handler]
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, level, handlers in before:
            logger.handlers = handlers
            logger.setLevel(level)
