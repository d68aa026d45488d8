"""One file while it is being checked: its names, its values, and everything wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from guardkit.catalog import Catalog
from guardkit.diagnostics import Diagnostic, Fix, Label, Place, Source, Span, diagnose
from guardkit.syntax import ast

from ._library import Library
from ._policy import Check, Plain, Principle, Tier, Tool

OVERLAY_ROOTS = ("pack/",)
_WORD = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(slots=True)
class ParamValue:
    """A parameter, bound or at its default; `value` None means its value was wrong."""

    name: str
    type: str
    is_list: bool
    value: Plain | None
    place: Place


@dataclass(slots=True)
class Scope:
    """What one file declares. A module's scope has the prefix its user gave it."""

    file: ast.File
    catalog: Catalog
    library: Library
    today: date
    prefix: str = ""
    roots: tuple[str, ...] = ("std/", "./")
    """What the name of a module it may use begins with."""
    chain: tuple[str, ...] = ()
    report: list[Diagnostic] = field(default_factory=list)
    params: dict[str, ParamValue] = field(default_factory=dict)
    checks: dict[str, Check] = field(default_factory=dict)
    modules: dict[str, Scope] = field(default_factory=dict)
    tools: dict[str, dict[str, Tool]] = field(default_factory=dict)
    tiers: tuple[Tier, ...] = ()
    rule_blocks: dict[str, ast.Block] = field(default_factory=dict)
    principles: dict[str, Principle] = field(default_factory=dict)
    windows: dict[str, ast.Block] = field(default_factory=dict)
    sequences: dict[str, ast.Block] = field(default_factory=dict)
    declared: dict[tuple[str, str], Place] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    """Names that are declared but wrong: using them is no second mistake."""
    given: dict[str, Place] = field(default_factory=dict)
    """The parameters of a module that its user gave a value, and where."""
    used: set[tuple[str, str]] = field(default_factory=set)
    instances: list[str] = field(default_factory=list)
    """Every module instantiated for this policy so far; one list for all its scopes."""

    @property
    def source(self) -> Source:
        return self.file.source

    @property
    def is_module(self) -> bool:
        header = next((d for d in self.file.declarations if isinstance(d, ast.Header)), None)
        return header is not None and header.kind == "module"

    @property
    def is_overlay(self) -> bool:
        """Whether a deployment says this, and no file of the policy."""
        return self.roots == OVERLAY_ROOTS

    def place(self, node: ast.Node | Span) -> Place:
        return Place(self.source, node.span if isinstance(node, ast.Node) else node)

    def error(
        self,
        slug: str,
        node: ast.Node | Span | Place,
        message: str,
        *,
        note: str = "",
        labels: Iterable[Label] = (),
        help: Iterable[str] | str = (),
        fix: Fix | None = None,
    ) -> None:
        """Report a finding at a node of this file (or at a place of any file)."""
        place = node if isinstance(node, Place) else self.place(node)
        labels = (*labels, *self._givens(place))
        self.report.append(
            diagnose(slug, place, message, note=note, labels=labels, help=help, fix=fix)
        )

    def _givens(self, place: Place) -> Iterator[Label]:
        """Where the user of a module gave what a declaration of it is made of."""
        if not self.given or place.source is not self.source:
            return
        start = place.span.start
        for node in self.file.declarations:
            if node.span.start <= start <= node.span.end:
                words = set(_WORD.findall(self.source.text[slice(*node.span)]))
                for name in sorted(words & self.given.keys()):
                    yield Label(self.given[name], f"`{name}` is given here")

    def use(self, kind: str, name: str) -> None:
        self.used.add((kind, name))

    def declare(self, space: str, name: str, node: ast.Node, what: str) -> bool:
        """Take a name in a name space; False (and a diagnostic) when it is taken already."""
        place = self.place(node)
        first = self.declared.setdefault((space, name), place)
        if first is place:
            return True
        if space == "value":
            self.broken.add(name)  # which of the two a use means nobody knows
        self.error(
            "duplicate-name",
            place,
            f"{what} `{name}` has a name that is taken",
            labels=(Label(first, "declared here first"),),
            help="give one of them another name",
        )
        return False

    def qualified(self, name: str) -> str:
        return self.prefix + name

    def find_check(self, ref: ast.Ref) -> Check | None:
        """The check a dotted name stands for, here or in a module; marks it used."""
        dotted = ref.dotted
        found = self.checks.get(dotted)
        if found:
            self.use("check", dotted)
            return found
        module = self.modules.get(ref.parts[0])
        if module and len(ref.parts) > 1:
            inner = ".".join(ref.parts[1:])
            found = module.checks.get(inner)
            if found:
                self.use("module", ref.parts[0])
                module.use("check", inner)
        return found

    def is_broken(self, ref: ast.Ref) -> bool:
        """Whether the name is declared but could not be understood."""
        if ref.dotted in self.broken or ref.parts[0] in self.broken:
            return True
        module = self.modules.get(ref.parts[0])
        return module is not None and ".".join(ref.parts[1:]) in module.broken

    def check_names(self) -> list[str]:
        """Every check name one could write in this file."""
        names = list(self.checks)
        for alias, module in self.modules.items():
            names.extend(f"{alias}.{name}" for name in module.checks)
        return names

    def all_checks(self) -> Iterable[Check]:
        yield from self.checks.values()
        for module in self.modules.values():
            yield from module.all_checks()
