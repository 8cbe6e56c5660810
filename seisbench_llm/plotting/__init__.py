"""
Figures of results.

All of them are matplotlib figures that ``savefig`` writes; none touches the state of pyplot.
"""

from .plotting_base import COLORS
from .plotting_day import plot_day
from .plotting_map import plot_map
from .plotting_picks import plot_picks
from .plotting_section import plot_section

__all__ = ["COLORS", "plot_day", "plot_map", "plot_picks", "plot_section"]
