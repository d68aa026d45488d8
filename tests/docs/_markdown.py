"""Small pieces of Markdown that every reference page is made of."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

NOTE = "<!-- Written by `python -m tests.docs.reference --write`. -->"


def page(title: str, *parts: str) -> str:
    """A page: its title, a mark that nobody writes it by hand, its parts."""
    return "\n\n".join([f"# {title}", NOTE, *(part for part in parts if part)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, without its last column where that says nothing; empty where there are no rows."""
    cells = [list(row) for row in rows]
    if not cells:
        return ""
    width = len(head) - (len(head) > 2 and not any(row[-1] for row in cells))
    lines = [_row(row[:width]) for row in [list(head), ["---"] * len(head), *cells]]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def fenced(text: str, language: str = "") -> str:
    """A block of code."""
    return f"```{language}\n{text.strip(chr(10))}\n```"


def code(text: str) -> str:
    """Words of a program, in a line."""
    return f"`{text}`" if text else ""


def flowing(text: str) -> str:
    """Paragraphs of a docstring; what is indented stays a list or a block of code."""
    return textwrap.dedent(text).strip()


def anchored(text: str) -> str:
    """A text that may hold `<` and `>` outside of code, which Markdown would take for markup."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(
        piece if piece.startswith("`") else piece.replace("<", "&lt;") for piece in pieces
    )
