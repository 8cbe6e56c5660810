"""The module that made the stand-in weights, and its golden files."""

import importlib.util
import json

import numpy as np

from tests.helpers.paths import SHARED


def official():
    """The module that makes the stand-in weights."""
    path = SHARED / "parity" / "official_weights.py"
    spec = importlib.util.spec_from_file_location("official", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def golden(parity, name):
    path = parity.HERE / name
    return json.loads(path.read_text()) if path.suffix == ".json" else np.load(path)
