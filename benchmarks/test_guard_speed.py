"""What a guard costs while it runs: W1 to W4 of the targets, beside their floors in the same run.

`works.py` says what is measured and asserts the answers. The limits here are a quarter above what
was reached, as ratios; the aims, and whether they are met, stand in `results.json`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from . import works
from .pairs import Measured, Work

Kept = Callable[[Work], Measured]

LIMITS = {
    "W1-200": 4.6,
    "W1-1024": 3.9,
    "W1-8192": 5.0,
    "W1-65536": 14.0,  # in about half of such texts a word looks shuffled, and all is read again
    "W1-raw": 1.9,
    "W1h": 9.5,
    "W2": 5.0,
    "W3": 6.0,
    "W4": 4.2,
}


@pytest.mark.parametrize("size", [200, 1024, 8192, 65536])
def test_w1_clean_text(kept: Kept, size: int) -> None:
    """The aim is 1.8 times the raw scan at 1 KB. What is above it looks for disguises."""
    holds(kept(works.w1(size)), f"W1-{size}")


def test_w1_clean_text_without_views(kept: Kept) -> None:
    """The same where every check reads the text as it stands: what the engine itself adds."""
    holds(kept(works.w1(views="raw")), "W1-raw")


@pytest.mark.parametrize(
    ("id", "make"),
    [("W1h", works.w1h), ("W2", works.w2), ("W4", works.w4)],
)
def test_hostile_text_calls_and_redaction(kept: Kept, id: str, make: Callable[[], Work]) -> None:
    holds(kept(make()), id)


def test_w3_stream(kept: Kept) -> None:
    """500 tokens, a secret at any position, nothing of it shown."""
    seen = kept(works.w3())
    assert seen.notes["leaked"].high in (0, None)
    assert seen.notes["leaked"].value == 0
    holds(seen, "W3")


def holds(seen: Measured, id: str) -> None:
    """The ratio is within its limit, at least in the better laps of a disturbed run."""
    best = seen.ratio.value if seen.ratio.low is None else seen.ratio.low
    assert best <= LIMITS[id]
