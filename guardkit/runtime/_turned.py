"""Words of the finders as they look backwards, with other letters for letters, or shuffled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from guardkit.catalog import Finder
from guardkit.text import rare_part, shuffled_words, turned_words

from ._batches import Batch, Pattern

MOST_KEY_WORDS = 400
"""Turned spellings of more words than these are not looked for."""
LEAST_LETTERS = 5
"""A shorter word, its letters moved on in the alphabet, is too often another word."""

PART = "part of a turned word"
"""Who owns `Turned.parts`: a turned word may stand in the text, and `whole` tells which."""


class Turned:
    """The signs of turned words in a text.

    Args:
        finders: Those that read every view.
    """

    __slots__ = ("_parts", "_whole", "parts", "shuffled")

    def __init__(self, finders: Sequence[Finder]) -> None:
        keys = dict.fromkeys(word for finder in finders for word in finder.key_words)
        long = [word for word in keys if len(word) >= LEAST_LETTERS]
        turned = turned_words(long[:MOST_KEY_WORDS])
        spelled = {word for spellings in turned.values() for word in spellings}
        # All spellings of all turns are thousands; their rare parts leave an automaton at rest.
        parts = _any_of(sorted(set(map(rare_part, spelled))))
        self.parts: list[Pattern] = [(PART, parts)] if turned else []
        """One of them stands in every text that holds a turned word."""
        self._parts = Batch(self.parts)
        self._whole = Batch((signal, _any_of(made)) for signal, made in turned.items())
        words = dict.fromkeys(word for finder in finders for word in finder.words)
        shuffled = shuffled_words([*words][:MOST_KEY_WORDS])
        self.shuffled = Batch(shuffled.items())
        """Words with their inner letters in another order."""

    def whole(self, data: bytes) -> list[str]:
        """How the words are turned that stand in a text with one of the parts in it."""
        return [str(sign) for sign in self._whole.seen(data)]

    def signs(self, data: bytes) -> list[str]:
        """Every sign of a turned word in a text."""
        found = self.whole(data) if self._parts.match(data) else []
        return found + [str(sign) for sign in self.shuffled.seen(data)]


def _any_of(words: Iterable[str]) -> str:
    return f"(?i)(?:{'|'.join(words)})"
