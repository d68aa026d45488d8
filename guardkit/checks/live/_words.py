"""Finds the entries of word lists, whole words in any case."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

import re2

from guardkit.catalog import Form, Hit, Setting

from ._files import text_of
from ._loosen import first_words, key_words_of, loosen_words, reads_loose, words_of
from ._matches import Program, TooManyError, find_all, outermost, prepare, starts_in

MAX_MEM = 256 << 20
"""What the entries of one check may keep: 50,000 take about 40 MB."""


def bind(config: Mapping[str, object], setting: Setting) -> WordsFinder:
    """A finder for the entries of one check.

    Raises:
        BindError: A file cannot be read, or it is not the one the policy was compiled with.
    """
    listed = config.get("list")
    entries = [str(entry) for entry in listed] if isinstance(listed, tuple) else []
    files = config.get("file")
    for file in files if isinstance(files, tuple) else ():
        entries += _lines(text_of(setting, file))
    kept = dict.fromkeys(entry.strip() for entry in entries)
    kept.pop("", None)
    return WordsFinder(list(kept), is_loose=reads_loose(config))


def _lines(text: str) -> list[str]:
    """The entries of a file, without its comments."""
    return [re.split(r"(?:^|\s)#", line, maxsplit=1)[0] for line in text.splitlines()]


_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_NO_BLANKS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"
)
"""Scripts written without blanks: Thai, Lao, Myanmar, Khmer, Kana, Han."""

_Tokens = tuple[str, ...]


class WordsFinder:
    """Finds words and phrases; implements `Finder`.

    One pattern says where an entry may begin. What begins there is then read token by token, for
    RE2 knows word edges and cases that become two letters (`ß`) only in part.

    Args:
        entries: Words and phrases, none blank.
        is_loose: Whether texts of form `loose` are read.
    """

    __slots__ = (
        "_anywhere",
        "_loose",
        "_needles",
        "_starts",
        "_whole",
        "key_words",
        "least",
        "words",
    )

    def __init__(self, entries: Sequence[str], *, is_loose: bool) -> None:
        anywhere = [entry for entry in entries if _NO_BLANKS.search(entry)]
        spaced = [_tokens_of(entry) for entry in entries if not _NO_BLANKS.search(entry)]
        forms = [loosen_words(entry) for entry in entries] if is_loose else []
        plain = (_any_of(_beginning(spaced)), _any_of(sorted(map(re2.escape, anywhere))))
        loose = _any_of(sorted({form for form in forms if form}))
        self._needles: dict[Form, tuple[str, ...]] = {
            "plain": tuple(filter(None, plain)),
            "loose": (loose,) if loose else (),
        }
        self._starts = _program(plain[0], longest=False)
        self._anywhere = _program(plain[1])
        self._loose = _program(loose)
        self._whole: dict[str, tuple[tuple[int, ...], frozenset[_Tokens]]] = {}
        by_first: dict[str, set[_Tokens]] = {}
        for tokens in spaced:
            by_first.setdefault(tokens[0], set()).add(tokens)
        for first, of_first in by_first.items():
            lengths = sorted({len(tokens) for tokens in of_first}, reverse=True)
            self._whole[first] = tuple(lengths), frozenset(of_first)
        self.least = min((len("".join(entry.split())) for entry in entries), default=0)
        self.key_words: tuple[str, ...] = (
            first_words(map(key_words_of, entries)) if is_loose else ()
        )
        self.words: tuple[str, ...] = first_words(map(words_of, entries)) if is_loose else ()

    def needles(self, form: Form) -> tuple[str, ...]:
        """One pattern for all entries of a kind: those with word edges, those without."""
        return self._needles[form]

    def find(self, text: str, seen: Sequence[int], form: Form) -> Sequence[Hit]:
        """Every entry in the text, one inside another left out."""
        if form == "loose":
            spans = find_all(self._loose, text) if self._loose else []
        else:
            spans = []
            try:
                spans += self._found_whole(text)
                spans += self._found_anywhere(text)
            except TooManyError as error:
                spans.append((error.start, len(text)))
        return [Hit(start, end) for start, end in outermost(spans)]

    def _found_whole(self, text: str) -> Iterator[tuple[int, int]]:
        for start, _ in starts_in(self._starts, text) if self._starts else ():
            if start and _is_word(text[start - 1]) and _is_word(text[start]):
                continue  # inside a word
            end = self._end_of_entry(text, start)
            if end:
                yield start, end

    def _end_of_entry(self, text: str, start: int) -> int:
        """Where the longest entry that begins here ends; 0 when none does."""
        first = _TOKEN.match(text, start)
        lengths, entries = self._whole.get(_plain(first.group()), _NOTHING) if first else _NOTHING
        if not lengths:
            return 0
        tokens: list[str] = []
        ends: list[int] = []
        at = start
        while len(tokens) < lengths[0] and (token := _TOKEN.match(text, at)):
            at = token.end()
            tokens.append(_plain(token.group()))
            ends.append(at)
        fits = (n for n in lengths if n <= len(tokens) and tuple(tokens[:n]) in entries)
        n = next(fits, 0)
        return ends[n - 1] if n else 0

    def _found_anywhere(self, text: str) -> Iterator[tuple[int, int]]:
        ends: dict[str, int] = {}
        for start, end in starts_in(self._anywhere, text) if self._anywhere else ():
            entry = text[start:end].casefold()
            if start >= ends.get(entry, 0):
                ends[entry] = end
                yield start, end


_NOTHING: tuple[tuple[int, ...], frozenset[_Tokens]] = ((), frozenset())


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _tokens_of(entry: str) -> _Tokens:
    return tuple(_plain(token) for token in _TOKEN.findall(entry))


def _plain(token: str) -> str:
    """A token in one case; a short run of blanks as one, so that every match has an end."""
    if token.isspace():
        return " " if len(token) <= MOST_BLANKS else token
    return token.casefold()


MOST_BLANKS = 8
"""So many blanks in a row count as one; a stream holds back as much."""

# --- where an entry may stand, as a pattern

_BLANKS = (
    r"[\t-\r\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}"
    r"\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]+"
)
_ODD = {"k": "\u212a", "s": "\u017f"}
"""The Kelvin sign and the long s: letters in any case, but to RE2 not part of a word."""

_EDGE = r"\b"

_CLUSTER = re.compile("ss|st|f[fil]")
"""Two letters of ASCII for which there is one character in another case: `ß` and ligatures."""

MAX_CLUSTER = 6
"""Letters that one character may stand for, in a row. Beyond that any of them may come."""


def _any_of(patterns: Iterable[str]) -> str:
    joined = "|".join(patterns)
    return f"(?i)(?:{joined})" if joined else ""


def _program(pattern: str, *, longest: bool = True) -> Program | None:
    if not pattern:
        return None
    return prepare(pattern, longest=longest, max_mem=MAX_MEM, is_near=True)


def _beginning(entries: Iterable[_Tokens]) -> Iterator[str]:
    """The entries, those with the same first letter together.

    Sorted they share what they have in common: with 50,000 in any order a search takes seconds.
    """
    rests: dict[str, set[str]] = {}
    for tokens in entries:
        first, *rest = _needle(tokens)
        if first.startswith(_EDGE):
            rest.insert(0, first.removeprefix(_EDGE))
            first = _EDGE
        rests.setdefault(first, set()).add("".join(rest))
    for first, after in sorted(rests.items()):
        yield f"{first}(?:{'|'.join(sorted(after))})"


def _needle(tokens: _Tokens) -> list[str]:
    """A pattern, letter by letter, without which these tokens stand in no text."""
    made: list[str] = []
    for at, word in enumerate(tokens):
        has_edges = _is_word(word[0])
        starts, ends = has_edges and at == 0, has_edges and at == len(tokens) - 1
        made += [_BLANKS] if word == " " else _spelled(word, starts, ends)
    return made


def _spelled(token: str, starts: bool, ends: bool) -> list[str]:
    """A token in any case, with a word edge before it or after it."""
    made: list[str] = []
    if len(token) > 1 and token.isascii() and not _CLUSTER.search(token):
        first, last = _edged(token[0], starts, False), _edged(token[-1], False, ends)
        return [first, token[1:-1], last]
    at = 0
    while at < len(token):
        end = _end_of_cluster(token, at)
        before, after = starts and at == 0, ends and end == len(token)
        if end - at > MAX_CLUSTER:
            spelt = [f"[{re2.escape(''.join(_letters_of(token[at:end])))}]{{1,{end - at}}}"]
        else:
            spelt = [
                "".join(
                    _edged(char, before and n == 0, after and n == len(chars) - 1)
                    for n, char in enumerate(chars)
                )
                for chars in _spellings(token[at:end])
            ]
        made.append(spelt[0] if len(spelt) == 1 else f"(?:{'|'.join(spelt)})")
        at = end
    return made


def _edged(char: str, before: bool, after: bool) -> str:
    plain: str = re2.escape(char)
    if not (before or after) or not char.isascii():
        return plain
    edged = f"{_EDGE if before else ''}{plain}{_EDGE if after else ''}"
    return f"(?:{edged}|(?-i:{_ODD[char]}))" if char in _ODD else edged


@cache
def _folds() -> Mapping[str, tuple[str, ...]]:
    """Several letters and the single characters that stand for them in another case, as `ß`."""
    found: dict[str, tuple[str, ...]] = {}
    blocks = ((0xDF, 0x588), (0x1E96, 0x2000), (0xFB00, 0xFB18))
    for char in (chr(code) for block in blocks for code in range(*block)):
        if len(folded := char.casefold()) > 1:
            found[folded] = (*found.get(folded, ()), char)
    return found


def _end_of_cluster(token: str, at: int) -> int:
    """The end of the letters from here that are written together in one way or another."""
    end, here = at + 1, at
    while here < end:
        for size in (2, 3):
            if token[here : here + size] in _folds() and here + size <= len(token):
                end = max(end, here + size)
        here += 1
    return end


def _spellings(letters: str) -> list[str]:
    if not letters:
        return [""]
    made = [letters[0] + rest for rest in _spellings(letters[1:])]
    for size in (2, 3):
        for char in _folds().get(letters[:size], ()) if len(letters) >= size else ():
            made += [char + rest for rest in _spellings(letters[size:])]
    return made


def _letters_of(cluster: str) -> Iterator[str]:
    yield from sorted(set(cluster))
    for folded, chars in _folds().items():
        if folded in cluster:
            yield from chars
