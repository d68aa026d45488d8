"""A policy as the guardrails of an agent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from guardkit.guard import Guard
from guardkit.types import Verdict

from ._agents import the_sdk
from ._judging import Context, Judged, Judging, Session


def guardrails(
    policy: str | Guard | None = None,
    *,
    on_hold: Literal["block", "wait"] = "block",
    session: Session = None,
    context: Context = None,
    watch: Callable[[Verdict], object] | None = None,
) -> dict[str, list[Any]]:
    """A policy as guardrails: `Agent(**guardrails(policy))`, or `RunConfig(**guardrails(policy))`.

    A guardrail can stop a run and change nothing. So what a rule would rewrite stops the run too:
    it would go on as it is. Policies that rewrite, and streams, need `guarded`, which also puts
    the context layer in.

    Args:
        policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
        on_hold: Treat what is held for approval as blocked, or wait for the approval.
        session: The session, or a function of the run's `RunContextWrapper` that gives one; else
            the `group_id` of the run's trace.
        context: The policy's context, or a function of the same.
        watch: Told of every verdict that is more than a pass.

    Returns:
        `input_guardrails` and `output_guardrails`. They run before the agent, not beside it. A
        block raises `InputGuardrailTripwireTriggered` or `OutputGuardrailTripwireTriggered`, and
        `guardrail_result.output.output_info` is what the verdict says, without the text.

    Raises:
        PolicyError: The policy is wrong.
        BindError: This machine cannot run it, or the SDK is missing or too old.
    """
    sdk = the_sdk()
    judging = Judging(policy, on_hold, session, context, watch)

    def output_of(judged: Judged) -> Any:
        return sdk.GuardrailFunctionOutput(judged.info, judged.is_changed)

    async def judge_input(run: Any, agent: Any, given: Any) -> Any:
        messages = [{"role": "user", "content": given}] if isinstance(given, str) else list(given)
        return output_of(await judging(run, messages))

    async def judge_output(run: Any, agent: Any, output: Any) -> Any:
        # A field, because an output may be a number, which is no reply.
        return output_of(await judging(run, [], {"output": output}))

    before = sdk.InputGuardrail(judge_input, name="guardkit", run_in_parallel=False)
    after = sdk.OutputGuardrail(judge_output, name="guardkit")
    return {"input_guardrails": [before], "output_guardrails": [after]}
