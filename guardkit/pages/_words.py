"""Names, numbers and sentences as a page shows them: nothing in them is markup."""

from __future__ import annotations

import re
from html import escape
from typing import Final

from guardkit.diagnostics import visible

NONE: Final = "–"
"""Where there is no figure."""
NO_NAME: Final = "<i>none given</i>"
"""Where a name is empty."""
_MOST_NAME: Final = 90
_MOST_TITLE: Final = 200


def safe(text: str) -> str:
    """A text that may stand in a page or in an attribute: nothing in it is markup or deceives."""
    return escape(visible(text))


def cut(text: str, most: int = _MOST_NAME) -> str:
    """A text with no more characters than there is room for."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def titled(text: str) -> str:
    """What a picture or a table is called, for those who hear the page."""
    return safe(cut(text, _MOST_TITLE))


def spelled(text: str) -> str:
    """A name, cut where it is too long, that may be broken where it has joints."""
    shown = safe(cut(text))
    return re.sub(r"(?<=[\w])([/_.-])(?=\w)", r"\1<wbr>", shown)


def sentence(note: str) -> str:
    """A note as a sentence, with its `names` set as such."""
    pieces = safe(note).split("`")
    made = "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(pieces))
    return f"{made[:1].upper()}{made[1:]}."


def counted(number: int) -> str:
    """A whole number."""
    return f"{number:,}"


def so_many(number: int, thing: str) -> str:
    """So many of a thing: `1 text`, `1,200 texts`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def percent(share: float | None) -> str:
    """A share as it is read; a dash where there is none."""
    return NONE if share is None else f"{100 * share:.1f} %"


def digits(number: float | None) -> str:
    """A figure between 0 and 1."""
    return NONE if number is None else f"{number:.3f}"


def shown(number: float | None) -> str:
    """A threshold."""
    return NONE if number is None else f"{number:.6g}"
