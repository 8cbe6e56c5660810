"""Common parts of all pages: templates, the look of figures, and plotly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..extras import install_command

FOLDER = Path(__file__).parent

# Colours that colour-blind readers can distinguish (Okabe and Ito 2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8C510A")
# Configuration of plotly's figures.
CONFIG = {"responsive": True, "displaylogo": False, "displayModeBar": False}


def resource(name: str) -> str:
    """Text of a style sheet or script that pages share, such as ``style.css``."""
    return (FOLDER / name).read_text(encoding="utf-8")


def plotly_script() -> str:
    """
    Plotly's script, which draws figures in a browser. Its size is about 5 MB.

    :raises ImportError: If plotly is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise ImportError(
            f"Pages with figures need more packages: {install_command('pages')} ({error})"
        ) from error
    return get_plotlyjs()


def render(template: Path, **values: Any) -> str:
    """
    A page as a single file, which loads nothing else.

    :param template: File of a Jinja template that extends ``base.html``.
    :param values: Values of the template's variables. ``title`` is one of them.
    :raises ImportError: If plotly is not installed.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, FOLDER]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shared = {
        "plotly": plotly_script(),
        "style": resource("style.css"),
        "script": resource("tables.js"),
        "figures": resource("figures.js"),
    }
    return environment.get_template(template.name).render(**shared, **values)


def lay_out(figure, x: str, y: str, height: int = 380) -> None:
    """
    Give a figure the look of its page, in place.

    :param figure: Figure of plotly.
    :param x: Title of the x axis.
    :param y: Title of the y axis.
    :param height: Height in pixels.
    """
    figure.update_layout(
        template="simple_white",
        height=height,
        margin={"l": 40, "r": 10, "t": 10, "b": 40},
        legend={"orientation": "h", "y": -0.25, "yanchor": "top", "font": {"size": 11}},
        xaxis_title=x,
        yaxis_title=y,
        font={"family": "system-ui, sans-serif", "size": 12},
    )
