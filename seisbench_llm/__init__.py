"""Language-model-based seismic networks as SeisBench models."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from . import cache_folder

if TYPE_CHECKING:
    from .models.presets import PRESETS
    from .models.seismollm import SeisMoLLM
    from .streams.estimates import Estimate, EstimateList
    from .tasks import TASKS, TaskSpec, register_task
    from .weights import WeightRecord, WeightsError

cache_folder.ensure_writable()


__all__ = [
    "PRESETS",
    "TASKS",
    "Estimate",
    "EstimateList",
    "SeisMoLLM",
    "TaskSpec",
    "WeightRecord",
    "WeightsError",
    "__version__",
    "register_task",
]


# Names are imported when they are first used. PyTorch and SeisBench take seconds to import, and the
# command line shows its help without them.
_PLACES = {
    "SeisMoLLM": "models",
    "Estimate": "streams.estimates",
    "EstimateList": "streams.estimates",
    "PRESETS": "models.presets",
    "TASKS": "tasks",
    "TaskSpec": "tasks",
    "register_task": "tasks",
    "WeightRecord": "weights",
    "WeightsError": "weights",
}


def __getattr__(name: str):
    if name in _PLACES:
        value = getattr(import_module(f".{_PLACES[name]}", __name__), name)
        globals()[name] = value
        return value
    if name == "__version__":
        return version("seisbench_llm")
    if name in ("models", "tasks", "weights"):
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
