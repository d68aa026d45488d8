"""`test`, `probe` and `monitor`: what a policy says about its own behaviour."""

from __future__ import annotations

import json
from collections.abc import Iterator

from guardkit.diagnostics import Label, did_you_mean
from guardkit.syntax import ast
from guardkit.types import ACTIONS, Action, Surface

from ._checks import read_file
from ._conditions import resolve
from ._event_fields import Setting
from ._policy import (
    Expected,
    GivenAnswer,
    GivenContext,
    Happened,
    Monitor,
    On,
    Plain,
    Probe,
    Rule,
    TestCase,
    TestStep,
)
from ._rules import Clauses, read_targets
from ._scope import Scope
from ._state import find_rule
from ._tools import all_tools, find_tool

OUTCOMES = ("stopped", "passed", *ACTIONS)
MAX_CASES = 10_000


def read_test(scope: Scope, node: ast.Test, rules: dict[str, Rule]) -> Iterator[TestCase]:
    """The cases of a test, its loop variable already put in."""
    title = str(node.title.value)
    place = scope.place(node.title)
    if not any(isinstance(step, ast.Expect) for step in node.steps):
        scope.error("test-without-expect", node.title, "the test expects nothing")
        return
    values: list[Plain | None] = [None]
    if node.variable is not None and node.cases is not None:
        values = list(_loop(scope, node.cases))
    for number, value in enumerate(values):
        quiet = number > 0  # every case reads the same text: report its mistakes once
        before = len(scope.report)
        steps = _steps(scope, node, value, rules)
        if quiet:
            del scope.report[before:]
        if steps is None:
            return
        case = "" if node.variable is None else str(value)
        yield TestCase(title, case, steps, place)


def _loop(scope: Scope, cases: ast.Value) -> Iterator[Plain]:
    if isinstance(cases, ast.Ref) and cases.dotted in scope.params:
        scope.use("param", cases.dotted)
        value = scope.params[cases.dotted].value
        if isinstance(value, tuple):
            yield from value
            return
    items = cases.items if isinstance(cases, ast.ListOf) else ()
    if not items or len(items) > MAX_CASES:
        scope.error("type-mismatch", cases, "`for each` takes a list of values")
        return
    for item in items:
        if isinstance(item, ast.Literal):
            yield item.value
        else:
            scope.error("type-mismatch", item, "a case is a plain value")


def _steps(
    scope: Scope, node: ast.Test, value: Plain | None, rules: dict[str, Rule]
) -> tuple[TestStep, ...] | None:
    found: list[TestStep] = []
    happened: Happened | None = None
    variable = node.variable.text if node.variable else None
    ok = True
    for step in node.steps:
        made: TestStep | None
        match step:
            case ast.Given():
                made = _given(scope, step, variable, value)
            case ast.Said():
                text = _text(scope, step.text, variable, value)
                surface: Surface = step.surface  # type: ignore[assignment]  # grammar
                made = None if text is None else Happened(surface, text, place=scope.place(step))
            case ast.Called():
                tool = find_tool(scope, step.tool)
                arguments = _arguments(scope, step, tool, variable, value)
                made = (
                    Happened("tool_call", "", tool, arguments, scope.place(step))
                    if tool and arguments is not None
                    else None
                )
            case ast.Returned():
                tool = find_tool(scope, step.tool)
                text = _text(scope, step.text, variable, value)
                made = (
                    Happened("tool_result", text, tool, None, scope.place(step))
                    if tool and text is not None
                    else None
                )
            case ast.Expect():
                made = _expect(scope, step, happened, rules)
        if isinstance(made, Happened):
            happened = made
        if made is None:
            ok = False
        else:
            found.append(made)
    return tuple(found) if ok else None


def _text(scope: Scope, node: ast.Value, variable: str | None, value: Plain | None) -> str | None:
    plain = _value(scope, node, variable, value)
    if plain is None:
        return None
    if not isinstance(plain, str):
        scope.error("type-mismatch", node, "an event is a text")
        return None
    return plain


def _value(
    scope: Scope, node: ast.Value, variable: str | None, value: Plain | None
) -> Plain | None:
    if isinstance(node, ast.Literal):
        return node.value
    if isinstance(node, ast.Ref):
        if node.dotted == variable:
            return value
        if node.dotted in scope.params:
            scope.use("param", node.dotted)
            return scope.params[node.dotted].value
        known = [*scope.params, *([variable] if variable else [])]
        scope.error(
            "unknown-name",
            node,
            f"`{node.dotted}` stands for nothing here",
            help=did_you_mean(node.dotted, known) or "a text stands in double quotes",
        )
        return None
    scope.error("type-mismatch", node, "a plain value stands here")
    return None


def _given(
    scope: Scope, step: ast.Given, variable: str | None, loop: Plain | None
) -> TestStep | None:
    ref = step.subject
    if ref.parts[0] == "context" and len(ref.parts) > 1:
        if step.value is None:
            scope.error(
                "given-type",
                step,
                "a field of the context cannot fail",
                help="leave it out: it is absent then",
            )
            return None
        plain = _value(scope, step.value, variable, loop)
        return None if plain is None else GivenContext(ref.parts[1:], plain)
    check = scope.find_check(ref)
    if check is None:
        if not scope.is_broken(ref):
            scope.error(
                "unknown-check",
                ref,
                f"no check is called `{ref.dotted}`",
                help=did_you_mean(ref.dotted, scope.check_names()),
            )
        return None
    if step.value is None:
        return GivenAnswer(check.name, None)
    plain = _value(scope, step.value, variable, loop)
    if plain is None:
        return None
    wants = {
        "answer": ("`yes` or `no`", isinstance(plain, bool)),
        "score": (
            "a score from 0 to 1",
            isinstance(plain, int | float) and not isinstance(plain, bool) and 0 <= plain <= 1,
        ),
        "number": ("a number", isinstance(plain, int | float) and not isinstance(plain, bool)),
        "label": (
            "one of its labels",
            isinstance(plain, str) and (not check.labels or plain in check.labels),
        ),
    }[check.answers]
    if not wants[1]:
        scope.error(
            "given-type",
            step.value,
            f"`{ref.dotted}` gives {wants[0]}",
            labels=(Label(check.place, f"a `{check.kind}` check"),),
        )
        return None
    return GivenAnswer(check.name, plain)


def _arguments(
    scope: Scope, step: ast.Called, tool: str | None, variable: str | None, loop: Plain | None
) -> str | None:
    known = {p[0] for p, _ in all_tools(scope)[tool].arguments} if tool else set()
    found: dict[str, object] = {}
    for argument in step.arguments:
        if tool and known and argument.label not in known:
            scope.error(
                "unknown-argument",
                argument.label_span,
                f"the tool `{tool}` has no argument `{argument.label}`",
                help=did_you_mean(argument.label, known),
            )
            return None
        value = _json(scope, argument.value, variable, loop)
        if value is _WRONG:
            return None
        found[argument.label] = value
    return json.dumps(found, sort_keys=True, ensure_ascii=False)


_WRONG = object()


def _json(scope: Scope, node: ast.Value, variable: str | None, loop: Plain | None) -> object:
    if isinstance(node, ast.ListOf):
        items = [_json(scope, item, variable, loop) for item in node.items]
        return _WRONG if _WRONG in items else items
    if isinstance(node, ast.Record):
        fields = {f.label: _json(scope, f.value, variable, loop) for f in node.fields}
        return _WRONG if _WRONG in fields.values() else fields
    plain = _value(scope, node, variable, loop)
    return _WRONG if plain is None else plain


def _expect(
    scope: Scope, step: ast.Expect, happened: Happened | None, rules: dict[str, Rule]
) -> Expected | None:
    if happened is None:
        scope.error(
            "expect-before-event",
            step,
            "nothing has happened yet",
            help='put an event first, such as `input "…"`',
        )
        return None
    action: Action = step.verb.text  # type: ignore[assignment]  # the grammar admits only verbs
    names: list[str] = []
    for ref in step.by:
        rule = find_rule(scope, ref, rules)
        if rule is None:
            return None
        if not _can(scope, step, ref, rule, action, happened):
            return None
        names.append(rule.name)
    becomes = str(step.becomes.value) if step.becomes else None
    if becomes is not None and action in ("pass", "flag"):
        scope.error(
            "expect-impossible",
            step.becomes or step,
            f"`{action}` leaves the text as it is, so it becomes nothing else",
        )
        return None
    return Expected(action, tuple(names), becomes, scope.place(step))


def _can(
    scope: Scope, step: ast.Expect, ref: ast.Ref, rule: Rule, action: Action, event: Happened
) -> bool:
    if action == "pass":
        scope.error(
            "expect-impossible", ref, "no rule makes an event pass", help="leave out `by …`"
        )
        return False
    label = () if rule.name_place is None else (Label(rule.name_place, "the rule"),)
    possible = {rule.action.verb, rule.on_error}
    if action not in possible and not rule.action.for_session:
        scope.error(
            "expect-impossible",
            step.verb,
            f"`{rule.name}` never answers with `{action}`",
            labels=label,
            help=f"it may `{rule.action.verb}`",
        )
        return False
    if rule.surfaces != ("conversation",) and not rule.judges(event.surface, event.tool):
        if rule.action.for_session:
            return True
        scope.error(
            "expect-impossible",
            ref,
            f"`{rule.name}` does not judge this event",
            labels=label,
            help="it judges " + ", ".join(f"`{surface}`" for surface in rule.surfaces),
        )
        return False
    return True


# --- probes and monitors


def read_probe(scope: Scope, block: ast.Block) -> Probe | None:
    name = block.name.text if isinstance(block.name, ast.Name) else ""
    clauses = Clauses(scope, block.clauses)
    anchor = block.name or block
    if not clauses.require(scope, anchor, f"the probe `{name}`", "cases", "expect"):
        return None
    before = len(scope.report)
    cases = clauses.literal("cases")
    data = read_file(scope, cases, "the case file") if cases else None
    on: tuple[On, ...] = (On("input"),)
    target = clauses.get("on")
    if target is not None:
        on = read_targets(scope, [t for t in target.values if isinstance(t, ast.Target)]) or on
        if len(on) != 1 or on[0].surface in ("conversation", "tool_call"):
            scope.error("wrong-surface", target, "a probe sends texts to one surface")
    disguises = _disguises(scope, clauses.get("disguise"))
    expected = clauses.get("expect")
    rate = expected.values[0] if expected else None
    if not isinstance(rate, ast.Rate):
        return None
    if rate.outcome.text not in OUTCOMES:
        scope.error(
            "unknown-choice",
            rate.outcome,
            f"`{rate.outcome.text}` is not an outcome",
            help=did_you_mean(rate.outcome.text, OUTCOMES)
            or "outcomes are " + ", ".join(f"`{outcome}`" for outcome in OUTCOMES),
        )
    confidence = 0.95
    if rate.confidence is not None:
        confidence = float(rate.confidence.value)
        if not 0.5 <= confidence < 1:
            scope.error("out-of-range", rate.confidence, "confidence lies between 50% and 100%")
    if float(rate.rate.value) > 1:
        scope.error("out-of-range", rate.rate, "a rate is at most 100%")
    if data is None or any(d.is_error for d in scope.report[before:]):
        return None
    seed = clauses.literal("seed")
    return Probe(
        name,
        data.name,
        disguises,
        on[0].surface,
        rate.outcome.text,
        rate.bound,
        float(rate.rate.value),
        confidence,
        int(seed.value) if seed else 0,
        scope.place(anchor),
    )


def _disguises(scope: Scope, clause: ast.Clause | None) -> tuple[str, ...]:
    found: list[str] = []
    for name in clause.values if clause else ():
        if not isinstance(name, ast.Name):
            continue
        if name.text not in scope.catalog.disguises:
            scope.error(
                "unknown-disguise",
                name,
                f"no disguise is called `{name.text}`",
                help=did_you_mean(name.text, scope.catalog.disguises),
            )
        found.append(name.text)
    return tuple(sorted(set(found)))


def read_monitor(scope: Scope, block: ast.Block, rules: dict[str, Rule]) -> Monitor | None:
    name = block.name.text if isinstance(block.name, ast.Name) else ""
    clauses = Clauses(scope, block.clauses)
    anchor = block.name or block
    if not clauses.require(scope, anchor, f"the monitor `{name}`", "watch", "alarm"):
        return None
    watch_clause, alarm_clause = clauses.get("watch"), clauses.get("alarm")
    watch = watch_clause.values[0] if watch_clause else None
    alarm = alarm_clause.values[0] if alarm_clause else None
    if not isinstance(watch, ast.Watch) or not isinstance(alarm, ast.Alarm):
        return None
    surface: Surface | None = watch.surface.text if watch.surface else None  # type: ignore[assignment]  # grammar
    rule = condition = None
    if isinstance(watch.condition, ast.Ref) and watch.condition.dotted in rules:
        rule = watch.condition.dotted
        if surface and not rules[rule].judges(surface):
            scope.error("wrong-surface", watch, f"`{rule}` does not judge `{surface}`")
            return None
    else:
        on = (On(surface),) if surface else (On("input"), On("output"))
        condition = resolve(
            scope, watch.condition, Setting(on, "a monitor", all_tools(scope)), gated=True
        )
        if condition is None:
            return None
    if float(alarm.rate.value) > 1:
        scope.error("out-of-range", alarm.rate, "a rate is at most 100%")
        return None
    return Monitor(
        name,
        condition,
        rule,
        surface,
        alarm.direction,
        float(alarm.rate.value),
        int(alarm.over.value),
        scope.place(anchor),
    )
