"""
Figures of results.

All functions return matplotlib figures, which notebooks show and ``savefig`` writes. They do not
change the state of pyplot.
"""

from .base import COLORS
from .catalogue import plot_depths, plot_magnitudes
from .comparison import plot_comparison
from .day import plot_day
from .event import plot_event
from .map import plot_map
from .picks import plot_picks
from .section import plot_section
from .wadati import plot_wadati

__all__ = [
    "COLORS",
    "plot_comparison",
    "plot_day",
    "plot_depths",
    "plot_event",
    "plot_magnitudes",
    "plot_map",
    "plot_picks",
    "plot_section",
    "plot_wadati",
]
