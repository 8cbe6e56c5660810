"""Tasks: picking, polarity, magnitude, distance, back-azimuth, and those that users add."""

from collections.abc import Callable
from dataclasses import dataclass

HEADS = ("curves", "class", "scalar", "angle")


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """
    Description of a task: everything that distinguishes it from other tasks.

    :param name: Public name, the ``task`` argument of :py:class:`~seisbench_llm.SeisMoLLM`.
    :param published: Name of the task in the published research code, if it has the task.
    :param head: Output head: ``"curves"`` (one value per input sample), ``"class"`` (softmax),
        ``"scalar"`` (sigmoid times ``scale``) or ``"angle"`` (tanh, as cosine and sine).
    :param outputs: Meaning of each channel of the network's output, in order.
    :param labels: Channels of :py:meth:`annotate`, a selection of ``outputs``; by default all.
    :param loss: Training loss: a name in :py:mod:`seisbench_llm.training.losses`, or a function of
        prediction and target, two tensors.
    :param metrics: Names of the metrics of :py:mod:`seisbench_llm.evaluate.metrics`.
    :param metric: Function of targets and predictions, two arrays, that returns a dictionary of
        figures; None for the published one of that name.
    :param columns: Metadata columns of a data set that may hold the label. The first one that
        exists is used.
    :param class_of: Only for a ``class`` head: function that turns an entry of these columns into
        the index of the class, or into None if the class is unknown. By default entries are
        compared with ``outputs``, ignoring case.
    :param unit: Unit of the estimate.
    :param value_range: Smallest and largest possible estimate, in ``unit``.
    :param components: Smallest number of components that the task needs.
    :raises ValueError: If the entries contradict each other.
    """

    name: str
    head: str
    outputs: tuple[str, ...]
    loss: str | Callable
    published: str = ""
    labels: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    metric: Callable | None = None
    columns: tuple[str, ...] = ()
    class_of: Callable[[object], int | None] | None = None
    unit: str = "probability"
    value_range: tuple[float, float] = (0.0, 1.0)
    components: int = 1

    def __post_init__(self):
        if self.head not in HEADS:
            raise ValueError(
                f"Task '{self.name}': unknown head '{self.head}'. Known heads: {', '.join(HEADS)}."
            )
        count = {"scalar": "1 output", "angle": "2 outputs"}.get(self.head)
        if not self.outputs or (count and int(count[0]) != len(self.outputs)):
            raise ValueError(
                f"Task '{self.name}': a head '{self.head}' has {count or 'at least one output'}, "
                f"not {len(self.outputs)}."
            )
        if not self.labels:
            object.__setattr__(self, "labels", self.outputs)
        if unknown := set(self.labels) - set(self.outputs):
            raise ValueError(f"Task '{self.name}': label '{min(unknown)}' is not an output.")

    @property
    def output_type(self) -> str:
        """SeisBench's output type, ``"array"`` or ``"point"``."""
        return "array" if self.head == "curves" else "point"

    @property
    def scale(self) -> float:
        """Factor between the head's unit output and the estimate."""
        return self.value_range[1]

    def class_index(self, entry) -> int | None:
        """Index of the class that a metadata entry names, or None."""
        if self.class_of is not None:
            return self.class_of(entry)
        classes = [output.casefold() for output in self.outputs]
        entry = str(entry).strip().casefold()
        return classes.index(entry) if entry in classes else None


_POLARITIES = (("u", "up", "positive", "c"), ("d", "down", "negative", "r"))


def polarity_class(entry) -> int | None:
    """
    Class of a first motion: 0 (up), 1 (down), or None if it is unknown.

    :param entry: U, up, positive or C (compression); or D, down, negative or R (rarefaction). Case
        is ignored.
    """
    word = str(entry).strip().lower()
    return next((i for i, words in enumerate(_POLARITIES) if word in words), None)


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
            loss="curve_bce",
            metrics=("precision", "recall", "f1", "mean", "std", "mae", "mape", "rmse"),
        ),
        TaskSpec(
            name="polarity",
            published="pmp",
            head="class",
            outputs=("Up", "Down"),
            columns=("trace_polarity", "trace_p_polarity"),
            class_of=polarity_class,
            loss="cross_entropy",
            metrics=("precision", "recall", "f1"),
        ),
        TaskSpec(
            name="magnitude",
            published="emg",
            head="scalar",
            outputs=("Magnitude",),
            columns=("source_magnitude",),
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
            columns=("path_ep_distance_km", "source_distance_km"),
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
            columns=("path_back_azimuth_deg", "path_backazimuth_deg"),
            loss="angle_huber",
            metrics=_SCALAR_METRICS,
            unit="degree",
            value_range=(0.0, 360.0),
            components=3,
        ),
    )
}


# The five tasks of the paper. Tasks that are registered later are not among them.
PUBLISHED_TASKS = tuple(TASKS)


def register_task(spec: TaskSpec, overwrite: bool = False) -> TaskSpec:
    """
    Add a task. It can then be the ``task`` of a model, a training or an evaluation.

    A saved weight only contains the name of its task. Register the task before loading the weight.

    >>> event_type = TaskSpec(
    ...     name="event_type",
    ...     head="class",
    ...     outputs=("earthquake", "explosion"),
    ...     loss="cross_entropy",
    ...     columns=("source_type",),
    ... )
    >>> register_task(event_type).class_index("Explosion")
    1
    >>> TASKS.pop("event_type").output_type
    'point'

    :param spec: The task. Add model arguments that suit it to
        :py:data:`seisbench_llm.models.presets.TASK_CHANGES`.
    :param overwrite: Whether the task may replace one of the same name.
    :return: The task.
    :raises ValueError: If a task of that name already exists.
    """
    if TASKS.get(spec.name, spec) != spec and not overwrite:
        raise ValueError(f"There is a task '{spec.name}' already; overwrite=True replaces it.")
    TASKS[spec.name] = spec
    return spec


def get_task(name: str) -> TaskSpec:
    """
    Look up a task by its name.

    :param name: ``picking``, ``polarity``, ``magnitude``, ``distance``, ``back_azimuth``, or a task
        added by :py:func:`register_task`.
    :raises ValueError: If the task is unknown.
    """
    try:
        return TASKS[name]
    except (KeyError, TypeError):
        raise ValueError(f"Unknown task '{name}'. Known tasks: {', '.join(TASKS)}.") from None
