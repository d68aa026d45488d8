"""What one request came to, for those who count and tell: names and figures, none of its text."""

from __future__ import annotations

from typing import NamedTuple

from guardkit.judging import MOST_RECORDS, Tally

__all__ = ["MOST_RECORDS", "End", "Tally"]


class End(NamedTuple):
    """How one request ended."""

    status: int
    """What the client got."""
    tally: Tally
    elapsed_s: float
    upstream_s: float | None = None
    """The model's share; None where it was not asked."""
    cut: str | None = None
    """Why a stream was ended early."""
    error: str | None = None
    """The code of what the client was told in place of a reply."""
    field: str = ""
    """The name of a field that was refused, where it may be told."""
