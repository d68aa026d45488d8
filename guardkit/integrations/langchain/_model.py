"""A policy around a chat model, as another chat model: whatever asks it asks through the policy."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, Literal

from guardkit.errors import UsageError
from guardkit.guard import Guard
from guardkit.types import Ledger, Verdict

from .._around import Around
from ._exchange import Asked, Exchange, How
from ._messages import refuse_kind
from ._packages import chat_models, config_now, taken
from ._whose import Facts, Session


def guarded(
    model: Any,
    policy: str | Guard | None = None,
    *,
    on_block: Literal["raise", "reply"] = "reply",
    on_hold: Literal["block", "wait"] = "block",
    session: Session = None,
    context: Facts = None,
    watch: Callable[[Verdict], object] | None = None,
    ledger: Callable[[Ledger], object] | None = None,
) -> Any:
    """A chat model with a policy around it: `prompt | guarded(model, "shop.guard") | parser`.

    What goes in is judged before the model is asked, what comes out before anybody sees it:
    callers, callbacks and tracers alike.

    Args:
        model: A chat model, one with tools bound to it, or its name, as `init_chat_model` takes it.
        policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
        on_block: Give back a message that says the rule's message, or raise `Blocked`.
        on_hold: Treat what is held for approval as blocked, or wait for the approval.
        session: The session, or a function of the call's config; else the config's `thread_id`.
        context: What rules may ask about as `context.…`, or such a function.
        watch: Told of every verdict that is more than a pass.
        ledger: Told at the end of every exchange what it came to.

    Returns:
        A chat model. What a block made carries the verdict in `response_metadata["guardkit"]`.

    Raises:
        UsageError: This is no chat model.
        PolicyError: The policy is wrong.
        BindError: This machine cannot run it, or LangChain is missing or too old.
    """
    if on_block not in ("raise", "reply"):
        raise UsageError('`on_block` is "raise" or "reply"')
    chat_models()
    around = Around(policy, on_hold=on_hold, watch=watch, ledger=ledger)
    return put_around(model, How(around, on_block, session, context))


def put_around(model: Any, how: How, asked: Asked | None = None) -> Any:
    """A guard around a model, or around the one inside of a binding.

    Raises:
        UsageError: There is no chat model inside.
    """
    if isinstance(model, str):
        model = taken("langchain.chat_models", "init_chat_model")(model)
    if isinstance(model, taken("langchain_core.runnables.base", "RunnableBinding")):
        return model.model_copy(update={"bound": put_around(model.bound, how, asked)})
    if not isinstance(model, chat_models()):
        raise refuse_kind(model)
    said = {name: getattr(model, name, None) for name in _KEPT}
    said = {name: value for name, value in said.items() if value is not None}
    return _guarded_model()(inner=model, how=how, asked=asked, cache=False, **said)


_KEPT = (
    "callbacks", "custom_get_token_ids", "disable_streaming", "metadata", "name", "output_version",
    "profile", "rate_limiter", "tags", "verbose",
)  # fmt: skip
"""What LangChain itself does for a model: it is done around the guard. Its cache is not: a reply
from there would be given to a question that nobody judged."""


@functools.cache
def _guarded_model() -> Any:
    """The class, made when LangChain is there."""
    from pydantic import Field

    base = chat_models()

    class GuardedModel(base):  # type: ignore[misc,valid-type]  # known only where it is installed
        """A chat model behind a policy."""

        inner: Any = Field(repr=False)
        how: Any = Field(repr=False)
        asked: Any = Field(default=None, repr=False)

        # --- a call is given what is known of it from outside

        def invoke(self, input: Any, config: Any = None, **keywords: Any) -> Any:
            return base.invoke(self._asked_with(config), input, config, **keywords)

        async def ainvoke(self, input: Any, config: Any = None, **keywords: Any) -> Any:
            return await base.ainvoke(self._asked_with(config), input, config, **keywords)

        def stream(self, input: Any, config: Any = None, **keywords: Any) -> Iterator[Any]:
            yield from base.stream(self._asked_with(config), input, config, **keywords)

        async def astream(self, input: Any, config: Any = None, **keywords: Any) -> Any:
            one = self._asked_with(config)
            shown = base.astream(one, input, config, **keywords)
            try:
                async for chunk in shown:
                    yield chunk
            finally:
                # LangChain leaves the streams within to the garbage collector.
                await shown.aclose()
                while one.asked.open:
                    await one.asked.open.pop().aclose()

        def stream_events(self, input: Any, config: Any = None, **keywords: Any) -> Any:
            return base.stream_events(self._asked_with(config), input, config, **keywords)

        def astream_events(self, input: Any, config: Any = None, **keywords: Any) -> Any:
            return base.astream_events(self._asked_with(config), input, config, **keywords)

        def _asked_with(self, config: Any) -> Any:
            if self.asked is not None:
                return self
            return self.model_copy(update={"asked": self.how.asked(config_now(config))})

        def _exchange(self, stop: Any, keywords: Any) -> Exchange:
            asked = self._asked_with(None).asked
            return Exchange(self.inner, self.how, asked, stop, keywords)

        # --- what LangChain asks of a model

        def _generate(
            self, messages: Any, stop: Any = None, run_manager: Any = None, **keywords: Any
        ) -> Any:
            return self._exchange(stop, keywords).whole(messages)

        async def _agenerate(
            self, messages: Any, stop: Any = None, run_manager: Any = None, **keywords: Any
        ) -> Any:
            return await self._exchange(stop, keywords).awhole(messages)

        def _stream(
            self, messages: Any, stop: Any = None, run_manager: Any = None, **keywords: Any
        ) -> Any:
            tell = None if run_manager is None else run_manager.on_llm_new_token
            return self._exchange(stop, keywords).stream(messages, tell)

        def _astream(
            self, messages: Any, stop: Any = None, run_manager: Any = None, **keywords: Any
        ) -> Any:
            tell = None if run_manager is None else run_manager.on_llm_new_token
            shown = self._exchange(stop, keywords).astream(messages, tell)
            if self.asked is not None:
                self.asked.open.append(shown)
            return shown

        def bind_tools(self, tools: Any, **keywords: Any) -> Any:
            return put_around(self.inner.bind_tools(tools, **keywords), self.how, self.asked)

        # --- what a model says about itself is what the one inside says

        def _combine_llm_outputs(self, outputs: Any) -> Any:
            return self.inner._combine_llm_outputs(outputs)

        def get_num_tokens(self, text: str) -> Any:
            return self.inner.get_num_tokens(text)

        def get_num_tokens_from_messages(self, messages: Any, tools: Any = None) -> Any:
            return self.inner.get_num_tokens_from_messages(messages, tools)

        def _get_ls_params(self, stop: Any = None, **keywords: Any) -> Any:
            return self.inner._get_ls_params(stop, **keywords)

        @property
        def _identifying_params(self) -> Any:
            return self.inner._identifying_params

        @property
        def _llm_type(self) -> str:
            return f"guardkit-{self.inner._llm_type}"

    return GuardedModel
