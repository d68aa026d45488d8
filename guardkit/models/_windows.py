"""A text as windows of a model's own tokens. Nothing is cut off and nothing is left out.

Why a text is cut into pieces before the tokenizer sees it:

- a text of any length is read a slice at a time, so that no call takes long;
- word-piece tokenizers turn a word of more than 100 characters into one unknown token, and an
  attack glued into a long run would vanish with it: runs are cut;
- they do the same with a word in which one character is unknown: a picture glued to each word would
  blind the model. A word that came out unknown is cut where ASCII begins and ends.

A cut lies before a blank, where the tokenizers of models cut by themselves, or inside such a run or
word. The same text always gives the same windows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

from ._manifest import Window

SLICE: Final = 4_000
"""Characters that are turned into tokens at once: some 2 ms."""
MOST_RUN: Final = 90
"""Characters that a run without blanks may have in ASCII; tokenizers give up after 100."""
MOST_RUN_WIDE: Final = 1_000
"""The same where there are others: what is not unknown to the model is left in one."""
MOST_UNKNOWN: Final = 24
"""Characters of an unknown word that are tried at once: a normal form of one has up to four."""

# Only these four count as blanks: tokenizers drop other control characters, which glues what stands
# around them together.
_BLANKS: Final = " \t\n\r"
_LONG_RUN = re.compile(r"(?<![^ \t\n\r])[^ \t\n\r]{91,}")
_RUN_PART = re.compile(rf"[^ ]{{40,{MOST_RUN - 1}}}[^0-9A-Za-z_]|[^ ]{{1,{MOST_RUN}}}", re.DOTALL)
"""A part of a run that is too long, up to the end of a word if one is near."""
_WIDE = re.compile(r"(?<![^ \t\n\r])[!-~]*[^\x00-\x7f][^ \t\n\r]*")
"""A word that has characters other than ASCII."""
_SIDES = re.compile(rf"[!-~]+|[^!-~]{{1,{MOST_UNKNOWN}}}")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Cutter:
    """Cuts texts for one model. It may be used from several threads.

    Args:
        tokenizer: A `tokenizers.Tokenizer` that neither cuts nor fills.
        window: How the model wants a text cut.
        places: Whether it is needed where each token stands in the text.
    """

    def __init__(self, tokenizer: Any, window: Window, *, places: bool = False) -> None:
        # A text that spells a special token must not become one: it could close its own window, or
        # claim to be of another surface.
        tokenizer.encode_special_tokens = True
        self.window = window
        self.places = places
        self._encode = tokenizer.encode_batch if places else tokenizer.encode_batch_fast
        unknown = getattr(tokenizer.model, "unk_token", None)
        self._unknown = None if unknown is None else tokenizer.token_to_id(unknown)

    def begin(self, text: str) -> Cut:
        """The text, of which nothing is cut yet."""
        return Cut(self, text)

    def cut(self, text: str) -> Cut:
        """The text, all of it cut, in the thread of the caller."""
        made = self.begin(text)
        while not made.is_whole:
            made.step()
        return made

    def count(self, text: str) -> int:
        """How many tokens a text has, without what the model wants around it."""
        return self.cut(text).tokens

    def encode(self, pieces: Sequence[str]) -> list[tuple[int, Any]]:
        """Where each piece begins, from the first on, and its encoding."""
        found, at = [], 0
        for piece, encoding in self._encoded(pieces):
            parts = [piece]
            if not piece.isascii() and self._unknown in encoding.ids:
                parts = self._unglued(piece)
            for part, known in self._encoded(parts) if len(parts) > 1 else [(piece, encoding)]:
                found.append((at, known))
                at += len(part)
        return found

    def _encoded(self, pieces: Sequence[str]) -> Iterator[tuple[str, Any]]:
        # The batch forms give up the interpreter lock; the single form holds it all the time.
        return zip(pieces, self._encode(pieces, add_special_tokens=False), strict=True)

    def _unglued(self, piece: str) -> list[str]:
        """The piece in parts: what the model does not know is cut where ASCII begins and ends."""
        words = {m.start(): m[0] for m in _WIDE.finditer(piece)}
        cuts = {0, len(piece)}
        for at, (word, encoding) in zip(words, self._encoded([*words.values()]), strict=True):
            sides = [side.start() for side in _SIDES.finditer(word)]
            if len(sides) > 1 and self._unknown in encoding.ids:
                cuts.update(at + side for side in sides)
                cuts.add(at + len(word))
        return _between(piece, sorted(cuts))


class Cut:
    """One text on its way to windows: `step()` until `is_whole`, then its windows."""

    __slots__ = ("_at", "_cutter", "_ends", "_ids", "_starts", "_text", "tokens")

    def __init__(self, cutter: Cutter, text: str) -> None:
        self._cutter = cutter
        self._text: str | None = text
        self._at = 0
        self._ids: list[Any] = []
        self._starts: list[Any] = []
        self._ends: list[Any] = []
        self.tokens = 0
        """How many tokens there are so far."""

    @property
    def is_whole(self) -> bool:
        """Whether all of the text is tokens."""
        return self._text is None

    def step(self) -> None:
        """Turn the next slice of the text into tokens."""
        import numpy as np

        text = self._text
        if text is None:
            return
        end = _slice_end(text, self._at)
        base, part = self._at, text[self._at : end]
        if not part.isascii():
            # A lone surrogate is no character, and tokenizers refuse it. Every place is kept.
            part = _SURROGATE.sub("\ufffd", part)
        for offset, encoding in self._cutter.encode(pieces(part)):
            ids = np.array(encoding.ids, dtype=np.int64)
            self._ids.append(ids)
            self.tokens += len(ids)
            if self._cutter.places:
                places = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2) + base + offset
                self._starts.append(places[:, 0])
                self._ends.append(places[:, 1])
        self._at = end
        if end == len(text):
            self._text = None
            self._ids = [np.concatenate(self._ids)] if self._ids else [np.zeros(0, dtype=np.int64)]
            if self._cutter.places and self._starts:
                self._starts = [np.concatenate(self._starts)]
                self._ends = [np.concatenate(self._ends)]

    def windows(self) -> list[tuple[int, int]]:
        """The first token and the one after the last of each window.

        All windows of a text but a lone one are equally long: the last begins earlier instead.
        """
        room, count = self._cutter.window.room, self.tokens
        if count <= room:
            return [(0, count)]
        last = count - room
        starts = [*range(0, last, room - self._cutter.window.overlap), last]
        return [(start, start + room) for start in starts]

    def row(self, start: int, end: int, surface: int | None) -> Any:
        """What the model reads of a window: int64 token ids, with what it wants around them.

        Args:
            start: The first token.
            end: The one after the last.
            surface: The token that stands for the surface, if the model knows surfaces.
        """
        import numpy as np

        window = self._cutter.window
        lead = window.lead if surface is None else (*window.lead, surface)
        row = np.empty(len(lead) + end - start + len(window.tail), dtype=np.int64)
        row[: len(lead)] = lead
        row[len(lead) : len(lead) + end - start] = self._ids[0][start:end]
        row[len(row) - len(window.tail) :] = window.tail
        if not len(row):  # no model reads nothing at all
            row = np.array([window.pad], dtype=np.int64)
        return row

    def places(self, start: int, end: int) -> tuple[Any, Any]:
        """Where each token of a window begins and ends, in characters of the text."""
        if not self._starts:
            return (), ()
        return self._starts[0][start:end], self._ends[0][start:end]


def _slice_end(text: str, at: int) -> int:
    end = at + SLICE
    if end >= len(text):
        return len(text)
    # Before the blank: tokenizers that mark the beginning of a word do so by the blank before it.
    blank = max(text.rfind(blank, at + 1, end) for blank in _BLANKS)
    return blank if blank > at else end


def pieces(text: str) -> list[str]:
    """A text in parts that a word-piece tokenizer can read: its runs without blanks are short."""
    cuts = [0]
    for run in _LONG_RUN.finditer(text):
        word = run[0]
        if word.isascii():
            cuts += [run.start() + part.end() for part in _RUN_PART.finditer(word)]
        else:
            cuts += range(run.start() + MOST_RUN_WIDE, run.end(), MOST_RUN_WIDE)
    cuts.append(len(text))
    return _between(text, cuts)


def _between(text: str, cuts: Sequence[int]) -> list[str]:
    """The parts of a text between cuts in rising order."""
    return [text[a:b] for a, b in pairwise(cuts) if a < b]
