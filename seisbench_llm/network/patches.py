"""Latent patches: from the latent sequence to tokens, and back."""

import torch


def to_tokens(x: torch.Tensor, patch: int) -> torch.Tensor:
    """
    Cut a latent sequence into non-overlapping patches over all channels, channel-major.

    A remainder shorter than a patch is dropped.

    :param x: Shape (batch, channels, samples).
    :param patch: Length of a patch in latent samples.
    :return: Shape (batch, samples // patch, channels * patch).
    """
    batch, channels, samples = x.shape
    tokens = samples // patch
    x = x[..., : tokens * patch].reshape(batch, channels, tokens, patch)
    return x.transpose(1, 2).reshape(batch, tokens, channels * patch)


def from_tokens(x: torch.Tensor, patch: int) -> torch.Tensor:
    """
    Inverse of :py:func:`to_tokens`.

    :param x: Shape (batch, tokens, channels * patch).
    :return: Shape (batch, channels, tokens * patch).
    """
    batch, tokens, width = x.shape
    x = x.reshape(batch, tokens, width // patch, patch).transpose(1, 2)
    return x.reshape(batch, width // patch, tokens * patch)
