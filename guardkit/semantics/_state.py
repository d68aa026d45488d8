"""What stands around the rules: defaults, context, model, windows, sequences, exemptions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from guardkit._util.values import parse_date
from guardkit.diagnostics import Label, did_you_mean
from guardkit.syntax import ast
from guardkit.types import Surface

from ._clauses import Clauses
from ._conditions import resolve
from ._event_fields import Setting
from ._policy import (
    Budget,
    Context,
    Defaults,
    Exemption,
    Model,
    Principle,
    Rule,
    Sequence,
    SequenceEvent,
    Window,
)
from ._rules import find_principle, find_tier, read_refs, read_targets
from ._scope import Scope
from ._tools import all_tools
from ._values import plain_literal

MAX_TURNS = 1_000
MAX_HOLD_LIMIT = 1_000_000
MAX_TTL_MS = 30 * 86_400_000
MAX_BUDGET_MS = 600_000


def only_one(scope: Scope, kind: str) -> ast.Block | None:
    """The block a policy has once; reports any further one."""
    found = blocks(scope, kind)
    for extra in found[1:]:
        scope.error(
            "duplicate-declaration",
            extra.span._replace(end=extra.span.start + len(kind)),
            f"`{kind}` stands twice",
            labels=(
                Label(
                    scope.place(found[0].span._replace(end=found[0].span.start + len(kind))),
                    "the first one",
                ),
            ),
            help="put both into one block",
        )
    return found[0] if found else None


def blocks(scope: Scope, kind: str) -> list[ast.Block]:
    return [d for d in scope.file.declarations if isinstance(d, ast.Block) and d.kind == kind]


# --- defaults


def read_defaults(scope: Scope) -> Defaults:
    block = only_one(scope, "defaults")
    if block is None:
        return Defaults()
    clauses = Clauses(scope, block.clauses, repeated=("budget",))
    found = Defaults()
    budgets: dict[str, Budget] = {}
    for clause in block.clauses:
        if clause.word == "budget" and isinstance(clause.values[0], ast.Budget):
            found = _budget(scope, clause.values[0], budgets, found)
    found = replace(found, budgets=tuple(budgets[name] for name in sorted(budgets)))
    held = clauses.get("hold_back")
    if held is not None:
        value = held.values[0]
        chars = (
            None
            if isinstance(value, ast.Name)
            else _count(scope, value, "`hold_back`", 0, MAX_HOLD_LIMIT)
        )
        found = replace(found, hold_back=chars, hold_back_place=scope.place(held))
    limit = clauses.literal("hold_limit")
    if limit is not None:
        found = replace(found, hold_limit=_count(scope, limit, "`hold_limit`", 1, MAX_HOLD_LIMIT))
    if held is not None and (found.hold_back or 0) > found.hold_limit:
        scope.error(
            "out-of-range",
            held.values[0],
            f"`hold_back` is longer than the {found.hold_limit:,} characters of `hold_limit`",
            help="lower it, raise `hold_limit`, or hold whole replies: `hold_back all`",
        )
    ttl = clauses.literal("session_ttl")
    if ttl is not None:
        if not 1_000 <= int(ttl.value) <= MAX_TTL_MS:
            scope.error("out-of-range", ttl, "`session_ttl` takes 1 second to 30 days")
        found = replace(found, session_ttl_ms=int(ttl.value))
    unread = clauses.name("unread")
    if unread is not None:
        if unread.text not in ("block", "hold", "flag"):
            scope.error(
                "tier-may-not",
                unread,
                f"text that could not be read cannot `{unread.text}`",
                help="write `unread block`, `unread hold` or `unread flag`",
            )
        else:
            found = replace(found, unread=unread.text)  # type: ignore[arg-type]  # checked above
    return found


def _budget(
    scope: Scope, node: ast.Budget, budgets: dict[str, Budget], found: Defaults
) -> Defaults:
    what = node.what.text
    if what in budgets or (what == "refusals" and found.refusals is not None):
        first = budgets[what].place if what in budgets else None
        scope.error(
            "duplicate-clause",
            node,
            f"the budget of `{what}` is given twice",
            labels=() if first is None else (Label(first, "given here first"),),
        )
        return found
    if what == "refusals":
        if float(node.amount.value) > 1:
            scope.error("out-of-range", node.amount, "a share of refusals is at most 100%")
        return replace(found, refusals=float(node.amount.value))
    if not 1 <= int(node.amount.value) <= MAX_BUDGET_MS:
        scope.error("out-of-range", node.amount, "a budget takes 1 millisecond to 10 minutes")
    if node.per_chunk and what != "output":
        scope.error("wrong-surface", node, f"`{what}` does not arrive in chunks")
    surface: Surface = what  # type: ignore[assignment]  # the grammar admits only surfaces
    budgets[what] = Budget(surface, int(node.amount.value), node.per_chunk, scope.place(node))
    return found


def _count(scope: Scope, node: object, what: str, low: int, high: int) -> int:
    if not isinstance(node, ast.Literal):
        return low
    value = int(node.value)
    if not low <= value <= high:
        scope.error("out-of-range", node, f"{what} takes {low:,} to {high:,} characters")
    return value


# --- principles, context, model


def read_principle(scope: Scope, block: ast.Block) -> Principle | None:
    name = block.name.text if isinstance(block.name, ast.Name) else ""
    clauses = Clauses(scope, block.clauses)
    read_refs(scope, clauses)
    tier = find_tier(scope, clauses)
    anchor = block.name or block
    if not clauses.require(scope, anchor, f"the principle `{name}`", "tier", "text"):
        return None
    if tier is None:
        return None
    return Principle(
        scope.qualified(name),
        tier.name,
        clauses.text("text"),
        clauses.text("title"),
        scope.place(anchor),
    )


def read_context(scope: Scope) -> Context:
    block = only_one(scope, "context")
    if block is None:
        return Context()
    Clauses(scope, block.clauses, repeated=("say", "principle"))
    lines: list[str] = []
    canary = False
    texts = {p.name: p.text for p in scope.principles.values()}
    for module in scope.modules.values():
        texts.update({p.name: p.text for p in module.principles.values()})
    for clause in block.clauses:
        if clause.word == "canary":
            canary = True
        elif isinstance(clause.values[0], ast.Literal):
            lines.append(str(clause.values[0].value))
        elif isinstance(clause.values[0], ast.Ref):
            name = find_principle(scope, clause.values[0])
            if name is not None:
                lines.append(texts[name])
    return Context(tuple(lines), canary)


def read_model(scope: Scope) -> Model:
    block = only_one(scope, "model")
    if block is None:
        return Model()
    sides: dict[str, dict[str, ast.Ref]] = {"refuses": {}, "answers": {}}
    for clause in block.clauses:
        for ref in clause.values:
            if not isinstance(ref, ast.Ref):
                continue
            check = scope.find_check(ref)
            if check is None:
                if not scope.is_broken(ref):
                    scope.error(
                        "unknown-check",
                        ref,
                        f"no check is called `{ref.dotted}`",
                        help=did_you_mean(ref.dotted, scope.check_names())
                        or "a topic is named by the check that recognises it",
                    )
                continue
            if check.answers in ("label", "number"):
                scope.error(
                    "label-as-answer" if check.answers == "label" else "score-as-answer",
                    ref,
                    f"`{ref.dotted}` gives a {check.answers}, and a topic is a yes or a score",
                    labels=(Label(check.place, f"a `{check.kind}` check"),),
                    help="name a check that recognises the topic, such as a `similarity`",
                )
                continue
            sides[clause.word][check.name] = ref
    for name in sorted(set(sides["refuses"]) & set(sides["answers"])):
        scope.error(
            "model-contradiction",
            sides["answers"][name],
            f"`{name}` is refused and answered",
            labels=(Label(scope.place(sides["refuses"][name]), "refused here"),),
            help="name it on one side only",
        )
    return Model(tuple(sorted(sides["refuses"])), tuple(sorted(sides["answers"])))


# --- windows and sequences


def read_window(scope: Scope, block: ast.Block, rules: dict[str, Rule]) -> Window | None:
    name = block.name.text if isinstance(block.name, ast.Name) else ""
    clauses = Clauses(scope, block.clauses)
    anchor = block.name or block
    if not clauses.require(scope, anchor, f"the window `{name}`", "count", "last"):
        return None
    turns = _turns(scope, clauses.literal("last"), "last")
    counts: list[str] = []
    count = clauses.get("count")
    for ref in count.values if count else ():
        if isinstance(ref, ast.Ref):
            rule = find_rule(scope, ref, rules)
            if rule is None:
                continue
            if rule.surfaces == ("conversation",):
                scope.error(
                    "window-in-window",
                    ref,
                    f"`{rule.name}` is a conversation rule, and those are judged after windows",
                    help="count rules on other surfaces",
                )
                continue
            if rule.mode == "retired":
                scope.error(
                    "retired-reference",
                    ref,
                    f"`{rule.name}` is retired and never fires",
                    help="count a rule that is enforced, or remove it here",
                )
            counts.append(rule.name)
    if not counts:
        return None
    return Window(name, tuple(sorted(set(counts))), turns, scope.place(anchor))


def _turns(scope: Scope, node: ast.Literal | None, word: str) -> int:
    value = int(node.value) if node else 1
    if node and not 1 <= value <= MAX_TURNS:
        scope.error(
            "window-range",
            node,
            f"`{word} {value} turns` lies outside 1 to {MAX_TURNS:,} turns",
            help="the current turn counts as one"
            if value < 1
            else "every turn looked back on is kept for every session",
        )
        return 1
    return value


def find_rule(scope: Scope, ref: ast.Ref, rules: dict[str, Rule]) -> Rule | None:
    """An active rule by name, or None and a diagnostic (none when its own is wrong)."""
    rule = rules.get(ref.dotted)
    if rule is not None:
        return rule
    if ref.dotted in scope.broken or scope.is_broken(ref):
        return None
    module = scope.modules.get(ref.parts[0])
    if module is not None and ".".join(ref.parts[1:]) in module.rule_blocks:
        scope.error(
            "unknown-rule",
            ref,
            f"the library rule `{ref.dotted}` is not applied",
            help=f"add `apply {ref.dotted}`",
        )
        return None
    known = dict.fromkeys([*scope.rule_blocks, *rules])
    scope.error(
        "unknown-rule",
        ref,
        f"no rule is called `{ref.dotted}`",
        help=(f"`{ref.dotted}` is a check; name the rule that asks it",)
        if scope.find_check(ref) is not None
        else did_you_mean(ref.dotted, known)
        or ("rules here are " + _some(known) if known else "this policy has no rules"),
    )
    return None


def _some(names: Iterable[str]) -> str:
    found = [f"`{name}`" for name in names]
    return ", ".join(found[:8]) + (", …" if len(found) > 8 else "")


def read_sequence(scope: Scope, block: ast.Block) -> Sequence | None:
    name = block.name.text if isinstance(block.name, ast.Name) else ""
    clauses = Clauses(scope, block.clauses)
    anchor = block.name or block
    complete = clauses.require(scope, anchor, f"the sequence `{name}`", "first", "then", "within")
    turns = _turns(scope, clauses.literal("within"), "within")
    first = _event(scope, clauses.get("first"), name)
    then = _event(scope, clauses.get("then"), name)
    if not complete or first is None or then is None:
        return None
    return Sequence(name, first, then, turns, scope.place(anchor))


def _event(scope: Scope, clause: ast.Clause | None, name: str) -> SequenceEvent | None:
    event = clause.values[0] if clause else None
    if not isinstance(event, ast.Event):
        return None
    on = read_targets(scope, (event.target,))
    if not on:
        return None
    if on[0].surface == "conversation":
        scope.error(
            "wrong-surface", event, "a sequence is made of events, and `conversation` is none"
        )
        return None
    if event.where is None:
        return SequenceEvent(on[0], None)
    setting = Setting(on, f"the sequence `{name}`", all_tools(scope))
    if any(isinstance(node, ast.Seen) for node in _nested(event.where)):
        scope.error("wrong-surface", event.where, "a sequence cannot ask a sequence")
        return None
    where = resolve(scope, event.where, setting)
    return SequenceEvent(on[0], where) if where else None


def _nested(node: object) -> Iterable[object]:
    """Every condition inside a condition, itself included."""
    yield node
    match node:
        case ast.AllOf(members=m) | ast.AnyOf(members=m) | ast.Quorum(members=m):
            for member in m:
                yield from _nested(member)
        case ast.Negation(inner=inner):
            yield from _nested(inner)
        case ast.Cascade(steps=steps):
            for step in steps:
                yield from _nested(step.condition)


# --- exemptions


def read_exemption(scope: Scope, block: ast.Block, rules: dict[str, Rule]) -> Exemption | None:
    if not isinstance(block.name, ast.Ref):
        return None
    clauses = Clauses(scope, block.clauses)
    complete = clauses.require(
        scope,
        block.name,
        f"the exemption of `{block.name.dotted}`",
        "tier",
        "owner",
        "reason",
        "until",
    )
    read_refs(scope, clauses)
    rule = find_rule(scope, block.name, rules)
    tier = find_tier(scope, clauses)
    until = _until(scope, clauses)
    condition = None
    when = clauses.get("when")
    if when is not None and rule is not None:
        setting = Setting(rule.on, "an exemption", all_tools(scope), fields_only=True)
        condition = resolve(scope, when.values[0], setting)  # type: ignore[arg-type]  # grammar
        if condition is None:
            return None
    if not complete or rule is None or tier is None or until is None:
        return None
    ranks = {t.name: i for i, t in enumerate(scope.tiers)}
    if ranks[tier.name] > ranks[rule.tier]:
        scope.error(
            "exempt-tier",
            clauses.name("tier") or block,
            f"`{rule.name}` stands in tier `{rule.tier}`; `{tier.name}` may not lift it",
            labels=() if rule.name_place is None else (Label(rule.name_place, "the rule"),),
            help=f"an exemption carries tier `{rule.tier}` or higher",
        )
        return None
    if rule.mode == "retired":
        scope.error(
            "retired-reference",
            block.name,
            f"`{rule.name}` is retired, so there is nothing to lift",
            help="remove the exemption",
        )
    return Exemption(
        rule.name,
        tier.name,
        condition,
        clauses.text("owner"),
        clauses.text("reason"),
        until,
        scope.place(block.name),
    )


def _until(scope: Scope, clauses: Clauses) -> str | None:
    literal = clauses.literal("until")
    if literal is None:
        return None
    raw = str(literal.value)
    day = parse_date(raw)
    if day is None:
        plain_literal(scope, literal)  # reports it
        return None
    if day < scope.today:
        scope.error(
            "exempt-expired",
            literal,
            f"the exemption ended on {raw} and does nothing",
            help="remove it, or have it granted again",
        )
    return raw
