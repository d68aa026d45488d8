"""Words that must turn up nowhere, in every form and in every fragment of it."""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Callable, Iterable, Iterator

LETTERS = string.ascii_letters + string.digits
LENGTH = 24
FRAGMENT = 8
"""So many characters of a secret are too many."""


def canary(rng: random.Random) -> str:
    """A word that nobody else writes."""
    return "".join(rng.choices(LETTERS, k=LENGTH))


def _windows(text: str, width: int, step: int = 1) -> Iterator[str]:
    return (text[at : at + width] for at in range(0, len(text) - width + 1, step))


def _base64(word: str) -> Iterator[str]:
    for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
        for skipped in range(3):  # a word may begin anywhere in a group of three
            whole = word[skipped:].encode()
            yield encode(whole[: len(whole) // 3 * 3]).decode()


def _forms(word: str) -> Iterator[tuple[str, int, int]]:
    """Each form, how long a fragment of it is, and how far apart fragments begin."""
    for text in (word, word[::-1]):
        yield text, FRAGMENT, 1
        yield text.lower(), FRAGMENT, 1
        yield text.encode().hex(), 2 * FRAGMENT, 2
        yield text.encode().hex().upper(), 2 * FRAGMENT, 2
        yield "".join(f"%{ord(each):02X}" for each in text), 3 * FRAGMENT, 3
        yield "".join(f"\\u{ord(each):04x}" for each in text), 6 * FRAGMENT, 6
    for text in _base64(word):
        yield text, FRAGMENT, 1


def found_in(text: str, words: Iterable[str]) -> set[str]:
    """The fragments of words that stand in a text, in whatever form."""
    wanted: dict[int, set[str]] = {}
    for word in words:
        for form, width, step in _forms(word):
            wanted.setdefault(width, set()).update(_windows(form, width, step))
    hits: set[str] = set()
    for width, fragments in wanted.items():
        hits |= fragments.intersection(_windows(text, width))
    return hits


def hidden(word: str) -> list[str]:
    """The forms in which a word could be hidden: each has to be found."""
    hide: tuple[Callable[[str], str], ...] = (
        lambda text: text,
        lambda text: text[5:14],
        lambda text: text[::-1],
        lambda text: text.encode().hex(),
        lambda text: base64.b64encode(b"x" + text.encode()).decode(),
        lambda text: base64.urlsafe_b64encode(b"xy" + text.encode() + b"z").decode(),
        lambda text: "".join(f"%{ord(each):02X}" for each in text),
        lambda text: "".join(f"\\u{ord(each):04x}" for each in text),
    )
    return [f"before {each(word)} after" for each in hide]
