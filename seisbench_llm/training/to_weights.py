"""Export of a finished run as a SeisBench weight."""

from __future__ import annotations

from pathlib import Path

from .. import weights
from ..models.seismollm import SeisMoLLM
from .checkpoints import BEST
from .module import trained_model
from .run_folder import RunFolder


def export_run(
    run: str | Path,
    out: str | Path,
    checkpoint: str = BEST,
    docstring: str = "",
    version: str = "1",
    licence: str = "",
    limits: str = "",
    figures: dict | None = None,
    language_model: str | None = None,
    default_args: dict | None = None,
    half: bool = False,
) -> SeisMoLLM:
    """
    Write the model of a run as a SeisBench weight (JSON and safetensors) with adapters folded in.

    The record contains data sets and their numbers of records, the split and its hash, steps, seed
    and versions.

    :param run: Run folder of ``fit``.
    :param out: Path without suffix. Its last part is the weight's name.
    :param checkpoint: ``best.ckpt`` or ``last.ckpt``.
    :param docstring: Description of the weight.
    :param version: Version of the weight.
    :param licence: Licence of the weight.
    :param limits: Where it should not be trusted.
    :param figures: Measured figures, such as those of ``evaluate``.
    :param language_model: Name of the language model for the record, if the run read it from a
        local folder.
    :param default_args: Arguments of ``annotate`` that get other defaults.
    :param half: Whether to write half precision.
    :return: The exported model.
    :raises FileNotFoundError: If the checkpoint does not exist.
    """
    run, out = Path(run), Path(out)
    file = run / "checkpoints" / checkpoint
    if not file.is_file():
        raise FileNotFoundError(f"{run} has no checkpoint {file}; is it a run of fit?")
    folder = RunFolder(run)
    config = folder.read_config()
    model = trained_model(file)
    if language_model is not None:
        arguments = {**model.get_model_args(), "backbone": language_model}
        renamed = SeisMoLLM(**arguments, default_args=model.default_args)
        renamed.load_state_dict(model.state_dict())
        model = renamed
    model.default_args.update(default_args or {})
    measured = folder.read_metrics()
    try:
        data, origin = _describe(config, measured), _language_model(model, config)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f"{folder.config} or metrics.json beside it is damaged: {type(error).__name__} {error}"
        ) from error
    record = weights.WeightRecord(
        name=out.name,
        task=model.task.name,
        version=version,
        sampling_rate=model.sampling_rate,
        window=model.in_samples / model.sampling_rate,
        data=data,
        licence=licence,
        language_model=origin,
        figures=figures or {key: measured.get(key) for key in ("steps", "best_val_loss")},
        limits=limits,
    )
    model.eval().save(out, docstring, record=record, half=half)
    return model


def _language_model(model: SeisMoLLM, config: dict) -> str | None:
    """Name of the language model from whose weights the run started, None for random weights."""
    options = config["model"]
    if options.get("weights"):
        started = SeisMoLLM.from_pretrained(options["weights"]).record
        return started.language_model if started else None
    if (options.get("model_args") or {}).get("pretrained", True):
        return model.get_model_args()["backbone"]
    return None


def _describe(config: dict, measured: dict) -> str:
    """Description of a run's data."""
    data = config["data"]
    names = [data["dataset"]] if isinstance(data["dataset"], str) else data["dataset"]
    records = measured.get("records", {})
    parts = [
        f"{name} ({records[name]['train']} records to train on)" if name in records else name
        for name in names
    ]
    start = config["model"].get("weights")
    return (
        f"{'; '.join(parts)}. Split by {data['split']}, seed {config['seed_everything']}, "
        f"augmentations '{data['recipe']}', {measured.get('steps', '?')} steps of "
        f"{data['batch_size']} windows."
        + (f" Started from {start}." if start else "")
        + (f" Split SHA-256 {measured['split_sha256'][:16]}." if measured else "")
    )
