"""No test of ours runs on a GPU; these show that nothing assumes that there is none."""

import copy

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from seisbench_llm.models.presets import PRESETS
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.network.fused import FusedNetwork
from seisbench_llm.preprocess import normalize
from seisbench_llm.tasks import TASKS
from tests.helpers.models import TINY, tiny_model, varied_windows
from tests.helpers.streams import make_stream


def outputs_of(task):
    return len(TASKS[task].outputs)


class OnlyHere(TorchDispatchMode):
    """Refuses tensors on another device, and double precision, which MPS does not know."""

    def __init__(self, device):
        super().__init__()
        self.device = torch.device(device)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                assert tensor.device.type == self.device.type, f"{func} on {tensor.device}"
                assert tensor.dtype != torch.float64, f"{func} in double precision"
        return result


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("preset", PRESETS)
def test_models_live_on_any_device(preset, task):
    with torch.device("meta"):
        model = SeisMoLLM.from_preset(preset, task=task, pretrained=False)
    assert {t.device.type for t in [*model.parameters(), *model.buffers()]} == {"meta"}
    x = torch.empty(4, 3, model.in_samples, device="meta")
    shape = (4, outputs_of(task))
    if task == "picking":
        shape += (model.in_samples,)
    with OnlyHere("meta"):
        assert model(normalize(x, model.joint_norm)).shape == shape
        with torch.no_grad():
            assert model.eval()(normalize(x, model.joint_norm)).shape == shape
            assert FusedNetwork(model.network, model.in_samples)(x).shape == shape


@pytest.mark.parametrize(
    "task, joint", list(zip(TASKS, (False, True, False, True, False), strict=True))
)
def test_nothing_is_made_on_the_default_device(task, joint):
    torch.manual_seed(0)
    # Without dropout training, too, always gives the same.
    shape = {**TINY["backbone_config"], "dropout": 0.0}
    model = SeisMoLLM(task=task, joint_norm=joint, **{**TINY, "backbone_config": shape})
    x = varied_windows(model.in_samples)[:2]

    def answers():
        own = copy.deepcopy(model).eval()  # as training changes the statistics of BatchNorm
        with torch.no_grad():
            fused = FusedNetwork(own.network, own.in_samples)
            evaluated = [own(normalize(x, joint)), fused(normalize(x, joint))]
        trained = own.train()(normalize(x, joint))
        gradients = torch.autograd.grad(trained.square().sum(), list(own.parameters()))
        return [*evaluated, trained, *gradients]

    wanted = answers()
    # What asks for no device is on another one than the model then.
    with torch.device("meta"), OnlyHere("cpu"):
        found = answers()
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


def peaks_of(result):
    return [(pick.trace_id, pick.phase, pick.peak_time) for pick in result.picks]


def test_compiled_model_is_used_by_annotate():
    """A backend that counts what it runs needs no compiler."""
    calls = []

    def backend(graph, example_inputs):
        def run(*args):
            calls.append(len(calls))
            return graph(*args)

        return run

    model, stream = tiny_model(), make_stream()
    wanted = peaks_of(model.classify(stream, P_threshold=0.9, S_threshold=0.9))
    assert len(wanted) > 3
    model.compile(backend=backend)
    assert peaks_of(model.classify(stream, P_threshold=0.9, S_threshold=0.9)) == wanted
    assert calls


@pytest.mark.timeout(100)
def test_without_a_compiler_the_error_says_so():
    from torch._inductor import config

    model = tiny_model(backbone=None, width=32, embedder_branches=1)
    model.compile()
    missing = {"cpp.cxx": (None, "no-such-compiler"), "force_disable_caches": True}
    with config.patch(missing), pytest.raises(Exception, match=r"No working C\+\+ compiler"):
        model.annotate(make_stream())
