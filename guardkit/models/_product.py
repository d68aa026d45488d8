"""Products of matrices, each in the thread that asks for it."""

from __future__ import annotations

from typing import Any, Final

_ALONE: Final = 1 << 18
"""Multiplications up to which OpenBLAS keeps to one thread. Beyond it wakes its own, which spin for
their turn: on a busy machine that turns one millisecond into twenty-five."""


def product(rows: Any, columns: Any) -> Any:
    """`rows @ columns`, some rows at a time."""
    most = max(1, _ALONE // max(1, columns.size))
    if len(rows) <= most:
        return rows @ columns
    import numpy as np

    parts = [rows[at : at + most] @ columns for at in range(0, len(rows), most)]
    return np.concatenate(parts)
