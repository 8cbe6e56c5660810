"""
Benchmark harness: SeisBench's benchmark of pickers (pick-benchmark) and the paper's tables, with
targets, training, predictions, scores and a report.

Targets, predictions and results are in the formats of pick-benchmark (Münchmeyer et al. 2022, Which
picker fits my data?, JGR Solid Earth 127, e2021JB023499, github.com/seisbench/pick-benchmark), so
that either program reads the files of the other.
"""

# Files of the folder, imported one by one: most of them need the extra benchmark.
__all__ = [
    "datasets",
    "estimate_targets",
    "estimators",
    "making",
    "paper",
    "pickers",
    "predictions",
    "provenance",
    "report",
    "scores",
    "targets",
    "training",
]
