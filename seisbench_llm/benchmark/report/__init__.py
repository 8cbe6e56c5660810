"""One page of HTML about the results of a benchmark, for readers without a network."""

from .page import write_report

__all__ = ["write_report"]
