"""What a policy's costs and streams mean for its author: the diagnostics of the plan stage."""

from __future__ import annotations

from collections.abc import Iterator

import guardkit.semantics as checked
from guardkit.diagnostics import Diagnostic, Label, Place, Source, Span, diagnose
from guardkit.types import Surface

from ._cost import budget_of, spell_path, spell_us
from ._estimate_cost import costs_of, price_of
from ._nodes import UNBOUNDED, Check, Node, Rule
from ._place_gates import unavoidable
from ._plan import Plan
from ._prices import KILOBYTES, dear_nodes

LIMIT_US = 60_000_000.0
"""The most work one request may cause: a minute of one core, time-outs included."""

LIMIT_KB = 64.0
"""The text that the limit is held against."""

_CLEARLY = 1.25
"""A cascade step counts as dearer than a later one from this ratio on."""
_NOTICED_US = 20.0


def verify_budgets(
    plan: Plan, policy: checked.CheckedPolicy, *, limit_us: float = LIMIT_US
) -> tuple[Diagnostic, ...]:
    """Everything worth saying about cost and hold-back, in the order of the file.

    Args:
        plan: The lowered policy.
        policy: The same policy, which knows the places.
        limit_us: What one request may cost at worst; past it the policy is refused.
    """
    seen = _Policy(plan, policy)
    found = (
        *_over_budget(seen),
        *_hold_back(seen),
        *_cascade_order(seen),
        *_no_gate(seen),
        *_work_limit(seen, limit_us),
        *_unbudgeted(seen),
    )
    return tuple(sorted(found, key=lambda diagnostic: diagnostic.order))


class _Policy:
    """A plan and the places of what is in it."""

    def __init__(self, plan: Plan, policy: checked.CheckedPolicy) -> None:
        self.plan = plan
        self.policy = policy
        self.rules = {rule.name: rule for rule in policy.rules}
        self._places = {sequence.name: sequence.place for sequence in policy.sequences}
        self._places |= {monitor.name: monitor.place for monitor in policy.monitors}
        self._places |= {rule.name: rule.name_place or rule.place for rule in policy.rules}
        self.nowhere = Place(Source(policy.name, ""), Span(0, 0))

    def place_of_rule(self, name: str) -> Place:
        """Where a rule is named, or a sequence or monitor where that is what costs."""
        return self._places.get(name) or self.nowhere

    def place_of_check(self, rule: str, check: Check) -> Place:
        """Where a rule asks a check, by any of its names."""
        return _place_in(self.rules[rule].condition, check) or self.place_of_rule(rule)

    def rule_nodes(self, surface: Surface) -> Iterator[tuple[str, Node]]:
        join = self.plan.join(surface)
        for i in join.inputs if join else ():
            node = self.plan.nodes[i]
            assert isinstance(node.what, Rule)
            yield node.what.name, node

    def checks_below(self, node: Node, at_once: bool = False) -> Iterator[tuple[Node, Check]]:
        """The checks a rule asks; with `at_once` only those that no gate keeps from running."""
        seen = {node.id}
        stack = [node]
        while stack:
            at = stack.pop()
            if isinstance(at.what, Check):
                yield at, at.what
                continue
            for i in at.inputs[: unavoidable(at)] if at_once else at.inputs:
                if i not in seen:
                    seen.add(i)
                    stack.append(self.plan.nodes[i])


def _place_in(condition: checked.Cond | None, check: Check) -> Place | None:
    """Where a condition asks a check, by any of its names."""
    for atom in checked.atoms_of(condition) if condition else ():
        if checked.check_of(atom) in check.names and atom.place:
            return atom.place
    return None


# --- GK301, GK306, GK431: budgets and limits


def _over_budget(seen: _Policy) -> Iterator[Diagnostic]:
    plan = seen.plan
    places = {budget.surface: budget.place for budget in seen.policy.defaults.budgets}
    for surface in costs_of(plan, KILOBYTES).surfaces:
        budget, cost = budget_of(plan, surface, KILOBYTES)
        if budget is None or cost.worst_us <= budget.ms * 1000:
            continue
        unit = " per chunk" if budget.per_chunk else ""
        yield diagnose(
            "over-budget",
            places.get(cost.surface) or seen.nowhere,
            f"`{cost.surface}` may take {spell_us(cost.worst_us)}{unit},"
            f" its budget is {budget.ms} ms",
            note=f"over by {spell_us(cost.worst_us - budget.ms * 1000)} at worst",
            help=(
                f"critical path of `{cost.rule}`: {spell_path(cost)}",
                f"{spell_us(cost.expected_us)} are expected on ordinary traffic; past the budget"
                " the checks that are left are unknown",
            ),
        )


def _work_limit(seen: _Policy, limit_us: float) -> Iterator[Diagnostic]:
    for cost in costs_of(seen.plan, LIMIT_KB).surfaces:
        if cost.worst_us > limit_us:
            yield diagnose(
                "work-limit",
                seen.place_of_rule(cost.rule),
                f"one event on `{cost.surface}` may cost {spell_us(cost.worst_us)},"
                f" the limit is {spell_us(limit_us)}",
                note=f"for a text of {LIMIT_KB:g} KB",
                help=f"critical path of `{cost.rule}`: {spell_path(cost)}",
            )


def _unbudgeted(seen: _Policy) -> Iterator[Diagnostic]:
    plan = seen.plan
    dear = dear_nodes(plan.nodes)
    for cost in costs_of(plan, KILOBYTES).surfaces:
        is_dear = any(dear[r.node] for r in plan.roots if r.surface == cost.surface)
        if not is_dear or plan.limits.budget(cost.surface):
            continue
        yield diagnose(
            "unbudgeted-surface",
            seen.place_of_rule(cost.rule),
            f"`{cost.surface}` has dear checks and no budget",
            note=f"up to {spell_us(cost.worst_us)}",
            help=f"write `budget {cost.surface} {_round_up(cost.worst_us)}ms` in `defaults`",
        )


def _round_up(us: float) -> int:
    """A budget that fits: whole milliseconds, two digits."""
    ms = max(1, int(-(-us // 1000)))
    step = int("1" + "0" * max(0, len(str(ms)) - 2))
    return -(-ms // step) * step


# --- GK302, GK303: streams


def _hold_back(seen: _Policy) -> Iterator[Diagnostic]:
    defaults = seen.policy.defaults
    needy: list[str] = []
    for name, node in seen.rule_nodes("output"):
        if seen.rules[name].mode != "enforce":
            continue
        for _, check in sorted(seen.checks_below(node), key=lambda pair: pair[0].id):
            if check.reach == "whole":
                needy.append(name)
                if defaults.hold_back is not None:
                    yield diagnose(
                        "whole-reply-held",
                        seen.place_of_check(name, check),
                        f"`{check.names[0]}` needs the whole reply,"
                        f" so `{name}` holds it back to its end",
                        help="write `hold_back all` in `defaults` to say so for every reader",
                    )
            elif check.reach == "match" and not 0 <= check.width <= defaults.hold_limit:
                needy.append(name)
                if defaults.hold_back is not None:
                    yield _too_small(seen, name, check, defaults)
    if defaults.hold_back is None and seen.plan.join("output"):
        names = sorted(set(needy))
        yield diagnose(
            "whole-reply-held",
            defaults.hold_back_place or seen.nowhere,
            "`hold_back all` shows nothing of a reply before its end",
            help="needed by " + ", ".join(f"`{name}`" for name in names)
            if names
            else "no rule needs it: `hold_back 64 chars` streams",
        )


def _too_small(seen: _Policy, rule: str, check: Check, defaults: checked.Defaults) -> Diagnostic:
    if check.width == UNBOUNDED:
        needs = "can match without an upper length"
        advice = "bound the pattern, such as `{1,64}` for `+`, or write `hold_back all`"
    else:
        needs = f"can match {check.width:,} characters, `hold_limit` is {defaults.hold_limit:,}"
        advice = "shorten the match, raise `hold_limit`, or write `hold_back all`"
    labels = (
        (Label(defaults.hold_back_place, "so much is held back"),)
        if defaults.hold_back_place
        else ()
    )
    return diagnose(
        "hold-back-too-small",
        seen.place_of_check(rule, check),
        f"`{check.names[0]}` {needs}, so a stream could let the beginning of a match out",
        labels=labels,
        help=advice,
    )


# --- GK304, GK305: order and gates


def _cascade_order(seen: _Policy) -> Iterator[Diagnostic]:
    prices: dict[str, tuple[str, float]] = {}
    for node in seen.plan.nodes:
        if isinstance(node.what, Check):
            group = seen.plan.nodes[node.inputs[0]]
            price = price_of(seen.plan, node, KILOBYTES)
            shared = f"{group.op} {getattr(group.what, 'encoder', '')}"
            for name in node.what.names:
                work = node.what.names[0] if group.op == "view" else shared
                prices[name] = (work, price)
    for rule in seen.policy.rules:
        for cascade in _cascades(rule.condition):
            yield from _steps(seen, rule, cascade, prices)


def _cascades(condition: checked.Cond) -> Iterator[checked.CascadeCond]:
    if isinstance(condition, checked.CascadeCond):
        yield condition
    for member in checked.members_of(condition):
        yield from _cascades(member)


def _steps(
    seen: _Policy,
    rule: checked.Rule,
    cascade: checked.CascadeCond,
    prices: dict[str, tuple[str, float]],
) -> Iterator[Diagnostic]:
    """Each step that adds clearly more than the step after it; work paid for before is free."""
    paid: set[str] = set()
    added: list[float] = []
    for step in cascade.steps:
        new: dict[str, float] = {}
        for atom in checked.atoms_of(step.condition):
            work, us = prices.get(checked.check_of(atom) or "", ("", 0.0))
            if work not in paid:
                new[work] = max(us, new.get(work, 0.0))
        paid |= new.keys()
        added.append(sum(new.values()))
    for earlier, later, before, after in zip(
        cascade.steps, cascade.steps[1:], added, added[1:], strict=False
    ):
        if after and before > after * _CLEARLY and before - after > _NOTICED_US:
            labels = (Label(later.place, f"{spell_us(after)}"),) if later.place else ()
            yield diagnose(
                "cascade-order",
                earlier.place or cascade.place or seen.place_of_rule(rule.name),
                f"this step costs {spell_us(before)}, the next one {spell_us(after)}",
                note=spell_us(before),
                labels=labels,
                help="put the cheaper step first where its answer means the same there",
            )


def _no_gate(seen: _Policy) -> Iterator[Diagnostic]:
    plan = seen.plan
    dear = dear_nodes(plan.nodes)
    told: set[tuple[str, ...]] = set()
    for start, condition, otherwise in _always_asked(seen):
        found = sorted(seen.checks_below(start, at_once=True), key=lambda pair: pair[0].id)
        for at, check in found:
            if not dear[at.id] or check.names in told:
                continue
            told.add(check.names)
            yield diagnose(
                "no-gate",
                _place_in(condition, check) or otherwise,
                f"`{check.names[0]}` costs {spell_us(price_of(plan, at, KILOBYTES))}"
                f" and runs on every event on `{at.surface}`",
                help="ask something cheaper first: `cascade { no if CHEAP … }` or `CHEAP and …`",
            )


def _always_asked(seen: _Policy) -> Iterator[tuple[Node, checked.Cond | None, Place]]:
    """What every event of a surface asks: rules, monitors, the events of sequences."""
    plan, policy = seen.plan, seen.policy
    for surface in plan.surfaces:
        for name, node in seen.rule_nodes(surface):
            yield node, seen.rules[name].condition, seen.place_of_rule(name)
    monitors = {monitor.name: monitor for monitor in policy.monitors}
    sequences = {sequence.name: sequence for sequence in policy.sequences}
    for root in plan.roots:
        node = plan.nodes[root.node]
        if root.role == "watch":
            monitor = monitors[root.name]
            yield node, monitor.condition, monitor.place or seen.nowhere
        elif root.role == "first" and not plan.sequence(root.name).first_tools:
            sequence = sequences[root.name]
            yield node, sequence.first.where, sequence.place or seen.nowhere
