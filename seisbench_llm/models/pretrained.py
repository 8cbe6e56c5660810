"""SeisBench models with further sources of weights: packaged, Hugging Face, safetensors."""

from __future__ import annotations

from contextlib import nullcontext

import seisbench
import torch
from seisbench.models import WaveformModel

from .. import weights
from ..seisbench_private import weights_metadata
from . import published


class PretrainedModel(WaveformModel):
    """A SeisBench model that loads and saves weights by :py:mod:`seisbench_llm.weights`."""

    @classmethod
    def from_pretrained(
        cls, name, version_str="latest", update=False, force=False, wait_for_file=False
    ):
        """
        Load a model with weights, in evaluation mode.

        Weights are looked for in this order: packaged with seisbench_llm, SeisBench's cache,
        SeisBench's repository. A name with a slash is a local path without suffix or, if there is
        no such file, a Hugging Face id. Packaged, cached and local weights need no network. The
        authors' own weights have names such as ``seismollm_dpk_stead``
        (:py:data:`seisbench_llm.models.published.CHECKPOINTS`).

        :param name: Name, id or path.
        :param version_str: Version, or ``latest``.
        :param update: If true, look for a newer version in SeisBench's repository first.
        :param force: If true, download again.
        :param wait_for_file: As in SeisBench.
        :raises seisbench_llm.WeightsError: If the weights cannot be found, or are damaged.
        """
        name, refetch = str(name), update or force
        if name in published.CHECKPOINTS:
            return published.load(cls, name, version_str, force)
        model = weights.load_packaged_or_path(cls, name, version_str, refetch)
        if model is not None:
            return model
        fetch = weights.check_available(cls, name, version_str, refetch)
        try:
            with weights.downloading(cls, name, version_str, force) if fetch else nullcontext():
                return super().from_pretrained(name, version_str, update, force, wait_for_file)
        except weights.WeightsError:
            raise
        except (OSError, ValueError) as error:
            raise weights.not_found(cls, name, version_str, error) from error

    @classmethod
    def load(cls, path, version_str=None, **kwargs):
        """
        Load a model from a JSON file and a PyTorch or safetensors file beside it.

        The model is in evaluation mode. Call ``model.train()`` before you train it.

        :param path: Path without suffix.
        :param version_str: Version in the file names, None for file names without.
        :param kwargs: Ignored, for compatibility with SeisBench. Weights are always loaded safely
            and to the CPU.
        :raises seisbench_llm.WeightsError: If the files are missing or damaged.
        """
        return weights.load(cls, path, version_str)

    @classmethod
    def list_pretrained(cls, details=False, remote=True):
        """
        Names of all packaged and cached weights. Unless ``remote`` is false, also those in
        SeisBench's repository, if it answers, and the published weights of the paper's authors.

        :param details: If true, return a dictionary of name to description.
        :param remote: If false, only packaged and cached ones are listed.
        """
        listed = weights.local_descriptions(cls)
        if remote and weights.repository_answers():
            listed = {**{n: c.description for n, c in published.CHECKPOINTS.items()}, **listed}
            try:
                others = super().list_pretrained(details=details, remote=True)
                listed = {**(others if details else dict.fromkeys(others)), **listed}
            except (OSError, ValueError) as error:
                seisbench.logger.warning(
                    f"SeisBench's repository did not answer as expected: {error}"
                )
        return listed if details else sorted(listed)

    @classmethod
    def list_versions(cls, name, remote=True):
        """
        Versions of a weight that are packaged, cached, or in SeisBench's repository if it answers.

        :param name: Name of the weight.
        :param remote: If false, the repository is not asked.
        """
        if name in published.CHECKPOINTS:
            return [published.VERSION]
        versions = weights.local_versions(cls, name)
        if remote and weights.repository_answers(warn=False):
            versions |= set(super().list_versions(name, remote=True))
        return weights.sort_versions(versions)

    def save(self, path, weights_docstring="", version_str=None, record=None, half=None):
        """
        Save the model as a SeisBench weight: a JSON file and a PyTorch file.

        SeisBench's own ``load`` reads the files.

        :param path: Path without suffix.
        :param weights_docstring: Description of the weights.
        :param version_str: Version, which is also appended to the file names. None for file names
            without a version.
        :param record: What users should know. By default it is the record of the loaded weights.
        :param half: If not None, write a safetensors file instead of a PyTorch file, in half (True)
            or single (False) precision.
        """
        state = self.merged_state_dict()
        weights.save(self, state, path, weights_docstring, version_str, record, half)

    def merged_state_dict(self) -> dict[str, torch.Tensor]:
        """The state dict that is saved, without parts that only training needs."""
        return self.state_dict()

    @property
    def sha256(self) -> str | None:
        """SHA-256 of the weight file if it has one, None for an untrained model."""
        return weights_metadata(self).get("sha256")

    @property
    def record(self) -> weights.WeightRecord | None:
        """Record of the loaded weights, None for an untrained model."""
        return weights.record_of(self)
