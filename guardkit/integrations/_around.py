"""What adapters share: a guard around whatever a framework calls to ask its model.

A framework's messages become plain ones, in the chat format that `wrap` reads; those that a rule
changed are changed in the framework's own objects too, and the others are handed on as they were.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from guardkit.guard import Guard
from guardkit.types import Ledger, Verdict
from guardkit.wrap import Judgements, wrap

from ._target import guard_of

Plain = dict[str, Any]
"""A message, a tool or a reply in the chat format."""
M = TypeVar("M")


class Said(NamedTuple):
    """What may be sent to the model: it was judged, and has the changes that rules made."""

    messages: list[Plain]
    tools: list[Plain]
    documents: list[Any]
    other: list[Any]


class Call(NamedTuple):
    """What one call of the model brings along."""

    send: Callable[[Said], Any]
    """Asks the model; gives back a reply in the chat format, a stream of chunks in that format, or
    an awaitable of either."""
    session: str | None = None
    context: Mapping[str, object] | None = None
    tenant: str = ""


class Around:
    """A guard around a framework's way to ask a model. Made once; every call brings its own `send`.

    Args:
        policy: A path, the name of a policy that ships, or a guard.
        on_block: Raise `Blocked`, or give back a reply that says the rule's message.
        on_hold: Treat what is held for approval as blocked, or wait for the approval.
        watch: Told of every verdict that is more than a pass.
        ledger: Told at the end of every exchange what it came to.

    Raises:
        PolicyError: The policy is wrong.
        BindError: This machine cannot run it.
    """

    def __init__(
        self,
        policy: str | Guard | None,
        *,
        on_block: Literal["raise", "reply"] = "raise",
        on_hold: Literal["block", "wait"] = "block",
        watch: Callable[[Verdict], object] | None = None,
        ledger: Callable[[Ledger], object] | None = None,
    ) -> None:
        self.guard = guard_of(policy)
        # One memory for both ways to ask: what was judged by one is known to the other.
        known = Judgements()

        def put_around(function: Callable[..., Any]) -> Callable[..., Any]:
            return wrap(
                self.guard,
                function,
                on_block=on_block,
                on_hold=on_hold,
                text=("messages",),
                session=lambda call: call["call"].session,
                context=lambda call: call["call"].context,
                tenant=lambda call: call["call"].tenant,
                refusal=refusal,
                watch=watch,
                ledger=ledger,
                known=known,
            )

        self._ask = put_around(_ask)
        self._aask = put_around(_aask)

    def ask(
        self,
        call: Call,
        messages: Sequence[Plain],
        *,
        tools: Sequence[Plain] = (),
        documents: Sequence[Any] = (),
        other: Sequence[Any] = (),
    ) -> Any:
        """One exchange: what goes in is judged before `call.send` is asked, what comes out after.

        Args:
            call: What this call brings along.
            messages: The conversation, in the chat format.
            tools: Definitions of tools.
            documents: What was retrieved.
            other: Everything else that is sent and holds text.

        Returns:
            The reply, in the chat format, or a stream of chunks, where `send` gives back one. A
            block before the model was asked is a whole reply (`refusal`), also for a stream.

        Raises:
            Blocked: A rule stopped it, and `on_block` says to raise.
        """
        return self._ask(list(messages), list(tools), list(documents), list(other), call)

    async def aask(
        self,
        call: Call,
        messages: Sequence[Plain],
        *,
        tools: Sequence[Plain] = (),
        documents: Sequence[Any] = (),
        other: Sequence[Any] = (),
    ) -> Any:
        """`ask`, for a `send` that gives back an awaitable."""
        return await self._aask(list(messages), list(tools), list(documents), list(other), call)


def _ask(
    messages: list[Plain],
    tools: list[Plain],
    documents: list[Any],
    other_text: list[Any],
    call: Call,
) -> Any:
    return call.send(Said(messages, tools, documents, other_text))


async def _aask(
    messages: list[Plain],
    tools: list[Plain],
    documents: list[Any],
    other_text: list[Any],
    call: Call,
) -> Any:
    made: Awaitable[Any] = call.send(Said(messages, tools, documents, other_text))
    return await made


# --- the chat format


def refusal(text: str) -> Plain:
    """A whole reply that says a message, as a filter of a provider would."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "content_filter", "message": message}
    return {"object": "chat.completion", "choices": [choice]}


def is_refusal(reply: Any) -> bool:
    """Whether this is a whole reply that a block made of what the model said, or would have."""
    return isinstance(reply, dict) and any(
        choice["finish_reason"] == "content_filter" for choice in reply["choices"]
    )


class Shape(Protocol[M]):
    """How a framework's messages are read, and changed."""

    def plain(self, message: M, /) -> Plain:
        """A message in the chat format, every string of it included."""

    def changed(self, message: M, given: Plain, /) -> M:
        """A copy with the changes that a rule made; the message itself stays as it is.

        Raises:
            UsageError: A rule rewrote what cannot be changed.
        """

    def made(self, given: Plain, /) -> M:
        """A message of the framework for one that the policy's context layer put in."""


def placed(shape: Shape[M], messages: Iterable[M]) -> list[Plain]:
    """Messages in the chat format; each carries its place as `id`."""
    return [{**shape.plain(each), "id": str(place)} for place, each in enumerate(messages)]


def taken_back(shape: Shape[M], given: Iterable[Plain], messages: Sequence[M]) -> list[M]:
    """The framework's messages that may be sent: the very same objects where no rule changed them.

    Args:
        shape: How they are read.
        given: What `placed` made of them, as it came out of the judgement.
        messages: Those that went in.

    Raises:
        UsageError: A rule rewrote what cannot be changed.
    """
    back: list[M] = []
    for each in given:
        place = each.get("id")
        if place is None:
            back.append(shape.made(each))
            continue
        message = messages[int(place)]
        sent = {**shape.plain(message), "id": place}
        back.append(message if each == sent else shape.changed(message, each))
    return back
