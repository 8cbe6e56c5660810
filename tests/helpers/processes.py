"""Processes that can be killed, forked from one that has imported what takes seconds."""

import multiprocessing
import os
import sys
import traceback

_IMPORTED = [
    "lightning.pytorch",
    "pyocto",
    "pytest",
    "scipy.signal",
    "seisbench_llm.catalogue",
    "seisbench_llm.live",
    "seisbench_llm.models.seismollm",
    "seisbench_llm.training.fit",
]


def start(function, *arguments, out, err=None):
    """
    Call a function of a module in a process of its own.

    :param out: File or named pipe for what it prints.
    :param err: The same for standard error; with the output, if None.
    :return: The process, as of multiprocessing.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    method = multiprocessing.get_start_method(allow_none=True)
    arguments = (function, arguments, str(out), err and str(err), method)
    process = context.Process(target=_call, args=arguments)
    process.start()
    return process


def _call(function, arguments, out, err, method):
    # Otherwise its own processes come from a fork server, too, which outlives it if it is killed.
    multiprocessing.set_start_method(method, force=True)
    os.environ |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    sys.stdout = open(out, "w", buffering=1)  # noqa: SIM115
    os.dup2(sys.stdout.fileno(), 1)
    sys.stderr = open(err, "w", buffering=1) if err else sys.stdout  # noqa: SIM115
    os.dup2(sys.stderr.fileno(), 2)
    try:
        function(*arguments)
    except Exception:
        # Where the test looks, not where multiprocessing writes.
        traceback.print_exc()
        raise SystemExit(1) from None


def run_command(*arguments):
    """The command line, as of a new interpreter."""
    from seisbench_llm import cli

    sys.argv = ["seisbench-llm", *map(str, arguments)]
    cli.main()
