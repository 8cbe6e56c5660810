"""Catalogues of years of picks: association and location block by block."""

from .associate import CatalogueSummary, associate
from .daily import open_picks

__all__ = ["CatalogueSummary", "associate", "open_picks"]
