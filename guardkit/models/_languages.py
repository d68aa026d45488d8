"""Which languages a text may be written in: evidence for each, word by word.

Latin, Cyrillic, Arabic and Devanagari words are read by runs of their letters; any other script is
a language, or nearly one, by itself. What is known about a word is worked out once and kept: then a
text costs one search for its words and one gather of their rows.

Everything a row holds follows from the word alone, never from what was met before it.
"""

from __future__ import annotations

import hashlib
import io
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Final

from guardkit.errors import BindError

FOLDER: Final = Path(__file__).parent / "languages"
FILE: Final = "table.npz"
DIGEST: Final = "sha256:afe2d772fa21e4601f11ce7fd5c136de9fbe64db3a72008e6def32dd6e3403d0"
"""What the file has to be. `guardkit.train` writes the file and says its digest."""

NOTHING: Final = "none"
"""The column of words that are of no language: names, code, signs by chance."""
OTHER: Final = "other"
"""The column of scripts that no language of the table is written in."""

CLIP: Final = 3.0
"""What one word can say for a language and against another: no word is proof."""
LANGUAGE_BITS: Final = 14
"""Rows of the table, as a power of two."""
GRAMS: Final = (1, 2, 3, 4)
"""Letters in a run of a word."""
MOST_WORDS: Final = 16_384
"""Distinct words kept. When more are met, all are forgotten."""

# --- scripts: (first, last, name), sorted

_RANGES: Final = (
    (0x0041, 0x005A, "latin"),
    (0x0061, 0x007A, "latin"),
    (0x00C0, 0x00D6, "latin"),
    (0x00D8, 0x00F6, "latin"),
    (0x00F8, 0x02AF, "latin"),
    (0x0370, 0x03FF, "el"),
    (0x0400, 0x052F, "cyrillic"),
    (0x0531, 0x058A, "hy"),
    (0x05D0, 0x05F2, "he"),
    (0x0620, 0x065F, "arabic"),
    (0x066E, 0x06D3, "arabic"),
    (0x06D5, 0x06EF, "arabic"),
    (0x06FA, 0x06FF, "arabic"),
    (0x0700, 0x074F, OTHER),
    (0x0750, 0x077F, "arabic"),
    (0x0780, 0x089F, OTHER),
    (0x0900, 0x0963, "devanagari"),
    (0x0970, 0x097F, "devanagari"),
    (0x0980, 0x09E5, "bn"),
    (0x0A00, 0x0A65, "pa"),
    (0x0A70, 0x0A7F, "pa"),
    (0x0A80, 0x0AE5, "gu"),
    (0x0B00, 0x0B65, OTHER),
    (0x0B80, 0x0BE5, "ta"),
    (0x0C00, 0x0C65, "te"),
    (0x0C80, 0x0CE5, "kn"),
    (0x0D00, 0x0D65, "ml"),
    (0x0D80, 0x0DE5, "si"),
    (0x0E00, 0x0E4F, "th"),
    (0x0E80, 0x0ECF, "lo"),
    (0x0F00, 0x0FFF, OTHER),
    (0x1000, 0x103F, "my"),
    (0x1050, 0x108F, "my"),
    (0x10A0, 0x10FF, "ka"),
    (0x1100, 0x11FF, "ko"),
    (0x1200, 0x135F, "am"),
    (0x13A0, 0x177F, OTHER),
    (0x1780, 0x17D3, "km"),
    (0x1820, 0x1C8F, OTHER),
    (0x1C90, 0x1CBF, "ka"),
    (0x1CC0, 0x1CFF, OTHER),
    (0x1E00, 0x1EFF, "latin"),
    (0x1F00, 0x1FFF, "el"),
    (0x2C00, 0x2DDF, OTHER),
    (0x3041, 0x30FF, "kana"),
    (0x3105, 0x312F, "han"),
    (0x3131, 0x318E, "ko"),
    (0x31F0, 0x31FF, "kana"),
    (0x3400, 0x4DBF, "han"),
    (0x4E00, 0x9FFF, "han"),
    (0xA000, 0xABFF, OTHER),
    (0xAC00, 0xD7FF, "ko"),
    (0xF900, 0xFAFF, "han"),
    (0xFF66, 0xFF9F, "kana"),
    (0x10280, 0x10FFF, OTHER),
    (0x20000, 0x323AF, "han"),
)
_FIRSTS: Final = [first for first, _, _ in _RANGES]

SPELT: Final = frozenset({"latin", "cyrillic", "arabic", "devanagari"})
"""Scripts of many languages, which are told apart by their words."""

_BY_SCRIPT: Final = {
    "han": (("zh", 0.0), ("ja", -0.7)),
    "kana": (("ja", 0.0),),
}
"""Languages of a script that is not one, and how much less likely each is than the first."""

SINGLE: Final = tuple(
    sorted({name for _, _, name in _RANGES} - SPELT - _BY_SCRIPT.keys() - {OTHER} | {"ja", "zh"})
)
"""Languages that are known by their script."""

SAYS_LITTLE: Final = 1 / 3
"""What a word with a capital counts for, and a single letter: names and signs belong to any."""
REPEATS: Final = (1, 2, 3)
"""So many words back a word is a repeat."""

# Written without blanks, or with a sign for a syllable: cut into what says as much as a word.
_PIECE: Final = {"han": 2, "kana": 2, "ko": 2, "th": 5, "lo": 5, "km": 5, "my": 5}
_DENSE: Final = frozenset({"han", "kana", "ko"})
DENSE_LETTERS: Final = 3
"""Letters that a Chinese, Japanese or Korean sign stands for."""


def _pattern() -> re.Pattern[str]:
    classes = {0: "\u0300-\u036f"}  # marks that are written onto a letter
    for first, last, name in _RANGES:
        size = _PIECE.get(name, 0)
        classes[size] = classes.get(size, "") + f"{chr(first)}-{chr(last)}"
    whole = f"[{classes.pop(0)}]{{1,40}}"
    return re.compile("|".join([whole, *(f"[{c}]{{1,{size}}}" for size, c in classes.items())]))


_ASCII_WORD: Final = re.compile("[A-Za-z]{1,40}")
_WORD: Final = _pattern()


def script_of(word: str) -> str:
    """The script of a word, or the language that alone is written in it."""
    at = bisect_right(_FIRSTS, ord(word[0])) - 1
    return (
        _RANGES[at][2] if ord(word[0]) <= _RANGES[at][1] else "latin"
    )  # a mark that lost its letter


# --- from words to rows of the table

_SEED: Final = 0x9E3779B1
_STEP: Final = 0x01000193


def rows_of_words(words: Sequence[str]) -> tuple[Any, Any]:
    """Rows of the table for each word, and how many rows each has, in the order of the words."""
    import numpy as np

    framed = "".join([f"<{word}>" for word in words])
    codes = np.frombuffer(framed.encode("utf-32-le", "surrogatepass"), np.uint32)
    sizes = np.fromiter(map(len, words), np.int64, len(words)) + 2
    word = np.repeat(np.arange(len(words)), sizes)
    begins = np.cumsum(sizes) - sizes
    place = (np.arange(len(codes)) - begins[word]).astype(np.uint32)
    power = np.cumprod(np.full(int(sizes.max()), 0x01000193, np.uint32), dtype=np.uint32)
    whole = np.add.reduceat((codes + np.uint32(7)) * power[place], begins, dtype=np.uint32)
    rows, owners = [_mixed(whole, 9)], [np.arange(len(words))]
    run = np.zeros(len(codes), np.uint32)
    for size in range(1, max(GRAMS) + 1):
        last = len(codes) - size + 1
        run = (run[:last] * np.uint32(_STEP)) ^ codes[size - 1 :]
        if size in GRAMS:
            inside = word[:last] == word[size - 1 :]
            if size == 1:  # a frame is no letter
                inside = inside & (codes != 60) & (codes != 62)
            rows.append(_mixed(run[inside], size))
            owners.append(word[:last][inside])
    order = np.argsort(np.concatenate(owners), kind="stable")
    counts = np.bincount(np.concatenate(owners), minlength=len(words))
    return np.concatenate(rows)[order], counts


def _mixed(numbers: Any, salt: int) -> Any:
    import numpy as np

    mixed = (numbers ^ np.uint32(salt * 0x85EBCA6B & 0xFFFFFFFF)) * np.uint32(_SEED)
    mixed ^= mixed >> np.uint32(15)
    mixed *= np.uint32(0x2C1B3C6D)
    return (mixed >> np.uint32(32 - LANGUAGE_BITS)).astype(np.int64)


class Languages:
    """The table of languages, ready to read with. Safe in many threads.

    Args:
        spelt: The languages of the table's columns; the last is `NOTHING`.
        table: int8 [2^LANGUAGE_BITS, columns], a row for each run of letters.
        scale: What one step of the table is worth.
    """

    __slots__ = ("_at", "_lock", "_rows", "_scale", "_spelt", "_table", "columns")

    def __init__(self, spelt: Sequence[str], table: Any, scale: float) -> None:
        self.columns: tuple[str, ...] = (*spelt, *SINGLE, OTHER)
        self._spelt = len(spelt)
        self._table = table
        self._scale = scale
        self._lock = Lock()
        self._at: dict[str, int] = {}
        self._rows = self._new()

    def _new(self) -> Any:
        import numpy as np

        return np.zeros((len(self.columns) + 1, MOST_WORDS), np.float32)

    @staticmethod
    def words(text: str) -> list[str]:
        """The words of a text; in scripts that write none, pieces that say as much."""
        return _words_in(text).findall(text)

    @staticmethod
    def places(text: str) -> list[tuple[int, int]]:
        """Where each of the words stands."""
        return [found.span() for found in _words_in(text).finditer(text)]

    def weigh(self, words: Sequence[str]) -> Any:
        """What each word of a text says: a row for each of `columns`, and one more.

        The likeliest language of a word has 0, the others less, down to -CLIP. A word that was said
        just before says nothing: a repeat is no language. The last row counts letters.

        Args:
            words: Words of a text, one after another; at most `MOST_WORDS` / 4.

        Returns:
            float32 [columns + 1, words], the caller's own; this way round sums along a text are
            quick.
        """
        import numpy as np

        at, rows = self._at, self._rows
        try:
            found = [*map(at.__getitem__, words)]
        except KeyError:
            at, rows = self._learn(words)
            found = [*map(at.__getitem__, words)]
        places = np.array(found, np.int64)
        said = rows.take(places, axis=1, mode="clip")  # checking each place takes as long again
        for back in REPEATS:
            again = (places[back:] == places[:-back]).nonzero()[0]
            if len(again):
                said[:-1, again + back] = 0
        return said

    def _learn(self, words: Iterable[str]) -> tuple[dict[str, int], Any]:
        with self._lock:
            fresh = [*dict.fromkeys(word for word in words if word not in self._at)]
            if len(self._at) + len(fresh) > MOST_WORDS:
                fresh = [*dict.fromkeys(words)]
                self._at, self._rows = {}, self._new()
            at, rows = self._at, self._rows
            start = len(at)
            if fresh:
                # INVARIANT: a row is whole before its word is in the book.
                rows[:, start : start + len(fresh)] = self._rows_of(fresh).T
                at.update(zip(fresh, range(start, start + len(fresh)), strict=True))
            return at, rows

    def _rows_of(self, words: Sequence[str]) -> Any:
        """What each word says, worked out."""
        import numpy as np

        made = np.full((len(words), len(self.columns) + 1), -CLIP, np.float32)
        scripts = [*map(script_of, words)]
        spelt = [number for number, script in enumerate(scripts) if script in SPELT]
        if spelt:
            grams, counts = rows_of_words([words[number].lower() for number in spelt])
            ends = np.cumsum(counts)
            sums = np.add.reduceat(self._table[grams].astype(np.int32), ends - counts, axis=0)
            found = sums * np.float32(self._scale)
            found -= found.max(axis=1, keepdims=True)
            made[spelt, : self._spelt] = np.maximum(found, -CLIP)
        for number, script in enumerate(scripts):
            if script not in SPELT:
                for name, less in _BY_SCRIPT.get(script, ((script, 0.0),)):
                    made[number, self.columns.index(name)] = less
        made[[number for number, word in enumerate(words) if _says_little(word)]] *= SAYS_LITTLE
        made[:, -1] = [
            len(word) * (DENSE_LETTERS if script in _DENSE else 1)
            for word, script in zip(words, scripts, strict=True)
        ]
        return made


def _words_in(text: str) -> re.Pattern[str]:
    return _ASCII_WORD if text.isascii() else _WORD


def _says_little(word: str) -> bool:
    """A name, as it seems, or a single letter."""
    return word.istitle() or (len(word) == 1 and script_of(word) not in _PIECE)


@cache
def read_languages(folder: Path = FOLDER) -> Languages:
    """The table that ships; one for all that read with it.

    Args:
        folder: Where it lies.

    Raises:
        BindError: It is not part of this installation, or it is another.
    """
    import numpy as np

    try:
        content = (folder / FILE).read_bytes()
    except OSError:
        raise BindError("the table of languages is not part of this installation") from None
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != DIGEST:
        raise BindError("the table of languages is not the one that this version came with")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        spelt = str(arrays["languages"]).split()
        return Languages(spelt, arrays["table"], float(arrays["scale"]))
