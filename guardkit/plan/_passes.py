"""Lowering: the naive graph, then the passes in this order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from guardkit.catalog import Catalog
from guardkit.diagnostics import Place, Source, Span, diagnose
from guardkit.errors import PolicyError
from guardkit.semantics import CheckedPolicy

from ._deduplicate_checks import deduplicate_checks
from ._derive_look_behind import derive_look_behind
from ._estimate_cost import estimate_cost
from ._flatten_conditions import flatten_conditions
from ._group_heads import group_heads
from ._group_patterns import group_patterns
from ._lower import lower_naively
from ._nodes import MAX_DEPTH, Rule
from ._order_by_cost import order_by_cost
from ._place_gates import place_gates
from ._plan import Plan
from ._save import digest_of

PASSES: tuple[Callable[[Plan], Plan], ...] = (
    flatten_conditions,
    deduplicate_checks,
    group_patterns,
    group_heads,
    order_by_cost,
    place_gates,
    derive_look_behind,
    estimate_cost,
)
"""Each keeps every verdict: `settle` gives the same truths before and after."""


def lower(policy: CheckedPolicy, catalog: Catalog) -> Plan:
    """Compile a checked policy.

    Args:
        policy: A policy without errors.
        catalog: The kinds it was checked against, with their costs.

    Returns:
        A plan that is equal for equal policies, whatever the order of their declarations, and
        carries its digest.

    Raises:
        PolicyError: A condition is nested too deep to be settled, mostly a cascade of hundreds of
            steps: GK306.
    """
    plan = lower_naively(policy, catalog)
    _refuse_depth(plan, policy)
    for run in PASSES:
        plan = run(plan)
    return replace(plan, digest=digest_of(plan))


def _refuse_depth(plan: Plan, policy: CheckedPolicy) -> None:
    """Stop before anything recurses into a condition too deep to climb out of."""
    depth: list[int] = []
    deepest = 0
    for node in plan.nodes:
        depth.append(1 + max([depth[i] for i in node.inputs], default=0))
        deepest = max(deepest, depth[-1])
    if deepest <= MAX_DEPTH:
        return
    at = next((n for n in plan.nodes if n.op == "rule" and depth[n.id] >= MAX_DEPTH), None)
    rule = policy.rule(at.what.name) if at and isinstance(at.what, Rule) else None
    place = rule and (rule.name_place or rule.place)
    raise PolicyError(
        [
            diagnose(
                "work-limit",
                place or Place(Source(policy.name, ""), Span(0, 0)),
                f"a condition is {deepest} levels deep, the limit is {MAX_DEPTH}",
                help="a cascade counts one level a step: split it over several rules",
            )
        ]
    )
