"""What a disguise is made of, and the few moves that most of them share.

A form takes a payload and a random generator. It gives back either the disguised text alone, when
all of it carries the payload, or a `Disguised` that says which stretch does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Literal, NamedTuple

Mark = Literal["must", "should", "flag"]
"""What rules alone owe: `must` undo it always, `should` 95 in 100, `flag` notice 80 in 100."""


class Disguised(NamedTuple):
    """A disguised text, and the stretch of it that carries the payload."""

    text: str
    start: int
    end: int


Put = Callable[[str, Random], str]
"""Rewrites a payload; all of the result carries it."""

Form = Callable[[str, Random], str | Disguised]
"""One way to put a disguise on."""


class Disguise(NamedTuple):
    """One row of the catalogue."""

    name: str
    mark: Mark
    does: str
    """What happens to the text, in one line."""
    forms: Mapping[str, Form]
    """Every way to do it, by a short label."""
    doubled: int = 0
    """How many of the last forms are two steps by themselves; a chain leaves them out."""


_WORD = re.compile(r"[^\W_]+")


def as_is(text: str, rng: Random) -> str:
    """The payload in clear."""
    return text


def translated(table: Mapping[str, str]) -> Put:
    """Each character by the table; one that it lacks stays."""
    codes = str.maketrans(dict(table))
    return lambda text, rng: text.translate(codes)


def per_word(change: Callable[[str, Random], str], text: str, rng: Random) -> str:
    """Each word of letters and digits rewritten, all else left where it is."""
    return _WORD.sub(lambda word: change(word[0], rng), text)


def in_gaps(marks: Iterable[str]) -> Put:
    """One of the marks between any two neighbours inside a word."""
    choices = tuple(marks)

    def change(word: str, rng: Random) -> str:
        return "".join(letter + rng.choice(choices) for letter in word[:-1]) + word[-1:]

    return lambda text, rng: per_word(change, text, rng)


def framed(before: str, put: Put = as_is, after: str = "") -> Form:
    """The rewritten payload between two fixed texts."""
    return lambda text, rng: within(before, put(text, rng), after)


def covered(covers: tuple[str, ...], put: Put, opening: str = "", closing: str = "") -> Form:
    """The rewritten payload behind a visible cover, drawn by lot."""

    def form(text: str, rng: Random) -> Disguised:
        return within(rng.choice(covers) + opening, put(text, rng), closing)

    return form


def within(before: str, payload: str, after: str) -> Disguised:
    """Three pieces joined, the middle one marked as the payload."""
    return Disguised(before + payload + after, len(before), len(before) + len(payload))


def utf8(text: str) -> bytes:
    """The bytes of a text; a lone surrogate is legal input and keeps its three bytes."""
    return text.encode("utf-8", "surrogatepass")
