"""The grammar as an editor needs it: tokens of any text, and what may follow a beginning.

The parser stops at the first surprise. Whoever types has one under the cursor most of the time, so
this walk steps over what does not fit and goes on. It reads the same tables as the parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from guardkit.syntax import load_tables

END = "$END"
BROKEN = "BROKEN"
"""The kind of a token that the language does not have: a text without its end, a stray mark."""

_CLOSERS = {"{": "}", "(": ")", "[": "]"}


class Token(NamedTuple):
    """One word, text, number or mark, and where it stands."""

    kind: str
    text: str
    start: int
    end: int


class Expected(NamedTuple):
    """What may stand in a place.

    `kinds` are the kinds of token, `words` those among them that are fixed words and more than a
    name, `parts` the grammar's own names for what may begin: `condition`, `ref`, `surface` …
    """

    kinds: frozenset[str]
    words: frozenset[str]
    parts: frozenset[str]


class Grammar:
    """Tokens and expectations. Immutable: one instance serves every thread."""

    __slots__ = (
        "_end",
        "_kinds",
        "_match",
        "_rules",
        "_start",
        "_states",
        "_words",
        "soft",
        "written",
    )

    def __init__(self, tables: Mapping[str, Any]) -> None:
        names = [name for name, _ in tables["terminals"]]
        self._kinds = ("", *names)
        skipped = "(?:" + "|".join(tables["ignore"]) + ")*+"
        alternatives = "|".join(f"({pattern})" for _, pattern in tables["terminals"])
        self._match = re.compile(f"{skipped}(?:{alternatives})").match
        self._words = {text: kind for text, kind in tables["words"].items() if kind not in names}
        self.written: dict[str, str] = {kind: text for text, kind in tables["words"].items()}
        """How a word or mark is written, by its kind."""
        self.soft: frozenset[str] = frozenset(tables["soft"])
        """Words that mean something in their place, and are names elsewhere."""
        self._rules = [(origin, size) for origin, size, _, _ in tables["rules"]]
        self._states = _states(tables)
        self._start: int = tables["start"]
        self._end: int = tables["end"]

    @property
    def words(self) -> frozenset[str]:
        """Every word of the language, without marks such as `{`."""
        return frozenset(self._words)

    @property
    def reserved(self) -> frozenset[str]:
        """Words that cannot be names."""
        return self.words - self.soft

    def tokens(self, text: str, begin: int = 0, end: int | None = None) -> Iterator[Token]:
        """The tokens of any stretch; what is none comes as `BROKEN`."""
        match, words, kinds = self._match, self._words, self._kinds
        at, stop = begin, len(text) if end is None else end
        while True:
            found = match(text, at, stop)
            if found:
                kind, word, at = (
                    kinds[found.lastindex or 0],
                    found[found.lastindex or 0],
                    found.end(),
                )
                named = words.get(word, kind) if kind == "NAME" else kind
                yield Token(named, word, at - len(word), at)
                continue
            at = _skipped(text, at, stop)
            if at >= stop:
                return
            broken = _broken(text, at, stop)
            yield Token(BROKEN, text[at:broken], at, broken)
            at = broken

    def expected(self, before: Iterable[Token]) -> Expected:
        """What may follow these tokens of one declaration; what does not fit is stepped over."""
        stack = [self._start]
        for token in before:
            shifted = self._shifted(stack, token.kind)
            if shifted is not None:
                stack = shifted
            elif token.text in _CLOSERS.values():
                stack = self._closed(stack, token.kind)
        kinds: set[str] = set()
        words: set[str] = set()
        parts: set[str] = set()
        for kind in self._states[stack[-1]]:
            if kind != END and not kind.isupper():
                continue
            after = self._shifted(stack, kind)
            if after is None:
                continue
            kinds.add(kind)
            if kind == END:
                continue
            parts.update(s for s in self._states[after[-2]] if not s.isupper() and s != END)
            if kind in self.written and not self._is_only_a_name(after):
                words.add(self.written[kind])
        return Expected(frozenset(kinds), frozenset(words), frozenset(parts))

    def _shifted(self, stack: list[int], kind: str) -> list[int] | None:
        """The stack after a token, or None where it cannot stand."""
        states, rules = self._states, self._rules
        stack = stack.copy()
        while True:
            step = states[stack[-1]].get(kind)
            if step is None:
                return None
            if step >= 0:
                stack.append(step)
                return stack
            origin, size = rules[~step]
            if size:
                del stack[-size:]
            target = states[stack[-1]][origin]
            stack.append(target)
            if kind == END and target == self._end:
                return stack

    def _closed(self, stack: list[int], kind: str) -> list[int]:
        """The stack after a bracket that closes what was left unfinished inside it."""
        for size in range(len(stack) - 1, 0, -1):
            shifted = self._shifted(stack[:size], kind)
            if shifted is not None:
                return shifted
        return stack

    def _is_only_a_name(self, stack: list[int]) -> bool:
        """Whether the last word leads nowhere but to a name: `above` where any name may stand."""
        place, row = self._states[stack[-2]], self._states[stack[-1]]
        plain = {"soft", "placed", "name"}
        if "name" in place:
            plain.add("unit")
        if "placed" in place:
            plain.add("surface")
        return bool(row) and all(s < 0 and self._rules[~s][0] in plain for s in row.values())


@cache
def grammar() -> Grammar:
    """The one grammar of this process."""
    return Grammar(load_tables())


def _skipped(text: str, at: int, stop: int) -> int:
    """The end of blanks and comments."""
    while at < stop:
        if text[at] in " \t\r\n":
            at += 1
        elif text[at] == "#":
            line = text.find("\n", at, stop)
            at = stop if line < 0 else line
        else:
            return at
    return at


def _broken(text: str, at: int, stop: int) -> int:
    """The end of what is no token: a text that is not closed takes the rest of its line."""
    if text[at] in '"/':
        line = text.find("\n", at, stop)
        return stop if line < 0 else line
    return at + 1


def _states(tables: Mapping[str, Any]) -> list[dict[str, int]]:
    """A row for each state: symbol to the next state, or to `~rule` where a rule ends."""
    symbols = tables["symbols"]
    states: list[dict[str, int]] = []
    for moves, reductions in tables["states"]:
        row: dict[str, int] = {}
        for i in range(0, len(reductions), 2):
            ahead = tables["lookaheads"][reductions[i + 1]]
            row.update(dict.fromkeys((symbols[k] for k in ahead), ~reductions[i]))
        for i in range(0, len(moves), 2):
            row[symbols[moves[i]]] = moves[i + 1]
        states.append(row)
    return states
