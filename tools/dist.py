"""
Wheel and source archive in dist/, the same bytes for the same files.

    python tools/dist.py
    python tools/dist.py --check      # build twice, and compare

Built from the files that git knows, or from all if this is no repository. Times are those of
SOURCE_DATE_EPOCH or, without it, of the last commit. Needs setuptools; the one of constraints.txt
gives the bytes that others get with it.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

BUILD = "import sys; from setuptools import build_meta as b; print({}(sys.argv[1]))"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--check", action="store_true", help="Build twice, and compare.")
    args = parser.parse_args()
    files = build(args.out)
    if args.check:
        with tempfile.TemporaryDirectory() as folder:
            differing = [
                one.name
                for one, other in zip(files, build(Path(folder), umask=0o077), strict=True)
                if one.read_bytes() != other.read_bytes()
            ]
        if differing:
            sys.exit(f"A second build differs: {', '.join(differing)}")
    for file in files:
        print(file)


def build(out: Path, umask: int = 0o022) -> list[Path]:
    """Build source archive and wheel; what the user's umask is must not matter."""
    out.mkdir(parents=True, exist_ok=True)
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or git("log", "-1", "--format=%ct").strip()
    if not epoch:
        raise SystemExit("Set SOURCE_DATE_EPOCH: this is no git repository.")
    # Modules are compiled where they are installed, and bytes do not depend on the order of sets.
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    environment = {**os.environ, **environment, "SOURCE_DATE_EPOCH": epoch}
    before = os.umask(umask)
    try:
        with tempfile.TemporaryDirectory() as folder:
            source, built = Path(folder, "source"), Path(folder, "built")
            copy_tracked(source)
            os.umask(0o022)
            archive = built / run("b.build_sdist", source, built, environment)
            archive.write_bytes(same_bytes(archive.read_bytes(), int(epoch)))
            # As those do who have nothing but the archive.
            with tarfile.open(archive) as content:
                content.extractall(folder, filter="data")
            unpacked = Path(folder, archive.name.removesuffix(".tar.gz"))
            wheel = built / run("b.build_wheel", unpacked, built, environment)
            return [Path(shutil.copy(file, out)) for file in (archive, wheel)]
    finally:
        os.umask(before)


def run(step: str, folder: Path, out: Path, environment: dict) -> str:
    """Run a step of the build in a folder; name of the file that it made."""
    command = [sys.executable, "-W", "ignore", "-c", BUILD.format(step), str(out)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{step} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout.splitlines()[-1]


def copy_tracked(to: Path) -> None:
    """Copy the files that git knows, with permissions that do not depend on the user."""
    names = [name for name in git("ls-files", "-z").split("\0") if name]
    if not names:
        shutil.copytree(ROOT, to, ignore=shutil.ignore_patterns(".*", "dist", "build"))
        return
    for name in names:
        file = ROOT / name
        if file.is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, to / name)
            (to / name).chmod(0o755 if os.access(file, os.X_OK) else 0o644)


def same_bytes(archive: bytes, epoch: int) -> bytes:
    """A .tar.gz with its files in order of names, of one time and nobody's."""
    packed = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive)) as old,
        gzip.GzipFile("", "wb", fileobj=packed, mtime=epoch) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member))
    return packed.getvalue()


def git(*arguments: str) -> str:
    """What a git command prints in this folder; nothing if this is no repository."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else ""


if __name__ == "__main__":
    main()
