"""Whether a rule kept silent although its checks said yes: its own exception stood against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from guardkit.plan import And, AtLeast, Check, Compare, Node, Not, Or, Plan, Rule
from guardkit.types import Record, Surface


def lifted_by(
    plan: Plan, rule: str, on: Sequence[Surface], checks: Mapping[str, Record]
) -> str | None:
    """The check that spoke for a silent rule; None where no exception lifted it.

    The condition is settled again with every exception out of the way: what is negated, and facts
    of the context, of the session and of a call, count as fulfilled. Where it holds then, they were
    what it lacked.

    Args:
        plan: The plan.
        rule: The rule.
        on: Where the text stood.
        checks: What was recorded of the checks of that text.
    """
    for surface in on:
        join = plan.join(surface)
        for at in join.inputs if join is not None else ():
            what = plan.nodes[at].what
            if isinstance(what, Rule) and what.name == rule:
                spoke: list[str] = []
                conditions = [plan.nodes[i] for i in plan.nodes[at].inputs]
                if all(_holds(plan, node, checks, spoke) for node in conditions) and spoke:
                    return spoke[0]
    return None


def _holds(plan: Plan, node: Node, checks: Mapping[str, Record], spoke: list[str]) -> bool:
    what = node.what
    below = [plan.nodes[i] for i in node.inputs]
    if isinstance(what, Check):
        return _says(what, checks, spoke, lambda record: record.outcome == "yes")
    if isinstance(what, Compare):
        asked = below[0].what
        return not isinstance(asked, Check) or _says(
            asked, checks, spoke, lambda record: _reaches(what, record)
        )
    if isinstance(what, Not):
        return True
    if isinstance(what, And | Rule):
        return all(_holds(plan, one, checks, spoke) for one in below)
    if isinstance(what, Or):
        return any(_holds(plan, one, checks, spoke) for one in below)
    if isinstance(what, AtLeast):
        return sum(_holds(plan, one, checks, spoke) for one in below) >= what.count
    return True  # views; and facts, which are what an exception is made of


def _says(
    check: Check,
    checks: Mapping[str, Record],
    spoke: list[str],
    holds: Callable[[Record], bool],
) -> bool:
    for name in check.names:
        record = checks.get(name)
        if record is not None and holds(record):
            spoke.append(name)
            return True
    return False


def _reaches(compare: Compare, record: Record) -> bool:
    if compare.relation == "in":
        return record.outcome in compare.labels
    if record.score is None:
        return False
    relations = {
        ">=": record.score >= compare.bound,
        ">": record.score > compare.bound,
        "<=": record.score <= compare.bound,
        "<": record.score < compare.bound,
        "==": record.score == compare.bound,
        "!=": record.score != compare.bound,
    }
    return relations.get(compare.relation, False)
