"""A policy around a model: every request is one exchange, whoever makes it and however."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from typing import Any, Literal

from guardkit.errors import Blocked, UsageError
from guardkit.guard import Guard
from guardkit.types import Ledger, Verdict

from .._around import Around, Plain, Said
from ._asked import Asked
from ._guarding import Context, Guarding, Session
from ._messages import plain_response, response_of
from ._package import blocked_by, part_of
from ._stream import events_of, stream_of

NO_REPLY: Plain = {"object": "chat.completion", "choices": []}


def guarded(
    model: Any,
    policy: str | Guard | None = None,
    *,
    on_block: Literal["raise", "reply"] = "raise",
    on_hold: Literal["block", "wait"] = "block",
    session: Session = None,
    context: Context = None,
    watch: Callable[[Verdict], object] | None = None,
    ledger: Callable[[Ledger], object] | None = None,
) -> Any:
    """A policy around a model: `Agent(guarded("openai:gpt-5", policy))`.

    Args:
        model: A `Model`, or the name of one.
        policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
        on_block: Raise, or give back a response that says the rule's message.
        on_hold: Treat what is held for approval as blocked, or wait for the approval.
        session: The session, or a function of the list of messages that gives one; else the
            `conversation_id` of the last message, which an agent gives every run.
        context: The policy's context, or a function of the same.
        watch: Told of every verdict that is more than a pass.
        ledger: Told at the end of every exchange what it came to.

    Returns:
        A `WrapperModel`. A block raises a `ContentFilterError` that is a `guardkit.Blocked` too.

    Raises:
        PolicyError: The policy is wrong.
        BindError: This machine cannot run it, or the package is missing or too old.
    """
    part_of("models")
    around = Around(policy, on_hold=on_hold, watch=watch, ledger=ledger)
    return model_behind(model, Guarding(around, on_block == "reply", session, context))


def model_behind(model: Any, guarding: Guarding) -> Any:
    """A model behind a policy."""
    return _model_class()(model, guarding)


def completion(response: Any, output_tools: tuple[str, ...]) -> Plain:
    """A response as a reply in the chat format."""
    message = plain_response(response, output_tools)
    choice = {"index": 0, "finish_reason": response.finish_reason, "message": message}
    return {"object": "chat.completion", "choices": [choice]}


@cache
def _model_class() -> type:
    """The class of the package, filled: it can be made only once that is there."""
    base: Any = part_of("models.wrapper").WrapperModel
    completed = part_of("models").CompletedStreamedResponse

    class GuardedModel(base):  # type: ignore[misc]  # a class of theirs is `Any` here
        """A model behind a policy."""

        def __init__(self, model: Any, guarding: Guarding) -> None:
            super().__init__(model)
            self._guarding = guarding

        async def request(self, messages: Any, model_settings: Any, parameters: Any) -> Any:
            asked = Asked(messages, model_settings, parameters)
            response: Any = None

            async def send(said: Said) -> Any:
                nonlocal response
                sent = asked.sent(said)
                response = await self.wrapped.request(sent.messages, sent.settings, sent.parameters)
                return completion(response, asked.output_tools)

            try:
                made = await self._guarding.ask(asked, send)
            except Blocked as blocked:
                verdict = blocked.verdict
            else:
                given = made["choices"][0]["message"]
                return response_of(response, given, asked.output_tools)
            return self._guarding.refused(verdict, response)

        @asynccontextmanager
        async def request_stream(
            self,
            messages: Any,
            model_settings: Any,
            model_request_parameters: Any,
            run_context: Any = None,
        ) -> AsyncIterator[Any]:
            asked = Asked(messages, model_settings, model_request_parameters)
            inner: Any = None

            async with AsyncExitStack() as stack:

                async def send(said: Said) -> Any:
                    nonlocal inner
                    sent = asked.sent(said)
                    opened = self.wrapped.request_stream(
                        sent.messages, sent.settings, sent.parameters, run_context
                    )
                    inner = await stack.enter_async_context(opened)
                    return events_of(inner, asked.output_tools)

                try:
                    events = await self._guarding.ask(asked, send)
                except Blocked as blocked:
                    verdict = blocked.verdict
                else:
                    # A consumer that leaves closes the source, at once.
                    stack.push_async_callback(events.aclose)
                    yield stream_of(inner, events, self._guarding, asked)
                    return
                yield completed(
                    self._guarding.refused(verdict),
                    model_request_parameters=model_request_parameters,
                    replay_events=True,
                )

        async def count_tokens(self, messages: Any, model_settings: Any, parameters: Any) -> Any:
            asked = Asked(messages, model_settings, parameters)
            counted: Any = None

            async def send(said: Said) -> Any:
                nonlocal counted
                sent = asked.sent(said)
                counted = await self.wrapped.count_tokens(
                    sent.messages, sent.settings, sent.parameters
                )
                return NO_REPLY

            try:
                await self._guarding.ask(asked, send)
            except Blocked as blocked:
                verdict = blocked.verdict
            else:
                return counted
            raise blocked_by(verdict)

        # What a batch or a compaction brings back would be judged by nobody.

        async def batch_encode(self, request: Any) -> Any:
            raise UsageError("a batch goes past the policy: ask the guarded model one by one")

        async def compact_messages(self, *_: Any, **__: Any) -> Any:
            raise UsageError("a provider that compacts messages goes past the policy")

    return GuardedModel
