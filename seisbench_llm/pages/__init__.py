"""Styles and scripts of HTML pages with plotly figures, which need no network."""

from .page import COLOURS, CONFIG, lay_out, plotly_script, render, resource

__all__ = ["COLOURS", "CONFIG", "lay_out", "plotly_script", "render", "resource"]
