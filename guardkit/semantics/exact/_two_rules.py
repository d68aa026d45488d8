"""What can be proved about two rules: one that the other makes pointless, two that disagree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from guardkit.types import SEVERITIES, STRENGTH, Action

from .._policy import Act, CheckedPolicy, Expected, Rule, positive_checks
from ._diagrams import TooLarge
from ._outcomes import Outcome, Space, Twins
from ._samples import Columns, Samples

_Kind = Literal["subsumed", "contradictory", "limit"]
_SHARED_CELLS = 64
_SHARED_LIMIT = 400_000


@dataclass(frozen=True, slots=True)
class Pair:
    """`weak` never changes a verdict because of `strong`; or, `contradictory`, they disagree."""

    kind: _Kind
    weak: Rule
    strong: Rule


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a policy says about its rules elsewhere."""

    ranks: dict[str, int]
    exempted: frozenset[str]
    observed: frozenset[str]
    """Counted by a window or watched by a monitor: firing matters, whatever the verdict."""
    tested: frozenset[str]
    span_checks: frozenset[str]

    def authority(self, rule: Rule) -> tuple[int, int]:
        return self.ranks[rule.tier], SEVERITIES.index(rule.severity)

    def rank(self, rule: Rule) -> tuple[int, int, str]:
        return (*self.authority(rule), rule.name)

    def spans(self, rule: Rule) -> set[str]:
        return set(positive_checks(rule.condition)) & self.span_checks


def _facts(policy: CheckedPolicy) -> _Facts:
    counted = {name for window in policy.windows for name in window.counts}
    watched = {monitor.rule for monitor in policy.monitors if monitor.rule is not None}
    return _Facts(
        {tier.name: rank for rank, tier in enumerate(policy.tiers)},
        frozenset(exemption.rule for exemption in policy.exemptions),
        frozenset(counted | watched),
        frozenset(
            name
            for case in policy.tests
            for step in case.steps
            if isinstance(step, Expected)
            for name in step.by
        ),
        frozenset(check.name for check in policy.checks if check.spans),
    )


def compare_rules(policy: CheckedPolicy, rules: Sequence[Rule], twins: Twins) -> Iterator[Pair]:
    """Every rule that another makes pointless, with the first such rule.

    Args:
        rules: The enforcing rules that neither never nor always fire, in the policy's order.
    """
    if len(rules) < 2:
        return
    facts = _facts(policy)
    spaces = _Spaces(rules, twins)
    silenced: set[str] = set()
    for weak, strong in _candidates(rules, facts, spaces.all, twins):
        if weak.name in silenced or strong.name in silenced:
            continue
        kind = spaces.relation(weak, strong, facts)
        if kind is not None:
            silenced.add(weak.name)
            yield Pair(kind, weak, strong)


class _Spaces:
    """One space for all rules while it has room; after that, one for each pair."""

    def __init__(self, rules: Sequence[Rule], twins: Twins) -> None:
        self._twins = twins
        self.all = Space([rule.condition for rule in rules], twins, limit=_SHARED_LIMIT)
        sizes = [len(cells.cells) for cells in self.all.cells.values()]
        self._is_shared = max(sizes) <= _SHARED_CELLS

    def relation(self, weak: Rule, strong: Rule, facts: _Facts) -> _Kind | None:
        if self._is_shared:
            try:
                return _relation(weak, strong, facts, self.all)
            except TooLarge:
                self._is_shared = False
        pair = Space([weak.condition, strong.condition], self._twins)
        try:
            return _relation(weak, strong, facts, pair)
        except TooLarge:
            return "limit"


def _candidates(
    rules: Sequence[Rule], facts: _Facts, space: Space, twins: Twins
) -> Iterator[tuple[Rule, Rule]]:
    """Pairs that the cheap questions leave open, least authority first."""
    conditions = [rule.condition for rule in rules]
    samples = Samples(space)
    samples.sharpen(conditions, twins)
    yes = [samples.yes(condition) for condition in conditions]
    columns = Columns(yes, samples.telling)
    able = sum(1 << at for at, rule in enumerate(rules) if rule.name not in facts.exempted)
    for at in sorted(range(len(rules)), key=lambda n: facts.rank(rules[n]), reverse=True):
        weak, fires = rules[at], yes[at]
        left = columns.holding_with(fires, able & ~(1 << at))
        while left:
            lowest = left & -left
            left ^= lowest
            other = lowest.bit_length() - 1
            if not fires & ~yes[other] and _may_relate(weak, rules[other], facts):
                yield weak, rules[other]


def _may_relate(weak: Rule, strong: Rule, facts: _Facts) -> bool:
    """Whether two rules could be a pair, going by everything but their conditions."""
    if weak.tier == "helpfulness" or weak.name in facts.exempted or weak.name in facts.observed:
        return False
    if STRENGTH[strong.action.verb] < STRENGTH[weak.action.verb]:
        return False
    return _may_subsume(weak, strong, facts) or _may_contradict(weak, strong, facts)


def _may_subsume(weak: Rule, strong: Rule, facts: _Facts) -> bool:
    if weak.action.verb == "flag" and weak.name in facts.tested:
        return False
    return _covers(weak, strong) and _is_hidden(weak, strong, facts)


def _may_contradict(weak: Rule, strong: Rule, facts: _Facts) -> bool:
    if weak.tier != strong.tier or weak.action == strong.action:
        return False
    if weak.action.verb != strong.action.verb:
        return _covers(weak, strong) and _hides_verb(weak, strong)
    return (
        facts.authority(weak) == facts.authority(strong)
        and _is_order_like(weak.action, strong.action)
        and any(_meets(weak, strong, on.surface) for on in weak.on)
    )


def _relation(weak: Rule, strong: Rule, facts: _Facts, space: Space) -> _Kind | None:
    one, other = space.outcome(weak.condition), space.outcome(strong.condition)
    if not space.diagrams.implies(one.yes, other.yes):
        return None
    # Two verbs contradict only where the weaker rule adds nothing on an error either.
    if (
        one.yes == other.yes
        and _may_contradict(weak, strong, facts)
        and (weak.action.verb == strong.action.verb or _always_covers(weak, strong, space))
    ):
        return "contradictory"
    if not _may_subsume(weak, strong, facts) or not _always_covers(weak, strong, space):
        return None
    if _is_same(weak, strong, one, other) and facts.rank(weak) < facts.rank(strong):
        return None  # the other one of the two is the one too many
    return "subsumed"


def _is_order_like(a: Act, b: Act) -> bool:
    """Whether only names decide which of two equal verbs has its way."""
    return (a.text, a.form, a.whole, a.keep, a.approvers, a.principle) != (
        b.text,
        b.form,
        b.whole,
        b.keep,
        b.approvers,
        b.principle,
    )


def _is_same(weak: Rule, strong: Rule, one: Outcome, other: Outcome) -> bool:
    return (
        one == other
        and weak.action == strong.action
        and weak.on_error == strong.on_error
        and _covers(strong, weak)
    )


def _always_covers(weak: Rule, strong: Rule, space: Space) -> bool:
    """Whether whatever `weak` contributes, `strong` contributes as much or more."""
    levels = {weak.action.verb, weak.on_error} - {"pass"}
    return all(
        space.diagrams.implies(space.acts(weak, level), space.acts(strong, level))
        for level in levels
    )


def _covers(weak: Rule, strong: Rule) -> bool:
    """Whether `strong` judges every event that `weak` judges."""
    return all(
        all(strong.judges(on.surface, tool) for tool in on.tools)
        if on.tools
        else any(other.surface == on.surface and not other.tools for other in strong.on)
        for on in weak.on
    )


def _meets(a: Rule, b: Rule, surface: str) -> bool:
    """Whether both judge some event on this surface."""
    return any(
        one.surface == other.surface == surface
        and (not one.tools or not other.tools or not set(one.tools).isdisjoint(other.tools))
        for one in a.on
        for other in b.on
    )


def _hides_verb(weak: Rule, strong: Rule) -> bool:
    """Whether the stronger of two different verbs leaves nothing of the weaker one."""
    if weak.action.for_session and not strong.action.for_session:
        return False
    # What a person approves, or a model revises, may still need rewriting by the other rule.
    return strong.action.verb == "block" or weak.action.verb == "flag"


def _is_hidden(weak: Rule, strong: Rule, facts: _Facts) -> bool:
    """Whether nothing of `weak` shows in a verdict to which `strong` contributes as much."""
    one, other = weak.action, strong.action
    if one.for_session and not other.for_session:
        return False
    outranks = facts.rank(strong) < facts.rank(weak)
    if _may(weak, "block") and not outranks and _messages(weak) != _messages(strong):
        return False  # where both block, its message is the one that shows
    if weak.on_error == other.verb == "hold" and not _blocks_at_last(other):
        return False  # where it holds, not having been able to tell, it ends in a block
    if one.verb != other.verb:
        graver_flag = one.verb == "flag" and facts.authority(weak) < facts.authority(strong)
        return _hides_verb(weak, strong) and not graver_flag
    match one.verb:
        case "flag":
            return facts.authority(strong) <= facts.authority(weak)
        case "block":
            return True
        case "rewrite":
            if one.whole:
                reaches = other.whole
            else:
                reaches = other.whole or facts.spans(weak) <= facts.spans(strong)
            if other.form == "mask" and one != other:
                return False  # what one rule masks, another may still hide more of
            return reaches and (outranks or (one == other and "{rule}" not in (one.text or "")))
        case _:
            return one == other


def _may(rule: Rule, action: Action) -> bool:
    return action in (rule.action.verb, rule.on_error)


def _messages(rule: Rule) -> set[str | None]:
    """What a rule may say to the user when it blocks; None is the text for want of another."""
    texts = set()
    if rule.action.verb == "block":
        text = rule.action.text
        texts.add(text.replace("{rule}", rule.name) if text else None)
    elif rule.on_error == "block":
        texts.add(None)
    return texts


def _blocks_at_last(act: Act) -> bool:
    return act.otherwise is None or act.otherwise.verb == "block"
