"""Names of a file: what each one stands for, and every place where it is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from guardkit.diagnostics import Span
from guardkit.syntax import ast

Kind = Literal[
    "check",
    "module",
    "monitor",
    "param",
    "policy",
    "principle",
    "probe",
    "rule",
    "sequence",
    "tier",
    "tools",
    "variable",
    "window",
]

VALUES: tuple[Kind, ...] = ("check", "param", "window", "module", "tools")
"""The kinds that share one space of names: two of them never have the same."""

_PART = re.compile(r'[A-Za-z_]\w*|"[^"\\\n]*(?:\\.[^"\\\n]*)*"')
_EVENTS = ("context", "call")


class Symbol(NamedTuple):
    """What a name stands for: its kind, its name where it is declared, and the file it is in."""

    kind: Kind
    name: str
    path: str
    owner: int = -1
    """Where the test begins that a variable belongs to."""


class Occurrence(NamedTuple):
    """One place where a name is written."""

    span: Span
    symbol: Symbol
    declares: bool = False


@dataclass(frozen=True, slots=True)
class Names:
    """What one file declares: the declaration and the place of the name, by kind and name."""

    path: str
    file: ast.File
    declared: dict[tuple[Kind, str], tuple[ast.Declaration, Span]]
    remembered: frozenset[tuple[Kind, str]]
    """Those that only the last good version has; their places are not to be used."""
    modules: dict[str, Names | None] = field(default_factory=dict)
    """What each module declares, by the name this file gives it; None where it cannot be read."""

    def of(self, kind: Kind) -> list[str]:
        """The names of one kind, in the order of the file."""
        return [name for known, name in self.declared if known == kind]

    def symbol(self, kind: Kind, name: str) -> Symbol | None:
        """The symbol of a name of this file."""
        return Symbol(kind, name, self.path) if (kind, name) in self.declared else None

    def value(self, name: str) -> Symbol | None:
        """What a name stands for where a value or a check may stand."""
        found = (self.symbol(kind, name) for kind in VALUES)
        return next((symbol for symbol in found if symbol is not None), None)

    def place(self, symbol: Symbol) -> Span | None:
        """Where a symbol of this file is declared."""
        key = (symbol.kind, symbol.name)
        if symbol.path != self.path or key in self.remembered or key not in self.declared:
            return None
        return self.declared[key][1]


def names_of(
    file: ast.File,
    good: ast.File | None,
    path: str,
    module: Callable[[str], Names | None],
) -> Names:
    """What a file declares.

    Args:
        file: The declarations that can be read.
        good: The last version without a mistake: what it declares is still known while the
            declaration is being edited.
        path: Its real path.
        module: Gives what a module declares, by the name in `use`.
    """
    declared = dict(_declared(file))
    remembered: set[tuple[Kind, str]] = set()
    for key, value in _declared(good) if good is not None and good is not file else ():
        if key not in declared:
            declared[key] = value
            remembered.add(key)
    modules = {
        node.alias.text: module(str(node.path.value))
        for node, _ in declared.values()
        if isinstance(node, ast.UseModule)
    }
    return Names(path, file, declared, frozenset(remembered), modules)


def _declared(
    file: ast.File,
) -> Iterator[tuple[tuple[Kind, str], tuple[ast.Declaration, Span]]]:
    for node in file.declarations:
        match node:
            case ast.Header(name=name):
                yield ("policy", name.text), (node, name.span)
            case ast.Tiers(names=names):
                for name in names:
                    yield ("tier", name.text), (node, name.span)
            case ast.UseModule(alias=alias):
                yield ("module", alias.text), (node, alias.span)
            case ast.UseTools(alias=alias):
                yield ("tools", alias.text), (node, alias.span)
            case ast.Param(name=name):
                yield ("param", name.text), (node, name.span)
            case ast.Check(name=ref):
                yield ("check", ref.dotted), (node, ref.span)
            case ast.Block(kind=kind, name=ast.Name() as name) if kind in _BLOCKS:
                yield (_BLOCKS[kind], name.text), (node, name.span)


_BLOCKS: dict[str, Kind] = {
    "monitor": "monitor",
    "principle": "principle",
    "probe": "probe",
    "rule": "rule",
    "sequence": "sequence",
    "window": "window",
}


def occurrences(names: Names) -> tuple[Occurrence, ...]:
    """Every place in a file where a known name is written, in the order of the file."""
    walk = _Walk(names)
    for node in names.file.declarations:
        walk.declaration(node)
    return tuple(sorted(set(walk.found), key=lambda one: (one.span, one.symbol)))


def occurrence_at(found: Iterable[Occurrence], offset: int) -> Occurrence | None:
    """The name a place lies on: the one that ends there counts too, unless another begins."""
    touching = [one for one in found if one.span.start <= offset <= one.span.end]
    return max(touching, key=lambda one: one.span.start, default=None)


def parts_of(text: str, span: Span) -> list[Span]:
    """Where the parts of a dotted name stand."""
    return [Span(*found.span()) for found in _PART.finditer(text, *span)]


class _Walk:
    """Reads the tree once, and notes every name with what it stands for."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.text = names.file.source.text
        self.found: list[Occurrence] = []
        self.variable: tuple[str, Symbol] | None = None

    def note(self, span: Span, symbol: Symbol | None, declares: bool = False) -> None:
        if symbol is not None:
            self.found.append(Occurrence(span, symbol, declares))

    def own(self, kind: Kind, node: ast.Name) -> None:
        """A name being declared."""
        self.note(node.span, Symbol(kind, node.text, self.names.path), True)

    def named(self, kind: Kind, node: ast.Name) -> None:
        """A single name of one kind."""
        self.note(node.span, self.names.symbol(kind, node.text))

    def ref(self, ref: ast.Ref, *kinds: Kind) -> None:
        """A dotted name: of this file, else of one of its modules."""
        for kind in kinds:
            symbol = self.names.symbol(kind, ref.dotted)
            if symbol is not None and (kind, ref.dotted) in self.names.declared:
                return self.note(ref.span, symbol)
        parts = parts_of(self.text, ref.span)
        alias = self.names.symbol("module", ref.parts[0])
        if alias is None or len(parts) != len(ref.parts):
            return None
        self.note(parts[0], alias)
        inner = self.names.modules.get(ref.parts[0])
        if inner is None or len(parts) == 1:
            return None
        rest = ".".join(ref.parts[1:])
        for kind in kinds:
            symbol = inner.symbol(kind, rest)
            if symbol is not None:
                return self.note(Span(parts[1].start, parts[-1].end), symbol)
        return None

    def value(self, node: object) -> None:
        """A value or a condition, with everything inside it."""
        match node:
            case ast.Ref():
                self._value_ref(node)
            case ast.ListOf(items=items):
                self.values(items)
            case ast.Record(fields=fields):
                self.values(argument.value for argument in fields)
            case ast.AnyOf(members=members) | ast.AllOf(members=members):
                self.values(members)
            case ast.Quorum(members=members):
                self.values(members)
            case ast.Negation(inner=inner):
                self.value(inner)
            case ast.Cascade(steps=steps):
                self.values(step.condition for step in steps)
            case ast.Comparison(left=left, right=right) | ast.Membership(left=left, right=right):
                self.values((left, right))
            case ast.AtRate(score=score):
                self.value(score)
            case ast.Seen(name=name):
                self.named("sequence", name)

    def values(self, nodes: Iterable[object]) -> None:
        for node in nodes:
            self.value(node)

    def _value_ref(self, ref: ast.Ref) -> None:
        if self.variable is not None and ref.parts == (self.variable[0],):
            self.note(ref.span, self.variable[1])
        elif ref.parts[0] not in _EVENTS:
            self.ref(ref, "check", "param", "window")

    def tool(self, ref: ast.Ref) -> None:
        symbol = self.names.symbol("tools", ref.parts[0])
        parts = parts_of(self.text, ref.span)
        if parts:
            self.note(parts[0], symbol)

    # --- declarations

    def declaration(self, node: ast.Declaration) -> None:
        match node:
            case ast.Header(name=name):
                self.own("policy", name)
            case ast.Tiers(names=names):
                for name in names:
                    self.own("tier", name)
            case ast.Tier(name=name):
                self.named("tier", name)
            case ast.UseModule():
                self._use(node)
            case ast.UseTools(alias=alias):
                self.own("tools", alias)
            case ast.Param(name=name, default=default):
                self.own("param", name)
                self.value(default)
            case ast.Check():
                self._check(node)
            case ast.Apply(target=target, arguments=arguments):
                self.ref(target, "rule")
                self.values(argument.value for argument in arguments)
            case ast.Test():
                self._test(node)
            case ast.Block():
                self._block(node)

    def _use(self, node: ast.UseModule) -> None:
        self.own("module", node.alias)
        inner = self.names.modules.get(node.alias.text)
        for argument in node.arguments:
            if inner is not None:
                self.note(argument.label_span, inner.symbol("param", argument.label))
            self.value(argument.value)

    def _check(self, node: ast.Check) -> None:
        self.note(node.name.span, Symbol("check", node.name.dotted, self.names.path), True)
        for one in node.properties:
            match one.value:
                # A word may be a choice or a parameter; a parameter is known by its name.
                case ast.Chosen(word=word):
                    self.named("param", word)
                case ast.ListOf(items=items):
                    for item in items:
                        if isinstance(item, ast.Ref):
                            self.ref(item, "param")
            self.values(argument.value for argument in one.options)

    def _test(self, node: ast.Test) -> None:
        if node.variable is not None:
            name = node.variable.text
            symbol = Symbol("variable", name, self.names.path, node.span.start)
            self.value(node.cases)
            self.note(node.variable.span, symbol, True)
            self.variable = (name, symbol)
        for step in node.steps:
            match step:
                case ast.Given(subject=subject, value=value):
                    if subject.parts[0] not in _EVENTS:
                        self.ref(subject, "check")
                    self.value(value)
                case ast.Said(text=text):
                    self.value(text)
                case ast.Called(tool=tool, arguments=arguments):
                    self.tool(tool)
                    self.values(argument.value for argument in arguments)
                case ast.Returned(tool=tool, text=text):
                    self.tool(tool)
                    self.value(text)
                case ast.Expect(by=rules):
                    for rule in rules:
                        self.ref(rule, "rule")
        self.variable = None

    def _block(self, node: ast.Block) -> None:
        if isinstance(node.name, ast.Ref):
            self.ref(node.name, "rule")
        elif node.name is not None and node.kind in _BLOCKS:
            self.own(_BLOCKS[node.kind], node.name)
        for clause in node.clauses:
            for held in clause.values:
                self._held(node.kind, clause.word, held)

    def _held(self, kind: str, word: str, held: object) -> None:
        match held:
            case ast.Name() if word == "tier":
                self.named("tier", held)
            case ast.Name():
                pass
            case ast.Ref() if word == "principle":
                self.ref(held, "principle")
            case ast.Ref() if kind == "window" and word == "count":
                self.ref(held, "rule")
            case ast.Ref() if kind == "model":
                self.ref(held, "check")
            case ast.Target(tools=tools):
                for tool in tools:
                    self.tool(tool)
            case ast.Event(target=target, where=where):
                for tool in target.tools:
                    self.tool(tool)
                self.value(where)
            case ast.Watch(condition=ast.Ref() as ref):
                self.ref(ref, "check", "rule")
            case ast.Watch(condition=condition):
                self.value(condition)
            case ast.Action():
                self._action(held)
            case _:
                self.value(held)

    def _action(self, action: ast.Action) -> None:
        if action.principle is not None:
            self.ref(action.principle, "principle")
        if action.otherwise is not None:
            self._action(action.otherwise)
