"""A pattern as it reads in a text whose blanks are lost and whose look-alikes are folded into one.

`reveal the (?:hidden )?prompt` is found in `r e v e a l t h e p r o m p t` and in `r3vea1 the
pr0mpt`: of both the loose text is `reveaitheprompt`, and the pattern is folded in the same way.
What rests on digits, on symbols or on a few letters has no such form: in folded text it would be
found everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any

import re2

from guardkit._util.dialect import LAST, shape_of, sre
from guardkit.text import LOOSE_CLASSES

from ._shapes import REPEATS, Ranges, inverted, read_at, united

MIN_LETTERS = 5
"""A form with fewer letters that have to be there stands in innocent text by accident."""

WIDE = 6
"""A class of more characters than these, once folded, says little."""

WIDE_COSTS = 3
"""How many letters more a form needs for each stretch of which it says little."""

MAX_WIDE = 32
"""Such a stretch is a word or a few. Without blanks there is nothing else to end it."""

MAX_RUN = 4
"""More characters than these, digits among them, in a row: the shape of a token, not of words."""

_GAP_CHARS = " \t\n\r\f\v_.,'’·*~^-"
_GAP = r"[\s_.,'’·*~^-]*"
_GAP_RANGES = united((ord(char), ord(char)) for char in _GAP_CHARS)
_DIGITS = frozenset("0123456789")
_PLENTY = 1_000


class _Unfit(Exception):  # noqa: N818 - leaves a walk, never this file
    """This part has no loose form."""


def reads_loose(config: Mapping[str, object]) -> bool:
    """Whether a check with these settings reads texts of form `loose`: only `all` has them."""
    views = config.get("views")
    return "all" in views if isinstance(views, tuple) and views else True


def loosen(source: str) -> str | None:
    """The loose form of a pattern, an RE2 pattern itself; None where it has none.

    Alternatives that have none are left out as long as one has. Edges of words and lines go, and so
    does the difference of case: a loose text has neither.
    """
    shape = shape_of(source)
    if shape is None or not shape.is_exact:
        return None
    try:
        text, _ = _sequence(shape.tree, 0)
    except (_Unfit, RecursionError, UnicodeEncodeError):
        return None
    loose = f"(?i){text.removeprefix(_GAP).removesuffix(_GAP)}"
    options = re2.Options()
    options.log_errors = False
    try:
        is_sound = re2.compile(loose, options).search("") is None
    except re2.error:
        return None
    return loose if is_sound else None


def loosen_words(entry: str) -> str | None:
    """The loose form of a phrase, without `(?i)`; None when it has too few letters."""
    if sum(char.isalpha() for char in entry) < MIN_LETTERS:
        return None
    made = "".join(_GAP if char in _GAP_CHARS or char.isspace() else _one(char) for char in entry)
    while _GAP * 2 in made:
        made = made.replace(_GAP * 2, _GAP)
    return made.removeprefix(_GAP).removesuffix(_GAP)


def fold(char: str) -> str:
    """The character that stands for this one in a loose text."""
    low = char.lower()
    return LOOSE_CLASSES.get(low, low) if len(low) == 1 else char


@lru_cache(1_024)
def _one(char: str) -> str:
    """A character as it stands in a loose text, escaped."""
    return re2.escape(fold(char)) if ord(char) > 32 else f"\\x{{{ord(char):x}}}"


# --- a walk over the tree: each part gives its text and how many letters it asks for


def _sequence(tree: Any, outside: int) -> tuple[str, int]:
    """A loose form, given how many letters stand around it.

    Raises:
        _Unfit: It has none.
    """
    least = [_letters(op, argument) for op, argument in tree]
    total, letters = sum(least), 0
    texts: list[str] = []
    for (op, argument), own in zip(tree, least, strict=True):
        text, asked = _part(op, argument, outside + total - own)
        letters += asked
        if text != _GAP or not texts or texts[-1] != _GAP:
            texts.append(text)
    if outside + letters < MIN_LETTERS:
        raise _Unfit
    return "".join(texts), letters


def _part(op: Any, argument: Any, outside: int) -> tuple[str, int]:
    read = read_at(op, argument)
    if read is not None:
        return _class(read, op is sre.LITERAL, 1, outside < _PLENTY)
    if op in REPEATS:
        least, most, body = argument
        return _repeat(least, most, body, outside)
    if op is sre.SUBPATTERN:
        text, letters = _sequence(argument[3], outside)
        return (text if text == _GAP else f"(?:{text})"), letters
    if op is sre.BRANCH:
        return _branch(argument[1], outside)
    if op is sre.AT:
        return "", 0
    raise _Unfit


def _branch(branches: Iterable[Any], outside: int) -> tuple[str, int]:
    fit: list[tuple[str, int]] = []
    for branch in branches:
        try:
            fit.append(_sequence(branch, outside))
        except _Unfit:
            continue
    if not fit:
        raise _Unfit
    return f"(?:{'|'.join(text for text, _ in fit)})", min(letters for _, letters in fit)


def _repeat(least: int, most: int, body: Any, outside: int) -> tuple[str, int]:
    nodes = list(body)
    read = read_at(*nodes[0]) if len(nodes) == 1 else None
    if read is not None and _is_gap(read):
        return _GAP, 0
    if least == 0 and read is None:
        try:
            text, _ = _sequence(body, _PLENTY)
        except _Unfit:
            return "", 0
        return (text if text == _GAP else f"(?:{text}){_count(0, most)}"), 0
    if read is not None:
        text, letters = _class(read, nodes[0][0] is sre.LITERAL, least, outside < _PLENTY)
        if _is_wide(read):
            least = 0 if _has_blank(read) else least
            most = max(least, min(most, MAX_WIDE))
        return text + _count(least, most), letters
    text, letters = _sequence(body, outside)
    return f"(?:{text}){_count(least, most)}", letters * least


def _count(least: int, most: int) -> str:
    endless = most is sre.MAXREPEAT or most > 1_000
    short = {(0, True): "*", (1, True): "+"}.get((least, endless))
    if short or (least, most) in ((0, 1), (1, 1)):
        return short or ("?" if least == 0 else "")
    return f"{{{least},{'' if endless else most}}}"


@lru_cache(1_024)
def _class(read: Ranges, is_literal: bool, least: int, is_needed: bool) -> tuple[str, int]:
    """One place of a pattern, read `least` times or more."""
    if _is_gap(read):
        return _GAP, 0
    inside = _ascii(read)
    beyond = tuple((max(low, 128), high) for low, high in read if high > 127)
    if least and is_needed and not beyond:
        if not is_literal and inside <= _DIGITS:
            raise _Unfit  # a number
        is_dense = inside & _DIGITS and len(inside) > WIDE and not _has_blank(read)
        if is_dense and least > MAX_RUN:
            raise _Unfit  # a token
    folded = sorted({fold(char) for char in inside})
    if len(folded) == 1 and not beyond:
        has_letter = any(char.isalpha() for char in inside)
        return _one(folded[0]), least if has_letter else 0
    if len(beyond) == 1 and not folded and beyond[0][0] == beyond[0][1]:
        char = chr(beyond[0][0])
        return _one(char), least if char.isalpha() else 0
    if folded and beyond == ((128, LAST),) and not inverted(read):
        members = r"\x00-\x{10ffff}"
    else:
        ranges = united((*((ord(char), ord(char)) for char in folded), *beyond))
        members = "".join(f"\\x{{{low:x}}}-\\x{{{high:x}}}" for low, high in ranges)
    is_wide = _is_wide(read)
    optional = "?" if least == 1 and _has_blank(read) else ""
    return f"[{members}]{optional}", -WIDE_COSTS if is_wide else 0


@lru_cache(256)
def _ascii(read: Ranges) -> frozenset[str]:
    return frozenset(chr(c) for low, high in read for c in range(low, min(high, 127) + 1))


@lru_cache(1_024)
def _is_gap(read: Ranges) -> bool:
    """Whether nothing but blanks and separators is read, a blank or a hyphen or so."""
    return all(any(a <= low and high <= b for a, b in _GAP_RANGES) for low, high in read)


def _has_blank(read: Ranges) -> bool:
    return any(low <= 32 <= high for low, high in read)


def _is_wide(read: Ranges) -> bool:
    return len({fold(char) for char in _ascii(read)}) > WIDE or len(inverted(read)) == 0


def _letters(op: Any, argument: Any) -> int:
    """How many letters a part asks for at least."""
    read = read_at(op, argument)
    if read is not None:
        return _class(read, True, 1, False)[1]
    if op in REPEATS:
        least, _, body = argument
        inner = _all_letters(body)
        return inner if inner < 0 else inner * least
    if op is sre.SUBPATTERN:
        return _all_letters(argument[3])
    if op is sre.BRANCH:
        return min(_all_letters(branch) for branch in argument[1])
    return 0


def _all_letters(tree: Any) -> int:
    return sum(_letters(op, argument) for op, argument in tree)


# --- words that stand in every match

MIN_KEY = 4
"""A word has this many letters or more."""

MAX_SPELLINGS = 24
"""More spellings of one word than these are not followed."""

MAX_KEY_WORDS = 200
"""Words of one check. The first entries of a long list are looked for in turned text, the rest are
not: each word costs the scan more than twenty turned spellings."""

_Words = frozenset[str]
_NONE: _Words = frozenset()
_START: _Words = frozenset({""})


def key_words(source: str) -> tuple[str, ...]:
    """Words in lower case, one of which stands in every match of a pattern; empty without any."""
    shape = shape_of(source)
    try:
        return tuple(sorted(_best(shape.tree))) if shape is not None else ()
    except RecursionError:
        return ()


def every_word(source: str) -> tuple[str, ...]:
    """Words in lower case that may stand in a match of a pattern."""
    shape = shape_of(source)
    if shape is None:
        return ()
    found: set[str] = set()
    try:
        found |= _spelled(shape.tree, _START, found)
    except RecursionError:
        return ()
    return tuple(sorted(word for word in found if len(word) >= MIN_KEY))


def key_words_of(entry: str) -> tuple[str, ...]:
    """The longest word of a phrase, if it is a key word."""
    longest = max(words_of(entry), key=len, default="")
    return (longest,) if longest else ()


def words_of(entry: str) -> tuple[str, ...]:
    """The words of a phrase that are long enough."""
    words = (word for word in re.findall(r"\w+", entry.lower()) if re.fullmatch("[a-z]+", word))
    return tuple(word for word in words if len(word) >= MIN_KEY)


def first_words(words: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """The first of these words, each once, as many as one check may have."""
    return tuple(dict.fromkeys(chain.from_iterable(words)))[:MAX_KEY_WORDS]


def _best(tree: Any) -> _Words:
    """Of all places where words have to stand, the one that says most."""
    places, open_words = _places(tree, _START)
    return _pick([*places, open_words])


def _pick(places: Iterable[_Words]) -> _Words:
    fit = [words for words in places if words and min(map(len, words)) >= MIN_KEY]
    return max(
        fit, key=lambda words: (min(map(len, words)), -len(words), sorted(words)), default=_NONE
    )


def _places(tree: Any, words: _Words) -> tuple[list[_Words], _Words]:
    """Closed sets of words, and the spellings that what follows may still add to."""
    places: list[_Words] = []
    for op, argument in tree:
        read = read_at(op, argument)
        if op is sre.SUBPATTERN:
            inner, words = _places(argument[3], words)
            places += inner
        elif read is not None:
            grown = _grown(words, read)
            if not grown:
                places.append(words)
            words = grown or _START
        elif op is sre.BRANCH:
            each = [_places(branch, words) for branch in argument[1]]
            grown = _NONE.union(*(ended for _, ended in each))
            if not any(inner for inner, _ in each) and len(grown) <= MAX_SPELLINGS:
                words = grown
                continue
            best = [_pick([*inner, ended]) for inner, ended in each]
            places.append(words)
            places.append(_NONE.union(*best) if all(best) else _NONE)
            words = _START
        elif op in REPEATS:
            places.append(words)
            places.append(_best(argument[2]) if argument[0] > 0 else _NONE)
            words = _START
        elif op is not sre.AT or argument is sre.AT_BOUNDARY:
            places.append(words)
            words = _START
    return places, words


def _spelled(tree: Any, words: _Words, found: set[str]) -> _Words:
    """The spellings that what follows may still add to; those that are complete go to `found`."""
    for op, argument in tree:
        read = read_at(op, argument)
        grown = _NONE
        if op is sre.SUBPATTERN:
            grown = _spelled(argument[3], words, found)
        elif read is not None:
            grown = _grown(words, read)
        elif op is sre.BRANCH:
            grown = _NONE.union(*(_spelled(branch, words, found) for branch in argument[1]))
        elif op in REPEATS:
            grown = _spelled(argument[2], words, found)
            grown = grown if argument[0] else grown | words
        if not grown or len(grown) > MAX_SPELLINGS:
            found |= words | grown
            grown = _START
        words = grown
    return words


def _grown(words: _Words, read: Ranges) -> _Words:
    """The words with one letter more; none where it is no letter or they become too many."""
    letters = {char.lower() for char in _ascii(read)} if _size(read) <= 4 else set()
    if not letters or not all("a" <= char <= "z" for char in letters):
        return _NONE
    grown = frozenset(word + letter for word in words for letter in letters)
    return grown if len(grown) <= MAX_SPELLINGS else _NONE


def _size(read: Ranges) -> int:
    return sum(high - low + 1 for low, high in read)
