"""Shares as bars with whiskers, one line for each family, disguise or layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from guardkit._util.shares import Share

from ._cells import and_more, framed, share_text, td, th, tr
from ._svg import length
from ._words import NO_NAME, NONE, counted, spelled

_MOST_ROWS: Final = 40
_WIDE: Final = 200
_HIGH: Final = 10


class Column(NamedTuple):
    """A share that every line of a table has."""

    title: str
    style: str
    """`bad` or `good`, the colour."""


class Row(NamedTuple):
    """A line of a table: a name, and a share for each column."""

    name: str
    shares: tuple[Share, ...]
    is_sum: bool = False


def bars(
    what: str, columns: Sequence[Column], rows: Sequence[Row], label: str, caption: str = ""
) -> str:
    """A table of shares, each with its interval in numbers, how many it is of, and as a bar.

    Args:
        what: What the lines are: `family`.
        columns: What is told of each.
        rows: The lines in the order they are to have; of more than 40 the first ones are
            shown, and sums.
        label: What the table is, as a plain text.
        caption: Markup above the table.
    """
    lines = []
    for row in first_of(rows, _MOST_ROWS):
        cells = [
            _cell(share, column.style) for column, share in zip(columns, row.shares, strict=True)
        ]
        lines.append(tr(spelled(row.name) or NO_NAME, cells, "sum" if row.is_sum else ""))
    heads = [th(spelled(what)), *(th(spelled(column.title)) for column in columns)]
    return framed(caption, heads, lines, label) + and_more(len(rows) - len(lines))


def first_of(rows: Sequence[Row], most: int) -> list[Row]:
    """The first rows, as many as a table may have, and the sums among the others."""
    return [*rows[:most], *(row for row in rows[most:] if row.is_sum)]


def _cell(share: Share, style: str) -> str:
    if share.value is None:
        return td(NONE, "bar none")
    many = f'<span class="many">{counted(share.hits)} of {counted(share.of)}</span>'
    return td(f"{many}{share_text(share)}{bar(share, style)}", "bar")


def bar(share: Share, style: str) -> str:
    """A share as a bar from 0 to 100 %, with a whisker on it. The numbers stand beside it."""
    if share.value is None:
        return ""
    low, high = (length(_WIDE * part) for part in share.interval)
    # A single hit among thousands is still to be seen.
    wide = max(_WIDE * share.value, 1.0) if share.hits else 0.0
    return (
        f'<svg viewBox="0 0 {_WIDE} {_HIGH}" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="rail" d="M0 0H{_WIDE}V{_HIGH}H0z"/>'
        f'<path class="{style}-wash" d="M0 0H{length(wide)}V{_HIGH}H0z"/>'
        f'<path class="{style}-line" d="M{low} 5H{high}M{low} 2.5v5M{high} 2.5v5"/></svg>'
    )
