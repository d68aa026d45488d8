"""Tables: rows and cells, shares with their intervals, what is left out."""

from __future__ import annotations

from collections.abc import Sequence

from guardkit._util.shares import Share

from ._svg import whisker
from ._words import NONE, percent, titled


def framed(caption: str, heads: Sequence[str], rows: Sequence[str], label: str) -> str:
    """A table in a frame that scrolls where it is too wide.

    Args:
        caption: Markup above the table, or nothing.
        heads: The heads of its columns, from `th`.
        rows: Its rows, from `tr`.
        label: What the table is, as a plain text, for those who hear the page.
    """
    cells = "".join(heads)
    said = f"<caption>{caption}</caption>" if caption else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{titled(label)}"><table>{said}'
        f"<thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def th(said: str, style: str = "") -> str:
    """The head of a column. `said` is markup, here and in all cells."""
    kind = f' class="{style}"' if style else ""
    return f'<th scope="col"{kind}>{said}</th>'


def tr(name: str, cells: Sequence[str], style: str = "") -> str:
    """A row and its head."""
    kind = f' class="{style}"' if style else ""
    return f'<tr{kind}><th scope="row">{name}</th>{"".join(cells)}</tr>'


def td(said: str, style: str = "") -> str:
    """A cell."""
    kind = f' class="{style}"' if style else ""
    return f"<td{kind}>{said}</td>"


def share_heads(said: str) -> list[str]:
    """The heads above `share_cells`."""
    return [th(said), th('<span class="over">0 to 100 %</span>', "plot")]


def share_cells(share: Share, style: str) -> list[str]:
    """A share with its interval in numbers, and as a picture beside it."""
    if share.value is None:
        return [td(NONE, "none"), td("", "plot")]
    return [td(share_text(share)), td(whisker(share, style), "plot")]


def share_text(share: Share) -> str:
    """A share with its interval."""
    if share.value is None:
        return NONE
    low, high = share.interval
    return f'{percent(share.value)}<span class="range">{100 * low:.1f}–{100 * high:.1f}</span>'


def and_more(count: int) -> str:
    """What a table leaves out, if it leaves out anything."""
    if count <= 0:
        return ""
    return f'<p class="aside">And {count:,} more; <code>--json</code> has them.</p>'
