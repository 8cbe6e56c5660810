"""What SeisBench calls on the way from a stream to picks and estimates."""

from __future__ import annotations

import obspy
import torch

from ..preprocess import normalize
from . import executor, inference, streams
from .arguments import argument, validate_arguments
from .curves import Sieve
from .estimates import classify_at_picks, classify_continuous
from .guard import report_failure
from .picks import classify_picks


class StreamHooks:
    """``annotate``, ``classify`` and the hooks behind them, for a SeisMoLLM."""

    def annotate(self, stream, copy=True, **kwargs) -> obspy.Stream:
        """
        Annotate a stream of any length and kind, see :py:mod:`seisbench_llm.models.streams`.

        The network runs in the calling thread, and long records are worked on in chunks: beside
        the stream and the annotations, memory does not grow with their length.

        :param stream: Waveforms; not changed.
        :param copy: Accepted for compatibility with SeisBench; nothing needs to be copied.
        :param kwargs: Arguments as listed for the class.
        :return: One trace per output and time span that holds data.
        """
        return executor.run(self.annotate_async(stream, copy=copy, **kwargs))

    async def annotate_async(self, stream, copy=True, **kwargs) -> obspy.Stream:
        """
        See :py:meth:`annotate`, but the network runs in a thread of the event loop's executor.
        """
        validate_arguments(self, kwargs)
        return await streams.annotate(self, super().annotate_async, stream, kwargs)

    def annotate_stream_pre(self, stream, argdict):
        inference.refresh(self)
        if argument(self, argdict, "zerophase_resample"):
            streams.resample_stream(stream, self.sampling_rate)
        return super().annotate_stream_pre(stream, argdict)

    def annotate_stream_validate(self, stream, argdict):
        stream = super().annotate_stream_validate(stream, argdict)
        return streams.fill(stream, self, argdict)

    def annotate_batch_pre(self, batch, argdict):
        with report_failure():
            inference.wanted.set(argument(self, argdict, "precision"))
            return normalize(batch, self.joint_norm)

    def annotate_batch_post(self, batch, piggyback, argdict):
        with report_failure():
            if self.output_type == "point":
                return batch.float()
            keep = [self.task.outputs.index(label) for label in self.labels]
            batch = batch[:, keep].float().transpose(-1, -2).contiguous()
            before, after = streams.blinding(self, argdict)
            batch[:, :before] = torch.nan
            batch[:, batch.shape[1] - after :] = torch.nan
            return batch

    def classify(self, stream, parallelism=None, **kwargs):
        """
        Picks and detections, or estimates, of a stream; memory and threads as :py:meth:`annotate`.

        :param stream: Waveforms; not changed.
        :param parallelism: Without effect, as in SeisBench.
        :param kwargs: Arguments as listed for the class.
        :return: :py:class:`seisbench.util.ClassifyOutput` with ``picks`` and ``detections`` or,
            for all tasks but picking, ``estimates``.
        """
        return executor.run(self.classify_async(stream, **kwargs))

    async def classify_async(self, stream, **kwargs):
        """See :py:meth:`classify`, but the network runs as in :py:meth:`annotate_async`."""
        if self.output_type == "point":
            if kwargs.get("picks") is None:
                return await super().classify_async(stream, **kwargs)
            validate_arguments(self, kwargs)
            return classify_at_picks(self, stream, {**self.default_args, **kwargs})
        kwargs.pop("picks", None)
        if type(self).classify_aggregate is not StreamHooks.classify_aggregate:
            return await super().classify_async(stream, **kwargs)
        kwargs.pop("copy", None)
        validate_arguments(self, kwargs)
        argdict = {**self.default_args, **kwargs}
        stream = self.classify_stream_pre(stream, argdict)
        sieve = Sieve(self, argdict)
        annotations = await streams.annotate(self, super().annotate_async, stream, kwargs, sieve)
        return self.classify_aggregate(annotations, argdict)

    def classify_aggregate(self, annotations, argdict):
        if self.output_type == "array":
            return classify_picks(self, annotations, argdict)
        return classify_continuous(self, annotations, argdict)
