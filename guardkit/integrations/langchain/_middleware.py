"""A policy as middleware of an agent: every call of its model, and every call of its tools."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

from guardkit.errors import Blocked, UsageError
from guardkit.guard import Guard
from guardkit.types import Ledger, Verdict

from .._around import Around
from ._events import transformer_of
from ._exchange import Asked, How
from ._messages import is_refusal, refusal
from ._model import put_around
from ._packages import config_now, taken
from ._tools import Tools
from ._whose import Facts, Session, whose


def middleware(
    policy: str | Guard | None = None,
    *,
    on_block: Literal["raise", "reply"] = "reply",
    on_hold: Literal["block", "wait"] = "block",
    session: Session = None,
    context: Facts = None,
    watch: Callable[[Verdict], object] | None = None,
    ledger: Callable[[Ledger], object] | None = None,
) -> Any:
    """A policy for an agent: `create_agent(model, tools, middleware=[middleware("shop.guard")])`.

    It goes last in the list: what stands behind it may ask another model, and that is an error.

    Args:
        policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
        on_block: End the run with a message that says the rule's message, and give the model such
            a message in place of a tool's result; or raise `Blocked`.
        on_hold: Treat what is held for approval as blocked, or wait for the approval.
        session: The session, or a function of the runtime; else the `thread_id` of the run.
        context: What rules may ask about as `context.…`, or a function of the runtime.
        watch: Told of every verdict that is more than a pass.
        ledger: Told at the end of every call of the model what it came to.

    Returns:
        An `AgentMiddleware`.

    Raises:
        PolicyError: The policy is wrong.
        BindError: This machine cannot run it, or LangChain is missing or too old.
    """
    made = _class()
    tools = Tools(
        policy, on_block=on_block, on_hold=on_hold, session=session, context=context, watch=watch
    )
    around = Around(tools.guard, on_hold=on_hold, watch=watch, ledger=ledger)
    # The model itself never raises a block: middleware that asks again would ask for another reply.
    return made(How(around, "reply", session, context), tools, on_block)


@functools.cache
def _class() -> Any:
    """The class, made when LangChain is there."""
    base = taken("langchain.agents.middleware", "AgentMiddleware.transformers")

    class GuardMiddleware(base):  # type: ignore[misc,valid-type]  # known only where it is installed
        """A policy around an agent's model and tools."""

        def __init__(self, how: How, tools: Tools, on_block: str) -> None:
            super().__init__()
            self._how, self._tools, self._on_block = how, tools, on_block
            self._wrapped: tuple[Any, Any] | None = None
            self.transformers = (transformer_of(tools),)

        @property
        def name(self) -> str:
            """A name of its own for each policy: an agent may have several."""
            return f"GuardMiddleware[{tools_name(self._tools)}]"

        # --- the model

        def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
            asked = self._asked(request)
            try:
                response = handler(request.override(model=self._model(request.model, asked)))
            except Exception:
                # A refusal is no reply of the form that was asked for: that fault says nothing.
                if asked.stopped is None:
                    raise
                return self._refused(asked.stopped)
            return self._answered(asked, response)

        async def awrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
            asked = self._asked(request)
            try:
                response = await handler(request.override(model=self._model(request.model, asked)))
            except Exception:
                # A refusal is no reply of the form that was asked for: that fault says nothing.
                if asked.stopped is None:
                    raise
                return self._refused(asked.stopped)
            return self._answered(asked, response)

        def _asked(self, request: Any) -> Asked:
            how = self._how
            return Asked(whose(how.session, how.context, request.runtime, config_now()), "reply")

        def _model(self, model: Any, asked: Asked) -> Any:
            # Nearly every call of an agent is of the same model.
            if self._wrapped is None or self._wrapped[0] is not model:
                self._wrapped = model, put_around(model, self._how)
            guarded = self._wrapped[1]
            if hasattr(guarded, "how"):
                return guarded.model_copy(update={"asked": asked})
            return put_around(model, self._how, asked)

        def _answered(self, asked: Asked, response: Any) -> Any:
            said = getattr(response, "result", None) or ()
            # Another policy may have refused before this one was asked.
            if not asked.is_answered and not any(map(is_refusal, said)):
                raise UsageError(
                    "an answer came that was not asked for through the guard: "
                    "put the guard last in the list of middleware"
                )
            if asked.stopped is not None and self._on_block == "raise":
                raise Blocked(asked.stopped)
            for message in said:
                self._tools.has_judged(getattr(message, "tool_calls", None) or (), asked.whose)
            return response

        def _refused(self, verdict: Verdict) -> Any:
            if self._on_block == "raise":
                raise Blocked(verdict) from None
            return refusal(verdict)

        # --- tools

        def wrap_tool_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
            return self._tools.run(request, handler)

        async def awrap_tool_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
            return await self._tools.arun(request, handler)

    return GuardMiddleware


def tools_name(tools: Tools) -> str:
    """What tells one policy from another in the names of an agent's middleware."""
    return tools.guard.digest.rpartition(":")[2][:8]
