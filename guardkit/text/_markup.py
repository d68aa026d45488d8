"""The text without its markup: tags and comments gone, entities read, broken words mended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from ._clean import without_unseen
from ._squeeze import mended
from ._view import View, replaced

_MARK = re.compile(
    r"(?P<comment><!--)"
    r"|</?[A-Za-z][^<>\n]{0,200}>"
    r"|\*\*|__(?=[A-Za-z])|~~|`+"
    r"|\\(?=[^\W_])",
    re.ASCII,
)
ENTITY = re.compile(
    r"&(?:amp;){0,64}(?:#(?:[0-9]{1,8}|[xX][0-9A-Fa-f]{1,7});?|([A-Za-z][A-Za-z0-9]{1,30});)"
)


def unmarked(view: View) -> View | None:
    """The view without markup; None where there is none."""
    made = replaced(view.text, _without_marks(view.text))
    inner = view if made is None else View("unmarked", "plain", made[0], view, made[1])
    made = replaced(inner.text, entities(inner.text))
    inner = inner if made is None else View("unmarked", "plain", made[0], inner, made[1])
    made = None if inner.text.isascii() else without_unseen(inner.text)
    inner = inner if made is None else View("unmarked", "plain", made[0], inner, made[1])
    inner = mended(inner) or inner
    return None if inner is view else inner.named("unmarked")


def _without_marks(text: str) -> Iterator[tuple[int, int, str]]:
    at = 0
    has_end = True
    for mark in _MARK.finditer(text):
        if mark.start() < at:
            continue
        at = mark.end()
        if mark["comment"]:
            end = text.find("-->", at) if has_end else -1
            has_end = end >= 0
            if not has_end:
                continue
            at = end + 3
        yield mark.start(), at, ""


@cache
def _named() -> dict[str, str]:
    from html.entities import html5

    return {name[:-1]: chars for name, chars in html5.items() if name.endswith(";")}


def entities(text: str) -> Iterator[tuple[int, int, str]]:
    """Each HTML entity with the characters it stands for; an escaped ampersand is read through."""
    for found in ENTITY.finditer(text):
        new = character(found)
        if new is not None:
            yield found.start(), found.end(), new


def character(found: re.Match[str]) -> str | None:
    """What an entity stands for; None when nothing is called so."""
    if found[1]:
        return _named().get(found[1])
    digits = found[0].rpartition("#")[2].rstrip(";")
    code = int(digits[1:], 16) if digits[0] in "xX" else int(digits)
    return chr(code) if 0 < code <= 0x10FFFF else "\ufffd"
