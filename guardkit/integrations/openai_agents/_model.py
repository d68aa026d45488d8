"""A policy around a model: every call of it is one exchange, whoever makes it and however."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable
from functools import cache
from typing import Any, Literal

from guardkit.errors import Blocked, GuardkitError, UsageError
from guardkit.guard import Guard
from guardkit.types import Ledger, Verdict
from guardkit.wire import since

from .._around import Around, Call, Said
from ._agents import session_of_trace, the_sdk
from ._items import Asked, of_event, shown, taken_back
from ._judging import Context, Session, keyed
from ._refused import Ending, message_of
from ._tripwires import tripwire


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
    """A policy around a model: `Agent(model=guarded(model, policy))`.

    Whichever way the model takes to its provider, HTTP or a WebSocket, it passes here first.

    Args:
        model: A `Model`; its name, for the SDK's own providers; or a `ModelProvider`, for
            `RunConfig(model_provider=guarded(provider, policy))`, which guards every agent.
        policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
        on_block: Raise a tripwire, or give back a reply that says the rule's message.
        on_hold: Treat what is held for approval as blocked, or wait for the approval.
        session: The session, or a function of the call that gives one, which has the arguments of
            `Model.get_response` as attributes; else the conversation's id, else the `group_id` of
            the run's trace.
        context: The policy's context, or a function of the same.
        watch: Told of every verdict that is more than a pass.
        ledger: Told at the end of every exchange what it came to.

    Returns:
        A `Model`, or a `ModelProvider`. A block raises `InputGuardrailTripwireTriggered` or
        `OutputGuardrailTripwireTriggered`, which is a `guardkit.Blocked` too and is not retried.

    Raises:
        PolicyError: The policy is wrong.
        BindError: This machine cannot run it, or the SDK is missing or too old.
        UsageError: This is no model.
    """
    sdk = the_sdk()
    around = Around(policy, on_block="raise", on_hold=on_hold, watch=watch, ledger=ledger)
    guarding = _Guarding(around, on_block == "reply", session, context)
    if isinstance(model, str):
        model = sdk.MultiProvider().get_model(model)
    model_class, provider_class = _classes()
    if isinstance(model, sdk.ModelProvider):
        return provider_class(model, guarding)
    if not isinstance(model, sdk.Model):
        raise UsageError(f"a `{type(model).__qualname__}` is no model of the Agents SDK")
    return model_class(model, guarding)


class _Guarding:
    """One policy, for every model that it stands around."""

    def __init__(self, around: Around, replies: bool, session: Session, context: Context) -> None:
        self._around, self._replies = around, replies
        self._session, self._context = session, context

    async def _ask(self, asked: Asked, send: Callable[[Said], Any]) -> Any:
        session = asked.conversation_id or session_of_trace()
        if self._session is not None:
            session = keyed(self._session, asked)
        kept = {
            "conversation": asked.conversation_id,
            "previous_response_id": asked.previous_response_id,
        }
        call = Call(send, session, {**(keyed(self._context, asked) or {}), **since(kept)})
        return await self._around.aask(
            call, asked.messages, tools=asked.definitions, other=asked.other
        )

    async def respond(self, model: Any, asked: Asked) -> Any:
        """A whole reply, as it may be shown."""
        response: Any = None

        async def send(said: Said) -> Any:
            nonlocal response
            response = await asked.sent(said).given_to(model.get_response)
            return {"object": "response", "output": [shown(item) for item in response.output]}

        try:
            made = await self._ask(asked, send)
        except Blocked as blocked:
            verdict = blocked.verdict
        else:
            return dataclasses.replace(
                response, output=[taken_back(item) for item in made["output"]]
            )
        if not self._replies:
            raise tripwire(verdict)
        changes = {
            "output": [message_of(verdict.text)],
            "response_id": asked.previous_response_id,
        }
        if response is None:
            sdk = the_sdk()
            return sdk.ModelResponse(usage=sdk.Usage(), **changes)
        return dataclasses.replace(response, **changes)

    async def stream(self, model: Any, asked: Asked) -> AsyncIterator[Any]:
        """The events that may be shown, as they come."""
        ending = Ending()

        async def send(said: Said) -> Any:
            return _shown_events(asked.sent(said).given_to(model.stream_response))

        events: Any = None
        try:
            events = await self._ask(asked, send)
            async for event in events:
                given = of_event(event, taken_back)
                ending.see(given)
                yield given
        except Blocked as blocked:
            verdict = blocked.verdict
        else:
            return
        finally:
            # A consumer that leaves closes the source, at once.
            if events is not None:
                await events.aclose()
        if not self._replies:
            raise tripwire(verdict)
        for event in ending.events(verdict.text, asked.previous_response_id):
            yield event


async def _shown_events(events: Any) -> AsyncIterator[Any]:
    try:
        async for event in events:
            yield of_event(event, shown)
    finally:
        if hasattr(events, "aclose"):
            await events.aclose()


@cache
def _classes() -> tuple[type, type]:
    """The classes of the SDK, filled: they can be made only once it is there."""
    sdk = the_sdk()
    model_class: Any = sdk.Model
    provider_class: Any = sdk.ModelProvider
    # What the model itself writes to traces was not judged: there it leaves the texts out.
    silent = sdk.ModelTracing.ENABLED_WITHOUT_DATA

    def asked_of(
        system_instructions: Any,
        input: Any,
        model_settings: Any,
        tools: Any,
        output_schema: Any,
        handoffs: Any,
        tracing: Any,
        *,
        previous_response_id: Any = None,
        conversation_id: Any = None,
        prompt: Any = None,
    ) -> Asked:
        return Asked(
            system_instructions,
            input,
            model_settings,
            tools,
            output_schema,
            handoffs,
            silent if tracing.include_data() else tracing,
            previous_response_id,
            conversation_id,
            prompt,
        )

    class GuardedModel(model_class):  # type: ignore[misc]  # a class of the SDK is `Any` here
        """A model behind a policy."""

        def __init__(self, model: Any, guarding: _Guarding) -> None:
            self._guarded, self._guarding = model, guarding

        def __getattr__(self, name: str) -> Any:  # what this model has besides
            if name in ("_guarded", "_guarding"):
                raise AttributeError(name)
            return getattr(self._guarded, name)

        async def get_response(self, *args: Any, **kwargs: Any) -> Any:
            return await self._guarding.respond(self._guarded, asked_of(*args, **kwargs))

        def stream_response(self, *args: Any, **kwargs: Any) -> Any:
            return self._guarding.stream(self._guarded, asked_of(*args, **kwargs))

        def get_retry_advice(self, request: Any) -> Any:
            if not isinstance(request.error, GuardkitError):
                return self._guarded.get_retry_advice(request)
            # A decision does not change by asking again, whatever a retry policy says.
            why = sdk.ModelRetryNormalizedError(is_abort=True)
            return sdk.ModelRetryAdvice(suggested=False, reason="guardkit", normalized=why)

        async def close(self) -> None:
            await self._guarded.close()

        async def _cleanup_on_run_end(self, owner: object) -> None:
            await self._guarded._cleanup_on_run_end(owner)

    class GuardedProvider(provider_class):  # type: ignore[misc]  # the same
        """A provider whose models are behind a policy."""

        def __init__(self, provider: Any, guarding: _Guarding) -> None:
            self._guarded, self._guarding = provider, guarding

        def get_model(self, model_name: str | None) -> Any:
            return GuardedModel(self._guarded.get_model(model_name), self._guarding)

        async def aclose(self) -> None:
            await self._guarded.aclose()

    return GuardedModel, GuardedProvider
