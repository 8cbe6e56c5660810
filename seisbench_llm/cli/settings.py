"""The YAML of an archive and its catalogue: its keys, reading and writing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from math import isfinite
from pathlib import Path
from typing import Any

# Name of the copy in the folder of the catalogue.
COPY = "catalogue.yaml"

NUMBER, WHOLE, TEXT, YES_OR_NO = "a number", "a whole number", "a text", "true or false"
DAY, TEXTS = "a day", "a list of texts"

# Section -> key -> what it is. A section without keys is a text itself.
KEYS: dict[str, dict[str, str] | str] = {
    "archive": {
        "source": TEXT,
        "keep": TEXT,
        "start": DAY,
        "end": DAY,
        "stations": TEXTS,
        "workers": WHOLE,
        "scheduler": TEXT,
        "memory": TEXT,
        "retry_failed": YES_OR_NO,
        "amplitudes": YES_OR_NO,
    },
    "picks": TEXT,
    "stations": TEXT,
    "models": {
        "weights": TEXT,
        "device": TEXT,
        "tasks": TEXT,
        "precision": TEXT,
        "batch_size": WHOLE,
        "overlap": NUMBER,
    },
    "thresholds": {"P": NUMBER, "S": NUMBER, "min_separation": NUMBER},
    "association": {
        "velocity_model": TEXT,
        "n_picks": WHOLE,
        "n_p_and_s_picks": WHOLE,
        "margin": NUMBER,
        "keep_poor": YES_OR_NO,
        "magnitude_scale": TEXT,
        "station_corrections": TEXT,
    },
    "output": {"folder": TEXT, "formats": TEXTS},
}

_NEEDED = ("stations", "output.folder")
_OF_AN_ARCHIVE = ("archive.source", "archive.start", "archive.end")
_PATHS = (
    *("archive.source", "archive.keep", "picks", "stations", "output.folder"),
    *("association.velocity_model", "association.station_corrections"),
)

_TYPES: dict[str, tuple[type, ...]] = {
    NUMBER: (int, float),
    WHOLE: (int,),
    TEXT: (str,),
    YES_OR_NO: (bool,),
    DAY: (str, date),
    TEXTS: (list,),
}


def association_arguments(section: Mapping[str, Any]) -> dict:
    """Arguments of :py:func:`seisbench_llm.catalogue.associate`."""
    numbers = ("n_picks", "n_p_and_s_picks")
    same = ("velocity_model", "keep_poor", "magnitude_scale", "station_corrections")
    given = {key: section[key] for key in same if key in section}
    if "margin" in section:
        given["margin_km"] = float(section["margin"])
    return {**given, "association": {key: section[key] for key in numbers if key in section}}


def read_settings(file: Path) -> dict:
    """
    Read the YAML of an archive and its catalogue.

    :raises FileNotFoundError: If the file does not exist.
    :raises ValueError: If it is not such a YAML. The message names the file and the key.
    """
    yaml = _import_yaml()
    if not file.is_file():
        raise FileNotFoundError(f"There is no file {file}.")
    try:
        settings = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ValueError(f"{file} is no YAML: {error}") from error
    _check_keys(file, settings, KEYS, "")
    for name, value in settings.items():
        kinds = KEYS[name]
        if isinstance(kinds, str):
            _check_value(file, name, value, kinds)
            continue
        _check_keys(file, value, kinds, f"{name}.")
        for key, entry in value.items():
            _check_value(file, f"{name}.{key}", entry, kinds[key])
    if ("archive" in settings) == ("picks" in settings):
        raise ValueError(f"{file} needs either 'archive' or 'picks'.")
    for name in ("models", "thresholds"):
        if name in settings and "picks" in settings:
            raise ValueError(f"{file} has '{name}', but no archive to pick.")
    needed = [*_NEEDED, *(_OF_AN_ARCHIVE if "archive" in settings else ())]
    for name in needed:
        if _get(settings, name) is None:
            raise ValueError(f"{file} needs '{name}'.")
    return settings


def _check_keys(file: Path, entries, known: Mapping, prefix: str) -> None:
    if not isinstance(entries, dict):
        where = f"'{prefix[:-1]}' of {file}" if prefix else str(file)
        raise ValueError(f"{where} must have the keys {', '.join(known)}.")
    for key in entries:
        if key not in known:
            raise ValueError(
                f"{file} has an unknown key '{prefix}{key}'. Known keys are "
                f"{', '.join(prefix + name for name in known)}."
            )


def _check_value(file: Path, name: str, value, kind: str) -> None:
    right = isinstance(value, _TYPES[kind])
    if kind != YES_OR_NO and isinstance(value, bool):
        right = False
    if isinstance(value, float) and not isfinite(value):
        right = False
    if kind == TEXTS:
        right = right and all(isinstance(entry, str) for entry in value)
    if not right:
        raise ValueError(f"{file}: '{name}' must be {kind}, not {value!r}.")


def _get(settings: Mapping, name: str):
    section, _, key = name.partition(".")
    entry = settings.get(section)
    return entry if not key or entry is None else entry.get(key)


def write_settings(out: Path, settings: Mapping) -> None:
    """
    Write settings to the folder of a catalogue, with paths that hold in any folder.

    ``seisbench-llm run`` takes the file.
    """
    from ..atomic import replacing

    copy = {
        name: dict(entry) if isinstance(entry, Mapping) else entry
        for name, entry in settings.items()
    }
    for name in _PATHS:
        section, _, key = name.partition(".")
        value = _get(copy, name)
        if value is not None and "://" not in str(value):
            path = str(Path(value).expanduser().resolve())
            if key:
                copy[section][key] = path
            else:
                copy[section] = path
    with replacing(out / COPY) as partial:
        partial.write_text(_import_yaml().safe_dump(copy, sort_keys=False))


def _import_yaml():
    try:
        import yaml
    except ImportError as error:
        from ..extras import install_command

        raise ImportError(f"YAML needs PyYAML: {install_command('monitor')}") from error
    return yaml
