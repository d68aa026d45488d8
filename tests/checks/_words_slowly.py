"""Word lists, the plain way: every token of a text compared with every entry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
NO_BLANKS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"
)


def find_slowly(entries: Sequence[str], text: str) -> list[tuple[int, int]]:
    """Where the entries stand, one inside another left out."""
    spans: list[tuple[int, int]] = []
    tokens = list(_tokens(text))
    for entry in entries:
        if NO_BLANKS.search(entry):
            spans += _anywhere(entry, text)
            continue
        wanted = [word for word, _, _ in _tokens(entry)]
        for at in range(len(tokens)):
            here = tokens[at : at + len(wanted)]
            if [word for word, _, _ in here] == wanted:
                spans.append((here[0][1], here[-1][2]))
    return _outermost(spans)


def _anywhere(entry: str, text: str) -> Iterator[tuple[int, int]]:
    at = 0
    while at + len(entry) <= len(text):
        end = at + len(entry)
        is_here = text[at:end].casefold() == entry.casefold()
        if is_here:
            yield at, end
        at = end if is_here else at + 1


def _tokens(text: str) -> Iterator[tuple[str, int, int]]:
    for match in TOKEN.finditer(text):
        token = match.group()
        yield " " if token.isspace() else token.casefold(), match.start(), match.end()


def _outermost(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    every = set(spans)
    return sorted(
        (s, e)
        for s, e in every
        if not any((a, b) != (s, e) and a <= s and e <= b for a, b in every)
    )
