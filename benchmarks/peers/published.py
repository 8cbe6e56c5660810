"""
Networks that the paper compares with, written from their papers, as SeisBench models.

- :py:class:`MagNet`: Mousavi, S. M., & Beroza, G. C. (2020). A machine-learning approach for
  earthquake magnitude estimation. Geophysical Research Letters, 47, e2019GL085976.
- :py:class:`BazNetwork`: Mousavi, S. M., & Beroza, G. C. (2020). Bayesian-deep-learning estimation
  of earthquake location from single-station observations. IEEE Transactions on Geoscience and
  Remote Sensing, 58(11), 8211-8224; the part for the back-azimuth.
- :py:class:`DiTingMotion`: Zhao, M., Xiao, Z., Zhang, M., Yang, Y., Tang, L., & Chen, S. (2023).
  DiTingMotion: A deep-learning first-motion-polarity classifier and its application to focal
  mechanism inversion. Frontiers in Earth Science, 11, 1103914.

Names of parameters are those of the checkpoints that SeisMoLLM's authors publish of these
networks, trained on STEAD and DiTing by the same recipe as SeisMoLLM; :py:func:`load` reads such a
file. The files were not seen here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from seisbench.models import WaveformModel
from torch import nn

from seisbench_llm.benchmark.estimators import MaskS, OnsetWindow
from seisbench_llm.benchmark.pickers import whole_record_steps
from seisbench_llm.preprocess import normalize
from seisbench_llm.weight_files import WeightsError, load_tensor, one_line, read_tensors


class Peer(WaveformModel):
    """
    What the three have in common: one answer for a window about P.

    :param task: Task of the benchmark.
    :param labels: Names of the outputs.
    :param in_samples: Window in samples.
    :param sampling_rate: Hz.
    :param pred_sample: Where in the window P is.
    :param components: Components that it sees.
    """

    def __init__(
        self,
        task: str,
        labels: list[str],
        in_samples: int,
        sampling_rate: float,
        pred_sample: int,
        components: str = "ZNE",
    ):
        super().__init__(
            output_type="point",
            in_samples=in_samples,
            pred_sample=pred_sample,
            labels=labels,
            sampling_rate=sampling_rate,
            component_order=components,
        )
        self.task_name = task

    def annotate_batch_pre(self, batch: torch.Tensor, argdict: dict) -> torch.Tensor:
        """Each component without its mean, by its standard deviation."""
        return normalize(batch)

    def answer(self, x: torch.Tensor) -> torch.Tensor:
        """
        Answers for prepared windows, in the benchmark's units.

        :param x: (batch, components, samples).
        :return: (batch,).
        """
        raise NotImplementedError


def padded(x: torch.Tensor, kernel: int) -> torch.Tensor:
    """Zeros at both ends, such that a convolution keeps the length; the smaller half first."""
    return F.pad(x, ((kernel - 1) // 2, kernel - 1 - (kernel - 1) // 2))


class MagNet(Peer):
    """
    Magnitude: two convolutions, each with dropout and max-pooling by 4, and a bidirectional LSTM.

    The second output is the logarithm of the variance, which training uses.

    :param in_samples: Window in samples.
    :param sampling_rate: Hz.
    :param pred_sample: Where in the window P is.
    """

    def __init__(self, in_samples: int = 6000, sampling_rate: float = 100, pred_sample: int = 1000):
        super().__init__("magnitude", ["Magnitude"], in_samples, sampling_rate, pred_sample)
        self.conv_layers = nn.Sequential(_Pooled(3, 64), _Pooled(64, 32))
        self.lstm = nn.LSTM(32, 100, batch_first=True, bidirectional=True)
        self.lin = nn.Linear(200, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Magnitude and logarithm of its variance, (batch, 2)."""
        _, (last, _) = self.lstm(self.conv_layers(x).transpose(1, 2))
        return self.lin(last.transpose(0, 1).flatten(1))

    def answer(self, x: torch.Tensor) -> torch.Tensor:
        """Magnitude."""
        return self(x)[:, 0]

    def loss(self, output: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        """Negative logarithm of the likelihood of a normal distribution, as in the paper."""
        away = (truth.reshape(-1) - output[:, 0]) ** 2
        return 0.5 * (torch.exp(-output[:, 1]) * away + output[:, 1]).mean()


class _Pooled(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, 3)
        self.dropout = nn.Dropout(0.2)
        self.pool = nn.MaxPool1d(4, ceil_mode=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pool(self.dropout(self.conv(padded(x, 3))))


class BazNetwork(Peer):
    """
    Back-azimuth: convolutions of the waveforms beside the covariance of the components, its
    eigenvalues and eigenvectors.

    :param in_samples: Window in samples, on which the size of a layer depends.
    :param sampling_rate: Hz.
    :param pred_sample: Where in the window P is.
    """

    CHANNELS = (20, 32, 64, 20)

    def __init__(self, in_samples: int = 6000, sampling_rate: float = 100, pred_sample: int = 1000):
        labels = ["BackAzimuthCos", "BackAzimuthSin"]
        super().__init__("back_azimuth", labels, in_samples, sampling_rate, pred_sample)
        self.layers, length, inputs = nn.ModuleList(), in_samples, 3
        for outputs in self.CHANNELS:
            self.layers.append(
                nn.Sequential(
                    nn.Conv1d(inputs, outputs, 3, padding=1),
                    nn.ReLU(),
                    nn.Dropout(0.3),
                    nn.MaxPool1d(2, ceil_mode=True),
                )
            )
            inputs, length = outputs, -(-length // 2)
        self.conv1 = nn.Conv1d(3, inputs, 1)
        # Three columns of the covariance, one of eigenvalues, three of eigenvectors.
        self.lin0 = nn.Linear((length + 7) * inputs, 100)
        self.dropout = nn.Dropout(0.3)
        self.lin1 = nn.Linear(100, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Cosine and sine, (batch, 2)."""
        polarisation = torch.relu(self.conv1(self.polarisation(x)))
        for layer in self.layers:
            x = layer(x)
        x = torch.cat([x.flatten(1), polarisation.flatten(1)], dim=1)
        return self.lin1(self.dropout(torch.relu(self.lin0(x))))

    @staticmethod
    @torch.no_grad()
    def polarisation(x: torch.Tensor) -> torch.Tensor:
        """
        Covariance matrix, eigenvalues and eigenvectors side by side, (batch, 3, 7).

        The first two are divided by the largest of the batch, as published.
        """
        x = x - x.mean(-1, keepdim=True)
        covariance = x @ x.transpose(1, 2) / (x.shape[-1] - 1)
        # Not eigh: order and sign of the vectors are those the published weights have learnt.
        values, vectors = torch.linalg.eig(covariance)
        values, vectors = values.real[..., None], vectors.real
        values = values / values.max()
        return torch.cat([covariance / covariance.abs().max(), values, vectors], dim=-1)

    def answer(self, x: torch.Tensor) -> torch.Tensor:
        """Degrees, 0 to 360."""
        cosine, sine = self(x).unbind(1)
        return torch.rad2deg(torch.atan2(sine, cosine)) % 360

    def loss(self, output: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        """Squared error of cosine and sine; truth in degrees."""
        angle = torch.deg2rad(truth.reshape(-1))
        return F.mse_loss(output, torch.stack([angle.cos(), angle.sin()], dim=1))


class DiTingMotion(Peer):
    """
    First motion: blocks of parallel convolutions on the vertical and its differences, with answers
    at three depths that are fused with a further one.

    :param in_samples: Window in samples; 128 in the paper.
    :param sampling_rate: Hz.
    :param pred_sample: Where in the window P is.
    """

    LAYERS = (2, 2, 3, 3, 3)
    # Inputs of the linear layer of a side answer, at the three deepest blocks.
    SIDES = (None, None, 32, 16, 16)

    def __init__(self, in_samples: int = 128, sampling_rate: float = 100, pred_sample: int = 64):
        super().__init__("polarity", ["Up", "Down"], in_samples, sampling_rate, pred_sample, "Z")
        self.blocks = nn.ModuleList()
        self.clarity_side_layers, self.polarity_side_layers = nn.ModuleList(), nn.ModuleList()
        channels = 2
        for layers, width in zip(self.LAYERS, self.SIDES, strict=True):
            self.blocks.append(_Block(channels, layers))
            channels += 8
            for sides in (self.clarity_side_layers, self.polarity_side_layers):
                sides.append(None if width is None else _Side(channels, width))
        known = [width for width in self.SIDES if width]
        self.fuse_polarity = _fusion(8 * len(known))
        self.fuse_clarity = _fusion(sum(known))

    def annotate_batch_pre(self, batch: torch.Tensor, argdict: dict) -> torch.Tensor:
        """The vertical and its differences, (batch, 2, samples)."""
        z = normalize(batch)
        return torch.cat([z, torch.diff(z, dim=-1, prepend=z[..., :1])], dim=1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Clarity (impulsive, emergent) and polarity (up, down), (batch, 2) each."""
        answers: dict[str, list] = {"clarity": [], "polarity": []}
        inner: dict[str, list] = {"clarity": [], "polarity": []}
        for i, block in enumerate(self.blocks):
            x = block(x)
            if self.SIDES[i] is not None:
                flat, _, answer = self.clarity_side_layers[i](x)
                inner["clarity"].append(flat)
                answers["clarity"].append(answer)
                _, hidden, answer = self.polarity_side_layers[i](x)
                inner["polarity"].append(hidden)
                answers["polarity"].append(answer)
        for name, fuse in (("clarity", self.fuse_clarity), ("polarity", self.fuse_polarity)):
            answers[name].append(fuse(torch.cat(inner[name], dim=1)))
        clarity, polarity = (torch.stack(answers[n]).mean(0) for n in ("clarity", "polarity"))
        return clarity, polarity

    def answer(self, x: torch.Tensor) -> torch.Tensor:
        """Probability of up."""
        return self(x)[1].softmax(dim=1)[:, 0]

    def loss(self, output: tuple, truth: torch.Tensor) -> torch.Tensor:
        """Focal loss (Lin et al. 2017) of the polarity; truth is one-hot, clarity has no labels."""
        p = output[1].softmax(dim=1)
        return -(truth * (1 - p) ** 2 * torch.log(p + 1e-6)).sum(dim=1).mean()


class _Parallel(nn.Module):
    """Convolutions of several widths beside the input itself, joined by another one."""

    KERNELS = (3, 3, 5, 5)

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Sequential(nn.Conv1d(inputs, outputs, kernel), nn.ReLU()) for kernel in self.KERNELS
        )
        self.dropout = nn.Dropout(0.2)
        self.out_conv = nn.Conv1d(inputs + len(self.KERNELS) * outputs, outputs, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = [conv(padded(x, k)) for conv, k in zip(self.convs, self.KERNELS, strict=True)]
        x = self.dropout(torch.cat([x, *parts], dim=1))
        return torch.relu(self.out_conv(padded(x, 3)))


class _Block(nn.Module):
    """Parallel convolutions one after the other; what came in goes along, and pooling by 2."""

    def __init__(self, inputs: int, layers: int):
        super().__init__()
        sizes = [inputs] + [8] * layers
        self.conv_layers = nn.Sequential(*map(_Parallel, sizes[:-1], sizes[1:]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.max_pool1d(torch.cat([x, self.conv_layers(x)], dim=1), 2)


class _Side(nn.Module):
    """An answer from within: what it is made from, its hidden layer, and itself."""

    def __init__(self, inputs: int, width: int):
        super().__init__()
        self.conv_layer = _Parallel(inputs, 2)
        self.lin0, self.lin1, self.width = nn.Linear(width, 8), nn.Linear(8, 2), width

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x = self.conv_layer(x)
        if x.shape[1] * x.shape[2] != self.width:
            # Other windows than the paper's.
            x = F.interpolate(x, self.width // 2)
        flat = x.flatten(1)
        hidden = torch.relu(self.lin0(flat))
        return flat, hidden, torch.sigmoid(self.lin1(hidden))


def _fusion(inputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, 8), nn.Linear(8, 2), nn.Sigmoid())


CLASSES = {"MagNet": MagNet, "Baz_Network": BazNetwork, "DiTingMotion": DiTingMotion}


def load(cls: type[Peer], path: str | Path, **kwargs) -> Peer:
    """
    A network with the weights of a published checkpoint; nothing in the file is executed.

    :param cls: One of :py:data:`CLASSES`.
    :param path: The file.
    :param kwargs: Arguments of the class, such as ``in_samples=8192, sampling_rate=50`` for DiTing.
    :raises WeightsError: If the file is no checkpoint of that network.
    """
    content = read_tensors(path)
    state = content.get("model_dict", content)
    try:
        named = {
            name.replace("module.", "").replace("_orig_mod.", ""): load_tensor(value, name)
            for name, value in state.items()
        }
        model = cls(**kwargs)
        model.load_state_dict(named)
    except (AttributeError, RuntimeError, TypeError) as error:
        raise WeightsError(f"{path} is no {cls.__name__}: {one_line(error)}") from error
    return model.eval()


class BenchmarkPeer:
    """
    A peer in the benchmark.

    :param model: The network.
    :param mask_s: See :py:class:`seisbench_llm.benchmark.estimators.BenchmarkEstimator`.
    """

    def __init__(self, model: Peer, mask_s: bool = False):
        self.model, self.task, self.mask_s = model.eval(), model.task_name, mask_s

    def get_eval_augmentations(self) -> list:
        """The network's own window about the onset."""
        model, keep = self.model, list("ZNE")
        rows = [keep.index(component) for component in model.component_order]

        def choose(state: dict) -> None:
            x, metadata = state["X"]
            state["X"] = np.asarray(x[rows], np.float32), metadata

        mask = [MaskS(model.sampling_rate)] if self.mask_s else []
        window = OnsetWindow(model.in_samples, model.pred_sample)
        return [*mask, *whole_record_steps(model), window, choose]

    def predict_step(self, batch: dict, batch_idx: int = 0) -> tuple:
        """See :py:class:`seisbench_llm.benchmark.estimators.BenchmarkEstimator`."""
        return (self.model.answer(self.model.annotate_batch_pre(batch["X"], {})),)
