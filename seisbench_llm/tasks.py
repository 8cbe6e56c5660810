"""The five questions a SeisMoLLM can answer, each described once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TaskSpec:
    """
    All that distinguishes one task from another.

    :param name: Public name, the ``task`` argument of :py:class:`~seisbench_llm.SeisMoLLM`.
    :param published: Name of the task in the published research code.
    :param head: Output head: ``"curves"`` (one value per input sample), ``"class"`` (softmax),
        ``"scalar"`` (sigmoid times ``scale``) or ``"angle"`` (tanh, as cosine and sine).
    :param outputs: Meaning of each channel of the network's output, in order.
    :param labels: Channels of :py:meth:`annotate`, a selection of ``outputs``.
    :param output_type: SeisBench's output type, ``"array"`` or ``"point"``.
    :param loss: Name of the training loss in :py:mod:`seisbench_llm.training.losses`.
    :param metrics: Names of the published metrics in :py:mod:`seisbench_llm.metrics`.
    :param unit: Unit of the estimate.
    :param value_range: Smallest and largest possible estimate, in ``unit``.
    :param components: Number of components without which the task makes no sense.
    """

    name: str
    published: str
    head: str
    outputs: tuple[str, ...]
    labels: tuple[str, ...]
    output_type: str
    loss: str
    metrics: tuple[str, ...]
    unit: str
    value_range: tuple[float, float]
    components: int = 1

    @property
    def scale(self) -> float:
        """Factor between the head's unit output and the estimate."""
        return self.value_range[1]


_SCALAR_METRICS = ("mean", "std", "mae", "rmse", "r2")


TASKS: dict[str, TaskSpec] = {
    spec.name: spec
    for spec in (
        TaskSpec(
            name="picking",
            published="dpk",
            head="curves",
            outputs=("Detection", "P", "S"),
            labels=("P", "S"),
            output_type="array",
            loss="curve_bce",
            metrics=("precision", "recall", "f1", "mean", "std", "mae", "mape", "rmse"),
            unit="probability",
            value_range=(0.0, 1.0),
        ),
        TaskSpec(
            name="polarity",
            published="pmp",
            head="class",
            outputs=("Up", "Down"),
            labels=("Up", "Down"),
            output_type="point",
            loss="cross_entropy",
            metrics=("precision", "recall", "f1"),
            unit="probability",
            value_range=(0.0, 1.0),
        ),
        TaskSpec(
            name="magnitude",
            published="emg",
            head="scalar",
            outputs=("Magnitude",),
            labels=("Magnitude",),
            output_type="point",
            loss="huber",
            metrics=_SCALAR_METRICS,
            unit="ML",
            value_range=(0.0, 8.0),
        ),
        TaskSpec(
            name="distance",
            published="dis",
            head="scalar",
            outputs=("Distance",),
            labels=("Distance",),
            output_type="point",
            loss="huber",
            metrics=_SCALAR_METRICS,
            unit="km",
            value_range=(0.0, 500.0),
        ),
        TaskSpec(
            name="back_azimuth",
            published="baz",
            head="angle",
            outputs=("BackAzimuthCos", "BackAzimuthSin"),
            labels=("BackAzimuthCos", "BackAzimuthSin"),
            output_type="point",
            loss="angle_huber",
            metrics=_SCALAR_METRICS,
            unit="degree",
            value_range=(0.0, 360.0),
            components=3,
        ),
    )
}


def get_task(name: str) -> TaskSpec:
    """
    Look up a task by its name.

    :param name: One of ``picking``, ``polarity``, ``magnitude``, ``distance``, ``back_azimuth``.
    :raises ValueError: If there is no such task.
    """
    try:
        return TASKS[name]
    except (KeyError, TypeError):
        raise ValueError(f"Unknown task '{name}'. Known tasks: {', '.join(TASKS)}.") from None
