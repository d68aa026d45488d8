"""Markdown that a review shows as it is meant: foreign text stays text, and all of it fits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from guardkit.diagnostics import visible

FITS = 60_000
"""Bytes of one comment. Code hosts take 65,536 characters, and refuse a longer one whole."""
_SHORT = 200
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


def code(text: str, most: int = _SHORT) -> str:
    """Foreign text that stays text: no markup, link, mention or end of a cell is read in it.

    Args:
        text: Anything.
        most: Longer texts are cut to so many characters.
    """
    shown = visible(text if len(text) <= most else f"{text[: most - 1]}…")
    if not shown.strip():
        return f'`"{shown}"`'
    if "|" in shown:
        # Renderers differ on what a backslash before a bar means inside of a table.
        return f"<code>{_PUNCTUATION.sub(lambda found: f'&#{ord(found[0])};', shown)}</code>"
    ticks = "`" * _more_than(shown, least=1)
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def fenced(text: str, language: str = "text") -> str:
    """Lines as they are."""
    lines = "\n".join(visible(line) for line in text.rstrip().split("\n"))
    ticks = "`" * _more_than(lines, least=3)
    return f"{ticks}{language}\n{lines}\n{ticks}\n"


def folded(title: str, body: str, *, is_open: bool = False) -> str:
    """A part of a page that opens when its title is clicked; `title` is ours."""
    return (
        f"<details{' open' if is_open else ''}><summary>{title}</summary>\n\n{body}\n</details>\n"
    )


def table(head: Sequence[str], align: str, rows: Sequence[str]) -> str:
    """A table of finished rows; `align` has a letter for each column, `r` for the right."""
    rule = "|".join("---:" if side == "r" else "---" for side in align)
    return "\n".join([row(*head), f"|{rule}|", *rows]) + "\n"


def row(*cells: str) -> str:
    """A row of a table; every cell is ours or went through `code`."""
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def fitting(parts: Iterable[str], room: int) -> list[str]:
    """The first parts, as many as there is room for."""
    kept: list[str] = []
    for part in parts:
        room -= size(part) + 1
        if room < 0:
            break
        kept.append(part)
    return kept


def size(text: str) -> int:
    """Bytes: no server counts more of a text than these."""
    return len(text.encode("utf-8", "surrogatepass"))


def _more_than(text: str, *, least: int) -> int:
    return max(least, 1 + max(map(len, re.findall("`+", text)), default=0))
