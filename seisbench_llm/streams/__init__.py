"""
From an ObsPy stream to annotations, picks and estimates, through SeisBench's pipeline.

This package is the only entry to the code that works around or overrides SeisBench's machinery
(windows, stacking, threads). docs/project/upstream.md says what change in SeisBench would make each
piece superfluous.
"""

from .annotate import Annotations, annotate_stream, fill
from .arguments import PICKING_ARGS, POINT_ARGS, SHARED_ARGS, Arguments, validate_arguments
from .estimates import Estimate, EstimateList, classify_at_picks, classify_continuous
from .picks import classify_picks
from .pipeline import run_here
from .preprocessing import preprocess_stream
from .skipped import Skipped, SkippedList
from .stitching import PeakFilter
from .windows import WindowLayout, filter_reach

__all__ = [
    "PICKING_ARGS",
    "POINT_ARGS",
    "SHARED_ARGS",
    "Annotations",
    "Arguments",
    "Estimate",
    "EstimateList",
    "PeakFilter",
    "Skipped",
    "SkippedList",
    "WindowLayout",
    "annotate_stream",
    "classify_at_picks",
    "classify_continuous",
    "classify_picks",
    "fill",
    "filter_reach",
    "preprocess_stream",
    "run_here",
    "validate_arguments",
]
