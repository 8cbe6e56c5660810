"""
The public address of the repository, in all files that name it.

    python tools/owner.py NAME       # github.com/OWNER/seisbench_llm becomes github.com/NAME/...
    python tools/owner.py --check    # fails while the address is not set

``OWNER`` stands for the account or organisation on GitHub until it is known.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UNSET = "github.com/" + "OWNER/seisbench_llm"


def files_with_address(root: Path) -> list[Path]:
    """Files of the repository in which the address is not set."""
    command = ["git", "-C", str(root), "grep", "--files-with-matches", "-I", "-z", "-e", UNSET]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode > 1:
        sys.exit(f"{root} is not a git repository: {found.stderr.strip()}")
    return [root / name for name in found.stdout.split("\0") if name]


def set_owner(name: str, root: Path = ROOT) -> list[Path]:
    """
    Replace ``OWNER`` by a name in all addresses.

    :return: The files that were changed.
    """
    files = files_with_address(root)
    for file in files:
        # Bytes, so that line ends stay as they are.
        address = UNSET.replace("OWNER", name)
        file.write_bytes(file.read_bytes().replace(UNSET.encode(), address.encode()))
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("name", nargs="?", help="account or organisation on GitHub")
    parser.add_argument("--check", action="store_true", help="fail while the address is not set")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository")
    args = parser.parse_args()
    if args.check:
        if unset := files_with_address(args.root):
            names = ", ".join(str(file.relative_to(args.root)) for file in unset)
            sys.exit(f"OWNER is not set in {names}: run python tools/owner.py NAME.")
        return
    # The names that GitHub allows.
    if not args.name or not re.fullmatch(
        r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?", args.name
    ):
        parser.error(f"{args.name!r} is not the name of an account on GitHub.")
    for file in set_owner(args.name, args.root):
        print(file.relative_to(args.root))


if __name__ == "__main__":
    main()
