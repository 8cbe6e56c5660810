"""One page of HTML about the results of a monitor, for readers without a network."""

from .page import write_report

__all__ = ["write_report"]
