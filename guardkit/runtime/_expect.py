"""What the `model` block of a policy says of a question: that the weights answer or refuse it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from guardkit.plan import Check, Compare, Plan

Expected = Literal["answer", "refuse"]
Value = bool | float | str | None

MIDDLE = 0.5
"""From where a score counts as a yes where no rule of the policy compares it."""


def topics_of(plan: Plan) -> tuple[str, ...]:
    """The checks by which the policy tells what a question is about."""
    return tuple(sorted({*plan.model.refuses, *plan.model.answers}))


def thresholds_of(plan: Plan, rated: Mapping[int, float]) -> dict[str, float]:
    """From where the score of each topic counts as a yes: the highest that any rule asks for.

    Args:
        plan: The plan.
        rated: Per node that compares `at` a rate, the score behind it.
    """
    found: dict[str, float] = {}
    wanted = set(topics_of(plan))
    for node in plan.nodes:
        what = node.what
        if not isinstance(what, Compare) or what.relation not in (">=", ">", "at"):
            continue
        asked = plan.nodes[node.inputs[0]].what
        if not isinstance(asked, Check):
            continue
        bound = rated.get(node.id) if what.relation == "at" else what.bound
        for name in wanted.intersection(asked.names) if bound is not None else ():
            found[name] = max(bound or 0.0, found.get(name, 0.0))
    return found


def expected(
    plan: Plan, thresholds: Mapping[str, float], answers: Mapping[str, Value]
) -> Expected | None:
    """What the policy says of a question; None where it says nothing, or nobody could tell.

    What a model has to refuse it has to refuse whatever else the question is about.
    """
    said = {name: _is_yes(answers.get(name), thresholds.get(name, MIDDLE)) for name in answers}
    refuses = [said.get(name) for name in plan.model.refuses]
    if any(refuses):
        return "refuse"
    if None in refuses:
        return None
    return "answer" if any(said.get(name) for name in plan.model.answers) else None


def _is_yes(value: Value, threshold: float) -> bool | None:
    if value is None or isinstance(value, str):
        return None
    return value if isinstance(value, bool) else value >= threshold
