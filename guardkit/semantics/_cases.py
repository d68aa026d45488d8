"""`test`, `probe` and `monitor`: what a policy says about its own behaviour."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TypeGuard

from guardkit.diagnostics import Label, did_you_mean
from guardkit.syntax import ast
from guardkit.types import ACTIONS, Action, Surface

from ._checks import read_file
from ._clauses import Clauses
from ._conditions import listed, resolve
from ._event_fields import Setting
from ._policy import (
    Check,
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
from ._rules import read_targets
from ._scope import Scope
from ._state import find_rule
from ._tools import all_tools, find_tool
from ._values import plain_literal

OUTCOMES = ("stopped", "passed", *ACTIONS)
MAX_CASES = 10_000
MIN_ALARM_MS = 1_000
MAX_ALARM_MS = 30 * 86_400_000


def read_test(scope: Scope, node: ast.Test, rules: dict[str, Rule]) -> Iterator[TestCase]:
    """The cases of a test, its loop variable already put in."""
    title = str(node.title.value)
    place = scope.place(node.title)
    if not any(isinstance(step, ast.Expect) for step in node.steps):
        scope.error(
            "test-without-expect",
            node.title,
            "the test expects nothing",
            help="say what has to come out, such as `expect pass` or `expect block by RULE`",
        )
        return
    values: list[Plain | None] = [None]
    if node.variable is not None and node.cases is not None:
        values = list(_loop(scope, node.cases))
    for value in values:
        steps = _steps(scope, node, value, rules)
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
        if value is None:
            return  # its own value was wrong
    elif isinstance(cases, ast.Ref):
        if not scope.is_broken(cases):
            _unknown_name(scope, cases, scope.params)
        return
    items = cases.items if isinstance(cases, ast.ListOf) else ()
    if not items or len(items) > MAX_CASES:
        scope.error(
            "type-mismatch",
            cases,
            "`for each` takes a list of values",
            help="write `[…]`, or the name of a list parameter",
        )
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
    is_after_event = False
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
            case ast.Expect() if is_after_event and happened is None:
                made = None  # the event itself was wrong
            case ast.Expect():
                made = _expect(scope, step, happened, rules)
        if isinstance(step, ast.Said | ast.Called | ast.Returned):
            is_after_event = True
            happened = made if isinstance(made, Happened) else None
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
        shown = f"{plain:g}" if isinstance(plain, float) else f"{plain}"
        scope.error(
            "type-mismatch",
            node,
            f"an event is a text, and `{shown}` is none",
            help=f'write `"{shown}"`' if isinstance(node, ast.Literal) else (),
        )
        return None
    return plain


def _value(
    scope: Scope, node: ast.Value, variable: str | None, value: Plain | None
) -> Plain | None:
    if isinstance(node, ast.Literal):
        return plain_literal(scope, node)
    if isinstance(node, ast.Ref):
        if node.dotted == variable:
            return value
        if node.dotted in scope.params:
            scope.use("param", node.dotted)
            return scope.params[node.dotted].value
        if not scope.is_broken(node):
            _unknown_name(scope, node, [*scope.params, *([variable] if variable else [])])
        return None
    scope.error("type-mismatch", node, "a plain value stands here")
    return None


def _unknown_name(scope: Scope, node: ast.Ref, known: Iterable[str]) -> None:
    scope.error(
        "unknown-name",
        node,
        f"`{node.dotted}` stands for nothing here",
        help=did_you_mean(node.dotted, known)
        or f'write a text in double quotes, or declare `param {node.parts[0]}: text = "…"`',
    )


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
                help=f"remove the line to have `{ref.dotted}` absent",
            )
            return None
        plain = _value(scope, step.value, variable, loop)
        return None if plain is None else GivenContext(ref.parts[1:], plain)
    used = set(scope.used)
    check = scope.find_check(ref)
    scope.used = used  # a test alone makes no use of a check: its answer has to matter to a rule
    if check is None:
        if not scope.is_broken(ref):
            scope.error(
                "unknown-check",
                ref,
                f"no check is called `{ref.dotted}`",
                help=did_you_mean(ref.dotted, scope.check_names())
                or "`given` answers for a check, or sets a field of `context`",
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
            help=_given_help(ref, check, plain),
        )
        return None
    return GivenAnswer(check.name, plain)


def _given_help(ref: ast.Ref, check: Check, plain: Plain) -> tuple[str, ...]:
    if check.answers == "label" and check.labels:
        near = did_you_mean(str(plain), check.labels)
        return near or ("labels are " + ", ".join(f"`{label}`" for label in check.labels),)
    example = {"answer": "yes", "score": "0.90", "number": "3", "label": '"…"'}[check.answers]
    return (f"write `given {ref.dotted} = {example}`, or `given {ref.dotted} fails`",)


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
            help="leave out `becomes …`",
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
    if rule.mode != "enforce":
        scope.error(
            "expect-impossible",
            ref,
            f"`{rule.name}` is {'in shadow' if rule.mode == 'shadow' else 'retired'}, "
            "so it decides nothing",
            labels=label,
            help="enforce the rule, or leave it out here",
        )
        return False
    if action not in (rule.action.verb, rule.on_error):
        unsure = (
            f", or with `{rule.on_error}` when a check cannot tell"
            if rule.on_error not in (rule.action.verb, "pass")
            else ""
        )
        scope.error(
            "expect-impossible",
            step.verb,
            f"`{rule.name}` never answers with `{action}`",
            labels=label,
            help=f"it answers with `{rule.action.verb}`{unsure}",
        )
        return False
    if rule.surfaces != ("conversation",) and not rule.judges(event.surface, event.tool):
        if rule.action.for_session:
            return True
        scope.error(
            "expect-impossible",
            ref,
            f"`{rule.name}` does not judge {_shown(event)}",
            labels=label,
            help="it judges " + ", ".join(_judged(rule)),
        )
        return False
    return True


def _shown(event: Happened) -> str:
    return f"`{event.surface}`" + (f" of `{event.tool}`" if event.tool else "")


def _judged(rule: Rule) -> list[str]:
    return [f"`{on.surface}`" + (f" of {listed(on.tools)}" if on.tools else "") for on in rule.on]


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
        if len(on) != 1 or on[0].tools or on[0].surface in ("conversation", "tool_call"):
            scope.error(
                "wrong-surface",
                target,
                "a probe sends texts to one surface",
                help="write `on input`, `on retrieved`, `on tool_result` or `on output`",
            )
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
    confidence = None
    if rate.confidence is not None:
        confidence = float(rate.confidence.value)
        if not 0.5 <= confidence < 1:
            scope.error("out-of-range", rate.confidence, "confidence lies between 50% and 100%")
    share = float(rate.rate.value)
    if share > 1:
        scope.error("out-of-range", rate.rate, "a rate is at most 100%")
    elif share == (0 if rate.bound == "least" else 1):
        scope.error(
            "out-of-range",
            rate.rate,
            f"every run stays at {rate.bound} {rate.rate.raw}, so this expects nothing",
            help="write the rate that the policy has to keep",
        )
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
                help=did_you_mean(name.text, scope.catalog.disguises)
                or "disguises are " + listed(sorted(scope.catalog.disguises)),
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
        if rules[rule].mode == "retired":
            scope.error(
                "retired-reference",
                watch.condition,
                f"`{rule}` is retired and never fires",
                help="watch a rule that is enforced, or remove the monitor",
            )
        if surface and not rules[rule].judges(surface):
            scope.error(
                "wrong-surface",
                watch.surface or watch,
                f"`{rule}` does not judge `{surface}`",
                help="it judges " + ", ".join(_judged(rules[rule])),
            )
            return None
    elif _is_unknown(watch.condition, scope):
        scope.error(
            "unknown-name",
            watch.condition,
            f"`{watch.condition.dotted}` is neither a rule nor a check",
            help=did_you_mean(
                watch.condition.dotted, [*rules, *scope.rule_blocks, *scope.check_names()]
            )
            or "watch a rule by its name, or write a condition",
        )
        return None
    else:
        on = (On(surface),) if surface else (On("input"), On("output"))
        condition = resolve(
            scope, watch.condition, Setting(on, "a monitor", all_tools(scope)), gated=True
        )
        if condition is None:
            return None
    share = float(alarm.rate.value)
    if share > 1:
        scope.error("out-of-range", alarm.rate, "a rate is at most 100%")
        return None
    if share == (1 if alarm.direction == "above" else 0):
        scope.error(
            "out-of-range",
            alarm.rate,
            f"no rate is {alarm.direction} {alarm.rate.raw}, so the alarm never rings",
            help="write the rate at which somebody should look",
        )
        return None
    if not MIN_ALARM_MS <= int(alarm.over.value) <= MAX_ALARM_MS:
        scope.error("out-of-range", alarm.over, "an alarm looks over 1 second to 30 days")
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


def _is_unknown(node: ast.Held, scope: Scope) -> TypeGuard[ast.Ref]:
    """Whether a monitor watches a bare name that stands for nothing at all."""
    if not isinstance(node, ast.Ref) or scope.is_broken(node):
        return False
    if node.parts[0] in ("context", "call", "true", "false"):
        return False
    known = {*scope.params, *scope.windows, *scope.check_names(), *scope.rule_blocks}
    return node.dotted not in known
