"""
Interface of the benchmark to every SeisBench picker, for training and predictions.

The labels of a picker are found by their names, never by their position: P, S and, if it has them,
N (noise) or Detection.
"""

from __future__ import annotations

import lightning
import numpy as np
import seisbench.generate as sbg
import seisbench.models as sbm
import torch
from seisbench.models import WaveformModel

from ..models.seismollm import SeisMoLLM
from ..training.losses import curve_bce
from .targets import PHASES


class BenchmarkPicker(lightning.LightningModule):
    """
    A picker in the benchmark.

    Windows pass the model's own filter and its ``annotate_batch_pre``, in training and in
    evaluation. Outputs pass its ``annotate_batch_post``.

    :param model: SeisBench model with one curve each for P and S.
    :param lr: Learning rate.
    :param sigma: Width of the Gaussian labels in samples.
    :param sample_boundaries: Samples of the record between which training windows may lie.
    :param loss_weights: Weights of detection, P and S, for models with a detection curve.
    :raises ValueError: If the model is not a picker.
    """

    def __init__(
        self,
        model: WaveformModel,
        lr: float = 1e-3,
        sigma: float = 20,
        sample_boundaries: tuple[int | None, int | None] = (None, None),
        loss_weights: tuple[float, float, float] = (0.05, 0.40, 0.55),
    ):
        super().__init__()
        labels = list(model.labels or [])
        if model.output_type != "array" or not {"P", "S"} <= set(labels):
            raise ValueError(
                f"{type(model).__name__} is not a picker of P and S: its labels are {labels}."
            )
        self.model, self.lr, self.sigma = model, lr, sigma
        self.sample_boundaries, self.loss_weights = sample_boundaries, loss_weights
        self.labels = labels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """
        Curves by label.

        :param x: Windows of the record, not normalised, (batch, components, samples).
        :return: Probabilities, (batch, labels, samples).
        """
        arguments = {**self.model.default_args, "blinding": (0, 0)}
        prepared = self.model.annotate_batch_pre(x.clone(), arguments)
        prepared, piggyback = prepared if isinstance(prepared, tuple) else (prepared, None)
        curves = self.model.annotate_batch_post(self.model(prepared), piggyback, arguments)
        return curves.transpose(1, 2)

    # Training

    def get_augmentations(self) -> list:
        """Windows for training, two thirds of them around an arrival, with labels as ``y``."""
        samples = self.model.in_samples
        low, high = self.sample_boundaries
        about = sbg.WindowAroundSample(
            list(PHASES),
            samples_before=samples,
            windowlen=2 * samples,
            selection="random",
            strategy="variable",
        )
        return [
            *self._whole_records(),
            sbg.OneOf([about, sbg.NullAugmentation()], probabilities=[2, 1]),
            sbg.RandomWindow(low=low, high=high, windowlen=samples, strategy="pad"),
            sbg.ChangeDtype(np.float32),
            sbg.ProbabilisticLabeller(label_columns=PHASES, sigma=self.sigma, dim=0),
            sbg.DetectionLabeller(
                [column for column, phase in PHASES.items() if phase == "P"],
                s_phases=[column for column, phase in PHASES.items() if phase == "S"],
                key=("X", "detections"),
            ),
            sbg.ChangeDtype(np.float32, "y"),
            sbg.ChangeDtype(np.float32, "detections"),
        ]

    def get_train_augmentations(self) -> list:
        """As :py:meth:`get_augmentations`, which see."""
        return self.get_augmentations()

    def get_val_augmentations(self) -> list:
        """As :py:meth:`get_augmentations`, which see."""
        return self.get_augmentations()

    def shared_step(self, batch: dict) -> torch.Tensor:
        """
        Loss of a batch.

        It is the cross-entropy over the labels if one of them is noise, as for PhaseNet. Otherwise
        it is the binary cross-entropy of each curve.
        """
        curves, onsets = self(batch["X"]), batch["y"]
        target = dict(zip("PSN", onsets.unbind(1), strict=True))
        target["Detection"] = batch["detections"][:, 0]
        y = torch.stack([target[label] for label in self.labels], dim=1)
        if "N" in self.labels:
            return -(y * torch.log(curves + 1e-5)).mean(-1).sum(-1).mean()
        weights = dict(zip(("Detection", "P", "S"), self.loss_weights, strict=True))
        return curve_bce(curves, y, tuple(weights[label] for label in self.labels))

    def training_step(self, batch: dict, batch_idx: int) -> torch.Tensor:
        """Loss of a training batch, logged as ``train_loss``."""
        loss = self.shared_step(batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: dict, batch_idx: int) -> torch.Tensor:
        """Loss of a batch of dev, logged as ``val_loss``."""
        loss = self.shared_step(batch)
        self.log("val_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, for what is trainable."""
        return torch.optim.Adam([p for p in self.parameters() if p.requires_grad], lr=self.lr)

    # Evaluation

    def get_eval_augmentations(self) -> list:
        """The windows of targets, with the context that the model has room for."""
        return [
            *self._whole_records(),
            sbg.SteeredWindow(windowlen=self.model.in_samples, strategy="pad"),
            sbg.ChangeDtype(np.float32),
        ]

    def predict_step(self, batch: dict, batch_idx: int = 0, dataloader_idx: int = 0) -> tuple:
        """
        Answers of a picker for targets, from the windows of the targets only.

        :param batch: ``X``, (batch, components, samples), and ``window_borders``, (batch, 2): first
            sample and end of the target's window.
        :return: Score of detection, the highest probability of anything but noise; highest
            probability of P over that of S; samples of the highest P and of the highest S, counted
            from the begin of the window. Shape (batch,) each.
        """
        curves, borders = self(batch["X"]), batch["window_borders"].to(batch["X"].device)
        at = torch.arange(curves.shape[-1], device=curves.device)
        inside = (at >= borders[:, :1]) & (at < borders[:, 1:])
        detection = self._detection(curves).masked_fill(~inside, -torch.inf).amax(-1)
        height, sample = {}, {}
        for phase in "PS":
            curve = curves[:, self.labels.index(phase)].masked_fill(~inside, -torch.inf)
            height[phase], highest = curve.max(-1)
            sample[phase] = highest - borders[:, 0]
        return detection, height["P"] / height["S"], sample["P"], sample["S"]

    def _detection(self, curves: torch.Tensor) -> torch.Tensor:
        """Probability of any wave of an earthquake, (batch, samples)."""
        if "N" in self.labels:
            return 1 - curves[:, self.labels.index("N")]
        if "Detection" in self.labels:
            return curves[:, self.labels.index("Detection")]
        return curves[:, [self.labels.index(phase) for phase in "PS"]].amax(1)

    def _whole_records(self) -> list:
        """Steps before a window is cut."""
        return whole_record_steps(self.model)


class UnitPeak:
    """
    Subtract the mean of a record and scale its largest sample to one.

    The ratios of the components are kept. Published models divide by an amplitude plus 1e-10, which
    flattens records in metres per second. Without the mean, there is no step where a record is
    padded with zeros.
    """

    def __call__(self, state: dict) -> None:
        x, metadata = state["X"]
        x = np.asarray(x, float)
        x = x - x.mean(axis=-1, keepdims=True)
        state["X"] = x / (np.abs(x).max() or 1.0), metadata


class StreamFilter:
    """
    The filter of a model, as its ``annotate`` applies it to a stream, on whole records.

    :param rate: Sampling rate in Hz.
    :param args: Of :py:meth:`obspy.core.trace.Trace.filter`.
    :param kwargs: Of the same.
    """

    def __init__(self, rate: float, args, kwargs: dict | None):
        self.rate, self.args, self.kwargs = rate, args, kwargs or {}

    def __call__(self, state: dict) -> None:
        import obspy

        x, metadata = state["X"]
        traces = [obspy.Trace(np.asarray(row, float), {"sampling_rate": self.rate}) for row in x]
        for trace in traces:
            trace.filter(*self.args, **self.kwargs)
        state["X"] = np.stack([trace.data for trace in traces]), metadata


def whole_record_steps(model: WaveformModel) -> list:
    """Steps for a record of any model before a window is cut."""
    steps: list = [UnitPeak()]
    if model.filter_args is not None:
        steps.append(StreamFilter(model.sampling_rate, model.filter_args, model.filter_kwargs))
    return steps


def make_picker(name: str, lr: float = 1e-3, sigma: float | None = None, **kwargs):
    """
    A new picker to train.

    :param name: ``SeisMoLLM``, or a class of :py:mod:`seisbench.models` such as PhaseNet.
    :param lr: Learning rate.
    :param sigma: Width of the labels in samples; 20 as in the original, 10 for SeisMoLLM, as
        published.
    :param kwargs: ``sample_boundaries`` and ``loss_weights`` of :py:class:`BenchmarkPicker`; the
        others go to the model, for SeisMoLLM with ``preset`` to :py:meth:`SeisMoLLM.from_preset`.
    :raises ValueError: If the picker is unknown.
    """
    options = {n: kwargs.pop(n) for n in ("sample_boundaries", "loss_weights") if n in kwargs}
    if name == "SeisMoLLM":
        preset = kwargs.pop("preset", "paper")
        model = SeisMoLLM.from_preset(preset, "picking", **kwargs)
    else:
        cls = getattr(sbm, name, None)
        if not (isinstance(cls, type) and issubclass(cls, WaveformModel)):
            raise ValueError(f"There is no model '{name}' in seisbench.models.")
        if name == "PhaseNet":
            # SeisBench's own default is another order; labels are read by name in either case.
            kwargs.setdefault("phases", "PSN")
        model = cls(**kwargs)
    if sigma is None:
        sigma = 10 if name == "SeisMoLLM" else 20
    return BenchmarkPicker(model, lr=lr, sigma=sigma, **options)
