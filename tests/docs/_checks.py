"""One page for each kind of check, from its spec and the docstring that documents it."""

from __future__ import annotations

import importlib
import re
import textwrap

from guardkit.catalog import CheckSpec, Cost
from guardkit.checks import SPECS

from ._markdown import code, fenced, page, table

_HEADINGS = ("Why it matters", "Known misses", "Example", "Options", "Cost", "Data it reads")
_HEADING = re.compile(rf"^({'|'.join(_HEADINGS)})$", re.MULTILINE)
_OPTION = re.compile(r"^(?=[a-z]\w*: \S)", re.MULTILINE)

_ANSWERS = {
    "answer": "yes or no",
    "score": "a score from 0 to 1",
    "number": "a number",
    "label": "one of its labels",
}
_REACH = {
    "match": "as much as its longest match",
    "whole": "the whole text: it answers at the end",
    "window": "a window of text",
}


def checks_pages() -> dict[str, str]:
    """A page for each kind, behind a table of all."""
    rows = [
        (f"[{spec.kind}]({spec.kind}.md)", _ANSWERS[spec.answers], spec.summary) for spec in SPECS
    ]
    first = page(
        "All checks",
        "A check answers a question about a text. A policy declares it by its kind"
        " (`check card = entities { kinds [card] }`), and rules ask it by its name.",
        table(("kind", "answers", "what it does"), rows),
        "The cost is the compiler's estimate for one ordinary core; `guardkit bench` measures"
        " yours.",
    )
    return {"checks/index.md": first} | {f"checks/{spec.kind}.md": _page(spec) for spec in SPECS}


def sections_of(spec: CheckSpec) -> dict[str, str]:
    """The parts of a kind's docstring by heading, the claim under an empty one."""
    text = importlib.import_module(f"guardkit.checks._{spec.kind}").__doc__ or ""
    claim, *rest = _HEADING.split(text)
    bodies = (textwrap.dedent(body).strip() for body in rest[1::2])
    return {"": claim.strip(), **dict(zip(rest[::2], bodies, strict=True))}


def _page(spec: CheckSpec) -> str:
    said = sections_of(spec)
    parts = [said[""], table(("fact", ""), _facts(spec))]
    for heading in _HEADINGS:
        body = said[heading]
        if heading == "Example":
            body = fenced(body, "guard")
        elif heading == "Options":
            body = _options(spec, body)
        elif heading == "Cost":
            body = "\n\n".join(part for part in (body, _costs(spec)) if part)
        parts += [f"## {heading}", body]
    return page(spec.kind, *parts)


def _facts(spec: CheckSpec) -> list[tuple[str, str]]:
    answers = _ANSWERS[spec.answers]
    for name, other in spec.answers_with:
        answers += f"; {_ANSWERS[other]} with `{name}`"
    reach = _REACH[spec.reach]
    for name, far in spec.reach_with:
        reach += f"; {_REACH[far]} with `{name}`"
    facts = [
        ("answers", answers),
        ("says where", "yes" if spec.spans else "no"),
        ("on", ", ".join(code(surface) for surface in spec.surfaces)),
        ("reads of a stream", reach),
    ]
    if spec.needs_gate:
        facts.append(("in a condition", "only behind a cheaper check"))
    if not spec.is_deterministic:
        facts.append(("twice the same text", "may be answered differently"))
    return facts


def _options(spec: CheckSpec, body: str) -> str:
    lines, _, after = body.partition("\n\n")
    given = {
        name: " ".join(rest.split())
        for name, _, rest in (line.partition(":") for line in _OPTION.split(lines) if line)
    }
    rows = [
        (
            code(item.name),
            item.type + (", repeated" if item.repeated else ""),
            "yes" if item.required else "",
            given.get(item.name, item.doc),
        )
        for item in spec.properties
    ]
    shown = table(("option", "type", "needed", "what it says"), rows) or lines
    return "\n\n".join(part for part in (shown, after.strip()) if part)


def _costs(spec: CheckSpec) -> str:
    rows = [("", *_figures(spec.cost))]
    rows += [
        (f"`{name}` {'any other' if value == '*' else code(value)}", *_figures(cost))
        for name, value, cost in spec.costs
    ]
    return table(("with", "fixed", "per KB", "own", "shared work"), rows)


def _figures(cost: Cost) -> tuple[str, str, str, str]:
    return (_us(cost.fixed_us), _us(cost.per_kb_us), _us(cost.own_us), code(cost.shared))


def _us(figure: float) -> str:
    return f"{figure / 1000:g} ms" if figure >= 1000 else f"{figure:g} µs"
