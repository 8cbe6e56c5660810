"""Pages of HTML with figures by plotly, for readers without a network: styles and scripts."""

from .page import COLOURS, CONFIG, lay_out, plotly_script, render, resource

__all__ = ["COLOURS", "CONFIG", "lay_out", "plotly_script", "render", "resource"]
