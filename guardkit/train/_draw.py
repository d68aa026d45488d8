"""Which texts a step of training sees.

Large sources are not let speak for all: a source is drawn in step with a root of its size, and
tasks and labels by fixed shares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._rows import Row

POWER = 0.6
"""A source of a thousand texts is drawn 16 times as often as one of ten, not 100 times."""


class Draw:
    """Draws rows, by task and label, then by source, then at random."""

    def __init__(
        self, rows: Sequence[Row], shares: Mapping[tuple[str, int], float], seed: int = 0
    ) -> None:
        import numpy as np

        self._rng: Any = np.random.default_rng(seed)
        bins: dict[tuple[str, int], dict[str, list[int]]] = {}
        for at, row in enumerate(rows):
            key = bin_of(row, shares)
            if key is not None:
                bins.setdefault(key, {}).setdefault(f"{row.source} {_family(row)}", []).append(at)
        self._lists: list[Any] = []
        weights: list[float] = []
        for key, sources in bins.items():
            sizes = np.array([len(found) ** POWER for found in sources.values()])
            weights += (sizes / sizes.sum() * shares[key]).tolist()
            self._lists += [np.array(found) for found in sources.values()]
        self._weights = np.array(weights) / sum(weights)

    def rows(self, count: int) -> list[int]:
        """The indexes of this many rows."""
        bins = self._rng.choice(len(self._weights), count, p=self._weights)
        return [int(self._rng.choice(self._lists[at])) for at in bins]


def _family(row: Row) -> str:
    """Our own texts are many sources: one a family."""
    return row.group if row.source.startswith("guardkit") else ""


def bin_of(row: Row, shares: Mapping[tuple[str, int], float]) -> tuple[str, int] | None:
    """The task a row is drawn for: the first of its truths that has a share."""
    for head, value in row.truth.items():
        key = (head, int(value > 0))
        if key in shares:
            return key
    return None
