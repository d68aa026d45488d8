"""From a checked policy to the naive graph: every condition by itself, nothing shared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import guardkit.semantics as checked
from guardkit.catalog import Catalog, CheckSpec, Cost, Reach
from guardkit.errors import UsageError
from guardkit.types import SEVERITIES, SURFACES, Surface

from . import _nodes as n
from ._plan import (
    Budget,
    CheckRow,
    Costs,
    ExemptionRow,
    Limits,
    MonitorRow,
    ParamRow,
    Plan,
    PrincipleRow,
    Role,
    Root,
    RuleProse,
    RuleRow,
    SequenceRow,
    WindowRow,
)

ANY_OTHER = "*"
"""In `CheckSpec.costs`: every value of the property that has no line of its own."""


def lower_naively(policy: checked.CheckedPolicy, catalog: Catalog) -> Plan:
    """The plan with one chain of nodes for every mention of a check.

    Its verdicts are those of the policy; every later pass has to keep them. Rows are sorted, so
    the order of declarations is already gone.
    """
    rules = _ranked(policy)
    exemptions = _exemptions(policy)
    graph = _Graph(policy, catalog)
    roots = tuple(graph.roots(rules, exemptions))
    used = graph.used | _mentioned(policy)
    return Plan(
        policy=policy.name,
        title=policy.title,
        owner=policy.owner,
        version=policy.version,
        tiers=policy.tiers,
        limits=_limits(policy.defaults),
        params=tuple(
            ParamRow(param.name, param.type, param.value)
            for param in sorted(policy.params, key=lambda param: param.name)
        ),
        checks=tuple(
            CheckRow(c.name, c.kind, c.answers, c.spans, c.label, c.labels, c.config)
            for c in sorted(policy.checks, key=lambda check: check.name)
            if c.name in used
        ),
        rules=tuple(_row(rule, graph.checks) for rule in rules),
        prose=tuple(RuleProse(r.name, r.title, r.owner, r.version, r.note, r.refs) for r in rules),
        principles=tuple(
            PrincipleRow(p.name, p.tier, p.text, p.title)
            for p in sorted(policy.principles, key=lambda principle: principle.name)
        ),
        context=policy.context,
        model=policy.model,
        tools=tuple(sorted(policy.tools, key=lambda tool: tool.name)),
        windows=tuple(
            WindowRow(w.name, tuple(sorted(w.counts)), w.turns)
            for w in sorted(policy.windows, key=lambda window: window.name)
        ),
        sequences=tuple(
            _sequence(sequence) for sequence in sorted(policy.sequences, key=lambda s: s.name)
        ),
        exemptions=tuple(row for row, _ in exemptions),
        monitors=tuple(
            MonitorRow(m.name, m.rule, m.surface, m.direction, float(m.rate), m.over_ms)
            for m in sorted(policy.monitors, key=lambda monitor: monitor.name)
        ),
        nodes=tuple(graph.nodes),
        roots=roots,
        costs=Costs(1.0, (), ()),
    )


# --- tables


def _ranked(policy: checked.CheckedPolicy) -> list[checked.Rule]:
    """By tier, severity, name: the order in which fired rules are reported."""
    tiers = {tier.name: rank for rank, tier in enumerate(policy.tiers)}
    return sorted(
        policy.rules,
        key=lambda rule: (tiers[rule.tier], SEVERITIES.index(rule.severity), rule.name),
    )


def _row(rule: checked.Rule, checks: Mapping[str, checked.Check]) -> RuleRow:
    asked = {checked.check_of(atom) for atom in checked.atoms_of(rule.condition)}
    spoken = set(checked.positive_checks(rule.condition))
    surfaces = {on.surface for on in rule.on}
    return RuleRow(
        name=rule.name,
        tier=rule.tier,
        severity=rule.severity,
        surfaces=tuple(surface for surface in SURFACES if surface in surfaces),
        action=rule.action,
        on_error=rule.on_error,
        mode=rule.mode,
        matches=tuple(sorted(name for name in spoken if checks[name].spans)),
        speaks=tuple(sorted(spoken)),
        asks=tuple(sorted(name for name in asked if name is not None)),
        share=float(rule.share),
    )


def _limits(defaults: checked.Defaults) -> Limits:
    budgets = sorted(defaults.budgets, key=lambda budget: SURFACES.index(budget.surface))
    return Limits(
        budgets=tuple(Budget(b.surface, b.ms, b.per_chunk) for b in budgets),
        refusals=None if defaults.refusals is None else float(defaults.refusals),
        hold_back=defaults.hold_back,
        hold_limit=defaults.hold_limit,
        session_ttl_ms=defaults.session_ttl_ms,
        unread=defaults.unread,
    )


def _exemptions(
    policy: checked.CheckedPolicy,
) -> list[tuple[ExemptionRow, checked.Exemption]]:
    ordered = sorted(
        policy.exemptions, key=lambda e: (e.rule, e.until, e.tier, e.owner, e.reason, repr(e))
    )
    rows = []
    seen: dict[str, int] = {}
    for e in ordered:
        count = seen[e.rule] = seen.get(e.rule, 0) + 1
        name = e.rule if count == 1 else f"{e.rule}/{count}"
        always = e.condition is None
        rows.append((ExemptionRow(name, e.rule, e.tier, always, e.owner, e.reason, e.until), e))
    return rows


def _sequence(sequence: checked.Sequence) -> SequenceRow:
    first, then = sequence.first.on, sequence.then.on
    return SequenceRow(
        sequence.name,
        first.surface,
        tuple(sorted(first.tools)),
        then.surface,
        tuple(sorted(then.tools)),
        sequence.turns,
    )


def _mentioned(policy: checked.CheckedPolicy) -> set[str]:
    return {*policy.model.refuses, *policy.model.answers}


# --- the graph


class _Graph:
    """Collects nodes; a node's id is its index."""

    def __init__(self, policy: checked.CheckedPolicy, catalog: Catalog) -> None:
        self.nodes: list[n.Node] = []
        self.used: set[str] = set()
        self.checks = {check.name: check for check in policy.checks}
        self._policy = policy
        self._sequences = {sequence.name: sequence for sequence in policy.sequences}
        self._views: dict[tuple[Surface, n.View], int] = {}
        self._asked: dict[str, tuple[n.View, n.Scan | n.Pass | None, n.Check]] = {}
        self._catalog = catalog

    def roots(
        self,
        rules: list[checked.Rule],
        exemptions: list[tuple[ExemptionRow, checked.Exemption]],
    ) -> Iterator[Root]:
        """Build everything, surface by surface, and name what others ask for."""
        active = [rule for rule in rules if rule.mode != "retired"]
        watched = sorted(self._policy.monitors, key=lambda monitor: monitor.name)
        surfaces_of = {rule.name: frozenset(on.surface for on in rule.on) for rule in active}
        for surface in SURFACES:
            judging = [rule for rule in active if surface in surfaces_of[rule.name]]
            if judging:
                ends = tuple(self._rule(rule, surface) for rule in judging)
                yield Root("join", surface, surface, self._add(surface, ends, n.Join()))
            for name in sorted(self._sequences):
                sequence = self._sequences[name]
                events: tuple[tuple[Role, checked.SequenceEvent], ...] = (
                    ("first", sequence.first),
                    ("then", sequence.then),
                )
                for role, event in events:
                    if event.on.surface == surface and event.where is not None:
                        yield Root(role, name, surface, self._condition(event.where, surface))
            for row, exemption in exemptions:
                if exemption.condition is not None and surface in surfaces_of.get(row.rule, ()):
                    node = self._condition(exemption.condition, surface)
                    yield Root("exempt", row.name, surface, node)
            for monitor in watched:
                if monitor.condition is not None and monitor.surface == surface:
                    node = self._condition(monitor.condition, surface)
                    yield Root("watch", monitor.name, surface, node)

    def _add(self, surface: Surface, inputs: tuple[int, ...], what: n.What) -> int:
        self.nodes.append(n.Node(len(self.nodes), surface, inputs, what))
        return len(self.nodes) - 1

    def _rule(self, rule: checked.Rule, surface: Surface) -> int:
        tools: set[str] = set()
        for on in rule.on:
            if on.surface == surface:
                if not on.tools:  # one mention without tools means every tool
                    tools = set()
                    break
                tools.update(on.tools)
        condition = self._condition(rule.condition, surface)
        return self._add(surface, (condition,), n.Rule(rule.name, tuple(sorted(tools))))

    def _condition(self, condition: checked.Cond, surface: Surface) -> int:
        # By frequency: a policy of a thousand rules comes here many thousand times.
        match condition:
            case checked.Asked():
                return self._check(condition.check, surface)
            case checked.Compared():
                asked = self._check(condition.check, surface)
                return self._compare(asked, surface, condition.op, condition.bound)
            case checked.And():
                return self._add(surface, self._members(condition.members, surface), n.And())
            case checked.Or():
                return self._add(surface, self._members(condition.members, surface), n.Or())
            case checked.Not():
                return self._add(surface, (self._condition(condition.inner, surface),), n.Not())
            case checked.AtLeast(count, members):
                return self._add(surface, self._members(members, surface), n.AtLeast(count))
            case checked.CascadeCond(steps, otherwise):
                return self._cascade(steps, otherwise, surface)
            case checked.ComparedAtRate(check, measure, rate):
                asked = self._check(check, surface)
                return self._add(surface, (asked,), n.Compare("at", float(rate), measure))
            case checked.Labelled(check, labels):
                asked = self._check(check, surface)
                wanted = n.Compare("in", labels=tuple(sorted(set(labels))))
                return self._add(surface, (asked,), wanted)
            case checked.FieldTest(root, path, relation, values, type):
                return self._add(surface, (), n.Field(root, path, relation, values, type))
            case checked.WindowCount(window, op, bound):
                count = self._add(surface, (), n.Window(window))
                return self._compare(count, surface, op, bound)
            case checked.SequenceSeen(sequence):
                return self._completes(sequence, surface)

    def _members(self, members: tuple[checked.Cond, ...], surface: Surface) -> tuple[int, ...]:
        return tuple([self._condition(member, surface) for member in members])

    def _compare(self, read: int, surface: Surface, relation: str, bound: float) -> int:
        return self._add(surface, (read,), n.Compare(relation, float(bound)))

    def _cascade(
        self, steps: tuple[checked.CascadeStep, ...], otherwise: bool, surface: Surface
    ) -> int:
        """`yes if A  no if B  else no` is `A or (not B and no)`, from the last step backwards."""
        rest = self._add(surface, (), n.And() if otherwise else n.Or())
        for step in reversed(steps):
            asked = self._condition(step.condition, surface)
            if step.answer:
                rest = self._add(surface, (asked, rest), n.Or())
            else:
                refused = self._add(surface, (asked,), n.Not())
                rest = self._add(surface, (refused, rest), n.And())
        return rest

    def _completes(self, name: str, surface: Surface) -> int:
        then = self._sequences[name].then
        if surface == "conversation":
            return self._add(surface, (), n.Sequence(name))
        if then.on.surface != surface:
            return self._add(surface, (), n.Or())  # it cannot complete here
        inputs = () if then.where is None else (self._condition(then.where, surface),)
        return self._add(surface, inputs, n.Sequence(name, tuple(sorted(then.on.tools))))

    def _view(self, surface: Surface, view: n.View) -> int:
        """The text of a surface is one, so its views are the only thing shared from the start."""
        known = self._views.get((surface, view))
        if known is None:
            known = self._views[surface, view] = self._add(surface, (), view)
        return known

    def _check(self, name: str, surface: Surface) -> int:
        self.used.add(name)
        if name not in self._asked:
            self._asked[name] = _payloads(self.checks[name], self._catalog)
        view, shared, check = self._asked[name]
        read = self._view(surface, view)
        if shared is not None:
            read = self._add(surface, (read,), shared)
        return self._add(surface, (read,), check)


def _payloads(
    check: checked.Check, catalog: Catalog
) -> tuple[n.View, n.Scan | n.Pass | None, n.Check]:
    spec = catalog.specs.get(check.kind)
    if spec is None:
        raise UsageError(f"the catalog has no check kind `{check.kind}`")
    config = dict(check.config)
    cost = _cost(spec, config)
    encoder = cost.shared or _own_model(spec, config)
    chosen = config.get("views")
    views = tuple(str(view) for view in chosen) if isinstance(chosen, tuple) else n.ALL_VIEWS
    if "all" in views:
        views = n.ALL_VIEWS
    # Whoever wrote a catalog may have written whole numbers; a plan has one spelling.
    own, fixed, per_kb = float(cost.own_us), float(cost.fixed_us), float(cost.per_kb_us)
    shared: n.Scan | n.Pass | None = None
    if encoder == "scan":
        shared = n.Scan(views, fixed, per_kb)
    elif encoder:
        shared = n.Pass(encoder, fixed, per_kb)
    timeout = config.get("timeout", 0)
    reach, width = _reach(spec, config)
    return (
        n.View(views),
        shared,
        n.Check(
            names=(check.name,),
            kind=check.kind,
            answers=check.answers,
            labels=check.labels,
            reach=reach,
            width=width,
            fixed_us=own + (0.0 if shared else fixed),
            per_kb_us=0.0 if shared else per_kb,
            timeout_us=float(timeout) * 1000 if isinstance(timeout, int | float) else 0.0,
            yes_rate=float(spec.yes_rate),
            needs_gate=spec.needs_gate,
        ),
    )


def _cost(spec: CheckSpec, config: Mapping[str, checked.Plain]) -> Cost:
    """The cost of the first property value that has one; an exact value goes before `*`."""
    for name, value, cost in spec.costs:
        if name in config and value in _words(config[name]):
            return cost
    for name, value, cost in spec.costs:
        if name in config and value == ANY_OTHER:
            return cost
    return spec.cost


def _words(value: checked.Plain) -> tuple[checked.Plain, ...]:
    return value if isinstance(value, tuple) else (value,)


def _own_model(spec: CheckSpec, config: Mapping[str, checked.Plain]) -> str:
    """Checks on one model directory share its pass; others have none to share."""
    for known in spec.properties:
        if known.type == "model" and known.name in config:
            return str(config[known.name])
    return ""


def _reach(spec: CheckSpec, config: Mapping[str, checked.Plain]) -> tuple[Reach, int]:
    """How much of a stream the check must see; a match without a width is taken as unbounded."""
    reach = spec.reach_for(config)
    if reach == "whole":
        return reach, 0
    # A window has a width where its kind finds spans: none of a match may go out before it is one.
    width = config.get("width", n.UNBOUNDED if reach == "match" else 0)
    return reach, width if isinstance(width, int) else n.UNBOUNDED
