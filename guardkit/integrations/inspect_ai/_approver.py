"""A policy that decides on tool calls."""

from __future__ import annotations

from typing import Any

from guardkit.guard import Guard

from .._decision import decide
from .._target import guard_of
from .._third_party import third_party
from ._session import session_of


def policy_approver(policy: str | Guard | None = None) -> Any:
    """A policy as an approver: what it says on `tool_call` is what becomes of a call.

    Args:
        policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.

    Returns:
        An `Approver`. Pass and flag approve; a rewrite modifies the arguments; block and revise
        reject with the rule's message; a hold escalates to the next approver, and Inspect rejects
        where there is none; a block for the whole session ends the sample.
    """
    approval = third_party("inspect_ai.approval", "inspect")
    tool = third_party("inspect_ai.tool", "inspect")
    guard = guard_of(policy)

    async def approve(message: str, call: Any, view: Any, history: Any) -> Any:
        session = session_of(guard)
        verdict = await guard.acheck_tool_call(call.function, call.arguments, session=session)
        if verdict.hold is not None:
            # The next approver decides in its place: nobody else waits for it.
            guard.holds.deny(verdict.hold, "escalated in Inspect")
        decision = decide(verdict, call.arguments)
        modified = None
        if decision.arguments is not None:
            modified = tool.ToolCall(
                id=call.id, function=call.function, arguments=dict(decision.arguments)
            )
        return approval.Approval(
            decision=decision.choice,
            modified=modified,
            explanation=decision.explanation,
            metadata={"guardkit": verdict.as_dict()},
        )

    return approve
