"""What surrounds a place in a text that is being typed: all that completion looks at."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from guardkit.diagnostics import Span

from ._document import stretches
from ._grammar import BROKEN, Expected, Token, grammar
from ._words import CLAUSES

_WORD = re.compile(r"[A-Za-z_]\w*\Z")
_CHAIN = re.compile(r'([A-Za-z_]\w*(?:\.(?:\w+|"[^"\n]*"))*)\.([A-Za-z_]\w*)?\Z')
_NUMBER = re.compile(r"(?<![\w.])-?\d[\w.%-]*\Z")
_OPENING = {"{": "}", "(": ")", "[": "]"}


class Cursor(NamedTuple):
    """A place and what stands before it in its declaration.

    `before` are the tokens without the word that is being typed; `typed` is the stretch of that
    word, `heads` what stands before it with dots between: `pii` in `pii.an`. `quoted` is where the
    text begins whose end is not typed yet.
    """

    offset: int
    before: tuple[Token, ...]
    expected: Expected
    typed: Span
    heads: tuple[str, ...] = ()
    quoted: int | None = None

    @property
    def opener(self) -> str:
        """The word that begins the declaration."""
        return self.before[0].text if self.before else ""

    @property
    def previous(self) -> str:
        """The token before."""
        return self.before[-1].text if self.before else ""

    @property
    def brackets(self) -> tuple[int, ...]:
        """Where in `before` the brackets stand that are open, outermost first."""
        stack: list[int] = []
        for index, token in enumerate(self.before):
            if token.text in _OPENING:
                stack.append(index)
            elif token.text in _OPENING.values() and stack:
                stack.pop()
        return tuple(stack)

    @property
    def clause(self) -> str:
        """The clause the place lies in: its first word, empty where none has begun."""
        index = self.clause_index
        return "" if index is None else self.before[index].text

    @property
    def clause_index(self) -> int | None:
        depth = 0
        found: int | None = None
        clauses = _clauses(self.opener)
        most = 0 if self.opener in ("policy", "module") else 1
        for index, token in enumerate(self.before):
            if token.text in _OPENING:
                depth += 1
            elif token.text in _OPENING.values():
                depth -= 1
            elif depth == most and index > 1 and token.text in clauses:
                found = index
        return found

    def after(self, word: str) -> str:
        """The token that follows a word of the declaration; empty where there is none."""
        for index, token in enumerate(self.before[:-1]):
            if token.text == word:
                return self.before[index + 1].text
        return ""


def cursor_at(text: str, offset: int) -> Cursor | None:
    """What surrounds a place; None inside a comment, a pattern or a number."""
    known = grammar()
    openers = known.expected(()).words
    begin = 0
    for stretch in stretches(text[:offset], openers):
        begin = stretch.start
    before = list(known.tokens(text, begin, offset))
    last = before[-1] if before else None
    if "#" in text[last.end if last else begin : offset].rsplit("\n", 1)[-1]:
        return None
    quoted: int | None = None
    typed = Span(offset, offset)
    heads: tuple[str, ...] = ()
    if last is not None and last.kind == BROKEN and last.text[0] in '"/' and last.end == offset:
        if last.text[0] == "/":
            return None
        quoted = last.start
        typed = Span(last.start + 1, offset)
        before.pop()
    elif _NUMBER.search(text, begin, offset):
        return None
    elif chain := _CHAIN.search(text, begin, offset):
        heads = tuple(part.strip('"') for part in chain[1].split("."))
        typed = Span(offset - len(chain[2] or ""), offset)
        before = [token for token in before if token.end <= chain.start()]
    elif word := _WORD.search(text, begin, offset):
        typed = Span(*word.span())
        before = [token for token in before if token.end <= typed.start]
    if quoted is None and not heads and _is_first_column(text, typed.start):
        before = []  # whatever stands above, a declaration begins here
    return Cursor(offset, tuple(before), known.expected(before), typed, heads, quoted)


def _is_first_column(text: str, offset: int) -> bool:
    return offset == 0 or text[offset - 1] in "\r\n"


@cache
def _clauses(opener: str) -> frozenset[str]:
    """The words that begin the clauses of a declaration."""
    known = grammar()
    if opener in ("policy", "module"):
        beginning = f"{opener} x"
    elif opener == "test":
        beginning = 'test "x" {'
    elif opener in ("defaults", "context", "model"):
        beginning = f"{opener} {{"
    else:
        beginning = f"{opener} x {{"
    return known.expected(known.tokens(beginning)).words & CLAUSES.keys()
