"""What all pages share: one file that holds everything, the look, and plotly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..extras import install_command

FOLDER = Path(__file__).parent

# Colours that differ also for the colour-blind (Okabe and Ito 2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8C510A")
# Of plotly's figures.
CONFIG = {"responsive": True, "displaylogo": False, "displayModeBar": False}


def resource(name: str) -> str:
    """Text of a style sheet or script that pages share, as ``style.css``."""
    return (FOLDER / name).read_text(encoding="utf-8")


def plotly_script() -> str:
    """
    Plotly's own script, which draws figures in a browser; about 5 MB.

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
    A page that needs nothing but itself.

    :param template: File of a Jinja template that extends ``base.html``.
    :param values: Of its variables; ``title`` is one of them.
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

    :param figure: Of plotly.
    :param x: Title of the x axis.
    :param y: Title of the y axis.
    :param height: In pixels.
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
