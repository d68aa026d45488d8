"""The page itself: head, key figures, notes, parts as far as there is room, foot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final, NamedTuple

from guardkit._util.shares import Share

from ._cells import and_more
from ._style import style_of
from ._words import NONE, counted, safe, spelled, titled

MOST_BYTES: Final = 300_000
"""A page is smaller. Where there are too many figures, it leaves tables out, and says so."""
_ROOM: Final = 290_000
_MOST_NOTES: Final = 20
_LEFT_OUT: Final = (
    '<p class="aside">More tables are left out here; <code>--json</code> has them.</p>'
)


class Part(NamedTuple):
    """A piece of the page; an optional one is left out where there is no room for it."""

    html: str
    is_optional: bool = False


def document(title: str, parts: Iterable[Part], foot: str) -> str:
    """A whole page of less than `MOST_BYTES`: no script, no font, nothing from elsewhere.

    Args:
        title: What the window is called, as a plain text.
        parts: What stands on the page, in order. Only optional ones are ever left out, so the
            others together have to be smaller than the page.
        foot: The markup below all parts: how to read them.
    """
    pieces = list(parts)
    # The rules of what is left out below stay: a few bytes, and no second round.
    style = style_of("".join(part.html for part in pieces))
    head = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{titled(title)}</title>'
        f"<style>{style}</style></head>\n<body><main>"
    )
    tail = f"<footer>{foot}</footer></main></body></html>\n"
    needed = (part.html for part in pieces if not part.is_optional)
    room = _ROOM - len("\n".join((head, tail, _LEFT_OUT, *needed)).encode())
    body, is_short = [], False
    for part in pieces:
        if part.is_optional:
            size = len(part.html.encode()) + 1
            if size > room:
                is_short = True
                continue
            room -= size
        body.append(part.html)
    return head + "\n".join(body) + (_LEFT_OUT if is_short else "") + tail


def headed(kind: str, name: str, lead: str, day: date | None = None) -> str:
    """The head of a page.

    Args:
        kind: What the page is: `Evaluation`.
        name: What it is about, as a plain text.
        lead: Its first sentence, as markup.
        day: The day it was made, to be shown.
    """
    when = f" · {day.day} {day:%B %Y}" if day else ""
    return (
        f'<header><div class="over">{safe(kind)}{when}</div><h1>{spelled(name)}</h1>'
        f'<p class="lead">{lead}</p></header>'
    )


class Key(NamedTuple):
    """A figure in large type: its parts are markup."""

    title: str
    big: str
    unit: str
    range: str


def share_key(title: str, share: Share, of: str, things: str = "texts") -> Key:
    """A share as a key figure.

    Args:
        title: What it is the share of hits of.
        share: So many of so many.
        of: Which of the things it is a share of: `harmful`.
        things: What they are.
    """
    if share.value is None:
        return Key(title, NONE, "", f"no {of} {things}")
    low, high = share.interval
    many = f"{counted(share.hits)} of {counted(share.of)} {of}"
    return Key(
        title,
        f"{100 * share.value:.1f}",
        "%",
        f"{100 * low:.1f} to {100 * high:.1f}<br>{many}",
    )


def keys(figures: Sequence[Key], about: str) -> str:
    """The key figures in a row, and a line below that says what they are about."""
    cells = "".join(_key(one) for one in figures)
    return f'<dl class="keys">{cells}</dl><p class="aside">{about}</p>'


def _key(one: Key) -> str:
    small = f" <small>{one.unit}</small>" if one.unit else ""
    return (
        f'<div><dt>{one.title}</dt><dd class="big">{one.big}{small}</dd>'
        f'<dd class="range">{one.range}</dd></div>'
    )


def notes(said: Sequence[str]) -> str:
    """What to mind when reading the figures: sentences as markup; nothing if there are none."""
    if not said:
        return ""
    shown = "".join(f"<p>{one}</p>" for one in said[:_MOST_NOTES])
    return f'<section class="notes">{shown}{and_more(len(said) - _MOST_NOTES)}</section>'
