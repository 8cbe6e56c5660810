import json
import sys

import numpy as np
import obspy
import pytest
import torch
import torch.nn.functional as F

from seisbench_llm.models.onnx import _interpolate
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.preprocess import normalize
from seisbench_llm.tasks import TASKS
from tests.helpers.models import tiny_model, varied_windows

POINT_TASKS = [name for name, spec in TASKS.items() if spec.output_type == "point"]


def session_of(path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    return runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def metadata_of(session):
    return session.get_modelmeta().custom_metadata_map


def spread_out(model, windows):
    """A network with random weights answers the same to everything; make it answer all over."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.momentum = 1.0
    x, last = normalize(windows, model.joint_norm), model.network.head.linear
    with torch.no_grad():
        model.train()(x)
        logits = model.eval()(x, logits=True)
        scale = 1.5 / logits.std(dim=0)
        last.bias.sub_(logits.mean(dim=0)).mul_(scale)
        last.weight.mul_(scale[:, None])


def assert_same_answers(model, session, windows, joint=None):
    """To 1e-4 of the range of answers; ``joint`` None if the graph takes normalised windows."""
    scale = model.task.scale if model.task.head == "scalar" else 1.0
    for batch in (1, 5):
        x = windows[:batch]
        found = session.run(["answers"], {"waveforms": x.numpy()})[0]
        with torch.no_grad():
            wanted = model.eval()(x if joint is None else normalize(x, joint)).numpy()
        assert found.dtype == np.float32 and found.shape == wanted.shape
        np.testing.assert_allclose(found / scale, wanted / scale, atol=1e-4, rtol=0)
    assert np.ptp(wanted, axis=0).max() > 0.01 * scale


@pytest.fixture(scope="module")
def compact(tmp_path_factory):
    """The packaged picker and its session."""
    pytest.importorskip("onnx")
    model = SeisMoLLM.from_pretrained("compact_picking")
    return model, session_of(model.to_onnx(tmp_path_factory.mktemp("onnx") / "picker.onnx"))


@pytest.mark.parametrize(
    "task, joint", list(zip(TASKS, (False, True, False, True, False), strict=True))
)
def test_answers_of_raw_windows_in_any_unit(task, joint, tmp_path):
    pytest.importorskip("onnx")
    model = tiny_model(task, joint_norm=joint)
    session = session_of(model.to_onnx(tmp_path / "folder" / "model.onnx"))
    windows = varied_windows(model.in_samples) * torch.logspace(-12, 6, 16)[:, None, None]
    # From the largest unit down, with an offset, and with a component that is missing.
    windows = (windows + 3 * windows.std(dim=-1, keepdim=True)).flip(0)
    windows[1, 0] = 0
    assert_same_answers(model, session, windows, joint)
    assert [i.shape for i in session.get_inputs()] == [["batch", 3, model.in_samples]]
    answer = model(windows[:1]).shape[1:]
    assert [o.shape for o in session.get_outputs()] == [["batch", *answer]]


def test_answers_of_normalised_windows(tmp_path):
    pytest.importorskip("onnx")
    model = tiny_model("magnitude")
    session = session_of(model.to_onnx(tmp_path / "model.onnx", normalization=False))
    assert_same_answers(model, session, varied_windows(model.in_samples))
    assert metadata_of(session)["normalization"] == "before the graph"


@pytest.mark.parametrize("task", POINT_TASKS)
def test_compact_estimates(task, tmp_path):
    pytest.importorskip("onnx")
    torch.manual_seed(0)
    model = SeisMoLLM.from_preset("compact", task=task, pretrained=False)
    windows = varied_windows(model.in_samples)
    spread_out(model, windows)
    session = session_of(model.to_onnx(tmp_path / "model.onnx"))
    assert_same_answers(model, session, windows, model.joint_norm)


def test_packaged_picker(compact):
    model, session = compact
    assert_same_answers(model, session, varied_windows(model.in_samples), model.joint_norm)


def test_packaged_picker_finds_the_same_peaks(compact):
    """All that a program needs to know to use the file is in the file."""
    model, session = compact
    told = metadata_of(session)
    rate, samples = json.loads(told["sampling_rate"]), json.loads(told["in_samples"])
    filters, stream = json.loads(told["filter"]), obspy.read().detrend("demean")
    stream.filter(*filters["args"], **filters["kwargs"])
    window = np.zeros((1, len(told["component_order"]), samples), np.float32)
    first = (samples - stream[0].stats.npts) // 2
    for trace in stream:
        assert trace.stats.sampling_rate == rate
        component = told["component_order"].index(trace.stats.component)
        window[0, component, first : first + trace.stats.npts] = trace.data
    curves = dict(
        zip(
            json.loads(told["outputs"]), session.run(None, {"waveforms": window})[0][0], strict=True
        )
    )
    with torch.no_grad():
        wanted = model.eval()(normalize(torch.from_numpy(window), model.joint_norm))[0].numpy()
    picks = {pick.phase: pick for pick in model.classify(obspy.read()).picks}
    for phase in json.loads(told["labels"]):
        peak = curves[phase].argmax()
        assert peak == wanted[TASKS["picking"].outputs.index(phase)].argmax()
        # That of classify, which averages windows around.
        time = stream[0].stats.starttime + (peak - first) / rate
        assert abs(time - picks[phase].peak_time) < 0.1 and curves[phase][peak] > 0.3


def test_metadata(compact):
    model, session = compact
    told = metadata_of(session)
    assert told["task"] == "picking" and told["component_order"] == model.component_order
    assert json.loads(told["labels"]) == ["P", "S"]
    assert json.loads(told["default_args"]) == model.default_args
    assert json.loads(told["filter"])["args"] == list(model.filter_args)
    assert json.loads(told["joint_norm"]) is model.joint_norm
    assert json.loads(told["pred_sample"]) is None
    assert told["normalization"] == "in the graph"
    assert told["licence"] == model.record.licence != ""
    assert json.loads(told["record"])["name"] == told["weights"] == "compact_picking"


def test_adapters_are_folded_in_and_the_model_stays(tmp_path):
    pytest.importorskip("peft"), pytest.importorskip("onnx")
    model = tiny_model("polarity")
    model.add_lora(rank=2)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    windows = varied_windows(model.in_samples)
    spread_out(model, windows)
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    session = session_of(model.to_onnx(tmp_path / "model.onnx"))
    assert model.training and before.keys() == model.state_dict().keys()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert_same_answers(model, session, windows, model.joint_norm)
    assert json.loads(metadata_of(session)["pred_sample"]) == model.pred_sample


@pytest.mark.parametrize("sizes", [(47, 188), (188, 750), (750, 3008), (3008, 6016), (300, 299)])
def test_interpolation_is_that_of_torch(sizes):
    x = torch.randn(2, 3, sizes[0], generator=torch.Generator().manual_seed(0))
    wanted = F.interpolate(x, size=sizes[1], mode="linear")
    torch.testing.assert_close(_interpolate(x, sizes[1], "linear"), wanted, atol=1e-6, rtol=1e-6)
    with pytest.raises(NotImplementedError):
        _interpolate(x, sizes[1], "nearest")
    with pytest.raises(NotImplementedError):
        _interpolate(x, sizes[1], "linear", align_corners=True)


def test_without_onnx(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match="pip install 'onnx"):
        tiny_model().to_onnx(tmp_path / "model.onnx")
