"""Texts in another order, or with other letters for letters: reversed, rotated, turned over."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from string import ascii_lowercase, ascii_uppercase

from ._tables import tables
from ._view import Trail, View

SHUFFLED = "shuffled:"
"""The signal for shuffled words ends in the words themselves: the views cannot know them else."""

_ATBASH = ascii_lowercase[::-1]
_LEAST = 4
_LEAST_SHUFFLED = 5
"""A shorter word with its inner letters in another order is too often another word."""


def turned_words(words: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The words as they would look in a text that is turned, by the signal that says so.

    `reversed`, `rot1` to `rot25` and `atbash`. Words of less than four letters, and words with
    anything but ASCII letters, are left out.

    Args:
        words: Key words of rules, in lower case.

    Example:
        >>> turned_words(["ignore"])["rot13"]
        ('vtaber',)
    """
    plain = _plain(words)
    known = set(plain)
    if not plain:
        return {}

    def spelled(made: Iterable[str]) -> tuple[str, ...]:
        return tuple(word for word in made if word not in known)

    turned = {"reversed": spelled(word[::-1] for word in plain)}
    for by in range(1, 26):
        table = str.maketrans(ascii_lowercase, _rotated(by))
        turned[f"rot{by}"] = spelled(word.translate(table) for word in plain)
    mirror = str.maketrans(ascii_lowercase, _ATBASH)
    turned["atbash"] = spelled(word.translate(mirror) for word in plain)
    return {signal: spellings for signal, spellings in turned.items() if spellings}


def shuffled_words(words: Iterable[str]) -> dict[str, str]:
    """The signal for words whose inner letters are shuffled, and the RE2 pattern that finds one.

    The signal names all words of four letters or more, so that a view can spell each as it should
    be; only those of five or more are looked for. Nothing when there are none of those.

    Args:
        words: Words of rules, in lower case.
    """
    plain = [word for word in _plain(words) if len(set(word[1:-1])) > 1]
    spelled = [_shuffled_pattern(word) for word in plain if len(word) >= _LEAST_SHUFFLED]
    if not spelled:
        return {}
    pattern = f"(?i)(?:^|[^a-z])(?:{'|'.join(spelled)})(?:[^a-z]|$)"
    return {SHUFFLED + ",".join(plain): pattern}


def _plain(words: Iterable[str]) -> list[str]:
    long = {word for word in words if len(word) >= _LEAST}
    return sorted(word for word in long if word.isascii() and word.isalpha() and word.islower())


def _rotated(by: int) -> str:
    return ascii_lowercase[by:] + ascii_lowercase[:by]


def _shuffled_pattern(word: str) -> str:
    """The word up to some letter, then any of its inner letters to its end."""
    tail = ""
    for at in range(len(word) - 3, 0, -1):
        left = "".join(sorted(set(word[at:-1])))
        moved = left.replace(word[at], "")
        more = len(word) - at - 2
        branches = [f"[{moved}][{left}]{{{more}}}"] if moved else []
        branches += [f"{word[at]}{tail}"] if tail else []
        tail = (
            branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})" if branches else ""
        )
    return f"{word[0]}{tail}{word[-1]}"


# --- reversed


def mirrored(view: View) -> View:
    """The whole text backwards."""
    trail = Trail(view.text)
    trail.keep_mirrored(0, len(view.text))
    return View("reversed", "plain", trail.text(), view, trail)


def mirrored_words(view: View) -> View:
    """Each word backwards where it stands."""
    trail = Trail(view.text)
    at = 0
    for word in _WORD.finditer(view.text):
        trail.keep(at, word.start())
        trail.keep_mirrored(*word.span())
        at = word.end()
    trail.keep(at, len(view.text))
    return View("reversed", "plain", trail.text(), view, trail)


_WORD = re.compile(r"[A-Za-z]{2,}")
_LONG = re.compile(rf"[A-Za-z]{{{_LEAST},}}")


# --- other letters for letters


def rotated(view: View, signals: Collection[str]) -> Iterator[View]:
    """The text with its letters moved back, for each rotation that was signalled."""
    for signal in sorted(signals):
        if signal == "atbash":
            letters = _ATBASH
        elif signal.startswith("rot") and signal[3:].isdigit():
            letters = _rotated(26 - int(signal[3:]))
        else:
            continue
        yield View("turned", "plain", view.text.translate(_both_cases(letters)), view)


@cache
def _both_cases(letters: str) -> dict[int, int]:
    return str.maketrans(ascii_lowercase + ascii_uppercase, letters + letters.upper())


# How often each letter stands in English text, in thousandths.
_OFTEN = (
    82,
    15,
    28,
    43,
    127,
    22,
    20,
    61,
    70,
    2,
    8,
    40,
    24,
    67,
    75,
    19,
    1,
    60,
    63,
    91,
    28,
    10,
    24,
    2,
    20,
    1,
)


def likely_turns(text: str) -> frozenset[str]:
    """How a decoded text is most probably turned, judged by its letters; nothing when it is not.

    No scan has looked for turned words in it.
    """
    sample = text[:4000].lower()
    counts = [sample.count(letter) for letter in ascii_lowercase]
    if sum(counts) < _LEAST:
        return frozenset()
    scores = {
        f"rot{by}": sum(counts[(n + by) % 26] * _OFTEN[n] for n in range(26)) for by in range(26)
    }
    scores["atbash"] = sum(counts[25 - n] * _OFTEN[n] for n in range(26))
    best = sorted(scores, key=lambda name: (-scores[name], name))[:2]
    return frozenset({*best, "rot13", "mirrored"} - {"rot0"})


# --- turned over


@cache
def _upright() -> dict[int, str]:
    turned: dict[str, str] = tables().turned
    return {ord(char): to for char, to in turned.items()}


def turned_over(view: View) -> Iterator[View]:
    """The text read from the other side of the page, where it holds turned letters."""
    upright = _upright()
    written = view.text.translate(upright)
    trail = Trail(view.text)
    trail.keep_mirrored(0, len(view.text))
    trail.text()
    yield View("turned", "plain", written[::-1], view, trail)
    yield View("turned", "plain", written, view)


# --- shuffled


def unshuffled(view: View, signals: Collection[str]) -> View | None:
    """The text with each shuffled key word in its right spelling; None without any."""
    signal = next((signal for signal in signals if signal.startswith(SHUFFLED)), None)
    if signal is None:
        return None
    keys = _keys(signal)
    edges = _edges(signal)
    out: list[str] = []
    at = 0
    for found in _LONG.finditer(view.text):
        lower = found[0].lower()
        if (lower[0], lower[-1], len(lower)) not in edges:
            continue  # most words: sorting letters takes ten times as long
        word = keys.get(_key(lower))
        if word is not None and word != lower:
            out += view.text[at : found.start()], word
            at = found.end()
    if not at:
        return None
    out.append(view.text[at:])
    return View("turned", "plain", "".join(out), view)


@lru_cache(64)
def _keys(signal: str) -> Mapping[str, str]:
    return {_key(word): word for word in signal[len(SHUFFLED) :].split(",")}


@lru_cache(64)
def _edges(signal: str) -> frozenset[tuple[str, str, int]]:
    """The ends and lengths of the words."""
    return frozenset((word[0], word[-1], len(word)) for word in signal[len(SHUFFLED) :].split(","))


def _key(word: str) -> str:
    return word[0] + "".join(sorted(word[1:-1])) + word[-1]


# --- display order, and letters taken back

_OVERRIDE = re.compile("[\u202d\u202e\u202c\n\u2029]")


def displayed(view: View) -> View:
    """The text in the order in which overrides show it."""
    text = view.text
    trail = Trail(text)
    at = 0
    begin = -1
    for mark in _OVERRIDE.finditer(text):
        place = mark.start()
        if begin >= 0:
            trail.keep_mirrored(begin, place)
        else:
            trail.keep(at, place)
        at = place
        begin = -1
        if text[place] == "\u202e":
            begin = at = place + 1
        elif text[place] in "\u202c\u202d":
            at = place + 1
    if begin >= 0:
        trail.keep_mirrored(begin, len(text))
    else:
        trail.keep(at, len(text))
    return View("cleaned", "plain", trail.text(), view, trail)


_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]+")
_ERASED = re.compile("[\b\x7f]+")


def without_controls(view: View) -> Iterator[View]:
    """The text without control characters; and, where they erase letters, without those too."""
    trail = Trail(view.text)
    at = 0
    for found in _CONTROL.finditer(view.text):
        trail.keep(at, found.start())
        trail.drop(*found.span())
        at = found.end()
    trail.keep(at, len(view.text))
    yield View("cleaned", "plain", trail.text(), view, trail)
    if "\b" in view.text or "\x7f" in view.text:
        yield _erased(view)


def _erased(view: View) -> View:
    text = view.text
    kept: list[tuple[int, int]] = []
    at = 0
    for found in _ERASED.finditer(text):
        kept.append((at, found.start()))
        todo = len(found[0])
        while todo and kept:
            begin, stop = kept.pop()
            if stop - begin > todo:
                kept.append((begin, stop - todo))
                break
            todo -= stop - begin
        at = found.end()
    kept.append((at, len(text)))
    trail = Trail(text)
    last = 0
    for begin, stop in kept:
        if begin < stop:
            trail.drop(last, begin)
            trail.keep(begin, stop)
            last = stop
    trail.drop(last, len(text))
    return View("cleaned", "plain", trail.text(), view, trail)
