"""Configuration files of ``seisbench-llm fit`` that come with the package, by name."""

from pathlib import Path

__all__ = ["FOLDER", "names", "resolve"]

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """Names of the configurations, as ``finetune``."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def resolve(args: list[str]) -> list[str]:
    """
    A command line in which the names of these configurations are replaced by their files.

    A file of that name in the working folder comes first.

    :param args: Arguments of ``fit``.
    :raises FileNotFoundError: If a configuration is neither a file nor one of these.
    """
    resolved = list(args)
    for i, arg in enumerate(args):
        option, equals, value = arg.partition("=")
        if option not in ("--config", "-c"):
            continue
        at, prefix = (i, f"{option}=") if equals else (i + 1, "")
        value = value if equals else next(iter(args[i + 1 :]), "")
        if not value or Path(value).is_file():
            continue
        if value not in names():
            raise FileNotFoundError(
                f"There is no configuration file {value}, and no configuration of that name: "
                f"{', '.join(names())}."
            )
        resolved[at] = f"{prefix}{FOLDER / value}.yaml"
    return resolved
