"""The training step of all tasks, for Lightning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import lightning
import numpy as np
import torch

from ..models.presets import TASK_CHANGES
from ..models.seismollm import SeisMoLLM
from ..network.lora import LORA_TARGETS, has_lora
from ..tasks import get_task
from ..weight_files import Uninitialised, check_tensor, one_line
from .checkpoints import load_checkpoint
from .losses import LOSSES


class TrainingModule(lightning.LightningModule):
    """
    A SeisMoLLM under training.

    The defaults are those of the paper for STEAD: the published network, a language model that is
    frozen except for LoRA, LayerNorms and positions, Adam, and a learning rate that changes
    cyclically with every step.

    :param task: Name of the task.
    :param preset: Size of a new model, a name in :py:data:`seisbench_llm.models.presets.PRESETS`.
    :param weights: Weight to start from instead, any name that ``from_pretrained`` takes. If it
        belongs to another task or window, tensors that fit by name and shape are used. Window and
        normalisation then come from the preset.
    :param model_args: Arguments of :py:class:`~seisbench_llm.SeisMoLLM` that differ from the preset
        or from ``weights``.
    :param language_model: How to train the backbone: ``lora``, ``full`` or ``frozen``.
    :param lora_rank: Rank of the adapters.
    :param lora_alpha: Scale of the adapters. Their outputs are multiplied by alpha / rank.
    :param lora_dropout: Dropout on the adapters' input.
    :param lora_targets: Linear layers of each block that get adapters.
    :param optimizer: ``adam`` or ``adamw``.
    :param weight_decay: Weight decay of ``adamw``.
    :param learning_rate: Largest learning rate.
    :param least_learning_rate: Smallest learning rate of a cycle.
    :param backbone_rate: Factor of the learning rate for the backbone.
    :param schedule: ``cyclic`` (triangular), ``onecycle`` (over all steps of the run) or
        ``constant``.
    :param steps_up: Steps from the smallest to the largest learning rate. For ``onecycle`` it is
        the warm-up.
    :param steps_down: Steps from the largest back to the smallest learning rate.
    :param positive_weight: Extra weight of samples near an onset
        (:py:func:`~seisbench_llm.training.losses.curve_bce`).
    :param loss: One of :py:data:`~seisbench_llm.training.losses.LOSSES`. By default the loss of the
        task.
    :param seed: Seed of initial weights and of dropout.
    :raises ValueError: If an option is unknown, or if ``weights`` belongs to another size of model.
    """

    def __init__(
        self,
        task: str = "picking",
        preset: str = "paper",
        weights: str | None = None,
        model_args: dict[str, Any] | None = None,
        language_model: str = "lora",
        lora_rank: int = 16,
        lora_alpha: float = 16,
        lora_dropout: float = 0.1,
        lora_targets: Sequence[str] = LORA_TARGETS,
        optimizer: str = "adam",
        weight_decay: float = 0.01,
        learning_rate: float = 1e-3,
        least_learning_rate: float = 5e-4,
        backbone_rate: float = 1.0,
        schedule: str = "cyclic",
        steps_up: int = 4500,
        steps_down: int = 5000,
        positive_weight: float = 0.0,
        loss: str | None = None,
        seed: int = 0,
    ):
        super().__init__()
        _one_of("language_model", language_model, ("lora", "full", "frozen"))
        _one_of("optimizer", optimizer, ("adam", "adamw"))
        if not callable(loss or get_task(task).loss):
            _one_of("loss", loss or get_task(task).loss, tuple(LOSSES))
        _one_of("schedule", schedule, ("cyclic", "onecycle", "constant"))
        self.save_hyperparameters()
        self.task = get_task(task)
        torch.manual_seed(seed)
        self.model = build_model(task, preset, weights, model_args or {})
        # These arguments rebuild a checkpoint. They are recorded before adapters are added.
        built = {"built_args": self.model.get_model_args(), "default_args": self.model.default_args}
        self.save_hyperparameters(built)
        self._prepare_backbone()

    def _prepare_backbone(self) -> None:
        options, backbone = self.hparams, self.model.network.backbone
        if not list(backbone.parameters()):
            return
        if options.language_model == "lora":
            self.model.add_lora(
                rank=options.lora_rank,
                alpha=options.lora_alpha,
                dropout=options.lora_dropout,
                targets=tuple(options.lora_targets),
            )
        elif options.language_model == "frozen":
            backbone.requires_grad_(False)

    def on_train_batch_start(self, batch, batch_idx: int) -> None:
        # Dropout depends only on the step, so that a resumed run continues as if it had not
        # stopped.
        step = self.trainer.fit_loop.epoch_loop.total_batch_idx
        entropy = np.random.SeedSequence([self.hparams.seed, step, self.global_rank])
        torch.manual_seed(int(entropy.generate_state(1, np.uint64)[0] >> 1))

    def prediction(self, x: torch.Tensor) -> torch.Tensor:
        """Output of the model's ``forward``, its last non-linearity in single precision."""
        return self.model.network.head.activate(self.model(x, logits=True).float())

    def loss(self, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss and prediction for a batch with ``X``, ``y`` and, optionally, ``w``."""
        prediction = self.prediction(batch["X"])
        # bf16 has too few digits for the logarithms.
        with torch.autocast(prediction.device.type, enabled=False):
            options, loss = {}, self.hparams.loss or self.task.loss
            if loss == "curve_bce":
                options = {
                    "positive_weight": self.hparams.positive_weight,
                    "weight": batch.get("w"),
                    "channel_weights": (float("Detection" in self.model.labels), 1.0, 1.0),
                }
            function = loss if callable(loss) else LOSSES[loss]
            return function(prediction, batch["y"], **options), prediction

    def training_step(self, batch, batch_idx: int) -> torch.Tensor:
        loss, _ = self.loss(batch)
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch["X"]))
        return loss

    def validation_step(self, batch, batch_idx: int) -> None:
        loss, prediction = self.loss(batch)
        size = len(batch["X"])
        self.log("val/loss", loss, prog_bar=True, sync_dist=True, batch_size=size)
        for name, value in validation_figures(self.task.name, prediction, batch["y"]).items():
            self.log(f"val/{name}", value, prog_bar=True, sync_dist=True, batch_size=size)

    def configure_optimizers(self):
        options = self.hparams
        backbone = [p for p in self.model.network.backbone.parameters() if p.requires_grad]
        inside = {id(p) for p in backbone}
        rest = [p for p in self.model.parameters() if p.requires_grad and id(p) not in inside]
        factors = [1.0, options.backbone_rate] if backbone else [1.0]
        groups = [
            {"params": params, "lr": options.learning_rate * factor}
            for params, factor in zip((rest, backbone), factors, strict=False)
        ]
        if options.optimizer == "adam":
            optimizer = torch.optim.Adam(groups)
        else:
            optimizer = torch.optim.AdamW(groups, weight_decay=options.weight_decay)
        largest = [group["lr"] for group in groups]
        if options.schedule == "constant":
            return optimizer
        if options.schedule == "cyclic":
            schedule = torch.optim.lr_scheduler.CyclicLR(
                optimizer,
                [options.least_learning_rate * factor for factor in factors],
                largest,
                step_size_up=options.steps_up,
                step_size_down=options.steps_down,
                cycle_momentum=False,
            )
        else:
            # OneCycleLR divides by the lengths of its two parts, less a step.
            total = max(4, self._total_steps())
            rising = max(1.5, min(0.3 * total, options.steps_up))
            schedule = torch.optim.lr_scheduler.OneCycleLR(
                optimizer, largest, total, pct_start=rising / total
            )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def _total_steps(self) -> int:
        # Not trainer.estimated_stepping_batches: it sets up the loader too early for Lightning to
        # restore its place in the epoch.
        trainer = self.trainer
        if trainer.max_steps > 0:
            return trainer.max_steps
        if (trainer.max_epochs or -1) < 0:
            raise ValueError("schedule: onecycle needs trainer.max_epochs or trainer.max_steps.")
        batches = len(trainer.datamodule.train_dataloader())
        return trainer.max_epochs * math.ceil(batches / trainer.accumulate_grad_batches)


def build_model(task: str, preset: str, weights: str | None, model_args: dict) -> SeisMoLLM:
    """
    Build a model to train: a new one, or one with the fitting tensors of a weight.

    :raises ValueError: If less than half of the weight fits.
    """
    if weights is None:
        return SeisMoLLM.from_preset(preset, task=task, **model_args)
    start = SeisMoLLM.from_pretrained(weights)
    if task == start.task.name and not model_args:
        return start.train()
    arguments = {**start.get_model_args(), "default_args": start.default_args}
    if task != start.task.name:
        if arguments["two_speeds"]:
            # What the network itself sees.
            arguments |= {"two_speeds": False, "in_samples": start.in_samples // 2}
        arguments = {**arguments, "default_args": None, **TASK_CHANGES.get((preset, task), {})}
    arguments = {**arguments, "task": task, **model_args}
    model = SeisMoLLM(**arguments)
    state, given = model.state_dict(), start.state_dict()
    fitting = {k: v for k, v in given.items() if k in state and state[k].shape == v.shape}
    taken = sum(v.numel() for v in fitting.values()) / sum(v.numel() for v in given.values())
    if taken < 0.5:
        raise ValueError(
            f"Only {taken:.0%} of the weights '{weights}' fit the model; model_args {model_args} "
            f"ask for another size. Leave out model.weights to start from random weights."
        )
    model.load_state_dict(fitting, strict=False)
    return model


def validation_figures(
    task: str, prediction: torch.Tensor, target: torch.Tensor
) -> dict[str, torch.Tensor]:
    """
    A figure to follow during training: accuracy or mean absolute error.

    :param task: Name of the task.
    :param prediction: Output of the network for a batch.
    :param target: Its label.
    """
    head = get_task(task).head
    if head == "class":
        return {"accuracy": (prediction.argmax(1) == target.argmax(1)).float().mean()}
    if head == "scalar":
        return {"mae": (prediction - target).abs().mean()}
    if head == "angle":
        angle = torch.rad2deg(torch.atan2(prediction[:, 1], prediction[:, 0]))
        return {"mae": ((angle - target[:, 0] + 180) % 360 - 180).abs().mean()}
    if head != "curves":
        return {}
    # The largest label is at an onset. The figure is the probability there.
    peak = target[:, 1:].amax(-1)
    there = torch.gather(prediction[:, 1:], -1, target[:, 1:].argmax(-1, keepdim=True))[..., 0]
    onsets = (peak > 0.5).float()
    return {"at_onsets": (there * onsets).sum() / onsets.sum().clamp(min=1)}


def trained_model(checkpoint: str) -> SeisMoLLM:
    """
    The model of a checkpoint with LoRA adapters folded in.

    :param checkpoint: File that ``fit`` wrote. Nothing in it is executed.
    :raises ValueError: If the file is not such a checkpoint.
    """
    state = load_checkpoint(checkpoint)
    try:
        return _model_of(state, str(checkpoint))
    except Exception as error:
        # A wrong entry may raise an error of any kind.
        raise ValueError(
            f"{checkpoint} is not a checkpoint of a training run: {one_line(error)}"
        ) from error


def _model_of(state: dict, name: str) -> SeisMoLLM:
    options = state["hyper_parameters"]
    # All tensors are those of the checkpoint.
    arguments = {**options["built_args"], "pretrained": False}
    with Uninitialised():
        # Checkpoints of earlier versions are without default arguments.
        model = SeisMoLLM(**arguments, default_args=options.get("default_args"))
    tensors = {
        key.removeprefix("model."): check_tensor(value, f"{name}: '{key}'")
        for key, value in state["state_dict"].items()
        if key.startswith("model.")
    }
    if any(".lora_" in key for key in tensors):
        model.add_lora(
            rank=options["lora_rank"],
            alpha=options["lora_alpha"],
            targets=tuple(options["lora_targets"]),
        )
    model.load_state_dict(tensors)
    if has_lora(model):
        model.merge_lora()
    return model.eval()


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} is {', '.join(known[:-1])} or {known[-1]}, not '{value}'.")
