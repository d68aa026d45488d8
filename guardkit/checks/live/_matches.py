"""Every match of a pattern in a text, in time linear in the text.

RE2 reads bytes. A text is encoded once, and offsets are carried from byte to character in the same
single pass. Whoever looks for matches in a text does it here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import re2

from guardkit._util.dialect import shape_of
from guardkit.errors import BindError

from ._shapes import looks_far

MAX_MEM = 64 << 20
"""What one pattern may keep: its program, and the automaton that is built as texts need it."""

MAX_MATCHES = 100_000
"""More matches than these in one text are not told apart."""

MAX_READ = 32 << 20
"""How many bytes may be read for all matches in one text of a pattern that looks far ahead."""

_ANYWHERE = re2._re2.RE2.Anchor.UNANCHORED

_FOLLOWERS = bytes(range(0x80, 0xC0))
"""The bytes of UTF-8 that begin no character."""


class Program(NamedTuple):
    """A pattern, ready to be searched for."""

    regex: Any  # google-re2 has no type stubs
    is_far: bool
    """Whether a search may read far past a match, so that many matches cost more than the text."""


def prepare(
    source: str,
    flags: str = "",
    *,
    longest: bool = False,
    max_mem: int = MAX_MEM,
    is_near: bool = False,
) -> Program:
    """A program for a pattern.

    Args:
        source: What the pattern says, as RE2 reads it.
        flags: Some of `i`, `s` and `m`.
        longest: Whether of the matches that begin in one place the longest counts.
        max_mem: What it may keep, in bytes.
        is_near: The caller knows that a search reads hardly further than the match.

    Raises:
        BindError: RE2 does not take it, or it is too large.
    """
    options = re2.Options()
    options.log_errors = False
    options.max_mem = max_mem
    options.never_capture = True  # groups would send each match through a slower machine
    options.longest_match = longest
    try:
        regex = re2.compile(with_flags(source, flags), options)
    except re2.error as error:
        raise BindError("a pattern does not compile, or is too large for this machine") from error
    return Program(regex, not is_near and looks_far(shape_of(source)))


def with_flags(source: str, flags: str) -> str:
    """The pattern with its flags written in front."""
    return f"(?{flags}){source}" if flags else source


def encoded(text: str) -> bytes:
    """UTF-8; a lone surrogate becomes U+FFFD, so any text can be searched and keeps its length."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        kept = ("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
        return "".join(kept).encode()


class TooManyError(Exception):
    """There are more matches than can be told apart; `start` is where the first of the rest is."""

    def __init__(self, start: int) -> None:
        self.start = start
        super().__init__("more matches than can be told apart")


def iter_all(program: Program, text: str) -> Iterator[tuple[int, int]]:
    """Where each match is, in code points: from left to right, none over another, none empty.

    Raises:
        TooManyError: After `MAX_MATCHES`, or earlier for a pattern that looks far ahead.
    """
    data = encoded(text)
    left = MAX_MATCHES
    if program.is_far:
        left = min(left, max(MAX_READ // max(len(data), 1), 64))
    is_ascii = len(data) == len(text)
    at_byte, at = 0, 0
    for start, end in _spans(program, data):
        if not is_ascii:
            after = at + _characters(data, at_byte, start)
            at_byte, at, start, end = end, after + _characters(data, start, end), after, 0
            end = at
        if start == end:
            continue
        if not left:
            raise TooManyError(start)
        left -= 1
        yield start, end


def _spans(program: Program, data: bytes) -> Iterator[tuple[int, int]]:
    """Where each match is, in bytes: from left to right, none over another, empty ones too."""
    # The bare search of the binding: its own way to every match costs as much as the search.
    match = program.regex._regexp.Match
    size, at = len(data), 0
    while at <= size:
        start, end = match(_ANYWHERE, data, at, size)[0]
        if start < 0:
            return
        yield start, end
        at = end if end > at else at + 1


def starts_in(program: Program, text: str) -> Iterator[tuple[int, int]]:
    """One match for each place where one begins, over others or not, in code points.

    Raises:
        TooManyError: After `MAX_MATCHES`.
    """
    data = encoded(text)
    is_ascii = len(data) == len(text)
    at_byte, at, after = 0, 0, 0
    for _ in range(MAX_MATCHES):
        match = program.regex.search(data, after)
        if match is None:
            return
        start, end = match.span()
        at += start - at_byte if is_ascii else _characters(data, at_byte, start)
        at_byte = start
        yield at, at + (end - start if is_ascii else _characters(data, start, end))
        after = start + 1
        while after < len(data) and data[after] in _FOLLOWERS:
            after += 1
    raise TooManyError(at)


def _characters(data: bytes, start: int, end: int) -> int:
    return len(data[start:end].translate(None, _FOLLOWERS))


def find_all(program: Program, text: str) -> list[tuple[int, int]]:
    """Where each match is, in code points: from left to right, none over another, none empty.

    When there are too many, all from the next one to the end of the text counts as one match: a
    text that was made to be slow is rather covered whole than read to the end.
    """
    found: list[tuple[int, int]] = []
    try:
        found.extend(iter_all(program, text))
    except TooManyError as error:
        found.append((error.start, len(text)))
    return found


def outermost(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorted, and what lies inside another left out."""
    found = list(spans)
    if len(found) < 2:
        return found
    kept: list[tuple[int, int]] = []
    for start, end in sorted(set(found), key=lambda span: (span[0], -span[1])):
        if not kept or end > kept[-1][1]:
            kept.append((start, end))
    return kept
