"""What came of tests and probes, as a JUnit report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from guardkit.diagnostics import Place, render, visible
from guardkit.testing import KINDS, CaseResult, ProbeResult, Worded, worded, worded_probe

from ._test_coverage import percent
from ._test_report import Suite, counted

_Ending = tuple[str, str, str]
"""The tag, the message and the text of a test case that did not pass."""


def junit_text(suites: Sequence[Suite]) -> str:
    """A suite per file. Failed tests fail; undecided ones, wrong case files and broken policies
    are errors."""
    rows = ['<?xml version="1.0" encoding="UTF-8"?>', f'<testsuites name="guardkit"{_sum(suites)}>']
    for suite in suites:
        rows += _suite(suite)
    return "\n".join([*rows, "</testsuites>", ""])


def _sum(suites: Sequence[Suite]) -> str:
    counts = counted(suites)
    broken = sum(suite.policy is None for suite in suites)
    errors = counts["undecided"] + counts["broken"] + broken
    return (
        f' tests="{counts.total() + broken}" failures="{counts["failed"]}"'
        f' errors="{errors}" skipped="0"'
    )


def _suite(suite: Suite) -> Iterator[str]:
    name = _attribute(suite.path)
    yield f'  <testsuite name="{name}"{_sum([suite])} time="0">'
    yield from _properties(_figures(suite), "    ")
    if suite.policy is None:
        errors = [d for d in suite.diagnostics if d.is_error]
        told = escape(render(errors, "concise"))
        yield from _case(name, "compiles", None, {}, ("error", "does not compile", told))
    for result in suite.results:
        yield from _case(name, result.name, result.place, {}, _ending(result))
    for rated in suite.probes:
        place = rated.probe.place
        yield from _case(name, f"probe {rated.name}", place, _rates(rated), _ending(rated))
    yield "  </testsuite>"


def _figures(suite: Suite) -> dict[str, str]:
    if suite.covered is None:
        return {}
    shares = {kind: suite.covered.of(kind) for kind in KINDS}
    counts = {f"coverage.{kind}": f"{share.hits}/{share.of}" for kind, share in shares.items()}
    return {"coverage.percent": f"{percent(suite.covered.rules):.2f}", **counts}


def _rates(result: ProbeResult) -> dict[str, str]:
    rates = {f"rate.{r.disguise or 'plain'}": f"{r.hits}/{r.of}" for r in result.rates}
    return {"rate": f"{result.rate.hits}/{result.rate.of}", **rates} if result.rate.of else {}


def _properties(values: Mapping[str, str], margin: str) -> Iterator[str]:
    if not values:
        return
    yield f"{margin}<properties>"
    for name, value in values.items():
        yield f'{margin}  <property name="{_attribute(name)}" value="{_attribute(value)}"/>'
    yield f"{margin}</properties>"


def _ending(result: CaseResult | ProbeResult) -> _Ending | None:
    told = worded(result) if isinstance(result, CaseResult) else worded_probe(result)
    if told is None:
        return None
    text = escape("\n".join(_details(told)))
    if result.status == "undecided":
        return "error", f"undecided: {told.summary}", text
    return "failure" if result.status == "failed" else "error", told.summary, text


def _details(told: Worded) -> Iterator[str]:
    name = ""
    for shown, text in told.details:
        name = shown or name
        yield f"{name}: {text}"


def _case(
    suite: str, name: str, place: Place | None, values: Mapping[str, str], ending: _Ending | None
) -> Iterator[str]:
    line = f' line="{place.start.line}"' if place else ""
    start = f'    <testcase classname="{suite}" name="{_attribute(name)}"{line} time="0"'
    if ending is None and not values:
        yield f"{start}/>"
        return
    yield f"{start}>"
    yield from _properties(values, "      ")
    if ending is not None:
        tag, message, told = ending
        inner = f'<{tag} message="{_attribute(message)}"'
        yield f"      {inner}>{told}</{tag}>" if told else f"      {inner}/>"
    yield "    </testcase>"


def _attribute(text: str) -> str:
    return escape(visible(text), quote=True)
