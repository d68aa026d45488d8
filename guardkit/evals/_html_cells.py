"""The cells of a report: shares with intervals, numbers in line, names that may be broken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

from guardkit._util.shares import Share

from . import _html_charts as charts
from ._html_charts import percent
from ._numbers import Counts

MOST_LINES: Final = 40
"""Sources, or kinds of text, of one table."""
_MOST_NAME: Final = 90
_NONE: Final = "–"


class Part(NamedTuple):
    """A piece of the page; an optional one is left out where there is no room for it."""

    html: str
    is_optional: bool = False


def framed(caption: str, heads: Sequence[str], rows: Sequence[str], label: str) -> str:
    """A table in a frame that scrolls where it is too wide."""
    cells = "".join(heads)
    said = f"<caption>{caption}</caption>" if caption else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(label)}"><table>{said}'
        f"<thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def th(said: str, style: str = "") -> str:
    """The head of a column."""
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


def share_cells(share: Share, style: str) -> list[str]:
    """A share with its interval in numbers, and as a picture beside it."""
    if share.value is None:
        return [td(_NONE, "none"), td("", "plot")]
    return [td(share_text(share)), td(charts.whisker(share, style), "plot")]


SHARE_HEADS: Final = (
    th("found"),
    th('<span class="over">0 to 100 %</span>', "plot"),
    th("false alarms"),
    th('<span class="over">0 to 100 %</span>', "plot"),
)


def precision_cells(counts: Counts) -> list[str]:
    """Precision and F1."""
    precision, f1 = counts.precision.value, counts.f1
    return [
        td(percent(precision), "none" if precision is None else ""),
        td(_NONE, "none wide") if f1 is None else td(f"{f1.value:.3f}", "wide"),
    ]


def share_text(share: Share) -> str:
    """A share with its interval."""
    if share.value is None:
        return _NONE
    low, high = share.interval
    return f'{percent(share.value)}<span class="range">{100 * low:.1f}–{100 * high:.1f}</span>'


def digits(number: float | None) -> str:
    """A figure between 0 and 1."""
    return _NONE if number is None else f"{number:.3f}"


def spelled(text: str) -> str:
    """A name, cut where it is too long, that may be broken where it has joints."""
    shown = escape(text if len(text) <= _MOST_NAME else f"{text[: _MOST_NAME - 1]}…")
    return re.sub(r"(?<=[\w])([/_.-])(?=\w)", r"\1<wbr>", shown)


def counted(number: int) -> str:
    """A whole number."""
    return f"{number:,}"


def so_many(number: int) -> str:
    """So many texts."""
    return f"{number:,} text" if number == 1 else f"{number:,} texts"


def shown(number: float | None) -> str:
    """A threshold."""
    return _NONE if number is None else f"{number:.6g}"


def and_more(count: int) -> str:
    """What a table leaves out, if it leaves out anything."""
    if count <= 0:
        return ""
    return f'<p class="aside">And {count:,} more; <code>--json</code> has them.</p>'
