"""What came of policy tests: for people, as JSON and as JUnit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

from guardkit.diagnostics import Code, Diagnostic, Label, Place, render, to_json, visible
from guardkit.semantics import CheckedPolicy, Expected
from guardkit.testing import CaseResult, Miss, Status

from ._screen import Screen

_LONGEST = 400
_NOT_RUN = "not run yet"
_STYLES: dict[Status, str] = {"passed": "good", "failed": "bad", "undecided": "warn"}


@dataclass(slots=True)
class Suite:
    """One policy file and what came of its tests; without a policy it does not compile."""

    path: str
    policy: CheckedPolicy | None
    diagnostics: tuple[Diagnostic, ...]
    results: list[CaseResult] = field(default_factory=list)


def summed_up(show: Screen, suites: Sequence[Suite], *, painted: bool = True) -> str:
    """`12 passed, 1 failed, 2 undecided`."""
    counts = Counter(result.status for suite in suites for result in suite.results)
    broken = sum(suite.policy is None for suite in suites)
    parts = [
        (f"{counts[status]} {status}", style) for status, style in _STYLES.items() if counts[status]
    ]
    if broken:
        parts.append((f"{broken} {'file does' if broken == 1 else 'files do'} not compile", "bad"))
    parts = parts or [("no tests", "warn")]
    return ", ".join(show.err.paint(text, style) if painted else text for text, style in parts)


def show_result(show: Screen, result: CaseResult) -> None:
    """A test that did not pass: where, what was expected, what came, and why."""
    miss = result.miss
    place = miss.expected.place if miss and miss.expected.place else result.place
    if place is None:
        return
    title = json.dumps(result.name, ensure_ascii=False)
    if result.status == "failed":
        code = Code("failed", "test-failed", "error", "a test failed")
        note = f"came to {_came(miss)}" if miss else ""
        if miss and _is_about_text(miss):
            note = "became another text"
    else:
        code = Code("undecided", "test-undecided", "warning", "a test could not be decided")
        note = _why(result)
    labels = (Label(miss.event, "for this"),) if miss and miss.event else ()
    finding = Diagnostic(code, place, title, note, labels, level=code.level)
    look = show.err
    frame = render([finding], "full", color=look.color, width=look.width, ascii=look.ascii)
    look.write(frame.rpartition("\n\n")[0] + "\n\n")
    for name, text in _details(result):
        look.line(f"  {look.paint(f'{name:<10}', 'dim')} {text}")


def _details(result: CaseResult) -> Iterator[tuple[str, str]]:
    miss = result.miss
    if miss is not None and result.status == "failed":
        if _is_about_text(miss):
            yield "expected", _quoted(miss.expected.becomes or "")
            yield "actual", _quoted(miss.text)
        else:
            yield "expected", _wanted(miss.expected)
            yield "actual", _came(miss)
        if miss.exempted:
            yield "exempted", ", ".join(miss.exempted)
        if miss.shadow:
            yield "in shadow", ", ".join(miss.shadow)
    if miss is not None and miss.given:
        yield "given", "; ".join(_assignment(name, value) for name, value in miss.given)
    if result.unanswered:
        yield "help", f"say what it answers: `given {result.unanswered[0]} = …` before the event"
    elif result.placeless:
        yield "help", "leave out `becomes`, or give it a text in which the check finds something"


def _why(result: CaseResult) -> str:
    """Why a test is undecided."""
    if result.unanswered:
        return f"depends on {', '.join(f'`{name}`' for name in result.unanswered)}"
    if result.placeless:
        return f"nobody said where {', '.join(f'`{name}`' for name in result.placeless)} holds"
    return "there are too many ways it could turn out"


def _is_about_text(miss: Miss) -> bool:
    """Whether the verdict is the one expected, and only what it makes of the text is not."""
    expected = miss.expected
    wanted = {(name, expected.action) for name in expected.by}
    is_met = miss.action == expected.action and wanted <= set(miss.fired)
    return is_met and expected.becomes is not None


def _assignment(name: str, value: str) -> str:
    return f"{name} fails" if value == "fails" else f"{name} = {visible(value)}"


def _wanted(expected: Expected) -> str:
    by = f" by {', '.join(expected.by)}" if expected.by else ""
    return f"{expected.action}{by}"


def _came(miss: Miss | None) -> str:
    if miss is None:
        return ""
    own = [name for name, verb in miss.fired if verb == miss.action]
    others = [f"{name} would {verb}" for name, verb in miss.fired if verb != miss.action]
    by = f" by {', '.join(own)}" if own else ""
    return f"{miss.action}{by}" + (f" ({', '.join(others)})" if others else "")


def _quoted(text: str) -> str:
    shown = json.dumps(text, ensure_ascii=False)
    return visible(shown if len(shown) <= _LONGEST else shown[:_LONGEST] + "…")


# --- JSON


def json_text(suites: Sequence[Suite], wrong: Sequence[Diagnostic]) -> str:
    """One object with `tests`, `probes`, `diagnostics` and `summary`, in plain ASCII."""
    counts = Counter(result.status for suite in suites for result in suite.results)
    errors = [*wrong, *(d for s in suites if s.policy is None for d in s.diagnostics)]
    probes = [(s.path, probe) for s in suites if s.policy for probe in s.policy.probes]
    data = {
        "tests": [_json_test(suite.path, result) for suite in suites for result in suite.results],
        "probes": [{"path": path, "name": p.name, "status": _NOT_RUN} for path, p in probes],
        "diagnostics": [to_json(d) for d in errors],
        "summary": {
            "passed": counts["passed"],
            "failed": counts["failed"],
            "undecided": counts["undecided"],
            "files": len(suites),
            "broken": sum(suite.policy is None for suite in suites),
        },
    }
    return json.dumps(data, indent=2) + "\n"


def _json_test(path: str, result: CaseResult) -> dict[str, object]:
    miss = result.miss if result.status == "failed" else None
    return {
        "path": path,
        "name": result.name,
        "status": result.status,
        "line": _line(result.place),
        "unanswered": list(result.unanswered),
        "placeless": list(result.placeless),
        "miss": None
        if miss is None
        else {
            "line": _line(miss.expected.place),
            "expected": {
                "action": miss.expected.action,
                "by": list(miss.expected.by),
                "becomes": miss.expected.becomes,
            },
            "actual": {
                "action": miss.action,
                "fired": [name for name, _ in miss.fired],
                "text": miss.text,
            },
            "exempted": list(miss.exempted),
            "shadow": list(miss.shadow),
            "given": dict(miss.given),
        },
    }


def _line(place: Place | None) -> int | None:
    return None if place is None else place.start.line


# --- JUnit


def junit_text(suites: Sequence[Suite]) -> str:
    """A suite per file. Failed tests fail, undecided ones and broken files are errors."""
    rows = ['<?xml version="1.0" encoding="UTF-8"?>']
    inner = [row for suite in suites for row in _junit_suite(suite)]
    counts = Counter(result.status for suite in suites for result in suite.results)
    broken = sum(suite.policy is None for suite in suites)
    probes = sum(len(suite.policy.probes) for suite in suites if suite.policy)
    total = sum(counts.values()) + broken + probes
    rows.append(
        f'<testsuites name="guardkit" tests="{total}" failures="{counts["failed"]}"'
        f' errors="{counts["undecided"] + broken}" skipped="{probes}">'
    )
    return "\n".join([*rows, *inner, "</testsuites>", ""])


def _junit_suite(suite: Suite) -> list[str]:
    counts = Counter(result.status for result in suite.results)
    probes = suite.policy.probes if suite.policy else ()
    broken = suite.policy is None
    name = _attribute(suite.path)
    rows = [
        f'  <testsuite name="{name}" tests="{len(suite.results) + len(probes) + broken}"'
        f' failures="{counts["failed"]}" errors="{counts["undecided"] + broken}"'
        f' skipped="{len(probes)}" time="0">'
    ]
    if broken:
        errors = [d for d in suite.diagnostics if d.is_error]
        told = escape(render(errors, "concise"))
        rows += _junit_case(name, "compiles", "", ("error", "does not compile", told))
    for result in suite.results:
        line = _line(result.place)
        rows += _junit_case(name, result.name, f' line="{line}"' if line else "", _ending(result))
    for probe in probes:
        rows += _junit_case(name, f"probe {probe.name}", "", ("skipped", _NOT_RUN, ""))
    return [*rows, "  </testsuite>"]


def _ending(result: CaseResult) -> tuple[str, str, str] | None:
    if result.status == "passed":
        return None
    told = escape("\n".join(f"{name}: {text}" for name, text in _details(result)))
    if result.status == "undecided":
        return "error", f"undecided: {_why(result)}", told
    miss = result.miss
    what = "failed"
    if miss is not None and _is_about_text(miss):
        what = "became another text"
    elif miss is not None:
        what = f"expected {_wanted(miss.expected)}, came to {_came(miss)}"
    return "failure", what, told


def _junit_case(
    suite: str, name: str, extra: str, ending: tuple[str, str, str] | None
) -> list[str]:
    start = f'    <testcase classname="{suite}" name="{_attribute(name)}"{extra} time="0"'
    if ending is None:
        return [f"{start}/>"]
    tag, message, told = ending
    inner = f'<{tag} message="{_attribute(message)}"'
    closed = f"      {inner}>{told}</{tag}>" if told else f"      {inner}/>"
    return [f"{start}>", closed, "    </testcase>"]


def _attribute(text: str) -> str:
    return escape(visible(text), quote=True)
