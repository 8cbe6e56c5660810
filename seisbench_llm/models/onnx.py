"""A SeisMoLLM as an ONNX file, for programs that run without Python or PyTorch."""

from __future__ import annotations

import copy
import inspect
import io
import json
import warnings
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from seisbench.models import WaveformModel
from torch import nn
from torch.overrides import TorchFunctionMode

from ..atomic import replacing
from ..extras import install_command
from ..network import lora
from ..preprocess import normalize

OPSET = 17


INPUT, OUTPUT = "waveforms", "answers"


def export_onnx(model: WaveformModel, path, normalization: bool = True) -> Path:
    """
    Write a model as an ONNX file. Its metadata say how to use it.

    Input ``waveforms``, float32, shape (batch, components, samples), any batch size; output
    ``answers``, float32, of the shape that :py:meth:`SeisMoLLM.forward` describes. The file's
    ``metadata_props`` hold task, outputs, unit, component order, sampling rate (Hz), window and
    anchor (samples), the filter to apply first, normalisation, default arguments of ``classify``,
    licence and the record of the weights. Lists, numbers and dictionaries are JSON. See
    :py:func:`metadata`.

    LoRA adapters are folded in. The model is not changed.

    :param path: File to write.
    :param normalization: Whether the graph begins with the normalisation. If true, it takes windows
        in any unit. If false, it takes windows that :py:func:`seisbench_llm.preprocess.normalize`
        returns. The caller resamples and filters in either case.
    :return: The path.
    :raises ImportError: If the extra ``export`` is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError(f"ONNX files need onnx: {install_command('export')}") from error

    network = copy.deepcopy(model.network).cpu().float()
    lora.merge_lora(network)
    graph = _Graph(network, model.joint_norm, normalization).eval()
    # A batch of two, because an exporter may take a batch of one for a constant.
    example = torch.randn(2, len(model.component_order), model.in_samples)
    buffer = io.BytesIO()
    options = {"input_names": [INPUT], "output_names": [OUTPUT], "opset_version": OPSET}
    options["dynamic_axes"] = {name: {0: "batch"} for name in (INPUT, OUTPUT)}
    # PyTorch's newer exporter needs another package, takes ten times as long, and gives the same
    # answers. Versions before 2.5 do not know the argument.
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        options["dynamo"] = False
    with warnings.catch_warnings(), torch.no_grad(), _Interpolation():
        warnings.simplefilter("ignore", DeprecationWarning)
        # Shapes become constants, which is right for windows of one length.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        torch.onnx.export(graph, (example,), buffer, **options)
        output = graph(example)

    written = onnx.load_from_string(buffer.getvalue())
    for size, dimension in zip(
        output.shape[1:], written.graph.output[0].type.tensor_type.shape.dim[1:], strict=True
    ):
        dimension.dim_value = size
    for key, value in metadata(model, normalization).items():
        text = value if isinstance(value, str) else json.dumps(value)
        written.metadata_props.add(key=key, value=text)
    onnx.checker.check_model(written, full_check=True)
    path = Path(path)
    with replacing(path) as partial:
        partial.write_bytes(written.SerializeToString())
    return path


def metadata(model: WaveformModel, normalization: bool = True) -> dict:
    """
    What a program needs to know to use an exported model.

    :param normalization: Whether the normalisation is part of the graph.
    :return: ``outputs`` are the names of the output channels, and ``labels`` those that are
        trained. ``filter`` holds arguments of :py:meth:`obspy.Stream.filter`, or null.
        ``pred_sample`` is the sample of the P onset, or null for picking.
    """
    task, record = model.task, model.record
    filtered = model.filter_args is not None or model.filter_kwargs is not None
    return {
        "producer": f"seisbench_llm {version('seisbench_llm')}",
        "task": task.name,
        "outputs": list(task.outputs),
        "labels": list(model.labels),
        "unit": task.unit,
        "value_range": list(task.value_range),
        "sampling_rate": model.sampling_rate,
        "component_order": model.component_order,
        "in_samples": model.in_samples,
        "pred_sample": model.pred_sample if task.output_type == "point" else None,
        "filter": {"args": model.filter_args, "kwargs": model.filter_kwargs} if filtered else None,
        "normalization": "in the graph" if normalization else "before the graph",
        "joint_norm": model.joint_norm,
        "default_args": model.default_args,
        "weights": record.name if record else "",
        "weights_version": model.weights_version or "",
        "licence": record.licence if record else "",
        "record": asdict(record) if record else None,
        "description": model.weights_docstring or "",
        "citation": model.citation,
    }


class _Graph(nn.Module):
    """The exported graph: normalisation, if wanted, and network."""

    def __init__(self, network: nn.Module, joint: bool, normalization: bool):
        super().__init__()
        self.network, self.joint, self.normalization = network, joint, normalization

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(normalize(x, self.joint) if self.normalization else x)


class _Interpolation(TorchFunctionMode):
    """
    Linear interpolation with PyTorch's own coordinates.

    ONNX has an operator for it, but its runtimes divide where PyTorch multiplies. In single
    precision this moves the interpolated points of a long window by up to 0.0005 samples.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is not F.interpolate:
            return func(*args, **(kwargs or {}))
        return _interpolate(*args, **kwargs)


def _interpolate(x: torch.Tensor, size: int, mode: str, **others) -> torch.Tensor:
    """``F.interpolate`` to a size, only for shape (batch, channels, samples) and mode linear."""
    if mode != "linear" or x.ndim != 3 or any(others.values()):
        raise NotImplementedError(f"Export of interpolation {mode} with {others}, {x.ndim}-d.")
    samples, size = int(x.shape[-1]), int(size)
    if size == samples:
        return x
    # NumPy computes the weights, so that the tracer sees constants. Single precision with one
    # rounding is what PyTorch's fused multiply-add gives.
    scale = np.float64(np.float32(samples) / np.float32(size))
    place = np.maximum((scale * (np.arange(size) + 0.5) - 0.5).astype(np.float32), 0)
    left = place.astype(np.int64)
    right = np.minimum(left + 1, samples - 1)
    weight = torch.from_numpy(place - left.astype(np.float32))
    left, right = torch.from_numpy(left), torch.from_numpy(right)
    return x[..., left] * (1 - weight) + x[..., right] * weight
