import pytest
import torch

from seisbench_llm.models.presets import TASK_CHANGES
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.tasks import PUBLISHED_TASKS, TASKS, TaskSpec, get_task, register_task
from tests.helpers.models import TINY
from tests.helpers.streams import make_stream

EVENT_TYPE = {
    "name": "event_type",
    "head": "class",
    "outputs": ("earthquake", "explosion", "collapse"),
    "loss": "cross_entropy",
    "columns": ("source_type",),
}


@pytest.fixture
def event_type():
    yield register_task(TaskSpec(**EVENT_TYPE))
    TASKS.pop("event_type")


def test_a_task_from_outside_has_a_model(event_type, tmp_path, monkeypatch):
    assert get_task("event_type") is event_type
    model = SeisMoLLM(task="event_type", **TINY).eval()
    assert model.labels == list(EVENT_TYPE["outputs"])
    with torch.no_grad():
        probabilities = model(torch.randn(2, 3, 3000))
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(2))
    names = {trace.stats.channel for trace in model.annotate(make_stream())}
    assert names == {f"SeisMoLLM_{name}" for name in EVENT_TYPE["outputs"]}
    model.save(tmp_path / "a")
    assert SeisMoLLM.load(tmp_path / "a").task is event_type
    monkeypatch.setitem(TASK_CHANGES, ("convolutional", "event_type"), {"pred_sample": 300})
    assert SeisMoLLM.from_preset("convolutional", task="event_type").pred_sample == 300
    # What works on the published tasks does not know of it.
    assert "event_type" not in PUBLISHED_TASKS


def test_classes_from_metadata(event_type):
    entries = ["Explosion", " earthquake ", "", float("nan"), None, "other"]
    assert [event_type.class_index(entry) for entry in entries] == [1, 0, None, None, None, None]
    blasts = TaskSpec(**EVENT_TYPE, class_of=lambda entry: 1 if "blast" in entry else None)
    assert blasts.class_index("quarry blast") == 1


def test_a_name_is_given_once(event_type):
    register_task(event_type)
    other = TaskSpec(**{**EVENT_TYPE, "columns": ("other",)})
    with pytest.raises(ValueError, match="a task 'event_type' already; overwrite=True"):
        register_task(other)
    assert register_task(other, overwrite=True) is get_task("event_type")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"head": "cloud"}, "unknown head 'cloud'. Known heads: curves, class, scalar, angle"),
        ({"head": "scalar"}, "head 'scalar' has 1 output, not 3"),
        ({"head": "angle"}, "head 'angle' has 2 outputs, not 3"),
        ({"outputs": ()}, "has at least one output, not 0"),
        ({"labels": ("blast",)}, "label 'blast' is not an output"),
    ],
)
def test_what_does_not_fit_together_is_named(change, message):
    with pytest.raises(ValueError, match=f"Task 'event_type'.*{message}"):
        TaskSpec(**{**EVENT_TYPE, **change})
