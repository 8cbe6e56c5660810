"""
Figures of results.

All functions return matplotlib figures, which ``savefig`` writes. They do not change the state of
pyplot.
"""

from .base import COLORS
from .comparison import plot_comparison
from .day import plot_day
from .map import plot_map
from .picks import plot_picks
from .section import plot_section

__all__ = ["COLORS", "plot_comparison", "plot_day", "plot_map", "plot_picks", "plot_section"]
