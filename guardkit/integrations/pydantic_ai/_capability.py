"""A policy as a capability of an agent."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Literal

from guardkit.errors import Blocked
from guardkit.guard import Guard
from guardkit.types import Ledger, Verdict

from .._around import Around, Call, Plain, Said
from ._guarding import Context, Guarding, Session, keyed
from ._model import NO_REPLY, model_behind
from ._package import part_of, stopped_by
from ._values import merged, readable


def guardrail(
    policy: str | Guard | None = None,
    *,
    on_block: Literal["raise", "reply"] = "raise",
    on_hold: Literal["block", "wait"] = "block",
    session: Session = None,
    context: Context = None,
    watch: Callable[[Verdict], object] | None = None,
    ledger: Callable[[Ledger], object] | None = None,
) -> Any:
    """A policy as a capability: `Agent(model, capabilities=[guardrail(policy)])`.

    Whichever model serves a request, it is guarded as by `guarded`. Besides, arguments are judged
    as the tool gets them, results before they stand in the history, and the output as the program
    gets it. Where the policy remembers, that is left to the requests, so that nothing counts twice.

    Args:
        policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
        on_block: Raise, or say the rule's message: as the response, or as the failure of the tool.
        on_hold: Treat what is held for approval as blocked, or wait for the approval.
        session: The session, or a function of the `RunContext` that gives one; else the
            `conversation_id` of the run.
        context: The policy's context, or a function of the same.
        watch: Told of every verdict that is more than a pass.
        ledger: Told at the end of every exchange with a model what it came to.

    Returns:
        A capability. A block raises a `ContentFilterError` that is a `guardkit.Blocked` too; of a
        tool or an output, an `AgentRunError` that is one.

    Raises:
        PolicyError: The policy is wrong.
        BindError: This machine cannot run it, or the package is missing or too old.
    """
    part_of("capabilities")
    around = Around(policy, on_hold=on_hold, watch=watch, ledger=ledger)
    hooks = Around(around.guard, on_hold=on_hold, watch=watch)
    return _capability_class()(_Rail(around, hooks, on_block == "reply", session, context))


class _Rail:
    """What one capability needs, run after run."""

    def __init__(
        self, around: Around, hooks: Around, replies: bool, session: Session, context: Context
    ) -> None:
        self.around, self.hooks, self.replies = around, hooks, replies
        self.session, self.context = session, context

    def guarding(self, run: Any) -> Guarding:
        """The policy around the models of a run."""
        session = None if run is None else keyed(self.session, run) or run.conversation_id
        given = None if run is None else keyed(self.context, run)
        return Guarding(self.around, self.replies, session, given)

    async def judged(
        self, run: Any, messages: Sequence[Plain] = (), reply: Plain = NO_REPLY
    ) -> tuple[Sequence[Plain], Plain] | Verdict:
        """What may go on, or the verdict that stops it."""
        if self.hooks.guard.needs_session:
            return messages, reply
        given = messages

        async def send(said: Said) -> Plain:
            nonlocal given
            # The context layer may have come in front; it is nothing to judge.
            given = said.messages[len(said.messages) - len(messages) :]
            return reply

        call = Call(send, None, keyed(self.context, run))
        try:
            shown = await self.hooks.aask(call, messages)
        except Blocked as blocked:
            return blocked.verdict
        return given, shown

    def stopped(self, verdict: Verdict) -> Exception:
        """What a tool that was stopped raises."""
        if not self.replies or verdict.session_closed:
            return stopped_by(verdict)
        failed: Exception = part_of("exceptions").ToolFailed(verdict.text)
        return failed


@cache
def _capability_class() -> type:
    """The class of the package, filled: it can be made only once that is there."""
    base: Any = part_of("capabilities").AbstractCapability
    tool_return = part_of("messages").ToolReturn

    class Guardrail(base):  # type: ignore[misc]  # a class of theirs is `Any` here
        """A policy over every model, tool and output of an agent."""

        def __init__(self, rail: _Rail) -> None:
            super().__init__()
            self._rail = rail
            self._run: Any = None

        async def for_run(self, ctx: Any) -> Any:
            made = copy.copy(self)
            made._run = ctx
            return made

        def get_wrapper_model(self, model: Any) -> Any:
            return model_behind(model, self._rail.guarding(self._run))

        async def before_tool_execute(
            self, ctx: Any, *, call: Any, tool_def: Any, args: Any
        ) -> Any:
            was = readable(args)
            told = {"type": "function_call", "name": call.tool_name, "arguments": was}
            judged = await self._rail.judged(ctx, reply={"object": "response", "output": [told]})
            if isinstance(judged, Verdict):
                raise self._rail.stopped(judged)
            return merged(args, was, judged[1]["output"][0]["arguments"])

        async def after_tool_execute(
            self, ctx: Any, *, call: Any, tool_def: Any, args: Any, result: Any
        ) -> Any:
            is_split = isinstance(result, tool_return)
            texts = [result.return_value, result.content] if is_split else [result]
            was = [readable(text) for text in texts]
            content = [{"type": "data", "output": each} for each in was]
            message: Plain = {"role": "tool", "name": call.tool_name, "content": content}
            judged = await self._rail.judged(ctx, [message])
            if isinstance(judged, Verdict):
                raise self._rail.stopped(judged)
            (given,) = judged[0]
            made = [
                merged(text, before, part["output"])
                for text, before, part in zip(texts, was, given["content"], strict=True)
            ]
            if not is_split:
                return made[0]
            if all(a is b for a, b in zip(made, texts, strict=True)):
                return result
            changed = copy.copy(result)
            changed.return_value, changed.content = made
            return changed

        async def after_output_process(self, ctx: Any, *, output_context: Any, output: Any) -> Any:
            was = readable(output)
            judged = await self._rail.judged(ctx, reply={"output": was})
            if isinstance(judged, Verdict):
                raise stopped_by(judged)
            return merged(output, was, judged[1]["output"])

    return Guardrail
