"""A run of probes as a JUnit report: the gates, then each family in each disguise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from guardkit.diagnostics import visible
from guardkit.layers import Cell, Figures

Gated = tuple[str, float, float | None]
"""The name of a gate, its bound, and what it came to."""


def probe_junit(made: Figures, gates: Sequence[Gated] = ()) -> str:
    """A suite per family with a case per disguise, and one of the gates.

    A gate fails as on the command line. A family in a disguise fails where a gate bounds its rate
    and the whole interval lies above: one trial more or less makes no build red. What could not be
    judged is an error.
    """
    bounds = {name: bound for name, bound, _ in gates}
    suites = [("gates", [_gate(*gate) for gate in gates])] if gates else []
    families: dict[str, list[_Case]] = {}
    for cell in made.cells:
        families.setdefault(cell.family, []).append(_case(cell, bounds))
    suites += [(f"probe {name}", cases) for name, cases in families.items()]
    if made.broken:
        suites.append(("case files", [(row, "error", "is no case") for row in made.broken]))
    rows = ['<?xml version="1.0" encoding="UTF-8"?>']
    rows.append(f'<testsuites name="guardkit probe"{_sum([c for _, cs in suites for c in cs])}>')
    for name, cases in suites:
        rows += _suite(name, cases)
    return "\n".join([*rows, "</testsuites>", ""])


_Case = tuple[str, str, str]
"""The name, `failure`, `error` or nothing, and what is said."""


def _gate(name: str, bound: float, rate: float | None) -> _Case:
    if rate is None:
        return name, "error", "cannot be told from these trials"
    said = f"{rate:.2%}, at most {bound:.2%}"
    return name, "failure" if rate > bound else "", said


def _case(cell: Cell, bounds: dict[str, float]) -> _Case:
    figure = "leaked" if cell.is_attack else "over_refusal"
    bound = bounds.get(f"{cell.family}:{figure}", bounds.get(figure))
    share = cell.share
    said = f"{share.hits} of {share.of} {'leaked' if cell.is_attack else 'refused'}"
    if bound is not None and share.of and share.interval[0] > bound:
        return cell.disguise, "failure", f"{said}: over {bound:.2%}"
    if cell.unjudged:
        return cell.disguise, "error", f"{cell.unjudged} could not be judged; {said}"
    return cell.disguise, "", said


def _suite(name: str, cases: Sequence[_Case]) -> Iterator[str]:
    shown = _attribute(name)
    yield f'  <testsuite name="{shown}"{_sum(cases)} time="0">'
    for case, kind, said in cases:
        begin = f'    <testcase classname="{shown}" name="{_attribute(case)}" time="0"'
        if kind:
            yield f'{begin}><{kind} message="{_attribute(said)}"/></testcase>'
        else:
            yield f"{begin}><system-out>{escape(visible(said))}</system-out></testcase>"
    yield "  </testsuite>"


def _sum(cases: Sequence[_Case]) -> str:
    failures = sum(kind == "failure" for _, kind, _ in cases)
    errors = sum(kind == "error" for _, kind, _ in cases)
    return f' tests="{len(cases)}" failures="{failures}" errors="{errors}" skipped="0"'


def _attribute(text: str) -> str:
    return escape(visible(text), quote=True)
