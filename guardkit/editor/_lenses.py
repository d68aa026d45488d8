"""Lines of text above declarations: run this test, what this rule costs."""

from __future__ import annotations

from typing import NamedTuple

from guardkit.diagnostics import Span
from guardkit.plan import spell_us
from guardkit.syntax import ast

from ._costs import Price, rule_prices, surface_prices
from ._document import Document
from ._workspace import Workspace

RUN_TESTS = "guardkit.runTests"
SHOW_COST = "guardkit.showCost"


class Lens(NamedTuple):
    """A title above a place; a click runs the command."""

    span: Span
    title: str
    command: str
    arguments: tuple[str, ...]


def lenses(workspace: Workspace, document: Document) -> tuple[Lens, ...]:
    """What can be run and what is paid, declaration by declaration."""
    plan = workspace.plan(document.uri)
    by_rule = {} if plan is None else rule_prices(plan)
    found: list[Lens] = []
    tests = sum(isinstance(node, ast.Test) for node in document.file.declarations)
    for node in document.file.declarations:
        match node:
            case ast.Header(name=name):
                if tests:
                    title = "run the test" if tests == 1 else f"run all {tests} tests"
                    found.append(Lens(name.span, title, RUN_TESTS, (document.uri,)))
                found += [
                    Lens(name.span, price.said, SHOW_COST, (document.uri,))
                    for price in (() if plan is None else surface_prices(plan))
                ]
            case ast.Test(title=title):
                arguments = (document.uri, str(title.value))
                found.append(Lens(title.span, "run test", RUN_TESTS, arguments))
            case ast.Block(kind="rule", name=ast.Name() as name) if name.text in by_rule:
                found.append(_paid(document, name, by_rule[name.text]))
            case ast.Apply(target=target) if target.dotted in by_rule:
                found.append(_paid(document, target, by_rule[target.dotted]))
    return tuple(found)


def _paid(document: Document, node: ast.Name | ast.Ref, prices: tuple[Price, ...]) -> Lens:
    worst = max(price.worst_us for price in prices)
    usual = max(price.expected_us for price in prices)
    title = f"at worst {spell_us(worst)}, usually {spell_us(usual)}"
    return Lens(node.span, title, SHOW_COST, (document.uri,))
