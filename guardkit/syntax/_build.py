"""From the parser's reductions to nodes: one method per grammar rule, called while parsing.

Children arrive whole (keywords included), so a node's span runs from its first child to its last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from guardkit.diagnostics import Span

from . import _ast as ast
from ._machine import Token
from ._words import EXEMPT_ORDER, HEADER_ORDER, RULE_ORDER

# Children are tokens and nodes: untyped, because the grammar fixes what stands where.
Children = list[Any]

_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t", "r": "\r", "/": "/"}


class BadEscapeError(Exception):
    """A text holds an escape that does not exist; carries its stretch of the file."""

    def __init__(self, span: Span, escape: str) -> None:
        super().__init__(escape)
        self.span = span
        self.escape = escape


class TrueFalseError(Exception):
    """`true` or `false` stands where a value or a condition does."""

    def __init__(self, span: Span, word: str) -> None:
        super().__init__(word)
        self.span = span
        self.word = word


def span_of(children: Children) -> Span:
    first, last = children[0], children[-1]
    return Span(
        first.start if type(first) is Token else first.span.start,
        last.end if type(last) is Token else last.span.end,
    )


def unescape(raw: str, at: int) -> str:
    """The text between the quotes of `raw`, which begins at offset `at`."""
    if "\\" not in raw:
        return raw[1:-1]
    out: list[str] = []
    i, end = 1, len(raw) - 1
    while i < end:
        char = raw[i]
        if char != "\\":
            out.append(char)
            i += 1
            continue
        escape = raw[i + 1]
        if escape in _ESCAPES:
            out.append(_ESCAPES[escape])
            i += 2
            continue
        close = raw.find("}", i)
        digits = raw[i + 3 : close] if raw.startswith("\\u{", i) and close > 0 else ""
        if 1 <= len(digits) <= 6 and all(digit in "0123456789abcdefABCDEF" for digit in digits):
            code = int(digits, 16)
            if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF:
                out.append(chr(code))
                i = close + 1
                continue
        raise BadEscapeError(Span(at + i, at + i + 2), raw[i : i + 2])
    return "".join(out)


def _text(token: Token) -> ast.Literal:
    raw = token.text
    return ast.Literal(token.span, "text", unescape(raw, token.start), raw)


def _number(token: Token) -> ast.Literal:
    return ast.Literal(token.span, "number", float(token.text), token.text)


def _percent(token: Token) -> ast.Literal:
    return ast.Literal(token.span, "percent", float(token.text[:-1]) / 100, token.text)


def _duration(token: Token) -> ast.Literal:
    unit = token.text.lstrip("0123456789")
    count = int(token.text[: -len(unit)])
    return ast.Literal(token.span, "duration", count * _UNIT_MS[unit], token.text)


def _date(token: Token) -> ast.Literal:
    return ast.Literal(token.span, "date", token.text, token.text)


def _answer(token: Token) -> ast.Literal:
    return ast.Literal(token.span, "answer", token.text == "yes", token.text)


_LITERALS: dict[str, Callable[[Token], ast.Literal]] = {
    "STRING": _text,
    "NUMBER": _number,
    "INT": _number,
    "PERCENT": _percent,
    "DURATION": _duration,
    "DATE": _date,
    "YES": _answer,
    "NO": _answer,
}


def _literal(token: Token) -> ast.Literal:
    return _LITERALS[token.kind](token)


def _name(token: Token) -> ast.Name:
    return ast.Name(token.span, token.text)


def _value(child: Any) -> Any:
    """A value or condition: tokens are literals, brackets are taken off."""
    if type(child) is Token:
        return _LITERALS[child.kind](child)
    if type(child) is _Bracketed:
        return child.inner
    return child


def _nodes(children: Children) -> tuple[Any, ...]:
    """The children that are nodes, without keywords and punctuation."""
    return tuple(child for child in children if type(child) is not Token)


def _members(children: Children) -> tuple[Any, ...]:
    """The values among the children, without joining words, brackets and commas."""
    return tuple(
        _value(child) for child in children if type(child) is not Token or child.kind in _LITERALS
    )


def _after(children: Children, keyword: str) -> Any:
    """The child that follows a keyword, or None where the keyword is absent."""
    for i, child in enumerate(children):
        if type(child) is Token and child.text == keyword:
            return children[i + 1]
    return None


def _text_after(children: Children, keyword: str) -> ast.Literal | None:
    token = _after(children, keyword)
    return None if token is None else _literal(token)


def _in_order(clauses: tuple[Any, ...], order: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(sorted(clauses, key=lambda clause: order.index(clause.word)))


class Builder:
    """Called by the parser at every reduction. Stateless: one instance serves every thread."""

    # Rules whose only child stands for them; the parser does not call anything.
    passes = frozenset(
        {"start", "action", "answer", "attribute", "expected", "number", "op", "placed", "soft"}
        | {"surface", "unit", "verb"}
    )

    # --- words and values

    def name(self, c: Children) -> ast.Name:
        return _name(c[0])

    def word(self, c: Children) -> ast.Name:
        return c[0] if type(c[0]) is ast.Name else _name(c[0])

    property_name = head = word

    def ref(self, c: Children) -> ast.Ref:
        if len(c) == 1:
            if c[0].text in {"true", "false"}:
                raise TrueFalseError(c[0].span, c[0].text)
            return ast.Ref(c[0].span, (c[0].text,))
        parts = [c[0].text]
        for token in c[1:]:
            part = token.text[1:]
            parts.append(unescape(part, token.start + 1) if part[0] == '"' else part)
        return ast.Ref(span_of(c), tuple(parts))

    def text_value(self, c: Children) -> ast.Literal:
        return _literal(c[0])

    scalar = answer_value = text_value

    def list(self, c: Children) -> ast.ListOf:
        return ast.ListOf(span_of(c), _members(c))

    def record(self, c: Children) -> ast.Record:
        return ast.Record(span_of(c), _nodes(c))

    def arguments(self, c: Children) -> _Group:
        return _Group(span_of(c), _nodes(c))

    def argument(self, c: Children) -> ast.Argument:
        token = c[0]
        label = token.text[:-1].rstrip()
        span = Span(token.start, token.start + len(label))
        text = unescape(label, span.start) if label[0] == '"' else label
        return ast.Argument(span_of(c), text, _value(c[1]), span)

    # --- conditions

    def any_chain(self, c: Children) -> ast.AnyOf:
        return ast.AnyOf(span_of(c), _members(c))

    def all_chain(self, c: Children) -> ast.AllOf:
        return ast.AllOf(span_of(c), _members(c))

    def negation(self, c: Children) -> ast.Negation:
        return ast.Negation(span_of(c), _value(c[1]))

    def bracketed(self, c: Children) -> _Bracketed:
        return _Bracketed(span_of(c), _value(c[1]))

    def comparison(self, c: Children) -> ast.Comparison:
        return ast.Comparison(span_of(c), _value(c[0]), c[1].text, _value(c[2]))

    def membership(self, c: Children) -> ast.Membership:
        return ast.Membership(span_of(c), _value(c[0]), _value(c[-1]), len(c) == 4)

    def at_rate(self, c: Children) -> ast.AtRate:
        return ast.AtRate(span_of(c), _value(c[0]), c[2], _literal(c[3]))

    def seen(self, c: Children) -> ast.Seen:
        return ast.Seen(span_of(c), c[1])

    def quorum(self, c: Children) -> ast.Quorum:
        count = _literal(c[0]) if c[0].kind == "INT" else _name(c[0])
        return ast.Quorum(span_of(c), count, _members(c[3:]))

    def cascade(self, c: Children) -> ast.Cascade:
        return ast.Cascade(span_of(c), tuple(c[2:-2]), c[-2].items[0])

    def cascade_step(self, c: Children) -> ast.Step:
        return ast.Step(span_of(c), c[0].text == "yes", _value(c[2]))

    def cascade_else(self, c: Children) -> _Group:
        return _Group(span_of(c), (c[1].text == "yes",))

    # --- header and settings

    def edition(self, c: Children) -> ast.Edition:
        return ast.Edition(span_of(c), int(c[1].text))

    def header(self, c: Children) -> ast.Header:
        clauses = _in_order(tuple(c[2:]), HEADER_ORDER)
        return ast.Header(span_of(c), c[0].text, c[1], clauses)

    def tiers(self, c: Children) -> ast.Tiers:
        return ast.Tiers(span_of(c), _nodes(c))

    def tier(self, c: Children) -> ast.Tier:
        on_error: Any = c[-1].values[0] if type(c[-1]) is ast.Clause else None
        verbs = (x for x in c[2:] if type(x) is Token and x.text not in {"may", ","})
        return ast.Tier(span_of(c), c[1], tuple(map(_name, verbs)), on_error)

    def budget(self, c: Children) -> ast.Clause:
        per_chunk = len(c) == 5
        held = ast.Budget(span_of(c[1:]), _name(c[1]), _literal(c[2]), per_chunk)
        return self._clause(c, held)

    budget_refusals = budget

    def sized(self, c: Children) -> ast.Clause:
        return self._clause(c, _literal(c[1]))

    turns = sized

    def use_module(self, c: Children) -> ast.UseModule:
        arguments = c[7].items if len(c) == 8 else ()
        return ast.UseModule(span_of(c), _literal(c[1]), _literal(c[3]), c[5], arguments)

    def use_tools(self, c: Children) -> ast.UseTools:
        return ast.UseTools(span_of(c), _literal(c[2]), c[4])

    def param(self, c: Children) -> ast.Param:
        label = c[1]
        text = label.text[:-1].rstrip()
        name = ast.Name(Span(label.start, label.start + len(text)), text)
        kind, is_list = c[2].items
        default = _value(c[4]) if len(c) == 5 else None
        return ast.Param(span_of(c), name, kind, is_list, default)

    def type(self, c: Children) -> _Group:
        return _Group(span_of(c), (c[-1], len(c) == 3))

    # --- clauses

    @staticmethod
    def _clause(c: Children, *values: Any) -> ast.Clause:
        token = c[0]
        return ast.Clause(span_of(c), token.text, values, token.span)

    def worded(self, c: Children) -> ast.Clause:
        return self._clause(c, _held(c[1]))

    def listed(self, c: Children) -> ast.Clause:
        if type(c[1]) is _Group:
            return self._clause(c, *c[1].items)
        commas = "COMMA"
        return self._clause(
            c, *(_held(x) for x in c[1:] if type(x) is not Token or x.kind != commas)
        )

    def bare(self, c: Children) -> ast.Clause:
        return self._clause(c)

    on_error = worded

    def targets(self, c: Children) -> _Group:
        found: list[ast.Target] = []
        for child in c:
            if type(child) is ast.Ref:
                last = found.pop()
                span = last.span.to(child.span)
                found.append(ast.Target(span, last.surface, (*last.tools, child)))
            elif child.kind != "COMMA":
                name = _name(child)
                found.append(ast.Target(name.span, name))
        return _Group(span_of(c), tuple(found))

    # --- blocks

    @staticmethod
    def _block(c: Children, order: tuple[str, ...] | None = None) -> ast.Block:
        name = None if type(c[1]) is Token else c[1]
        clauses = tuple(x for x in c if type(x) is ast.Clause)
        if order:
            clauses = _in_order(clauses, order)
        return ast.Block(span_of(c), c[0].text, name, clauses)

    def rule(self, c: Children) -> ast.Block:
        return self._block(c, RULE_ORDER)

    def exempt(self, c: Children) -> ast.Block:
        return self._block(c, EXEMPT_ORDER)

    def defaults(self, c: Children) -> ast.Block:
        return self._block(c)

    context = model = principle = window = sequence = probe = monitor = defaults

    # --- checks

    def check(self, c: Children) -> ast.Check:
        return ast.Check(span_of(c), c[1], c[3], _nodes(c[5:]))

    def property(self, c: Children) -> ast.Property:
        value = c[1]
        if type(value) is Token:
            value = _pattern(value) if value.kind == "REGEX" else _literal(value)
        options = c[2].items if len(c) == 3 else ()
        return ast.Property(span_of(c), c[0], value, options)

    def sized_number(self, c: Children) -> ast.Sized:
        unit = _name(c[1]) if len(c) == 2 else None
        return ast.Sized(span_of(c), _literal(c[0]), unit)

    def chosen(self, c: Children) -> ast.Chosen:
        if len(c) == 1:
            return ast.Chosen(span_of(c), c[0])
        return ast.Chosen(span_of(c), c[0], c[1].text, _literal(c[2]))

    def arguments_with(self, c: Children) -> Any:
        return c[1]

    # --- actions

    def block(self, c: Children) -> ast.Action:
        text = _literal(c[1]) if len(c) > 1 and c[1].kind == "STRING" else None
        return ast.Action(span_of(c), "block", text=text, for_session=c[-1].kind == "SESSION")

    def hold(self, c: Children) -> ast.Action:
        return ast.Action(
            span_of(c),
            "hold",
            approvers=_literal(c[2]),
            within=_literal(c[4]),
            otherwise=c[6],
        )

    def revise(self, c: Children) -> ast.Action:
        return ast.Action(
            span_of(c),
            "revise",
            principle=c[2],
            rounds=_literal(c[5]),
            within=_text_after(c, "within"),
            otherwise=c[-1],
        )

    def rewrite_text(self, c: Children) -> ast.Action:
        whole = c[1].text == "all"
        return ast.Action(span_of(c), "rewrite", text=_literal(c[3]), form="text", whole=whole)

    def rewrite_mask(self, c: Children) -> ast.Action:
        return ast.Action(span_of(c), "rewrite", form="mask", keep=_literal(c[-1]))

    def rewrite_token(self, c: Children) -> ast.Action:
        return ast.Action(span_of(c), "rewrite", form=c[3].text)

    def plain(self, c: Children) -> ast.Action:
        return ast.Action(span_of(c), c[0].text)

    def apply(self, c: Children) -> ast.Apply:
        return ast.Apply(span_of(c), c[1], c[2].items if len(c) == 3 else ())

    # --- conversation, tests, measurement

    def event(self, c: Children) -> ast.Event:
        has_where = len(c) > 2 and type(c[-2]) is Token and c[-2].kind == "WHERE"
        where = _value(c[-1]) if has_where else None
        heads = c[:-2] if has_where else c
        tools = tuple(x for x in heads[1:] if type(x) is ast.Ref)
        target = ast.Target(span_of(heads), _name(c[0]), tools)
        return ast.Event(span_of(c), target, where)

    def test(self, c: Children) -> ast.Test:
        variable, cases = (c[4], _value(c[6])) if c[2].text == "for" else (None, None)
        opening = 2 if variable is None else 7
        return ast.Test(span_of(c), _literal(c[1]), variable, cases, _nodes(c[opening:]))

    def given(self, c: Children) -> ast.Given:
        value = None if c[2].text == "fails" else _value(c[3])
        return ast.Given(span_of(c), c[1], value)

    def said(self, c: Children) -> ast.Said:
        return ast.Said(span_of(c), c[0].text, _value(c[1]))

    def called(self, c: Children) -> ast.Called:
        return ast.Called(span_of(c), c[1], c[2].items)

    def returned(self, c: Children) -> ast.Returned:
        return ast.Returned(span_of(c), c[1], _value(c[2]))

    def expect(self, c: Children) -> ast.Expect:
        refs = tuple(x for x in c if type(x) is ast.Ref)
        return ast.Expect(span_of(c), _name(c[1]), refs, _text_after(c, "becomes"))

    def rate(self, c: Children) -> ast.Clause:
        outcome = c[1] if type(c[1]) is ast.Name else _name(c[1])
        confidence = _text_after(c, "confidence")
        held = ast.Rate(span_of(c[1:]), outcome, c[3].text, _literal(c[4]), confidence)
        return self._clause(c, held)

    def watch(self, c: Children) -> ast.Clause:
        surface = _name(c[3]) if len(c) == 4 else None
        return self._clause(c, ast.Watch(span_of(c[1:]), _value(c[1]), surface))

    def alarm(self, c: Children) -> ast.Clause:
        held = ast.Alarm(span_of(c[1:]), c[1].text, _literal(c[2]), _literal(c[4]))
        return self._clause(c, held)


def _held(child: Any) -> Any:
    """What a clause holds: a word that is no literal is a choice."""
    if type(child) is Token and child.kind not in _LITERALS:
        return _name(child)
    return _value(child)


def _pattern(token: Token) -> ast.Pattern:
    source, _, flags = token.text[1:].rpartition("/")
    return ast.Pattern(token.span, source.replace("\\/", "/"), flags)


class _Group:
    """Children that travel together until their parent takes them apart."""

    __slots__ = ("items", "span")

    def __init__(self, span: Span, items: tuple[Any, ...]) -> None:
        self.span = span
        self.items = items


class _Bracketed:
    """A condition in brackets: whoever holds it spans the brackets too."""

    __slots__ = ("inner", "span")

    def __init__(self, span: Span, inner: Any) -> None:
        self.span = span
        self.inner = inner
