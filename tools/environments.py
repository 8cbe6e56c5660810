"""
Tests of the installed package in environments that are made for them.

    python tools/environments.py extras            # no extra, and each extra alone
    python tools/environments.py matrix            # Pythons, and oldest and newest dependencies
    python tools/environments.py matrix --only 3.11-oldest -- tests/streams -x
    python tools/environments.py matrix --out benchmarks/results/environments.json

Each environment is new, and gets the wheel of tools/dist.py; the tests run from a copy, so that
nothing is imported from the checkout. What cannot be had here is said in the summary, and is no
failure; a failed installation or test is. With --out, what came of each is kept in a file, which
docs/project/tested.md shows. Pythons are those on the path, and those of pyenv. PyTorch is the
version of constraints.txt everywhere, and only a build without CUDA unless --cuda is given, as the
other is gigabytes.
"""

from __future__ import annotations

import argparse
import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dist import ROOT, build

PYTHONS = ("3.11", "3.12", "3.13")

# What needs no extra; the other tests of these folders say so, and are skipped.
CORE = (
    *("tests/network", "tests/models", "tests/streams", "tests/test_packaged.py"),
    *("tests/cli/test_pick.py", "tests/cli/test_main.py", "tests/cli/test_weights.py"),
    *("tests/cli/test_convert.py", "tests/cli/test_common.py", "tests/test_pick_files.py"),
    *("tests/test_preprocess.py", "tests/test_tasks.py", "tests/test_trace_ids.py"),
    *("tests/test_waveform_files.py", "tests/test_weights.py", "tests/test_no_network.py"),
)

# Extra -> what can be tested with it and no other.
OF_EXTRA = {
    "language": ("tests/test_convert.py",),
    "train": ("tests/training/test_checkpoints.py", "tests/training/test_labellers.py"),
    "benchmark": ("tests/benchmark",),
    "archive": ("tests/archive",),
    "monitor": ("tests/monitor",),
    "pages": ("tests/live/dashboard",),
    "export": ("tests/export", "tests/plotting"),
}

TOOLS = ("hypothesis", "pytest", "pytest-timeout", "pytest-xdist")

# Of which the results say what version was there.
SHOWN = ("torch", "seisbench", "obspy", "numpy", "pandas", "scipy", "lightning", "peft", "dask")

# What the tests read beside the package.
COPIED = ("tests", "benchmarks", "docs", "pyproject.toml", "setup.cfg", "*.md", "constraints*.txt")


class CannotBeHadError(Exception):
    """Something that this machine does not have."""


@dataclass(frozen=True)
class Environment:
    """
    What is to be installed, and which tests are to be run.

    :param name: For the summary.
    :param python: Version of Python.
    :param extras: Extras of the package.
    :param tests: Arguments of pytest.
    :param constraints: Lines of a constraints file, without PyTorch.
    """

    name: str
    python: str
    extras: tuple[str, ...]
    tests: tuple[str, ...]
    constraints: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("which", choices=("extras", "matrix"))
    parser.add_argument("tests", nargs="*", help="Instead of the core; behind --.")
    parser.add_argument("--only", nargs="+", default=[], help="Names, as the summary has them.")
    parser.add_argument("--python", default="3.11", help="Of the environments of extras.")
    parser.add_argument("--jobs", type=int, default=2, help="Processes of pytest.")
    parser.add_argument("--cuda", action="store_true", help="Take any build of PyTorch.")
    parser.add_argument("--out", type=Path, help="Add what came of each to this file (JSON).")
    parser.add_argument("--folder", type=Path, help="Keep environments here, and use them again.")
    # Tests follow options.
    args = parser.parse_intermixed_args()
    planned = extras(args.python) if args.which == "extras" else matrix()
    unknown = set(args.only) - {environment.name for environment in planned}
    if unknown:
        parser.error(f"There is no {', '.join(unknown)}; see the summary for names.")
    chosen = [e for e in planned if not args.only or e.name in args.only]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _, wheel = build(folder / "dist")
        copy_tests(folder / "copy")
        results = {}
        for environment in chosen:
            where = (args.folder or folder) / environment.name
            try:
                install(environment, where, wheel, args.cuda)
                tests = (*(args.tests or environment.tests), "-n", str(args.jobs))
                results[environment.name] = test(where, folder / "copy", tests)
            except CannotBeHadError as error:
                results[environment.name] = f"not run: {error}"
            except subprocess.CalledProcessError as error:
                results[environment.name] = f"failed: {' '.join(map(str, error.cmd))[:120]}"
            print(f"\n{environment.name}: {results[environment.name]}\n", flush=True)
            if args.out:
                keep(args.out, environment, where, results[environment.name], args.tests)
            if args.folder is None:
                shutil.rmtree(where, ignore_errors=True)
    print(*(f"{name:<20} {result}" for name, result in results.items()), sep="\n")
    if any(result.startswith("failed") for result in results.values()):
        sys.exit(1)


def keep(
    file: Path, environment: Environment, where: Path, result: str, tests: Sequence[str]
) -> None:
    """Add a result to a file, with the versions that it holds for."""
    known = json.loads(file.read_text()) if file.exists() else {}
    python = where / "bin" / "python"
    versions = {}
    if python.exists():
        listed = uv("pip", "list", "--python", python, "--format", "json", stdout=subprocess.PIPE)
        installed = {p["name"].lower(): p["version"] for p in json.loads(listed.stdout)}
        versions = {name: installed[name] for name in SHOWN if name in installed}
        shown = [python, "-c", "import platform; print(platform.python_version())"]
        done = subprocess.run(shown, stdout=subprocess.PIPE, text=True)
        versions = {"python": done.stdout.strip(), **versions}
    # Seconds say how busy the machine was.
    result = re.sub(r" in [\d.]+s.*", "", result)
    known[environment.name] = {
        "result": result,
        "tests": list(tests or environment.tests),
        "versions": versions,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    file.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")


def extras(python: str) -> list[Environment]:
    """One environment without extras, and one with each that is for users."""
    tested = tuple(pins(ROOT / "constraints.txt"))
    planned = [Environment("no-extra", python, (), CORE, tested)]
    for name, own in OF_EXTRA.items():
        planned.append(Environment(name, python, (name,), (*CORE, *own), tested))
    return planned


def matrix() -> list[Environment]:
    """The newest dependencies with each Python, the oldest with the oldest."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    every = tuple(name for name in setup["options.extras_require"] if name != "docs")
    oldest = tuple(pins(ROOT / "constraints-oldest.txt"))
    planned = [Environment(f"{PYTHONS[0]}-oldest", PYTHONS[0], every, CORE, oldest)]
    planned += [Environment(f"{python}-newest", python, every, CORE, ()) for python in PYTHONS]
    return planned


def pins(file: Path) -> list[str]:
    """Lines of a constraints file, without comments and PyTorch."""
    lines = [line.partition("#")[0].strip() for line in file.read_text().splitlines()]
    return [line for line in lines if line and not line.startswith("torch==")]


def torch_version() -> str:
    return re.search(r"^torch==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M)[1]


def install(environment: Environment, where: Path, wheel: Path, cuda: bool) -> None:
    """
    Make an environment with the wheel in it.

    :raises CannotBeHadError: If there is no such Python, or no PyTorch for it.
    """
    python = find_python(environment.python)
    torch = f"torch=={torch_version()}"
    if not cuda:
        require_build_without_cuda(python, torch)
    if not (where / "bin" / "python").exists():
        uv("venv", "--quiet", "--python", python, where)
    constraints = where / "constraints.txt"
    constraints.write_text("\n".join((*environment.constraints, torch, "")))
    named = f"{wheel}[{','.join(environment.extras)}]" if environment.extras else str(wheel)
    options = ("--quiet", "--python", where / "bin" / "python", "--constraint", constraints)
    # The wheel of an earlier run may have the same version.
    uv("pip", "install", *options, "--reinstall-package", "seisbench_llm", torch, named, *TOOLS)


def uv(*arguments: str | Path, **kwargs) -> subprocess.CompletedProcess:
    """Run uv, which installs many environments in little time; it sees the wheels that pip does."""
    local = {"UV_FIND_LINKS": ",".join(os.environ.get("PIP_FIND_LINKS", "").split())}
    environment = {"UV_PYTHON_DOWNLOADS": "never", **local, **os.environ}
    command = [Path(sys.executable).with_name("uv"), *arguments]
    return subprocess.run(command, env=environment, text=True, **{"check": True, **kwargs})


def find_python(version: str) -> str:
    """:raises CannotBeHadError: If this machine has no such Python."""
    name = f"python{version}"
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    places = [shutil.which(name), *root.glob(f"versions/{version}.*/bin/{name}")]
    for found in filter(None, places):
        # pyenv has a shim also for versions that are not chosen.
        if subprocess.run([found, "-c", "import venv"], capture_output=True).returncode == 0:
            return str(found)
    raise CannotBeHadError(f"there is no {name} on this machine")


def require_build_without_cuda(python: str, torch: str) -> None:
    """:raises CannotBeHadError: If there is no PyTorch, or only a build that brings CUDA."""
    options = ("--quiet", "--no-header", "--no-annotate", "--python", python)
    done = uv("pip", "compile", "-", *options, input=torch, capture_output=True, check=False)
    if done.returncode:
        raise CannotBeHadError(f"there is no {torch} for this Python")
    if re.search("^(nvidia|cuda|triton)", done.stdout, re.M):
        raise CannotBeHadError(f"there is {torch} for this Python only with CUDA; see --cuda")


def copy_tests(to: Path) -> None:
    to.mkdir()
    for pattern in COPIED:
        for path in ROOT.glob(pattern):
            if path.is_dir():
                shutil.copytree(path, to / path.name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(path, to)


def test(where: Path, folder: Path, tests: tuple[str, ...]) -> str:
    """Run tests in an environment; what came of it, in a line."""
    python = where / "bin" / "python"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    # Else it would be tested from the checkout.
    environment.pop("PYTHONPATH", None)
    shown = "import seisbench_llm; print(seisbench_llm.__file__)"
    run = {"cwd": folder, "env": environment, "text": True}
    place = subprocess.run([python, "-c", shown], stdout=subprocess.PIPE, check=True, **run).stdout
    if not Path(place.strip()).is_relative_to(where.resolve()):
        return f"failed: the package is imported from {place.strip()}"
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, **run)
    last = ""
    for line in process.stdout:
        print(line, end="", flush=True)
        last = line.strip() or last
    counts = last.strip("= ")
    return counts if process.wait() == 0 else f"failed: {counts}"


if __name__ == "__main__":
    main()
