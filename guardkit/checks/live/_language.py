"""Tells which stretches of a text are in a language that is not among those that are fine."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from guardkit.catalog import NO, UNKNOWN, Answer, Hit, Setting, Subject

from ._viewed import chosen_views, outermost, united, views_to_read

if TYPE_CHECKING:
    from guardkit.models import Languages

SURE: Final = 8.0
"""Evidence that makes a stretch of a language, as a logarithm. A word gives at most 3 of it, one
with a capital at most 1: it takes three words at least."""
LEAST_LETTERS: Final = 20
"""Letters of the shortest stretch. A sign of Chinese, Japanese or Korean counts as three."""
LEAST_AROUND: Final = 10
"""Characters that make what stands around quotations and code a text of its own."""
DOUBT: Final = 6.0
"""Languages that have less evidence than the likeliest by no more than this are possible too."""
MOST_AT_ONCE: Final = 1_000
"""Words that are weighed at a time: memory stays small, whatever the text."""
OVERLAP: Final = 100
"""Words that two such parts have in common, so that a stretch is whole in one of them."""
MOST_ROUNDS: Final = 16
"""Languages that are looked for one after another in a part."""

RELATIVES: Final[Mapping[str, tuple[str, ...]]] = {
    "bs": ("hr", "sr"),
    "id": ("ms",),
    "ms": ("id",),
    "sr": ("hr",),  # the one in Cyrillic letters, the other in Latin ones
}
"""What a language that is fine makes fine as well: the table cannot tell them apart."""

_READ: Final = frozenset({"raw", "cleaned", "folded", "squeezed", "unmarked", "decoded", "joined"})
"""Views that keep the words: a text that was turned round is of any language."""

# All alternatives begin with a sign, which is what the search looks for.
_ASIDE = re.compile(
    r"```(?s:.*?)(?:```|\Z)|~~~(?s:.*?)(?:~~~|\Z)|`[^`\n]{1,200}`|<[A-Za-z/!][^<>\n]{0,200}>"
    r'|"[^"\n]{1,200}"|“[^“”\n]{1,200}”|„[^„“”\n]{1,200}[“”]|«[^«»\n]{1,200}»|‹[^‹›\n]{1,200}›'
    r"|「[^「」\n]{1,200}」|『[^『』\n]{1,200}』"
)
_CITED = re.compile(r"^[ \t]{0,3}>[^\n]*", re.MULTILINE)
# A sign that no prose has inside a word, and what follows it: an address, a path, code.
_LINK = re.compile(r"[_/\\@=<>{}|#$][!-~]*+")


def bind(config: Mapping[str, object], setting: Setting) -> LanguageReader:
    """A reader that looks for other languages.

    Raises:
        BindError: The table of languages is not here, or is another.
    """
    from guardkit.models import read_languages

    allowed = config.get("allow", ())
    assert isinstance(allowed, tuple)
    source = config.get("same_as")
    reader = LanguageReader(
        read_languages(),
        [str(name) for name in allowed],
        None if source is None else str(source),
        chosen_views(config),
    )
    reader.warm()
    return reader


class LanguageReader:
    """Finds stretches in languages that are not fine; implements `Reader`.

    Each word is evidence for every language, and what it says for one that is not fine counts
    against the likeliest of those that are. The sum of that is followed along the text and begins
    anew where it falls below nothing; where it comes to `SURE`, a stretch has been found, however
    long the text around it is.

    Args:
        languages: The table.
        allowed: The languages that are fine.
        source: Which texts of the exchange say what else is fine; None where none does.
        views: The views that are read.
    """

    __slots__ = ("_allowed", "_columns", "_languages", "_source", "_views")

    def __init__(
        self,
        languages: Languages,
        allowed: Iterable[str],
        source: str | None,
        views: frozenset[str],
    ) -> None:
        self._languages = languages
        self._columns = {name: at for at, name in enumerate(languages.columns)}
        self._allowed = self._with_relatives(("none", *allowed))
        self._source = source
        self._views = views

    def warm(self) -> None:
        """Load what the first call would load."""
        self._stretches(["one", "слово", "字"], self._allowed)

    def read(self, subject: Subject) -> Answer:
        """Where a view is in another language; unknown where there is nothing to compare with."""
        fine = self._allowed
        if self._source is not None:
            sources = subject.protected(self._source)
            if not sources:
                return UNKNOWN if sources is None else NO
            fine = fine.union(*map(self._languages_of, sources))
        hits: list[Hit] = []
        seen: list[list[str]] = []
        for view in views_to_read(subject, self._views):
            if view.name in _READ and view.form == "plain":
                text, words = self._to_read(view.text, subject.surface)
                if words not in seen:  # most views differ in signs alone
                    seen.append(words)
                    hits += [Hit(*view.back(*at)) for at in self._in_words(text, words, fine)]
        if hits:
            return Answer(True, outermost(hits))
        return NO if subject.is_complete or self._views == {"raw"} else UNKNOWN

    def _with_relatives(self, names: Iterable[str]) -> frozenset[int]:
        both = (one for name in names for one in (name, *RELATIVES.get(name, ())))
        return frozenset(self._columns[name] for name in both if name in self._columns)

    # --- one text

    def _to_read(self, text: str, surface: str) -> tuple[str, list[str]]:
        """A text with blanks for what is left out, and its words."""
        read = _prose(_told(text))
        words = self._languages.words(read)
        # A reply may still go on; any other text that is all quotation says what it quotes.
        if surface != "output" and read is not text and sum(map(len, words)) < LEAST_AROUND:
            read = _prose(text)
            words = self._languages.words(read)
        return read, words

    def _in_words(
        self, text: str, words: Sequence[str], fine: frozenset[int]
    ) -> list[tuple[int, int]]:
        """The stretches of a text in other languages, as places."""
        found = self._stretches(words, fine)
        if not found:
            return []
        if self._source is not None:
            foreign = sum(self._letters(words[start:end]) for start, end in found)
            if foreign * 2 <= self._letters(words):
                return []
        places = self._languages.places(text)
        return [(places[start][0], places[end - 1][1]) for start, end in found]

    def _letters(self, words: Sequence[str]) -> float:
        return float(sum(said[-1].sum() for said in self._weighed(words)))

    def _weighed(self, words: Sequence[str]) -> Iterator[Any]:
        for at in range(0, len(words), MOST_AT_ONCE):
            yield self._languages.weigh(words[at : at + MOST_AT_ONCE])

    def _languages_of(self, text: str) -> frozenset[int]:
        """Every language that a source may be written in: all of them, where it is too short."""
        words = self._languages.words(_prose(text))
        fine = self._possible(words)
        for _ in range(MOST_ROUNDS):
            found = self._stretches(words, fine)
            if not found:
                break
            fine = fine.union(*(self._possible(words[start:end]) for start, end in found))
        return fine

    def _possible(self, words: Sequence[str]) -> frozenset[int]:
        if not words:
            return frozenset(self._columns.values())
        sums = sum(said[:-1].sum(axis=1) for said in self._weighed(words))
        sums[self._columns["none"]] = -math.inf
        names = (self._languages.columns[at] for at in (sums >= sums.max() - DOUBT).nonzero()[0])
        return self._with_relatives(("none", *names))

    def _stretches(self, words: Sequence[str], fine: frozenset[int]) -> list[tuple[int, int]]:
        """The stretches in other languages: their first word, and the one behind their last."""
        found: list[tuple[int, int]] = []
        for at in range(0, len(words), MOST_AT_ONCE - OVERLAP):
            part = self._languages.weigh(words[at : at + MOST_AT_ONCE])
            found += [(at + start, at + end) for start, end in _in_part(part, fine)]
        return united(found)


def _in_part(said: Any, fine: frozenset[int]) -> list[tuple[int, int]]:
    import numpy as np

    letters = said[-1]
    # What is fine never gains by it: it cannot be likelier than the likeliest that is fine.
    against = said[:-1] - said[sorted(fine)].max(axis=0)
    against = against[np.maximum(against, 0).sum(axis=1) >= SURE]  # the others never come to it
    found: list[tuple[int, int]] = []
    for _ in range(MOST_ROUNDS if len(against) else 0):
        sums = np.zeros((len(against), against.shape[1] + 1), np.float32)
        np.cumsum(against, axis=1, out=sums[:, 1:])
        gains = (sums - np.minimum.accumulate(sums, axis=1)).max(axis=1)
        best = int(gains.argmax())
        if gains[best] < SURE:
            break
        for start, end in _gaining(against[best].tolist()):
            against[:, start:end] = -SURE  # no stretch reaches across another
            if letters[start:end].sum() >= LEAST_LETTERS:
                found.append((start, end))
        np.minimum(against[best], 0, out=against[best])
    return found


def _gaining(steps: Sequence[float]) -> Iterator[tuple[int, int]]:
    """The stretches in which a sum comes to `SURE` before it is lost again."""
    total = best = 0.0
    start = end = 0
    for at, step in enumerate((*steps, -math.inf)):
        total += step
        if total > best:
            best, end = total, at + 1
        elif total <= 0 or total < best - SURE:
            if best >= SURE:
                yield start, end
            total = best = 0.0
            start = at + 1


def _told(text: str) -> str:
    """The text with blanks for code and quotations; the text itself where there are none."""
    told = _ASIDE.sub(_blank, text)
    return _CITED.sub(_blank, told) if "\n>" in told or told.startswith(">") else told


def _prose(text: str) -> str:
    """The text with blanks for addresses, paths and names out of programs."""
    parts: list[str] = []
    at = 0
    for found in _LINK.finditer(text):
        start, end = found.span()
        while start > at and "!" <= text[start - 1] <= "~":
            start -= 1
        parts += (text[at:start], " " * (end - start))
        at = end
    return "".join((*parts, text[at:])) if parts else text


def _blank(found: re.Match[str]) -> str:
    return " " * (found.end() - found.start())
