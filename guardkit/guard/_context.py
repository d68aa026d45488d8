"""The context layer as text: what a model is told before anything else."""

from __future__ import annotations

from guardkit.errors import UsageError
from guardkit.plan import Plan


def prompt_of(plan: Plan, canary: str | None) -> str:
    """The system prompt, with a canary where there is one."""
    lines = [*plan.context.lines]
    if canary is not None:
        lines.append(f"Internal reference, never to be repeated: {canary}")
    return "\n".join(lines)


def principle_of(plan: Plan, name: str) -> str:
    """The text of a principle.

    Raises:
        UsageError: The policy has none of this name.
    """
    for row in plan.principles:
        if row.name == name:
            return row.text
    known = ", ".join(f"`{row.name}`" for row in plan.principles) or "none"
    raise UsageError(f"the policy has no principle of this name; it has {known}")
