"""A substitute for SeisBench's cache folder where that is read-only, as in containers."""

import atexit
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path


def ensure_writable() -> None:
    """
    Give SeisBench another cache folder for this process if its own is read-only.

    SeisBench writes a file into its cache when it is imported for the first time. Packaged weights
    do not need the cache.
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
        f"SeisBench's cache {root} is not writable: downloads are kept in {folder} until this "
        f"process ends. Set SEISBENCH_CACHE_ROOT to a folder that is writable."
    )
