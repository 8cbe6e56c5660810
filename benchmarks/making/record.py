"""
What the record of a packaged weight says: where its data come from, and what a run's files tell.

Used by package.py.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pandas as pd
import yaml

from benchmarks.common.cases import SYNTHETIC
from benchmarks.making.taught import TEACHERS
from seisbench_llm.models.seismollm import SeisMoLLM
from seisbench_llm.training.datamodule import fingerprint
from seisbench_llm.weights import WeightRecord

LICENCE = "GPL-3.0"
SOURCES = {
    "phasenet_ncedc154": "northern California (test data of AI4EPS/PhaseNet, MIT; NCEDC)",
    "eqcorrscan_nz": "New Zealand (test data of EQcorrscan, LGPL-3; GeoNet, temporary networks)",
    "quakemigrate_iceland": "Iceland (examples of QuakeMigrate, GPL-3; automatic picks)",
    "gmprocess_strongmotion": "strong motion (test data of USGS groundmotion-processing, public "
    "domain; automatic picks)",
    "ridgecrest_pb": "boreholes at Ridgecrest 2019 (RED-PAN, MIT; catalogue incomplete)",
    "iquique_cx": "northern Chile (DeepPhasePick, GPL-3; unlabelled)",
    "deepdenoiser_ncedc": "northern California (test data of AI4EPS/DeepDenoiser, MIT; NCEDC)",
    "uturuncu_plutons": "Bolivia (TomSHudson/SeisSrcMoment, MIT; PLUTONS)",
    "hengill_malmi": "Iceland (speedshi/MALMI, GPL-3)",
    "negatives": "rockfalls, teleseisms, sea floor, a nuclear test and noise, without any onset "
    "(RockNet, MIT; hvsrpy, GPL-3; swspy, MIT; ISP, LGPL-3)",
    SYNTHETIC: "seisbench_llm.data.Synthetic, half of them over real noise of the training part",
    **dict.fromkeys(
        ("synthetic_long", "synthetic_told"),
        "seisbench_llm.data.Synthetic, 150 s, to 800 km and M 7.6",
    ),
}
TAUGHT = (
    "Windows that published pickers labelled ({teachers}: times by the PhaseNets, heights by all; "
    "benchmarks/making/taught.py): {windows}. Analysts' picks confirm a peak or make it unsure. A "
    "tenth of the events, a fifth of the noise, a third of the negatives are held out. "
)
TEACHER = (
    "Picks that analysts left out: those of the published PhaseNet (MIT) above 0.6; what it was "
    "unsure of was left out of the loss. "
)
FIRST_MOTIONS = (
    "First motions of the real records: those of pnsn_polar (cangyeone/pnsn, GPL-3.0), asked with "
    "the pick moved and the record upside down, where the answers agree (mean probability 0.8); "
    "synthetic ones are known. "
)
ESTIMATES = (
    "The set 'estimates' has no catalogue: its magnitudes are those of SeisT-L of DiTing "
    "(senli1073/SeisT, MIT), its distances those by the analyst's S minus P or of catalogues. "
)
TOLD = "Magnitudes of 'synthetic_told' are those of SeisT-L of DiTing, too, not their own. "
_LOCAL = (
    "Local and regional earthquakes, 1 Hz and above. Few regions and few records: check it on your "
    "own before relying on it. Not for teleseisms, volcanic tremor, ocean-bottom or distributed "
    "acoustic sensing. "
)
LIMITS = {
    "picking": _LOCAL + "Best to about 100 km.",
    "polarity": _LOCAL + "Learnt from synthetic first motions and from those that a published "
    "network told; a pick that is off by half a period gives the wrong sign.",
    "magnitude": _LOCAL + "Amplitudes do not reach the network: it rests on the duration, the "
    "frequencies and the distance that S minus P tells, on what is large against the noise, and on "
    "what SeisT says, which taught it.",
    "distance": _LOCAL + "To 500 km at most. Without an S it is a rough guess, and far too small "
    "for large and distant earthquakes.",
    "back_azimuth": _LOCAL + "Three components whose horizontals point north and east; P must be "
    "clear. Can be off by 180 degrees where the vertical is weak.",
}
SUMMARIES = {
    "picking": "Compact P and S picker for local earthquakes",
    "polarity": "Compact model of first-motion polarity at a P pick",
    "magnitude": "Compact single-station magnitude at a P pick, without instrument response",
    "distance": "Compact single-station epicentral distance at a P pick",
    "back_azimuth": "Compact single-station back-azimuth at a P pick",
}


def described(run: Path, data: Path, checkpoint: dict) -> str:
    """What a run was trained on and how, from its own files."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    options, sentences = config["data"], []
    totals: Counter = Counter()
    for file in sorted(run.glob("split_*.csv.gz"), key=lambda path: int(path.name[6:-7])):
        split = pd.read_csv(file)
        name = split["dataset"].iloc[0]
        counts = split["split"].value_counts()
        sentence = f"{name}: {counts.get('train', 0)} records to train on"
        sentence += f", {counts.get('dev', 0)} for development"
        if (data / name / "metadata.csv").is_file():
            metadata = pd.read_csv(data / name / "metadata.csv", low_memory=False)
            source = metadata.get("trace_parent_dataset", pd.Series(name, metadata.index))
            joined = split.merge(
                pd.DataFrame({"trace_name": metadata["trace_name"], "source": source}),
                on="trace_name",
                validate="one_to_one",
            )
            if len(joined) != len(split):
                raise SystemExit(f"{data / name} is not what {run} was trained on.")
            trained = joined.loc[joined["split"] == "train", "source"].value_counts()
            totals.update({_short(source, name): n for source, n in trained.items()})
            sentence += f" ({_sources(trained)})"
        sentences.append(sentence)
    text = "; ".join(sentences) + ". "
    if options["recipe"] == "taught":
        windows = _sources(pd.Series(dict(totals.most_common())))
        text, sentences = TAUGHT.format(teachers=", ".join(TEACHERS), windows=windows), []
    elif options.get("shares"):
        text += f"Drawn in shares of {', '.join(map(str, options['shares']))}. "
    if options.get("noise") and (data / options["noise"] / "metadata.csv").is_file():
        noise = pd.read_csv(data / options["noise"] / "metadata.csv", low_memory=False)
        noise = noise[noise["split"] == "train"]
        text += f"Noise added: {_sources(noise['trace_parent_dataset'].value_counts())}. "
    if any("records" in s or "unlabelled" in s for s in sentences):
        text += TEACHER
    for start, meaning in (
        ("first_motions", FIRST_MOTIONS),
        ("estimates", ESTIMATES),
        ("synthetic_told", TOLD),
    ):
        if any(sentence.startswith(start) for sentence in sentences):
            text += meaning
    model = config["model"]
    began = model.get("weights")
    text += f"Started from the weights '{Path(began).name}' " if began else "Started from "
    backbone = checkpoint["hyper_parameters"]["built_args"]["backbone"]
    pretrained = backbone and (model.get("model_args") or {}).get("pretrained", True)
    text += "" if began else "the language model " if pretrained else "random weights "
    if backbone:
        text += f"(backbone training: {model['language_model']})"
    text = text.rstrip() + (
        f". {checkpoint['global_step']} steps of "
        f"{options['batch_size']} windows, {model['optimizer']}, {model['schedule']} learning rate "
        f"to {model['learning_rate']:g}, augmentations '{options['recipe']}', "
        f"{config['trainer']['precision']}, seed {config['seed_everything']}. "
    )
    versions = json.loads((run / "versions.json").read_text())
    used = ", ".join(f"{k} {versions[k]}" for k in ("seisbench_llm", "torch") if k in versions)
    return text + f"Split SHA-256 {fingerprint(run)[:16]}; {used}. "


def _short(source: str, folder: str) -> str:
    """Source of a record; of sets that do not tell it, the last part of their folder."""
    return Path(folder).name if source == folder else source


def _sources(counts: pd.Series) -> str:
    parts = []
    for name, number in counts.items():
        known = SOURCES.get(str(name).removeprefix("noise_"), str(name))
        parts.append(f"{number} {'before P, ' if str(name).startswith('noise_') else ''}{known}")
    return "; ".join(parts)


def start_of(config: dict, data: Path) -> WeightRecord | None:
    """Record of the weights that the run began with; paths are as in the data folder."""
    name = config["model"].get("weights")
    if not name:
        return None
    inside = (data / name).with_suffix(".json").is_file()
    return SeisMoLLM.from_pretrained(str((data / name).resolve()) if inside else name).record


def figures_of(task: str, name: str, results: dict) -> dict:
    """
    What belongs on record.

    :param results: Of quality/unseen_regions.py or quality/unseen_estimates.py, or, for the
        training's own regions, of quality/picking.py or quality/estimates.py.
    """
    unseen = "regions" in results
    known = results["pickers" if task == "picking" else task] if unseen else results
    if name not in known:
        raise SystemExit(f"The results know {', '.join(known)}, but not {name}.")
    found = known[name]
    if task == "picking":
        columns = ("P@0.5", "S@0.5", "P@0.1", "S@0.1")
        rates = found["false picks per hour"]
        where, script = "held-out stations and events", "picking"
        if unseen:
            where, script = "regions never trained on", "unseen_regions"
            rates = {phase: {"at 0.3": rate["at 0.3"]["all"]} for phase, rate in rates.items()}
        return {
            "protocol": f"F1 at 0.3, benchmarks/quality/{script}.py, {where}",
            **{key: found[key]["at 0.3"]["all"] for key in columns},
            "false picks per hour of noise": {phase: rates[phase]["at 0.3"] for phase in rates},
        }
    if unseen:
        return {"protocol": "benchmarks/quality/unseen_estimates.py, analysts' P", **found}
    chosen = {}
    for group, kinds in found.items():
        if group != "reliability":
            sets = kinds["analyst's P"]
            chosen[group] = sets.get("all") or next(
                (v for v in sets.values() if isinstance(v, dict)), {}
            )
    return {"protocol": "benchmarks/quality/estimates.py, analysts' P", **chosen}
