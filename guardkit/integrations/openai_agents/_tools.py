"""A policy as the guardrails of a function tool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from guardkit.guard import Guard
from guardkit.types import Verdict

from .._decision import decide
from ._agents import the_sdk
from ._judging import Context, Judged, Judging, Session


def tool_guardrails(
    policy: str | Guard | None = None,
    *,
    on_block: Literal["raise", "reply"] = "reply",
    on_hold: Literal["block", "wait"] = "block",
    session: Session = None,
    context: Context = None,
    watch: Callable[[Verdict], object] | None = None,
) -> dict[str, list[Any]]:
    """A policy as guardrails of a tool: `@function_tool(**tool_guardrails(policy))`.

    Args:
        policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
        on_block: Tell the model the rule's message in place of the tool's result, or end the run.
        on_hold: Treat what is held for approval as blocked, or wait for the approval.
        session: The session, or a function of the call's `ToolContext` that gives one; else the
            `group_id` of the run's trace.
        context: The policy's context, or a function of the same.
        watch: Told of every verdict that is more than a pass.

    Returns:
        `tool_input_guardrails` and `tool_output_guardrails`. Calls are judged on `tool_call`,
        results on `tool_result`. A result that a rule rewrites reaches the model rewritten; a call
        that a rule rewrites is rejected, since a guardrail cannot change it: `guarded` can. A
        block for the whole session always ends the run.

    Raises:
        PolicyError: The policy is wrong.
        BindError: This machine cannot run it, or the SDK is missing or too old.
    """
    sdk = the_sdk()
    made = sdk.ToolGuardrailFunctionOutput
    judging = Judging(policy, on_hold, session, context, watch)

    def stopped(judged: Judged, message: str) -> Any:
        block = judged.block
        if block is not None and (on_block == "raise" or block.session_closed):
            return made.raise_exception(judged.info)
        return made.reject_content(message, judged.info)

    async def judge_call(data: Any) -> Any:
        run = data.context
        call = {"type": "function_call", "name": run.tool_name, "arguments": run.tool_arguments}
        judged = await judging(run, [], {"object": "response", "output": [call]})
        if not judged.is_changed:
            return made.allow(judged.info)
        why = None if judged.verdict is None else decide(judged.verdict, {}).explanation
        return stopped(judged, f"This call was stopped: {why or 'it holds pseudonyms'}")

    async def judge_result(data: Any) -> Any:
        run = data.context
        item = sdk.ItemHelpers.tool_call_output_item(run.tool_call, data.output)
        judged = await judging(run, [{**item, "name": run.tool_name}])
        if judged.block is not None:
            return stopped(judged, judged.block.text)
        if not judged.is_changed:
            return made.allow(judged.info)
        (given,) = judged.messages
        # Only text can take the place of a result: files beside it that a policy lets pass go.
        return made.reject_content(_text_of(given["output"]), judged.info)

    return {
        "tool_input_guardrails": [sdk.ToolInputGuardrail(judge_call, name="guardkit")],
        "tool_output_guardrails": [sdk.ToolOutputGuardrail(judge_result, name="guardkit")],
    }


def _text_of(output: Any) -> str:
    if isinstance(output, str):
        return output
    return "\n".join(part["text"] for part in output if isinstance(part.get("text"), str))
