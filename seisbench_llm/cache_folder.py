"""SeisBench's cache folder where it cannot be written, as in containers and on shared machines."""

import atexit
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path


def ensure_writable() -> None:
    """
    Give SeisBench another cache for this process, if it could not be imported with its own.

    SeisBench writes a file into its cache when it is imported for the first time. Packaged weights
    need no cache.
    """
    default = os.path.join(os.path.expanduser("~"), ".seisbench")
    root = os.environ.get("SEISBENCH_CACHE_ROOT", default)
    if "seisbench" in sys.modules or os.path.isfile(os.path.join(root, "config.json")):
        return
    parent = Path(root).absolute()
    while not os.path.exists(parent):
        parent = parent.parent
    if os.path.isdir(parent) and os.access(parent, os.W_OK | os.X_OK):
        return
    folder = tempfile.mkdtemp(prefix="seisbench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["SEISBENCH_CACHE_ROOT"] = folder
    logging.getLogger(__name__).warning(
        f"SeisBench's cache {root} cannot be written: downloads are kept in {folder} until this "
        f"process ends. Set SEISBENCH_CACHE_ROOT to a folder of yours."
    )
