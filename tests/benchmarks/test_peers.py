"""Peers: networks as published code has them, and methods without a network."""

import numpy as np
import pytest
import torch

from benchmarks.peers.estimators import PnsnEstimator, SeisTEstimator
from benchmarks.peers.first_motion import FirstMotion
from benchmarks.peers.published import (
    BazNetwork,
    BenchmarkPeer,
    DiTingMotion,
    MagNet,
    load,
)
from benchmarks.peers.sta_lta import StaLta
from seisbench_llm.benchmark.datasets import open_for_benchmark
from seisbench_llm.benchmark.making import make_targets
from seisbench_llm.benchmark.predictions import predict, read_targets
from seisbench_llm.weights import WeightsError
from tests.helpers.benchmark import write_records


def filled(model):
    """A network whose every weight follows from its name and place."""
    with torch.no_grad():
        for name, value in model.state_dict().items():
            scale = 0.3 if value.ndim < 2 else 1.5 / value[0].numel() ** 0.5
            wave = torch.sin(torch.arange(value.numel(), dtype=torch.float64) * 0.7 + len(name))
            value.copy_((wave * scale).reshape(value.shape).float())
    return model.eval()


def wave(channels, samples):
    t = torch.arange(samples, dtype=torch.float64)
    rows = [
        torch.sin(t * (0.05 + 0.03 * i)) * torch.exp(-(((t - samples / 3) / (samples / 6)) ** 2))
        + 0.1 * torch.sin(t * 1.3 + i)
        for i in range(channels)
    ]
    return torch.stack(rows)[None].float()


# What the modules of StarMoonWang/SeisMoLLM (MIT) give for the same weights and windows.
@pytest.mark.parametrize(
    "model, x, expected",
    [
        (MagNet(600), wave(3, 600), [[1.0594422817, 1.3242406845]]),
        (BazNetwork(600), wave(3, 600), [[-0.3477709293, -1.1569298506]]),
        (DiTingMotion(), wave(2, 128), [[0.5026439428, 0.6000949740]]),
        (DiTingMotion(600), wave(2, 600), [[0.5027766228, 0.6032507420]]),
    ],
)
def test_the_same_as_published(model, x, expected):
    with torch.no_grad():
        output = filled(model)(x)
    output = output[1] if isinstance(output, tuple) else output
    np.testing.assert_allclose(output.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("cls", [MagNet, BazNetwork, DiTingMotion])
def test_each_learns(cls):
    torch.manual_seed(0)
    model = cls(in_samples=128, pred_sample=40)
    # Amplitude ratios and signs that tell the answer.
    truth = torch.rand(16) * 3
    x = torch.randn(16, 3, 128) * 0.1
    x[:, 0, 40:] += truth[:, None]
    if cls is DiTingMotion:
        up = truth > 1.5
        x = x[:, :2] * 0.1
        x[:, 0, 40:60] += torch.where(up, 1.0, -1.0)[:, None]
        truth = torch.nn.functional.one_hot((~up).long(), 2).float()
    elif cls is BazNetwork:
        truth = torch.where(truth > 1.5, 90.0, 270.0)
        x[:, 0, 40:] = torch.where(truth < 180, 1.0, -1.0)[:, None]
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(15):
        loss = model.loss(model(x), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_checkpoints(tmp_path):
    source = filled(MagNet())
    state = {f"module.{name}": value for name, value in source.state_dict().items()}
    torch.save({"model_dict": state, "loss": np.float64(1)}, tmp_path / "magnet_stead")
    model = load(MagNet, tmp_path / "magnet_stead")
    with torch.no_grad():
        torch.testing.assert_close(model(wave(3, 600)), source(wave(3, 600)))
    with pytest.raises(WeightsError, match="is no BazNetwork"):
        load(BazNetwork, tmp_path / "magnet_stead")


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    (folder / "records").mkdir()
    write_records(folder / "records", events=8, noise=12)
    make_targets(str(folder / "records"), folder / "toy", ["1", "23", "polarity", "magnitude"])
    return open_for_benchmark(str(folder / "records")), folder / "toy"


def test_sta_lta(toy):
    dataset, folder = toy
    table = read_targets(folder / "task23.csv", "test")
    _, ratio, p, s = predict(StaLta(), dataset, table)
    is_p = (table["phase_label"] == "P").to_numpy()
    onset = (table["phase_onset"] - table["start_sample"]).to_numpy()
    assert np.abs(p - onset)[is_p].max() <= 3 and np.abs(s - onset)[~is_p].max() <= 3
    assert ratio[is_p].min() > ratio[~is_p].max()
    table = read_targets(folder / "task1.csv", "test")
    score, *_ = predict(StaLta(), dataset, table)
    quake = (table["trace_type"] == "earthquake").to_numpy()
    assert score[quake].min() > score[~quake].max() and not quake.all()


def test_first_motion(toy):
    dataset, folder = toy
    table = read_targets(folder / "task_polarity.csv", "test")
    (up,) = predict(FirstMotion(), dataset, table)
    assert ((up > 0.5) == (table["polarity"] == "U")).all() and set(table["polarity"]) == {"U", "D"}
    # Where nothing leaves the noise, nothing is said.
    quiet = {"X": torch.sin(torch.arange(260.0)).expand(1, 3, 260)}
    assert FirstMotion().predict_step(quiet)[0].tolist() == [0.5]


@pytest.mark.parametrize("model", [MagNet(), DiTingMotion(), BazNetwork()])
def test_peers_in_the_benchmark(toy, model):
    dataset, folder = toy
    task = "polarity" if isinstance(model, DiTingMotion) else "magnitude"
    table = read_targets(folder / f"task_{task}.csv", "test")
    (answers,) = predict(BenchmarkPeer(filled(model)), dataset, table)
    assert answers.shape == (len(table),) and np.isfinite(answers).all()
    assert np.unique(answers.round(4)).size > 1


@pytest.mark.parametrize("task", ["magnitude", "polarity"])
def test_published_estimators(toy, shared, task):
    _, folder = toy
    if task == "polarity":
        module, rate = PnsnEstimator(shared / "weights/polarity/pnsn_polar.onnx"), 100
    else:
        path = shared / "weights/seist/seist_s_emg_diting.safetensors"
        if not path.is_file():
            path = shared / "weights/seist/seist_l_emg_diting.safetensors"
        module, rate = SeisTEstimator(path), 50
    dataset = open_for_benchmark(str(folder.parent / "records"), rate)
    table = read_targets(folder / f"task_{task}.csv", "test", rate)
    (answers,) = predict(module, dataset, table)
    if task == "polarity":
        # First motions of no noise are easy.
        assert ((answers > 0.5) == (table["polarity"] == "U")).all()
    else:
        assert ((answers > 0) & (answers < 8)).all() and np.unique(answers).size > 1
