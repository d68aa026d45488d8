"""What the proxy needs to know of a dialect, and what all dialects of one family share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Protocol

from ._asked import Asked
from ._fault import Fault

Family = Literal["openai", "anthropic"]
Send = Callable[[Any, dict[str, Any], list[Any]], Any]
"""Asks the model: what is known of the exchange, the named texts, all other text. It gives back
what is to be judged of the reply, a stream of that, or an awaitable of either."""
Context = Literal["messages", "prompt", "nowhere"]
"""Among the arguments of a call, where a guard puts it; in front of the prompt; nowhere."""
Event = dict[str, Any]


class Refused:
    """A block before the model was asked: the message, to be said in the dialect of the request."""

    __slots__ = ("message",)

    def __init__(self, message: str) -> None:
        self.message = message


class Unreadable(Exception):  # noqa: N818 - what upstream said, not what went wrong here
    """What upstream said has not the shape of a reply: it was not judged and is not delivered."""


class Flow:
    """How many characters of a stream came in and have not gone out, when they were most."""

    def __init__(self) -> None:
        self._inside = 0
        self.held = 0

    def came(self, text: object) -> None:
        """So much came in."""
        if isinstance(text, str):
            self._inside += len(text)
            self.held = max(self.held, self._inside)

    def went(self, text: object) -> None:
        """So much went out; a rule may have made it longer or shorter."""
        if isinstance(text, str):
            self._inside = max(self._inside - len(text), 0)


class Events(Protocol):
    """One stream: what is judged of its events, and what is put back around it."""

    held: int
    """Characters that were held back, when they were most."""

    def take(self, event: Event) -> Event | None:
        """What is to be judged of an event; None where nothing of it goes on.

        Raises:
            Unreadable: It is none of this dialect.
        """

    def give(self, event: Event) -> Event:
        """An event as the client gets it."""

    def end(self, event: Event, message: str) -> Event:
        """An event by which the guard ends what it blocked, as the client gets it."""

    def refusal(self, message: str) -> list[Event]:
        """A whole stream that says a message, for a block before the model was asked."""

    @property
    def is_over(self) -> bool:
        """Whether what was taken came to the end that the dialect has."""

    def closing(self, *, is_blocked: bool) -> list[Event]:
        """What the client still has to hear at the end."""


class Dialect(Protocol):
    """One way to ask a model."""

    name: ClassVar[str]
    path: ClassVar[str]
    family: ClassVar[Family]
    text: ClassVar[tuple[str, ...]]
    """The parameters of `call` that hold text of no special kind."""
    ends_with_done: ClassVar[bool]
    """Whether the last thing that a stream says is `[DONE]`."""
    context: ClassVar[Context]
    """Where the context layer has its place."""
    can_refuse: ClassVar[bool]
    """Whether a reply can say a message."""

    def ask(self, body: Mapping[str, Any], *, strict: bool) -> Asked:
        """A request, taken apart.

        Raises:
            Fault: It is malformed, or asks for what cannot be guarded.
        """

    def call(self, send: Send) -> Callable[..., Any]:
        """The callable that a guard is put around; plain, whatever `send` gives back."""

    def reply(self, reply: Mapping[str, Any], asked: Asked) -> tuple[dict[str, Any], Event]:
        """What is to be judged of a whole reply, and the head that is not.

        Raises:
            Unreadable: It is none.
        """

    def refusal(self, message: str, asked: Asked, decision: str) -> Event:
        """A whole reply that says a message."""

    def events(self, asked: Asked, decision: str) -> Events:
        """The reader of one stream."""

    def kind(self, event: Event) -> str:
        """The kind of an event, where the dialect names it."""

    def fault(self, fault: Fault, decision: str, events: Events | None) -> tuple[str, Event]:
        """The kind and the data of an event by which a stream ends that cannot go on."""


def awaited(call: Callable[..., Any]) -> Callable[..., Any]:
    """The call of a dialect as a coroutine function, for a `send` that has to be awaited."""

    @functools.wraps(call)
    async def awaits(*args: Any, **kwargs: Any) -> Any:
        return await call(*args, **kwargs)

    return awaits


# --- faults


def fault_body(family: Family, fault: Fault, decision: str) -> Event:
    """A fault in the shape that a family's clients know."""
    if family == "anthropic":
        said = {"type": _anthropic_type(fault), "message": fault.message}
        return {"type": "error", "error": said, "request_id": decision}
    return {
        "error": {
            "message": fault.message,
            "type": _openai_type(fault),
            "param": None,
            "code": fault.code,
        }
    }


def _openai_type(fault: Fault) -> str:
    if fault.code == "guardkit_blocked":
        return fault.code
    known = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    return known.get(fault.status, "server_error" if fault.status >= 500 else _INVALID)


def _anthropic_type(fault: Fault) -> str:
    if fault.code == "guardkit_blocked":
        return fault.code
    known = {
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        503: "overloaded_error",
        529: "overloaded_error",
    }
    return known.get(fault.status, "api_error" if fault.status >= 500 else _INVALID)


_INVALID = "invalid_request_error"
