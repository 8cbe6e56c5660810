"""One HTML page with the results of a monitor, which needs no internet access."""

from .page import write_report

__all__ = ["write_report"]
