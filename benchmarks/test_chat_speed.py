"""W6: what the policy `chat` costs on ordinary messages, and how many need the mini model."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from . import works_models
from .pairs import Measured

Kept = Callable[..., Measured]

LEAST_SPARED = {"ordinary": 0.69, "lookalikes": 0.48, "prose": 0.6}
"""Which share of the texts the mini model is not asked about: a quarter below what was reached."""
MOST_OVER_STATIC = {"ordinary": 4.6, "lookalikes": 8.0, "prose": 4.2}
"""The median, against one reading with the static tier in the same run."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", list(works_models.KINDS))
def test_chat(kept: Kept, kind: str) -> None:
    """The aims are a median of 1 ms, a p99 of 25 ms, and 95 % without the mini model."""
    seen = kept(works_models.w6(kind), works_models.CHAT_LAPS, rounds=1)
    assert seen.notes["passed"].value >= 0.9
    assert seen.notes["without_mini"].value >= LEAST_SPARED[kind]
    best = seen.ratio.value if seen.ratio.low is None else seen.ratio.low
    assert best <= MOST_OVER_STATIC[kind]
