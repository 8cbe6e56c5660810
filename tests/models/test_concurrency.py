"""One model, many callers: answers are those of one call after the other, and nothing changes."""

import asyncio
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from seisbench_llm.models.seismollm import SeisMoLLM
from tests.helpers.models import tiny_model
from tests.helpers.streams import make_stream

STREAMS = [make_stream(4000 + 500 * i, seed=i) for i in range(4)]


@pytest.fixture(scope="module")
def expected():
    """Annotations of each stream, one call after the other, by a model in evaluation."""
    model = tiny_model().eval()
    return [model.annotate(stream) for stream in STREAMS]


@pytest.fixture(params=[True, False], ids=["training", "evaluation"])
def model(request):
    """In either mode: SeisBench would switch it. Tensors and mode have to stay as they are."""
    model = tiny_model().train(request.param)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    yield model
    assert model.training is request.param
    after = model.state_dict()
    assert [name for name in before if not torch.equal(after[name], before[name])] == []


def assert_same(annotations, expected):
    assert len(annotations) == len(expected) > 0
    for stream, other in zip(annotations, expected, strict=True):
        for one, two in zip(stream, other, strict=True):
            assert one.id == two.id and one.stats.starttime == two.stats.starttime
            np.testing.assert_array_equal(one.data, two.data)


def test_threads(model, expected):
    with ThreadPoolExecutor(4) as pool:
        for _ in range(2):
            assert_same(list(pool.map(model.annotate, STREAMS)), expected)


def test_gather(model, expected):
    async def all_at_once():
        return await asyncio.gather(*(model.annotate_async(stream) for stream in STREAMS))

    assert_same(asyncio.run(all_at_once()), expected)


def test_fused_copies_are_made_once_by_threads(model, expected):
    """Threads that all find no fused copy, or one of other weights, do not get in the way."""
    start = threading.Barrier(4)

    def annotate(stream):
        start.wait()
        return model.annotate(stream)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(2):
            model.load_state_dict(model.state_dict())
            assert_same(list(pool.map(annotate, STREAMS)), expected)


def test_other_processes_get_the_model(model, expected):
    model.annotate(STREAMS[0])
    twin = pickle.loads(pickle.dumps(model))
    assert_same([twin.annotate(stream) for stream in STREAMS], expected)


def test_classify_at_picks():
    model = tiny_model("distance").train()
    picks = [_pick(stream) for stream in STREAMS]

    def estimates(stream):
        found = model.classify(stream, picks=picks).estimates
        return [(e.trace_id, e.time, e.value) for e in found]

    one_by_one = [estimates(stream) for stream in STREAMS]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(estimates, STREAMS)) == one_by_one
    assert model.training


def _pick(stream):
    from seisbench.util import Pick

    time = stream[0].stats.starttime + 20
    return Pick("XX.STA.00", time, time, time, 0.9, "P")


def test_the_mode_can_be_changed_elsewhere():
    model = tiny_model().train()
    assert model.eval().training is False
    assert model.train().training is True

    class Own(SeisMoLLM):
        def forward(self, x, logits=False):
            assert not self.training
            return super().forward(x, logits)

    own = Own(**model.get_model_args()).train()
    own.annotate(STREAMS[0])
    assert own.training


def test_loaded_models_are_in_evaluation(tmp_path):
    tiny_model().train().save(tmp_path / "a")
    assert not SeisMoLLM.load(tmp_path / "a").training
    assert not SeisMoLLM.from_pretrained(str(tmp_path / "a")).training
    assert not SeisMoLLM.from_pretrained("compact_picking").training
