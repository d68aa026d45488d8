"""Rename a name everywhere, or say why not: a rename that changes what is judged is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from guardkit.diagnostics import Source, Span
from guardkit.syntax import ast, parse

from ._definition import Location, declared_by, symbol_at
from ._document import Document
from ._grammar import grammar
from ._names import VALUES, Names, Occurrence, Symbol, names_of, occurrences
from ._references import uses_of
from ._workspace import Workspace


class Refused(Exception):  # noqa: N818 - it is an answer, not an accident
    """Why a name stays as it is, in one line for the user."""


class Renamed(NamedTuple):
    """Every place to write the new name."""

    places: tuple[Location, ...]
    name: str


_FIXED = {
    "policy": "logs and bundles know the policy by its name: change it by hand",
}


def renamable(workspace: Workspace, document: Document, offset: int) -> tuple[Span, str]:
    """The stretch of the name at a place, and the name.

    Raises:
        Refused: Nothing there can be renamed.
    """
    found = _found(workspace, document, offset)
    return found.span, document.text[slice(*found.span)]


def rename(workspace: Workspace, document: Document, offset: int, name: str) -> Renamed:
    """Every place where the name at a place has to change.

    The changed files are read again before they are handed out: every name has to stand for what
    it stood for before.

    Raises:
        Refused: The new name is none, is taken, or would change what the policy does.
    """
    found = _found(workspace, document, offset)
    symbol = found.symbol
    _fits(symbol, name)
    home = workspace.names_at(symbol.path) or workspace.names(document)
    _is_free(home, symbol, name)
    places = uses_of(workspace, document, symbol)
    for file in {place.document.uri: place.document for place in places}.values():
        if not file.parsed.is_clean:
            raise Refused(f"`{file.source.path}` has a syntax error; mend it first")
        spans = [place.span for place in places if place.document is file]
        _keeps_texts(workspace, file, symbol, name, spans)
        _stays(workspace, file, symbol, name, spans)
    return Renamed(places, name)


def _found(workspace: Workspace, document: Document, offset: int) -> Occurrence:
    found = symbol_at(workspace, document, offset)
    if found is None:
        raise Refused("there is no name here that this policy declares")
    if found.symbol.kind in _FIXED:
        raise Refused(_FIXED[found.symbol.kind])
    if workspace.is_shipped(found.symbol.path):
        raise Refused(f"`{found.symbol.name}` belongs to a module that ships with guardkit")
    return found


def _fits(symbol: Symbol, name: str) -> None:
    known = grammar()
    parts = name.split(".") if symbol.kind == "check" else [name]
    for part in parts:
        tokens = list(known.tokens(part))
        if len(tokens) != 1 or tokens[0].text != part or part != part.lower():
            raise Refused(f"`{name}` is not a name: lower-case letters, digits and `_`")
        if part in known.reserved:
            raise Refused(f"`{part}` is a reserved word")
        if not part.isidentifier():
            raise Refused(f"`{name}` is not a name: lower-case letters, digits and `_`")
    if parts[0] in ("context", "call") or name in ("true", "false"):
        raise Refused(f"`{parts[0]}` has a meaning of its own in conditions")


def _is_free(home: Names, symbol: Symbol, name: str) -> None:
    kinds = VALUES if symbol.kind in VALUES else (symbol.kind,)
    for kind in kinds:
        if (kind, name) in home.declared:
            raise Refused(f"`{name}` is taken by a {kind} of this file")
    heads = {known for kind, known in home.declared if kind in ("module", "tools")}
    if "." in name and name.split(".")[0] in heads:
        raise Refused(f"`{name.split('.')[0]}` is a module or a tool listing")


def _keeps_texts(
    workspace: Workspace, file: Document, symbol: Symbol, name: str, spans: list[Span]
) -> None:
    """Some names stand in what a policy writes: `{rule}` and, without a `label`, `{label}`."""
    is_silent = symbol.kind == "check" and (
        _has_label(workspace, file, symbol) or name.split(".")[-1] == symbol.name.split(".")[-1]
    )
    if symbol.kind not in ("check", "rule") or is_silent:
        return
    for node in file.file.declarations:
        if not isinstance(node, ast.Block | ast.Apply):
            continue
        if not any(node.span.start <= span.start < node.span.end for span in spans):
            continue
        if any(_writes(symbol.kind, action) for action in _actions(node)):
            rule = (
                node.name.text
                if isinstance(node, ast.Block) and isinstance(node.name, ast.Name)
                else ""
            )
            if symbol.kind == "rule":
                raise Refused(f"`{rule}` writes its name into messages, as `{{rule}}`")
            raise Refused(
                f"`{rule}` writes the name of `{symbol.name}` into texts, as `{{label}}`: "
                f'give the check `label "{symbol.name.split(".")[-1]}"` first'
            )


def _has_label(workspace: Workspace, file: Document, symbol: Symbol) -> bool:
    node = declared_by(workspace, file, symbol)
    return isinstance(node, ast.Check) and (
        node.kind.text == "entities" or any(one.name.text == "label" for one in node.properties)
    )


def _actions(node: ast.Block | ast.Apply) -> Iterator[ast.Action]:
    for clause in node.clauses if isinstance(node, ast.Block) else ():
        for value in clause.values:
            if isinstance(value, ast.Action):
                yield value
                if value.otherwise is not None:
                    yield value.otherwise


def _writes(kind: str, action: ast.Action) -> bool:
    text = "" if action.text is None else str(action.text.value)
    if kind == "rule":
        return "{rule}" in text
    return "{label}" in text or action.form in ("hash", "pseudonym")


def _stays(
    workspace: Workspace, file: Document, symbol: Symbol, name: str, spans: list[Span]
) -> None:
    """Whether a file says the same after the change, name for name."""
    before = workspace.names(file)
    text = file.text
    for span in sorted(spans, reverse=True):
        text = text[: span.start] + name + text[span.end :]
    parsed = parse(Source(file.source.path, text))
    if not parsed.is_clean:
        raise Refused(f"`{name}` cannot stand where `{symbol.name}` stands")
    modules = {
        str(node.path.value): _seen(before.modules.get(node.alias.text), symbol, name)
        for node in before.file.declarations
        if isinstance(node, ast.UseModule)
    }
    after = names_of(parsed.file, None, before.path, modules.get)
    changed = symbol._replace(name=name)
    old = [changed if o.symbol == symbol else o.symbol for o in occurrences(before)]
    new = [o.symbol for o in occurrences(after)]
    if _without_places(old) != _without_places(new):
        raise Refused(f"`{name}` stands for something else in `{file.source.path}`")


def _seen(module: Names | None, symbol: Symbol, name: str) -> Names | None:
    """A module as its users see it after the change."""
    if module is None or module.path != symbol.path:
        return module
    declared = {
        (kind, name if (kind, known) == (symbol.kind, symbol.name) else known): value
        for (kind, known), value in module.declared.items()
    }
    return Names(module.path, module.file, declared, module.remembered, module.modules)


def _without_places(symbols: list[Symbol]) -> list[Symbol]:
    return [symbol._replace(owner=min(symbol.owner, 0)) for symbol in symbols]
