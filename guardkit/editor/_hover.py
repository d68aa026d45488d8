"""What a name or a word means: its documentation, what it is made of and what it costs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import guardkit.diagnostics as diagnostics
from guardkit.catalog import CheckSpec
from guardkit.diagnostics import Code, Span
from guardkit.plan import spell_us
from guardkit.syntax import ast

from ._costs import check_prices, rule_prices
from ._definition import declared_by, symbol_at
from ._document import Document
from ._grammar import Token, grammar
from ._names import Symbol
from ._words import said_of
from ._workspace import Workspace

_MOST_LINES = 24
_WORD = re.compile(r"[A-Za-z_]\w*")


class Hover(NamedTuple):
    """A text in Markdown, and the stretch it is about."""

    text: str
    span: Span


def hover(workspace: Workspace, document: Document, offset: int) -> Hover | None:
    """What stands at a place; None where nothing can be said."""
    found = symbol_at(workspace, document, offset)
    if found is not None:
        text = _of_symbol(workspace, document, found.symbol)
        return Hover(text, found.span) if text else None
    word = next(
        (
            m
            for m in _WORD.finditer(document.text, *_line(document, offset))
            if m.start() <= offset <= m.end()
        ),
        None,
    )
    if word is None:
        return None
    span = Span(*word.span())
    node = document.declaration_at(offset)
    text = _of_check_word(workspace, node, span) if isinstance(node, ast.Check) else ""
    text = text or _of_module_path(workspace, document, node, offset)
    if not text and _is_word(document, node, span):
        text = said_of(word[0])
    return Hover(text, span) if text else None


def page_of(code: Code) -> str:
    """The page of a diagnostic, as `guardkit explain` shows it."""
    path = Path(diagnostics.__file__).parent / "pages" / f"{code.id}.md"
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return f"# {code.id} {code.slug}\n\n{code.title}\n"


def _line(document: Document, offset: int) -> Span:
    return document.lines.line_span(document.lines.line_of(offset))


def _is_word(document: Document, node: ast.Declaration | None, span: Span) -> bool:
    """Whether a stretch is a word of the language, not a part of a text or a comment."""
    begin = _line(document, span.start).start if node is None else node.span.start
    token: Token | None = next(
        (t for t in grammar().tokens(document.text, begin, span.end) if t.end == span.end), None
    )
    return token is not None and token.start == span.start and token.kind in grammar().written


# --- names


def _of_symbol(workspace: Workspace, document: Document, symbol: Symbol) -> str:
    node = declared_by(workspace, document, symbol)
    home = document
    if symbol.path != workspace.real(document.source.path):
        home = workspace.document_at(symbol.path) or document
    head = f"**{symbol.kind}** `{symbol.name}`"
    if node is None:
        return head
    parts = [head, _comment(home, node), *_about(workspace, document, symbol, node)]
    if symbol.kind not in ("tier", "variable", "policy"):
        parts.append(_quoted(home, node))
    return "\n\n".join(part for part in parts if part)


def _comment(home: Document, node: ast.Declaration) -> str:
    """The comment above a declaration: whoever wrote it explains it there."""
    return home.comment_above(node.span.start)


def _quoted(home: Document, node: ast.Declaration) -> str:
    lines = home.text[slice(*node.span)].splitlines()
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], "…"]
    fence = "```"
    return f"{fence}guard\n" + "\n".join(lines) + f"\n{fence}"


def _about(
    workspace: Workspace, document: Document, symbol: Symbol, node: ast.Declaration
) -> Iterator[str]:
    match node:
        case ast.Check(kind=kind):
            spec = workspace.catalog.specs.get(kind.text)
            if spec is not None:
                yield _of_kind(spec)
            yield _check_cost(workspace, document, symbol)
        case ast.Block(kind="rule", clauses=clauses):
            yield from _texts(clauses, "title", "note")
            yield _rule_cost(workspace, document, symbol)
        case ast.Block(clauses=clauses):
            yield from _texts(clauses, "title", "text", "note")
        case ast.UseModule(path=path):
            yield _of_module(workspace, document, str(path.value))


def _texts(clauses: tuple[ast.Clause, ...], *words: str) -> Iterator[str]:
    for clause in clauses:
        if clause.word in words and isinstance(clause.values[0], ast.Literal):
            yield str(clause.values[0].value)


def _qualified(workspace: Workspace, document: Document, symbol: Symbol) -> str:
    """The name a symbol has in this policy: with the module's in front, where it is of one."""
    if symbol.path == workspace.real(document.source.path):
        return symbol.name
    for alias, module in workspace.names(document).modules.items():
        if module is not None and module.path == symbol.path:
            return f"{alias}.{symbol.name}"
    return symbol.name


def _check_cost(workspace: Workspace, document: Document, symbol: Symbol) -> str:
    plan = workspace.plan(document.uri)
    if plan is None:
        return ""
    prices = check_prices(plan, _qualified(workspace, document, symbol))
    return "  \n".join(f"Cost on {price.said}" for price in prices)


def _rule_cost(workspace: Workspace, document: Document, symbol: Symbol) -> str:
    plan = workspace.plan(document.uri)
    if plan is None:
        return ""
    prices = rule_prices(plan).get(_qualified(workspace, document, symbol), ())
    return "  \n".join(f"Cost alone on {price.said}" for price in prices)


# --- the catalog


def _of_kind(spec: CheckSpec) -> str:
    cost = f"about {spell_us(spec.cost.at(1.0) + spec.cost.own_us)} for 1 KB"
    if spec.cost.shared:
        cost += f", most of it shared as `{spec.cost.shared}`"
    return f"`{spec.kind}`: {spec.summary}.\n\nCost: {cost}."


def _of_check_word(workspace: Workspace, node: ast.Check, span: Span) -> str:
    """A kind, one of its properties, or a choice."""
    spec = workspace.catalog.specs.get(node.kind.text)
    if spec is None:
        return ""
    if node.kind.span == span:
        options = "\n".join(f"- `{one.name}` ({one.type}): {one.doc}" for one in spec.properties)
        return "\n\n".join(part for part in (_of_kind(spec), options) if part)
    for one in node.properties:
        known = spec.property(one.name.text)
        if known is not None and one.name.span == span:
            choices = ", ".join(f"`{choice}`" for choice in known.choices[:12])
            more = ", …" if len(known.choices) > 12 else ""
            return f"`{known.name}` ({known.type}): {known.doc}" + (
                f"\n\nOne of {choices}{more}" if choices else ""
            )
    return ""


def _of_module_path(
    workspace: Workspace, document: Document, node: ast.Declaration | None, offset: int
) -> str:
    if isinstance(node, ast.UseModule) and node.path.span.start <= offset <= node.path.span.end:
        return _of_module(workspace, document, str(node.path.value))
    return ""


def _of_module(workspace: Workspace, document: Document, name: str) -> str:
    module = workspace.module(document, name)
    if module is None:
        return ""
    header = next((n for n in module.file.declarations if isinstance(n, ast.Header)), None)
    title = next(_texts(header.clauses, "title"), "") if header is not None else ""
    lines = [f"`{name}` {title}".rstrip()]
    for kind in ("check", "rule", "param"):
        listed = ", ".join(f"`{one}`" for one in module.of(kind))
        if listed:
            lines.append(f"{kind}s: {listed}")
    return "  \n".join(lines)
