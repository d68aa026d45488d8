"""From the parser's reductions to nodes: one method per grammar rule, called while parsing.

Children arrive whole (keywords included), so a node's span runs from its first child to its last.
"""

from __future__ import annotations

from typing import Any

from lark import Token

from guardkit.diagnostics import Span

from . import _ast as ast

# Children are tokens and nodes; lark gives them untyped and the grammar fixes their order.
Children = list[Any]

RULE_ORDER = (
    "title",
    "tier",
    "severity",
    "owner",
    "version",
    "refs",
    "mode",
    "note",
    "on",
    "when",
    "unless",
    "then",
    "on_error",
)
"""House order of clauses; `fmt` writes it and the tree holds it."""

EXEMPT_ORDER = ("tier", "when", "owner", "reason", "refs", "note", "until")

_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "t": "\t", "r": "\r", "/": "/"}


class BadEscape(Exception):
    """A text holds an escape that does not exist; carries its stretch of the file."""

    def __init__(self, span: Span, escape: str) -> None:
        super().__init__(escape)
        self.span = span
        self.escape = escape


def start_of(child: Any) -> int:
    return child.start_pos if isinstance(child, Token) else child.span.start


def end_of(child: Any) -> int:
    return child.end_pos if isinstance(child, Token) else child.span.end


def span_of(children: Children) -> Span:
    return Span(start_of(children[0]), end_of(children[-1]))


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
        raise BadEscape(Span(at + i, at + i + 2), raw[i : i + 2])
    return "".join(out)


def _literal(token: Token) -> ast.Literal:
    raw = str(token)
    span = Span(token.start_pos, token.end_pos)
    match token.type:
        case "STRING":
            return ast.Literal(span, "text", unescape(raw, span.start), raw)
        case "NUMBER" | "INT":
            return ast.Literal(span, "number", float(raw), raw)
        case "PERCENT":
            return ast.Literal(span, "percent", float(raw[:-1]) / 100, raw)
        case "DURATION":
            unit = raw.lstrip("0123456789")
            return ast.Literal(span, "duration", int(raw[: -len(unit)]) * _UNIT_MS[unit], raw)
        case "DATE":
            return ast.Literal(span, "date", raw, raw)
        case _:
            return ast.Literal(span, "answer", raw == "yes", raw)


def _name(token: Token) -> ast.Name:
    return ast.Name(Span(token.start_pos, token.end_pos), str(token))


def _nodes(children: Children) -> tuple[Any, ...]:
    """The children that are nodes, without keywords and punctuation."""
    return tuple(child for child in children if not isinstance(child, Token))


def _after(children: Children, keyword: str) -> Any:
    """The child that follows a keyword, or None where the keyword is absent."""
    for i, child in enumerate(children):
        if isinstance(child, Token) and child == keyword:
            return children[i + 1]
    return None


def _has(children: Children, keyword: str) -> bool:
    return any(isinstance(child, Token) and child == keyword for child in children)


def _text_after(children: Children, keyword: str) -> ast.Literal | None:
    token = _after(children, keyword)
    return None if token is None else _literal(token)


def _in_order(clauses: tuple[Any, ...], order: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(sorted(clauses, key=lambda clause: order.index(clause.word)))


class Builder:
    """Called by the parser at every reduction. Stateless: one instance serves every thread."""

    def start(self, c: Children) -> Any:
        return c[0]

    # --- words and values

    def _first(self, c: Children) -> Any:
        return c[0]

    soft = unit = placed = verb = surface = op = answer = number = _first

    def name(self, c: Children) -> ast.Name:
        return _name(c[0])

    def word(self, c: Children) -> ast.Name:
        return c[0] if isinstance(c[0], ast.Name) else _name(c[0])

    property_name = head = word

    def attribute(self, c: Children) -> Any:
        return c[0]

    def ref(self, c: Children) -> ast.Ref:
        parts = [c[0].text]
        for token in c[1:]:
            part = str(token)[1:]
            parts.append(unescape(part, token.start_pos + 1) if part[0] == '"' else part)
        return ast.Ref(span_of(c), tuple(parts))

    def text_value(self, c: Children) -> ast.Literal:
        return _literal(c[0])

    scalar = answer_value = text_value

    def value(self, c: Children) -> Any:
        return _literal(c[0]) if isinstance(c[0], Token) else c[0]

    def list(self, c: Children) -> ast.ListOf:
        return ast.ListOf(span_of(c), tuple(self._value(x) for x in c if not _is_mark(x)))

    def record(self, c: Children) -> ast.Record:
        return ast.Record(span_of(c), _nodes(c))

    def arguments(self, c: Children) -> _Group:
        return _Group(span_of(c), _nodes(c))

    def argument(self, c: Children) -> ast.Argument:
        token = c[0]
        label = str(token)[:-1].rstrip()
        span = Span(token.start_pos, token.start_pos + len(label))
        text = unescape(label, span.start) if label[0] == '"' else label
        return ast.Argument(span_of(c), text, self._value(c[1]), span)

    @staticmethod
    def _value(child: Any) -> Any:
        return _literal(child) if isinstance(child, Token) else child

    # --- conditions

    def any_chain(self, c: Children) -> ast.AnyOf:
        return ast.AnyOf(span_of(c), self._members(c))

    def all_chain(self, c: Children) -> ast.AllOf:
        return ast.AllOf(span_of(c), self._members(c))

    def _members(self, c: Children) -> tuple[Any, ...]:
        return tuple(self._value(x) for x in c if not _is_mark(x))

    def negation(self, c: Children) -> ast.Negation:
        return ast.Negation(span_of(c), self._value(c[1]))

    def bracketed(self, c: Children) -> Any:
        return self._value(c[1])

    def comparison(self, c: Children) -> ast.Comparison:
        return ast.Comparison(span_of(c), self._value(c[0]), str(c[1]), self._value(c[2]))

    def membership(self, c: Children) -> ast.Membership:
        negated = len(c) == 4
        return ast.Membership(span_of(c), self._value(c[0]), self._value(c[-1]), negated)

    def at_rate(self, c: Children) -> ast.AtRate:
        return ast.AtRate(span_of(c), self._value(c[0]), c[2], _literal(c[3]))

    def seen(self, c: Children) -> ast.Seen:
        return ast.Seen(span_of(c), c[1])

    def quorum(self, c: Children) -> ast.Quorum:
        count = _literal(c[0]) if c[0].type == "INT" else _name(c[0])
        return ast.Quorum(span_of(c), count, self._members(c[3:]))

    def cascade(self, c: Children) -> ast.Cascade:
        return ast.Cascade(span_of(c), tuple(c[2:-2]), c[-2].items[0])

    def cascade_step(self, c: Children) -> ast.Step:
        return ast.Step(span_of(c), c[0] == "yes", self._value(c[2]))

    def cascade_else(self, c: Children) -> _Group:
        return _Group(span_of(c), (c[1] == "yes",))

    # --- header and settings

    def edition(self, c: Children) -> ast.Edition:
        return ast.Edition(span_of(c), int(c[1]))

    def header(self, c: Children) -> ast.Header:
        clauses = _in_order(tuple(c[2:]), ("title", "owner", "version", "note"))
        return ast.Header(span_of(c), str(c[0]), c[1], clauses)  # type: ignore[arg-type]  # grammar

    def tiers(self, c: Children) -> ast.Tiers:
        return ast.Tiers(span_of(c), _nodes(c))

    def tier(self, c: Children) -> ast.Tier:
        on_error = c[-1] if isinstance(c[-1], ast.Clause) else None
        verbs = tuple(_name(x) for x in c[2:] if isinstance(x, Token) and x != "may" and x != ",")
        return ast.Tier(span_of(c), c[1], verbs, on_error.values[0] if on_error else None)  # type: ignore[arg-type]  # on_error holds a Name

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
        text = str(label)[:-1].rstrip()
        name = ast.Name(Span(label.start_pos, label.start_pos + len(text)), text)
        kind, is_list = c[2].items
        default = self._value(c[4]) if len(c) == 5 else None
        return ast.Param(span_of([c[0], default or kind]), name, kind, is_list, default)

    def type(self, c: Children) -> _Group:
        return _Group(span_of(c), (c[-1], len(c) == 3))

    # --- clauses

    @staticmethod
    def _clause(c: Children, *values: Any) -> ast.Clause:
        token = c[0]
        word_span = Span(token.start_pos, token.end_pos)
        return ast.Clause(span_of(c), str(token), values, word_span)

    def worded(self, c: Children) -> ast.Clause:
        return self._clause(c, self._held(c[1]))

    def listed(self, c: Children) -> ast.Clause:
        if isinstance(c[1], _Group):
            return self._clause(c, *c[1].items)
        return self._clause(c, *(self._held(x) for x in c[1:] if not _is_mark(x)))

    def bare(self, c: Children) -> ast.Clause:
        return self._clause(c)

    on_error = worded

    @staticmethod
    def _held(child: Any) -> Any:
        if not isinstance(child, Token):
            return child
        if child.type in {"STRING", "INT", "NUMBER", "PERCENT", "DURATION", "DATE", "YES", "NO"}:
            return _literal(child)
        return _name(child)

    def targets(self, c: Children) -> _Group:
        found: list[ast.Target] = []
        for child in c:
            if isinstance(child, ast.Ref):
                last = found.pop()
                span = last.span.to(child.span)
                found.append(ast.Target(span, last.surface, (*last.tools, child)))
            elif not _is_mark(child):
                name = _name(child)
                found.append(ast.Target(name.span, name))
        return _Group(span_of(c), tuple(found))

    # --- blocks

    @staticmethod
    def _block(c: Children, order: tuple[str, ...] | None = None) -> ast.Block:
        name = None if isinstance(c[1], Token) else c[1]
        clauses = tuple(x for x in c if isinstance(x, ast.Clause))
        if order:
            clauses = _in_order(clauses, order)
        return ast.Block(span_of(c), str(c[0]), name, clauses)  # type: ignore[arg-type]  # grammar

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
        if isinstance(value, Token):
            value = _pattern(value) if value.type == "REGEX" else _literal(value)
        options = c[2].items if len(c) == 3 else ()
        return ast.Property(span_of(c), c[0], value, options)

    def sized_number(self, c: Children) -> ast.Sized:
        unit = _name(c[1]) if len(c) == 2 else None
        return ast.Sized(span_of(c), _literal(c[0]), unit)

    def chosen(self, c: Children) -> ast.Chosen:
        if len(c) == 1:
            return ast.Chosen(span_of(c), c[0])
        return ast.Chosen(span_of(c), c[0], str(c[1]), _literal(c[2]))

    def arguments_with(self, c: Children) -> Any:
        return c[1]

    # --- actions

    def action(self, c: Children) -> ast.Action:
        return c[0]  # type: ignore[no-any-return]  # grammar

    def block(self, c: Children) -> ast.Action:
        text = _literal(c[1]) if len(c) > 1 and c[1].type == "STRING" else None
        return ast.Action(span_of(c), "block", text=text, for_session=_has(c, "session"))

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
        whole = c[1] == "all"
        return ast.Action(span_of(c), "rewrite", text=_literal(c[3]), form="text", whole=whole)

    def rewrite_mask(self, c: Children) -> ast.Action:
        return ast.Action(span_of(c), "rewrite", form="mask", keep=_literal(c[-1]))

    def rewrite_token(self, c: Children) -> ast.Action:
        return ast.Action(span_of(c), "rewrite", form=str(c[3]))  # type: ignore[arg-type]  # grammar

    def plain(self, c: Children) -> ast.Action:
        return ast.Action(span_of(c), str(c[0]))  # type: ignore[arg-type]  # grammar

    def apply(self, c: Children) -> ast.Apply:
        return ast.Apply(span_of(c), c[1], c[2].items if len(c) == 3 else ())

    # --- conversation, tests, measurement

    def event(self, c: Children) -> ast.Event:
        where = self._value(_after(c, "where")) if _has(c, "where") else None
        heads = c[: -2 if where else None]
        tools = tuple(x for x in heads[1:] if isinstance(x, ast.Ref))
        target = ast.Target(span_of(heads), _name(c[0]), tools)
        return ast.Event(span_of(c), target, where)

    def test(self, c: Children) -> ast.Test:
        variable, cases = (c[4], self._value(c[6])) if c[2] == "for" else (None, None)
        opening = next(i for i, x in enumerate(c) if isinstance(x, Token) and x == "{")
        return ast.Test(span_of(c), _literal(c[1]), variable, cases, _nodes(c[opening:]))

    def given(self, c: Children) -> ast.Given:
        value = None if c[2] == "fails" else self._value(c[3])
        return ast.Given(span_of(c), c[1], value)

    def said(self, c: Children) -> ast.Said:
        return ast.Said(span_of(c), str(c[0]), self._value(c[1]))

    def called(self, c: Children) -> ast.Called:
        return ast.Called(span_of(c), c[1], c[2].items)

    def returned(self, c: Children) -> ast.Returned:
        return ast.Returned(span_of(c), c[1], self._value(c[2]))

    def expect(self, c: Children) -> ast.Expect:
        refs = tuple(x for x in c if isinstance(x, ast.Ref))
        return ast.Expect(span_of(c), _name(c[1]), refs, _text_after(c, "becomes"))

    def rate(self, c: Children) -> ast.Clause:
        rate = ast.Rate(
            span_of(c[1:]), c[1], str(c[3]), _literal(c[4]), _text_after(c, "confidence")
        )  # type: ignore[arg-type]  # grammar
        return self._clause(c, rate)

    def expected(self, c: Children) -> ast.Name:
        return c[0] if isinstance(c[0], ast.Name) else _name(c[0])

    def watch(self, c: Children) -> ast.Clause:
        surface = _name(c[3]) if len(c) == 4 else None
        return self._clause(c, ast.Watch(span_of(c[1:]), self._value(c[1]), surface))

    def alarm(self, c: Children) -> ast.Clause:
        held = ast.Alarm(span_of(c[1:]), str(c[1]), _literal(c[2]), _literal(c[4]))  # type: ignore[arg-type]  # grammar
        return self._clause(c, held)


def _pattern(token: Token) -> ast.Pattern:
    source, _, flags = str(token)[1:].rpartition("/")
    return ast.Pattern(Span(token.start_pos, token.end_pos), source.replace("\\/", "/"), flags)


_MARKS = frozenset(
    {"COMMA", "LSQB", "RSQB", "LPAR", "RPAR", "LBRACE", "RBRACE", "OR", "AND", "OF", "MORETHAN"}
)


def _is_mark(child: Any) -> bool:
    return isinstance(child, Token) and child.type in _MARKS


class _Group:
    """Children that travel together until their parent takes them apart."""

    __slots__ = ("items", "span")

    def __init__(self, span: Span, items: tuple[Any, ...]) -> None:
        self.span = span
        self.items = items
