"""Language-model-based seismic networks as SeisBench models."""

from .models import SeisMoLLM
from .models.estimates import Estimate, EstimateList
from .models.presets import PRESETS
from .tasks import TASKS, TaskSpec
from .weights import WeightRecord, WeightsError

__version__ = "0.1.0"
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
]
