"""A table of two kinds of names, with a share in each cell that is tinted by how large it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from guardkit._util.shares import Share

from ._bars import Row, first_of
from ._cells import and_more, framed, td, tr
from ._style import TINTS
from ._words import NO_NAME, NONE, counted, spelled

_MOST_ROWS: Final = 60
_MOST_COLUMNS: Final = 40


def heat(what: str, columns: Sequence[str], rows: Sequence[Row], style: str, label: str) -> str:
    """Shares by two kinds of names, `family` by `disguise`: the number, what it is of, a tint.

    Args:
        what: What the lines are.
        columns: The names of the columns; of more than 40 the first ones are shown.
        rows: The lines in the order they are to have; of more than 60 the first ones, and sums.
        style: `bad` or `good`, the colour.
        label: What the table is, as a plain text.
    """
    heads = [f'<th scope="col">{spelled(what)}</th>']
    heads += [
        f'<th scope="col" class="tall"><span>{spelled(one)}</span></th>'
        for one in columns[:_MOST_COLUMNS]
    ]
    lines = []
    for row in first_of(rows, _MOST_ROWS):
        shares = [share for _, share in zip(columns, row.shares, strict=True)]
        cells = [heat_cell(share, style) for share in shares[:_MOST_COLUMNS]]
        lines.append(tr(spelled(row.name) or NO_NAME, cells, "sum" if row.is_sum else ""))
    table = framed("Percent, and how many of how many.", heads, lines, label)
    left_out = and_more(len(rows) - len(lines) + max(len(columns) - _MOST_COLUMNS, 0))
    return f'<div class="heat">{table}</div>{left_out}'


def heat_cell(share: Share, style: str) -> str:
    """A cell with a share, how many it is of, and a tint that never hides them."""
    if share.value is None:
        return td(NONE, "none")
    level = -(-TINTS * share.hits // share.of)  # rounded up: the faintest tint is for something
    many = f"{counted(share.hits)}/{counted(share.of)}"
    return td(f'{_whole(share)}<span class="of">{many}</span>', f"tint {style} t{level}")


def _whole(share: Share) -> str:
    """Whole percents: a cell is small. Never nothing for something, nor all for less."""
    value = 100 * (share.value or 0.0)
    if 0 < value < 1:
        return "&lt;1"
    if 99 < value < 100:
        return "&gt;99"
    return f"{value:.0f}"
