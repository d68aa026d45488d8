"""The parser's engine: one regular expression cuts tokens, LALR tables say what they mean.

The same steps as lark's basic lexer and LALR parser, without what a policy never needs (line
counting, callbacks per token, trees), which makes it about four times as fast.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from guardkit.diagnostics import Span

END = "$END"


class Token:
    """One word, text, number or mark, and where it stands."""

    __slots__ = ("end", "kind", "start", "text")

    def __init__(self, kind: str, text: str, start: int, end: int) -> None:
        self.kind = kind
        self.text = text
        self.start = start
        self.end = end

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)

    def __repr__(self) -> str:
        return f"Token({self.kind}, {self.text!r}, {self.start})"


class UnknownCharacterError(Exception):
    """No token begins with the character at `at`, where the `accepted` kinds could have stood."""

    def __init__(self, at: int, accepted: frozenset[str] = frozenset()) -> None:
        super().__init__(at)
        self.at = at
        self.accepted = accepted


class UnexpectedTokenError(Exception):
    """A token that nothing expected; `accepted` are the kinds that would have been right."""

    def __init__(self, token: Token, accepted: frozenset[str]) -> None:
        super().__init__(token)
        self.token = token
        self.accepted = accepted


# What a reduction does: children in, a node or whatever its parent expects out.
_Action = Callable[[list[Any]], Any]


class Machine:
    """Parses one declaration at a time. Immutable: one instance serves every thread."""

    __slots__ = (
        "_end",
        "_kinds",
        "_match",
        "_rules",
        "_skip",
        "_start",
        "_states",
        "_words",
        "reserved",
        "written",
    )

    def __init__(self, tables: dict[str, Any], builder: object) -> None:
        names = [name for name, _ in tables["terminals"]]
        self._kinds: tuple[str, ...] = ("", *names)
        alternatives = "|".join(f"({pattern})" for _, pattern in tables["terminals"])
        # Possessive: a run of blanks and comments is taken once and never tried in parts.
        skipped = "(?:" + "|".join(tables["ignore"]) + ")*+"
        self._match = re.compile(f"{skipped}(?:{alternatives})").match
        self._skip = re.compile(skipped).match
        self._words: dict[str, str] = {
            text: name for text, name in tables["words"].items() if name not in names
        }
        self.written: dict[str, str] = {name: text for text, name in tables["words"].items()}
        """How a keyword or mark is written, by its kind."""
        self.reserved: frozenset[str] = frozenset(tables["words"]) - set(tables["soft"])
        """Words that cannot be names."""
        self._rules = [_rule(entry, builder) for entry in tables["rules"]]
        self._states = _states(tables)
        self._start: int = tables["start"]
        self._end: int = tables["end"]

    def tokens(self, text: str, begin: int, end: int) -> Iterator[Token]:
        """The tokens of a stretch.

        Raises:
            UnknownCharacterError: A character begins no token.
        """
        match, words, kinds = self._match, self._words, self._kinds
        at = begin
        while found := match(text, at, end):
            index = found.lastindex or 0
            at = found.end()
            kind, word = kinds[index], found[index]
            yield Token(words.get(word, kind) if kind == "NAME" else kind, word, at - len(word), at)
        skipped = self._skip(text, at, end)
        at = skipped.end() if skipped else at
        if at < end:
            raise UnknownCharacterError(at)

    def parse(self, text: str, begin: int, end: int) -> Any:
        """What the builder makes of a stretch that holds one declaration.

        Raises:
            UnknownCharacterError: A character begins no token.
            UnexpectedTokenError: A token stands where it cannot.
        """
        states, rules = self._states, self._rules
        stack = [self._start]
        values: list[Any] = []
        row = states[self._start]
        tokens = self.tokens(text, begin, end)
        while True:
            try:
                token = next(tokens, None)
            except UnknownCharacterError as error:
                error.accepted = self._accepted(stack)
                raise
            if token is None:
                break
            kind = token.kind
            while True:
                step = row.get(kind)
                if step is None:
                    raise UnexpectedTokenError(token, self._accepted(stack))
                if step >= 0:
                    stack.append(step)
                    values.append(token)
                    row = states[step]
                    break
                row = _reduce(rules[~step], states, stack, values)
        final = self._end
        while stack[-1] != final:
            step = row.get(END)
            if step is None:
                raise UnexpectedTokenError(Token(END, "", end, end), self._accepted(stack))
            row = _reduce(rules[~step], states, stack, values)
        return values[-1]

    def _accepted(self, stack: list[int]) -> frozenset[str]:
        """The kinds of token that could really follow: a lookahead alone promises too much."""
        return frozenset(
            kind
            for kind in self._states[stack[-1]]
            if (kind == END or kind.isupper()) and self._takes(stack, kind)
        )

    def _takes(self, stack: list[int], kind: str) -> bool:
        states, rules = self._states, self._rules
        stack = stack.copy()
        while True:
            step = states[stack[-1]].get(kind)
            if step is None:
                return False
            if step >= 0:
                return True
            origin, size, _, _ = rules[~step]
            if size:
                del stack[-size:]
            target = states[stack[-1]][origin]
            if kind == END and target == self._end:
                return True
            stack.append(target)


_Rule = tuple[str, int, _Action | None, bool]


def _reduce(
    rule: _Rule, states: list[dict[str, int]], stack: list[int], values: list[Any]
) -> dict[str, int]:
    origin, size, action, passes = rule
    if passes:  # the child stands for its parent
        stack.pop()
    else:
        children: list[Any] = []
        if size:
            children = values[-size:]
            del stack[-size:]
            del values[-size:]
        values.append(action(children) if action else children)
    target = states[stack[-1]][origin]
    stack.append(target)
    return states[target]


def _rule(entry: list[Any], builder: object) -> _Rule:
    origin, size, method, spliced = entry
    if method == "*":
        return origin, size, _gather if spliced == [0] else _splicer(spliced, None), False
    if not method or method in getattr(builder, "passes", ()):
        return origin, size, None, True
    action: _Action = getattr(builder, method)
    return origin, size, _splicer(spliced, action) if spliced else action, False


def _gather(children: list[Any]) -> list[Any]:
    """A repetition grows in place: the parser's stack held the only reference to it."""
    grown: list[Any] = children[0]
    grown.extend(children[1:])
    return grown


def _splicer(spliced: list[int], action: _Action | None) -> _Action:
    places = frozenset(spliced)

    def splice(children: list[Any]) -> Any:
        flat: list[Any] = []
        for i, child in enumerate(children):
            if i in places:
                flat.extend(child)
            else:
                flat.append(child)
        return action(flat) if action else flat

    return splice


def _states(tables: dict[str, Any]) -> list[dict[str, int]]:
    """A row for each state: symbol to the next state, or to `~rule` where a rule ends."""
    symbols = tables["symbols"]
    lookaheads = [[symbols[i] for i in found] for found in tables["lookaheads"]]
    shared: dict[tuple[int, int], dict[str, int]] = {}
    states: list[dict[str, int]] = []
    for moves, reductions in tables["states"]:
        if not moves and len(reductions) == 2:
            # A state that only ends one rule has many twins.
            key = (reductions[0], reductions[1])
            if key not in shared:
                shared[key] = dict.fromkeys(lookaheads[key[1]], ~key[0])
            states.append(shared[key])
            continue
        row: dict[str, int] = {}
        for i in range(0, len(reductions), 2):
            row.update(dict.fromkeys(lookaheads[reductions[i + 1]], ~reductions[i]))
        for i in range(0, len(moves), 2):
            row[symbols[moves[i]]] = moves[i + 1]
        states.append(row)
    return states
