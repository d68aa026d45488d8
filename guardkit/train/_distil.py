"""Makes the table of the static tier: what an encoder says of each token by itself.

Each token goes through the encoder alone. The directions in which tokens differ most are kept, and
a token counts the less the more frequent it is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

DIM = 256
RARE = 1e-3
"""A token this frequent counts half."""


class Table(NamedTuple):
    """The rows of `table.npy`, and what a row is worth."""

    rows: Any
    """int8 [vocabulary, dim]"""
    weights: Any
    """float32 [vocabulary]: the scale of a row, times how much its token says."""

    def floats(self) -> Any:
        """The rows as text vectors are summed from."""
        import numpy as np

        return self.rows.astype(np.float32) * self.weights[:, None]


def distil(vectors: Any, counts: Any, dim: int = DIM) -> Table:
    """The table.

    Args:
        vectors: What the encoder says of each token: float32 [vocabulary, width].
        counts: How often each token occurs in running text.
    """
    import numpy as np

    share = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
    says = RARE / (RARE + share)
    centred = vectors - np.average(vectors, axis=0, weights=np.sqrt(share))
    spread = np.cov(centred.T, aweights=np.sqrt(share))
    values, directions = np.linalg.eigh(spread)
    kept = directions[:, np.argsort(-values)[:dim]]
    # Signs are a matter of the library; with the greatest entry positive they are of the data.
    kept *= np.sign(kept[np.abs(kept).argmax(0), np.arange(kept.shape[1])])
    rows = centred @ kept
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    scale = np.maximum(np.abs(rows).max(1), 1e-8) / 127
    small = np.round(rows / scale[:, None]).astype(np.int8)
    return Table(small, (scale * says).astype(np.float32))
