"""What a recogniser is: a fixed layout of digits and letters, or a pattern; a reading; words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

BEFORE, AFTER = 48, 24
"""How far from a find its words may stand, in characters before it and after it."""

Valid = Callable[[str], bool]
"""Says whether the letters and digits of a match, in capitals and without separators, can be."""


class Read(NamedTuple):
    """What a match says: where the value stands, and whether it needs a word beside it."""

    start: int
    end: int
    is_sure: bool = True


@dataclass(frozen=True, slots=True)
class Layouts:
    """A number written in fixed groups: `9` a digit, `A` a letter, `*` either.

    Args:
        kind: The entity.
        sure: Layouts that need no word nearby once the number is valid.
        told: Layouts that too many other things share: they need one of the words.
        valid: Over the letters and digits of the match, in capitals.
        words: What the number is called; `*` at the end stands for any ending.
        capitals: Its letters are written in capitals. Small ones need a word.
        only_capitals: Small letters make it something else.
        needle: A pattern for texts with a find, where its layouts are too common to look for.
        specific: The higher, the less likely a chance match; settles finds on the same stretch.
    """

    kind: str
    sure: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    valid: Valid = bool
    words: tuple[str, ...] = ()
    capitals: bool = True
    only_capitals: bool = False
    needle: str = ""
    specific: int = 5

    def layouts(self) -> Iterable[tuple[str, bool]]:
        """Every layout with `*` written out, and whether it is sure."""
        for is_sure, layouts in ((True, self.sure), (False, self.told)):
            for layout in layouts:
                parts = layout.split("*")
                for chars in product("9A", repeat=len(parts) - 1):
                    yield "".join(p + c for p, c in zip(parts, (*chars, ""), strict=True)), is_sure

    @property
    def width(self) -> int:
        """The longest match in characters."""
        return max(map(len, self.sure + self.told))


@dataclass(frozen=True, slots=True)
class Pattern:
    """A value with a shape of its own.

    Args:
        kind: The entity.
        needle: An RE2 pattern that matches somewhere in every text with a find.
        pattern: Where to look. Every repetition in it is bounded, so time is linear in the text.
        width: The longest match in characters.
        read: What a match says; None where it is none after all.
        starts: The characters a match begins with, where they are rare in prose.
        words: What the value is called; `*` at the end stands for any ending.
        before: How far before the value a word may stand, in characters.
        after: How far after it.
        specific: The higher, the less likely a chance match; settles finds on the same stretch.
    """

    kind: str
    needle: str
    pattern: re.Pattern[str]
    width: int
    read: Callable[[re.Match[str]], Read | None]
    starts: re.Pattern[str] | None = None
    words: tuple[str, ...] = ()
    before: int = BEFORE
    after: int = AFTER
    specific: int = 5


Recogniser = Layouts | Pattern


def whole(valid: Callable[[str], bool], *, sure: bool = True) -> Callable[..., Read | None]:
    """A reading that takes the match as it stands, when it is valid."""

    def read(match: re.Match[str]) -> Read | None:
        return Read(*match.span(), sure) if valid(match[0]) else None

    return read


def listed(text: str, by: str = ",") -> tuple[str, ...]:
    """The parts of a long list that is written as one text."""
    return tuple(part.strip() for part in text.split(by))


_SCRIPT_WITHOUT_BLANKS = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def words_pattern(words: Iterable[str]) -> re.Pattern[str]:
    """One pattern for the words of a recogniser, to be used on small letters.

    A word stands alone, or beside `_`, as in `tax_id`; blanks in it may be hyphens, points or
    nothing.
    """
    joined = sorted(word for word in words if _SCRIPT_WITHOUT_BLANKS.search(word))
    apart = sorted(word for word in words if not _SCRIPT_WITHOUT_BLANKS.search(word))
    # The look behind stands before all words, not in each: most places are no start of a word.
    parts = [rf"(?<![^\W_])(?:{'|'.join(map(_apart, apart))})", *map(_body, joined)]
    return re.compile("|".join(parts if apart else parts[1:]))


def _body(word: str) -> str:
    return re.escape(word.removesuffix("*").lower()).replace(r"\ ", r"[\s_.\-]{0,2}")


def _apart(word: str) -> str:
    return _body(word) + ("" if word.endswith("*") else r"(?![^\W_])")


def needle_of_words(words: Iterable[str]) -> str:
    """An RE2 pattern for texts in which one of the words stands; looser than `words_pattern`."""
    return f"(?i)(?:{'|'.join(map(_loose, sorted(words)))})"


def _loose(word: str) -> str:
    first = r"(?:\b|_)" if word[0].isascii() else ""
    last = r"(?:\b|_)" if word[-1].isascii() and word[-1] != "*" else ""
    return first + _body(word) + last
