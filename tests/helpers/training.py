"""Runs that take seconds: few synthetic records, a tiny network."""

import yaml

from seisbench_llm.data import Synthetic
from tests.helpers.models import TINY

WINDOW = 1024
SMALL = {
    **{key: list(value) if isinstance(value, tuple) else value for key, value in TINY.items()},
    "in_samples": WINDOW,
    "pred_sample": 400,
    "pooled_kernel": 2,
}


def synthetic_records(folder, count=60):
    """Folder of synthetic records, split by event in the usual proportions."""
    return Synthetic(count, seed=3, seconds=25, noise_only=0.0, faults=False).write(folder)


def run_config(file, records, **changes):
    """
    Write a configuration of fit.

    :param changes: Part of the configuration -> entries that are added to it.
    """
    entries = {
        "run": str(file.parent / "run"),
        "model": {"model_args": SMALL, "steps_up": 4, "steps_down": 4},
        "data": {"dataset": str(records), "batch_size": 8, "num_workers": 0, "recipe": "compact"},
        "trainer": {"accelerator": "cpu", "devices": 1, "max_epochs": 1, "log_every_n_steps": 1},
        "checkpoint": {"every_n_train_steps": 2},
    }
    for part, more in changes.items():
        entries[part] = {**entries.get(part, {}), **more}
    file.write_text(yaml.safe_dump(entries))
    return file


def fit(config, *overrides):
    """Run a configuration in this process, with further options of the command."""
    from seisbench_llm.training.fit import fit

    return fit(["--config", str(config), *overrides])
