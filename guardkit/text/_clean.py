"""The text without what nobody can see."""

from __future__ import annotations

import re
from functools import partial

from ._hidden import RUNS, ends_unseen, needed
from ._view import Trail, View

_INDICATOR = re.compile("[\U0001f1e6-\U0001f1ff]")


def cleaned(text: str) -> View:
    """The text without unseen characters, but for those that its script or its emoji need.

    ASCII text is its own cleaned view; the result then holds the same text object.
    """
    if text.isascii():
        return View("cleaned", "plain", text, stable=len(text))
    made = without_unseen(text)
    stable = partial(_stable, text)
    parent = View("raw", "plain", text)
    if made is None:
        return View("cleaned", "plain", text, parent, stable=stable)
    return View("cleaned", "plain", made[0], parent, made[1], stable)


def _stable(text: str) -> int:
    # What follows may join the last character.
    end = ends_unseen(text)
    return end if end < len(text) or text[-1] < "\u00a0" else end - 1


def without_unseen(text: str) -> tuple[str, Trail] | None:
    """The text without what is not needed, and the way back; None where nothing goes."""
    trail = Trail(text)
    at = 0
    for run in RUNS.finditer(text):
        start, end = run.span()
        if start - at > 0 and text[start - 1] < "\x80" and (text[start] != "\ufe0f"):
            # Nothing that stands on an ASCII letter or sign is needed, digits of keycaps aside.
            trail.keep(at, start - 1)
            trail.put(text[start - 1], start - 1, end)
            at = end
            continue
        if end - start == 1 and _stands_between_indicators(text, start):
            continue
        for kept, stop in needed(text, start, end):
            if start < kept:
                trail.keep(at, start)
                trail.drop(start, kept)
                at = kept
            start = stop
        if start < end:
            trail.keep(at, start)
            trail.drop(start, end)
            at = end
    if not at:
        return None
    trail.keep(at, len(text))
    return trail.text(), trail


def _stands_between_indicators(text: str, at: int) -> bool:
    """What keeps two letters from becoming a flag says that they are letters."""
    return (
        0 < at < len(text) - 1
        and _INDICATOR.match(text[at - 1]) is not None
        and _INDICATOR.match(text[at + 1]) is not None
    )
