"""Lint: nothing here is wrong, all of it is usually a mistake."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import reduce
from operator import and_, or_
from typing import Literal

from guardkit.diagnostics import Diagnostic, Label, Place, Span, diagnose
from guardkit.syntax import ast
from guardkit.types import STRENGTH, Truth

from ._policy import (
    And,
    Asked,
    AtLeast,
    CascadeCond,
    Check,
    CheckedPolicy,
    Cond,
    Expected,
    FieldTest,
    Not,
    Or,
    Rule,
    atoms_of,
    members_of,
)
from ._rules import DEFAULT_TIERS
from ._scope import Scope

MAX_SAY_CHARS = 600

_TRAINED = re.compile(
    r"\b(?:be|remain|stay) (?:helpful|polite|honest|harmless|respectful|professional|friendly|nice)"
    r"|\b(?:avoid|do not cause|don't cause|never cause|do no) harm"
    r"|\byou are a helpful (?:ai )?assistant"
    r"|\b(?:do not|don't|never) (?:lie|be rude|be offensive|help with illegal)"
    r"|\banswer (?:truthfully|accurately|honestly)",
    re.IGNORECASE,
)
# Only the prefixes of live credentials; test and example values are left alone.
_SECRET = re.compile(
    r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,}|sk-[A-Za-z0-9_-]{32,}|xox[abprs]-[\w-]{20,}"
    r"|AIza[\w-]{35}|sk_live_[A-Za-z0-9]{20,})\b|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)


def lint(scope: Scope, policy: CheckedPolicy) -> Iterator[Diagnostic]:
    """Everything worth a second look in a policy that compiles."""
    yield from _unused(scope, policy)
    yield from _owners(scope, policy)
    yield from _tiers(scope, policy)
    yield from _rules(policy)
    yield from _exemptions(policy)
    yield from _windows(policy)
    yield from _tests(scope, policy)
    yield from _context(scope)
    yield from _canary(policy)
    yield from _duplicates(policy)
    yield from _recipients(scope, policy)
    yield from _secrets(scope)


def _unused(scope: Scope, policy: CheckedPolicy) -> Iterator[Diagnostic]:
    used = scope.used
    if not scope.is_module:
        for name, check in scope.checks.items():
            if ("check", name) not in used:
                yield diagnose("unused-check", check.place, f"no rule uses the check `{name}`")
        for name, principle in scope.principles.items():
            if ("principle", name) not in used and principle.place is not None:
                yield diagnose(
                    "unused-declaration",
                    principle.place,
                    f"nothing uses the principle `{name}`",
                    help="say it in `context`, or revise by it",
                )
    for name, param in scope.params.items():
        if ("param", name) not in used:
            yield diagnose("unused-parameter", param.place, f"nothing uses the parameter `{name}`")
    for node in scope.file.declarations:
        if isinstance(node, ast.UseModule | ast.UseTools):
            kind = "module" if isinstance(node, ast.UseModule) else "tools"
            if (kind, node.alias.text) not in used:
                what = "module" if kind == "module" else "tool listing"
                yield diagnose(
                    "unused-module",
                    scope.place(node.alias),
                    f"nothing uses the {what} `{node.alias.text}`",
                    help=_use_it(scope, node.alias.text),
                )
    kinds: tuple[Literal["window", "sequence"], ...] = ("window", "sequence")
    for kind in kinds:
        blocks = scope.windows if kind == "window" else scope.sequences
        for name, block in blocks.items():
            if (kind, name) not in used and block.name is not None:
                yield diagnose(
                    "unused-declaration",
                    scope.place(block.name),
                    f"no rule asks the {kind} `{name}`",
                )


def _use_it(scope: Scope, alias: str) -> str:
    module = scope.modules.get(alias)
    rule = next(iter(module.rule_blocks), None) if module else None
    return f"its rules act through `apply {alias}.{rule}`" if rule else "remove the line"


def _owners(scope: Scope, policy: CheckedPolicy) -> Iterator[Diagnostic]:
    header = next(d for d in scope.file.declarations if isinstance(d, ast.Header))
    if policy.kind == "policy" and not policy.owner:
        yield diagnose(
            "missing-owner",
            scope.place(header.name),
            f"nobody owns `{policy.name}`",
            help='add `owner "team@example.com"`: somebody has to answer for a refusal',
        )


def _tiers(scope: Scope, policy: CheckedPolicy) -> Iterator[Diagnostic]:
    usual = {tier.name: tier.on_error for tier in DEFAULT_TIERS}
    now = {tier.name: tier.on_error for tier in policy.tiers}
    for node in scope.file.declarations:
        if not isinstance(node, ast.Tier) or node.on_error is None:
            continue
        name = node.name.text
        if name in usual and STRENGTH[now[name]] < STRENGTH[usual[name]]:
            yield diagnose(
                "tier-loosened",
                scope.place(node.on_error),
                f"`{name}` usually answers an error with `{usual[name]}`; "
                f"here a check that fails comes to `{now[name]}`",
                help="leave it out, or tighten the rules that need it with their own `on_error`",
            )


def _rules(policy: CheckedPolicy) -> Iterator[Diagnostic]:
    for rule in policy.rules:
        if rule.action.verb == "block" and not rule.action.text and rule.name_place is not None:
            yield diagnose(
                "silent-block",
                rule.name_place,
                f"`{rule.name}` blocks without a word to the user",
                help=f'add a message: `apply {rule.name} (message: "…")`'
                if "." in rule.name
                else 'add a message: `then block "…"`',
            )
        yield from _open_fallback(rule)
        yield from _rewrite_may_miss(policy, rule)
        yield from _repeated(rule.condition)


def _open_fallback(rule: Rule) -> Iterator[Diagnostic]:
    action, otherwise = rule.action, rule.action.otherwise
    if otherwise is None or otherwise.verb not in ("pass", "flag") or rule.name_place is None:
        return
    when = "nobody decides in time" if action.verb == "hold" else "no revision is good enough"
    yield diagnose(
        "open-fallback",
        rule.name_place,
        f"when {when}, `{rule.name}` lets the text out as it is",
        help="write `else block` or `else rewrite …`",
    )


def _windows(policy: CheckedPolicy) -> Iterator[Diagnostic]:
    enforced = {rule.name for rule in policy.rules if rule.mode == "enforce"}
    shadowed = {rule.name for rule in policy.rules if rule.mode == "shadow"}
    for window in policy.windows:
        if window.place is None or enforced & set(window.counts):
            continue
        if shadowed & set(window.counts):
            yield diagnose(
                "dead-rule",
                window.place,
                f"`{window.name}` stays at 0: no rule it counts is enforced",
                help="rules in shadow are not counted; count one that is enforced",
            )


def _rewrite_may_miss(policy: CheckedPolicy, rule: Rule) -> Iterator[Diagnostic]:
    action = rule.action
    if action.verb != "rewrite" or action.whole or rule.name_place is None:
        return
    finders = {check.name for check in policy.checks if check.spans}
    if not _finds_something(rule.condition, finders):
        yield diagnose(
            "rewrite-may-miss",
            rule.name_place,
            f"`{rule.name}` can fire with nothing to rewrite, and the text goes out as it is",
            labels=()
            if rule.condition.place is None
            else (Label(rule.condition.place, "yes without a check that finds places"),),
            help="join that part with `and`, or give it a rule of its own that blocks "
            "or says `rewrite all as`",
        )


def _finds_something(condition: Cond, finders: set[str]) -> bool:
    """Whether every way to say yes includes a check that finds places."""
    match condition:
        case Asked(check):
            return check in finders
        case And(members):
            return any(_finds_something(member, finders) for member in members)
        case Or(members):
            return all(_finds_something(member, finders) for member in members)
        case AtLeast(count, members):
            return sum(not _finds_something(m, finders) for m in members) < count
        case CascadeCond(steps, otherwise):
            deciding = [step.condition for step in steps if step.answer]
            return not otherwise and all(_finds_something(one, finders) for one in deciding)
        case _:
            return False


def _exemptions(policy: CheckedPolicy) -> Iterator[Diagnostic]:
    for exemption in policy.exemptions:
        condition = exemption.condition
        if condition is None or exemption.place is None or not _holds_without_fields(condition):
            continue
        yield diagnose(
            "absent-exempts",
            exemption.place,
            f"`{exemption.rule}` is lifted whenever the context says nothing",
            help="name the case that is exempt: compare with `==` or `in`",
        )


def _holds_without_fields(condition: Cond) -> bool:
    return _without_fields(condition) is Truth.YES


def _without_fields(condition: Cond) -> Truth:
    """What a condition comes to where every field it asks for is absent."""
    match condition:
        case And(members):
            return reduce(and_, map(_without_fields, members))
        case Or(members):
            return reduce(or_, map(_without_fields, members))
        case Not(inner):
            return ~_without_fields(inner)
        case AtLeast(count, members):
            truths = [_without_fields(member) for member in members]
            if truths.count(Truth.YES) >= count:
                return Truth.YES
            return Truth.NO if len(truths) - truths.count(Truth.NO) < count else Truth.UNKNOWN
        case CascadeCond(steps, otherwise):
            result = Truth.YES if otherwise else Truth.NO
            for step in reversed(steps):
                truth = _without_fields(step.condition)
                result = truth | result if step.answer else ~truth & result
            return result
        case FieldTest(op=op):
            return {"==": Truth.NO, "in": Truth.NO, "!=": Truth.YES, "not in": Truth.YES}.get(
                op, Truth.UNKNOWN
            )
        case _:
            return Truth.UNKNOWN


def _repeated(condition: Cond) -> Iterator[Diagnostic]:
    members = members_of(condition)
    if isinstance(condition, And | Or | AtLeast):
        seen: dict[Cond, Cond] = {}
        for member in members:
            first = seen.setdefault(member, member)
            if first is not member and member.place is not None and first.place is not None:
                yield diagnose(
                    "repeated-member",
                    member.place,
                    "the same condition stands here twice",
                    labels=(Label(first.place, "it stands here first"),),
                )
    for member in members:
        yield from _repeated(member)


def _tests(scope: Scope, policy: CheckedPolicy) -> Iterator[Diagnostic]:
    titles: dict[str, ast.Test] = {}
    for node in scope.file.declarations:
        if isinstance(node, ast.Test):
            first = titles.setdefault(str(node.title.value), node)
            if first is not node:
                yield diagnose(
                    "duplicate-test",
                    scope.place(node.title),
                    "two tests have this name",
                    labels=(Label(scope.place(first.title), "the first one"),),
                )
    expected = {
        name
        for case in policy.tests
        for step in case.steps
        if isinstance(step, Expected)
        for name in step.by
    }
    if not policy.tests:
        return  # a policy without tests hears of it from `guardkit test`
    for rule in policy.rules:
        place = rule.name_place
        if place is None or place.source is not scope.source:
            continue  # a pack has tests of its own, which ran before it came here
        if rule.name not in expected and rule.mode == "enforce":
            yield diagnose(
                "untested-rule",
                place,
                f"no test expects `{rule.name}`",
                help=f"add a test with `expect {rule.action.verb} by {rule.name}`",
            )


def _context(scope: Scope) -> Iterator[Diagnostic]:
    for value in _said(scope):
        for match in _TRAINED.finditer(value.raw):
            start = value.span.start
            yield diagnose(
                "trained-behaviour",
                scope.place(Span(start + match.start(), start + match.end())),
                "trained models do this anyway, so it costs tokens and changes nothing",
                help="say only what is special about this deployment",
            )
        text = str(value.value)
        if len(text) > MAX_SAY_CHARS:
            yield diagnose(
                "long-instruction",
                scope.place(value),
                f"{len(text):,} characters are said before every request "
                f"(about {len(text) // 4:,} tokens)",
                help="keep what must hold for every request, and give the rest as documents",
            )


def _said(scope: Scope) -> Iterator[ast.Literal]:
    """Every text of this file that goes into the system prompt."""
    said: set[str] = set()
    for block in scope.file.declarations:
        if not (isinstance(block, ast.Block) and block.kind == "context"):
            continue
        for clause in block.clauses:
            value = clause.values[0] if clause.values else None
            if isinstance(value, ast.Literal):
                yield value
            elif isinstance(value, ast.Ref):
                said.add(value.dotted)
    for block in scope.file.declarations:
        if not (isinstance(block, ast.Block) and block.kind == "principle"):
            continue
        if not isinstance(block.name, ast.Name) or block.name.text not in said:
            continue
        for clause in block.clauses:
            value = clause.values[0] if clause.values else None
            if clause.word == "text" and isinstance(value, ast.Literal):
                yield value


def _canary(policy: CheckedPolicy) -> Iterator[Diagnostic]:
    if policy.context.canary or policy.kind == "module":
        return
    used = {
        atom.check
        for rule in policy.rules
        for atom in atoms_of(rule.condition)
        if isinstance(atom, Asked)
    }
    for check in policy.checks:
        if check.kind == "canary" and check.name in used:
            yield diagnose(
                "canary-without-context",
                check.place,
                f"`{check.name}` looks for a canary that nothing puts into the system prompt",
                help="add `context { canary }`",
            )


def _duplicates(policy: CheckedPolicy) -> Iterator[Diagnostic]:
    first_of: dict[object, Check] = {}
    for check in policy.checks:
        first = first_of.setdefault((check.kind, check.config), check)
        if first is not check and first.place.source == check.place.source:
            yield diagnose(
                "duplicate-check",
                check.place,
                f"`{check.name}` is the same check as `{first.name}`",
                labels=(Label(first.place, "the first one"),),
                help="they run once; one name is enough",
            )


def _recipients(scope: Scope, policy: CheckedPolicy) -> Iterator[Diagnostic]:
    users: dict[str, list[Rule]] = {}
    for rule in policy.rules:
        for atom in atoms_of(rule.condition):
            if isinstance(atom, Asked):
                users.setdefault(atom.check, []).append(rule)
    for check in scope.checks.values():
        rules = users.get(check.name, [])
        if check.kind != "pattern" or not rules:
            continue
        if any(rule.surfaces != ("tool_call",) for rule in rules):
            continue
        sources = [match[0] for match in _tuples(check.get("match"))]
        if any("@" in str(source) for source in sources):
            yield diagnose(
                "email-as-pattern",
                check.place,
                "recipients are compared by a pattern",
                help="a pattern misses what it does not spell out: "
                "compare `call.to.domain not in […]`",
            )


def _tuples(value: object) -> Iterable[tuple[object, ...]]:
    return [item for item in value if isinstance(item, tuple)] if isinstance(value, tuple) else []


def _secrets(scope: Scope) -> Iterator[Diagnostic]:
    for match in _SECRET.finditer(scope.source.text):
        yield diagnose(
            "secret-in-policy",
            Place(scope.source, Span(*match.span())),
            "this looks like a live credential, and a policy file is read by many",
            help="remove it and have it replaced: it has been in this file",
        )
