"""A verdict on a tool call, in the words of Inspect's approvals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from guardkit.types import Verdict

Choice = Literal["approve", "modify", "reject", "terminate", "escalate"]


class Decision(NamedTuple):
    """What becomes of a tool call."""

    choice: Choice
    explanation: str | None = None
    """What the model may read; the rule's message, never the arguments."""
    arguments: Mapping[str, object] | None = None
    """Those to call the tool with, where they are not those of the model."""


def decide(verdict: Verdict, arguments: Mapping[str, object]) -> Decision:
    """The decision that says the same as a verdict.

    Args:
        verdict: The verdict on the call.
        arguments: The arguments as the model wrote them.
    """
    if verdict.action in ("pass", "flag", "rewrite"):
        given = verdict.arguments
        if given is None or given == arguments:
            return Decision("approve")
        return Decision("modify", f"rewritten by {_rules(verdict)}", given)
    said = verdict.message or f"{verdict.action} by {_rules(verdict)}"
    if verdict.session_closed:
        return Decision("terminate", said)
    if verdict.action == "hold":
        return Decision("escalate", said)
    return Decision("reject", said)


def _rules(verdict: Verdict) -> str:
    named = verdict.fired or verdict.undecided
    return f"rule {', '.join(named)}" if named else "the policy"
