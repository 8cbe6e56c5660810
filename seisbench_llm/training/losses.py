"""Training losses, as published, by their names in a TaskSpec."""

import torch
import torch.nn.functional as F

_EPS = 1e-6


def curve_bce(
    predicted: torch.Tensor,
    target: torch.Tensor,
    channel_weights: tuple[float, ...] = (0.0, 1.0, 1.0),
    positive_weight: float = 0.0,
    weight: torch.Tensor | None = None,
) -> torch.Tensor:
    """
    Binary cross-entropy of probability curves.

    :param predicted: Probabilities, shape (batch, channels, samples).
    :param target: Labels from 0 to 1, same shape.
    :param channel_weights: Weight of each channel. With the published weights the first channel is
        not trained, but the mean is still over all channels.
    :param positive_weight: Extra weight of samples near an onset, which are rare. The weight is one
        plus this factor times the label. The paper has no such weight.
    :param weight: Weight of each sample, same shape as the target, zero where the label is unknown.
    """
    loss = target * torch.log(predicted + _EPS) + (1 - target) * torch.log(1 - predicted + _EPS)
    loss = loss * loss.new_tensor(channel_weights)[:, None]
    if positive_weight:
        loss = loss * (1 + positive_weight * target)
    return -(loss if weight is None else loss * weight).mean()


def cross_entropy(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """
    Cross-entropy of probabilities.

    :param predicted: Probabilities, shape (batch, classes).
    :param target: One-hot or soft classes, same shape.
    """
    return -(target * torch.log(predicted + _EPS)).sum(dim=-1).mean()


def huber(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """
    Huber loss (Huber 1964), quadratic up to a residual of one unit.

    :param predicted: Estimates, shape (batch, 1).
    :param target: Truth, same shape.
    """
    return F.huber_loss(predicted, target)


def log_huber(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """
    Huber loss of the logarithm: the ratio counts and, for small values (below 3), the difference.

    It suits distances, whose errors grow with the distance. Not in the paper.

    :param predicted: Positive estimates, shape (batch, 1).
    :param target: Truth, same shape.
    """
    difference = torch.log(predicted + 3) - torch.log(target + 3)
    # Quadratic up to a tenth.
    return F.huber_loss(10 * difference, torch.zeros_like(difference))


def angle_huber(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """
    Huber loss of the cosine plus that of the sine.

    :param predicted: Cosine and sine, shape (batch, 2).
    :param target: Angle in degrees, shape (batch, 1).
    """
    angle = torch.deg2rad(target[:, 0])
    return huber(predicted[:, 0], angle.cos()) + huber(predicted[:, 1], angle.sin())


LOSSES = {f.__name__: f for f in (curve_bce, cross_entropy, huber, log_huber, angle_huber)}
