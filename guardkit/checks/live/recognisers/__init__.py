"""The recognisers of personal data, one file a region or family, and the finder they share."""

from __future__ import annotations

from ._finder import EntityFinder
from ._table import ORDER, WIDTHS, recognisers_of, width_of

__all__ = ["ORDER", "WIDTHS", "EntityFinder", "recognisers_of", "width_of"]
