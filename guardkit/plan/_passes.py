"""Lowering: the naive graph, then the passes in this order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from guardkit.catalog import Catalog
from guardkit.semantics import CheckedPolicy

from ._deduplicate_checks import deduplicate_checks
from ._derive_look_behind import derive_look_behind
from ._estimate_cost import estimate_cost
from ._flatten_conditions import flatten_conditions
from ._group_heads import group_heads
from ._group_patterns import group_patterns
from ._lower import lower_naively
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
    """
    plan = lower_naively(policy, catalog)
    for run in PASSES:
        plan = run(plan)
    return replace(plan, digest=digest_of(plan))
