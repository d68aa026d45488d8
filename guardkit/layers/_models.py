"""The weights of a deployment: a callable, or a server that speaks the chat format."""

from __future__ import annotations

import inspect
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from guardkit.diagnostics import visible
from guardkit.errors import ModelError, UsageError
from guardkit.wrap import named_callable, takes_text

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse

Message = Mapping[str, object]
Model = Callable[[Sequence[Message], Sequence[str]], Awaitable[Any]]
"""Given messages and retrieved documents, gives a reply of any shape that `wrap` can read."""

MOST_REPLY: Final = 8 << 20
"""Bytes of one reply of a server."""
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_FINAL: Final = frozenset({"content_filter", "content_policy_violation", "insufficient_quota"})
"""Codes of errors that another try does not change, whatever their status."""
_TRIES: Final = 3


class ServerError(ModelError):
    """A server that gave no reply."""


def says(reply: Any) -> Model:
    """A model that always gives this reply: what comes out of weights that gave way."""

    async def model(messages: Sequence[Message], documents: Sequence[str]) -> Any:
        return reply

    return model


def model_of(function: Callable[..., Any]) -> Model:
    """A callable of a program as a model.

    It is given the messages, or the last text of the user where its only required parameter is
    called `prompt` or is annotated `str`. One that takes `documents` gets them apart; for others
    they stand before the question. What is not async runs in a thread.

    Raises:
        UsageError: It cannot be called with one argument.
    """
    wants_text, takes_documents = takes_text(function), _takes_documents(function)
    target = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
    is_async = inspect.iscoroutinefunction(target) or inspect.isasyncgenfunction(target)

    async def model(messages: Sequence[Message], documents: Sequence[str]) -> Any:
        given: list[Message] = [dict(message) for message in messages]
        extra: dict[str, Any] = {"documents": list(documents)} if takes_documents else {}
        if documents and not takes_documents:
            given = with_documents(given, documents)
        said: Any = _last_text(given) if wants_text else given
        if is_async:
            made = function(said, **extra)
            return await made if hasattr(made, "__await__") else made
        from anyio.to_thread import run_sync

        made = await run_sync(lambda: function(said, **extra), abandon_on_cancel=True)
        if hasattr(type(made), "__next__"):  # it waits for its chunks, so a thread takes them
            return _given(await run_sync(list, made, abandon_on_cancel=True))
        return await made if hasattr(made, "__await__") else made

    return model


async def _given(chunks: list[Any]) -> AsyncIterator[Any]:
    for chunk in chunks:
        yield chunk


def named_model(name: str) -> Model:
    """The model `module:callable`, looked for in the working folder too.

    Raises:
        UsageError: There is none, or its module does not load.
    """
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return model_of(named_callable(name))


def with_documents(messages: Sequence[Message], documents: Sequence[str]) -> list[Message]:
    """The messages with documents in front of the last question, as many programs send them."""
    shown = "\n\n".join(f"<document>\n{text}\n</document>" for text in documents)
    made = [dict(message) for message in messages]
    for message in reversed(made):
        if message.get("role") == "user" and isinstance(message.get("content"), str):
            message["content"] = f"{shown}\n\n{message['content']}"
            return list(made)
    return [*made, {"role": "user", "content": shown}]


def _takes_documents(function: Callable[..., Any]) -> bool:
    """Whether a callable wants documents apart from the messages."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    kinds = {one.kind for one in parameters.values()}
    one = inspect.Parameter
    if not kinds & {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD, one.VAR_POSITIONAL}:
        raise UsageError("a model takes the messages as its first argument, and this takes none")
    return "documents" in parameters


def _last_text(messages: Sequence[Message]) -> str:
    for message in reversed(messages):
        content = message.get("content")
        if message.get("role") != "user":
            continue
        if isinstance(content, str):
            return content
        if isinstance(content, list):  # parts of one message are one text to its reader
            texts = [part.get("text") for part in content if isinstance(part, Mapping)]
            return "".join(text for text in texts if isinstance(text, str))
    return ""


# --- servers


@dataclass(frozen=True, slots=True)
class Server:
    """A server that speaks the chat completions format; call it as a `Model`.

    Args:
        base_url: Up to and with `/v1`, as its clients have it.
        model: The name of the model.
        key: Sent as a bearer token.
        timeout_s: How long one request may take.
        options: Further fields of the request: `{"temperature": 0}`.
    """

    base_url: str
    model: str = "default"
    key: str = field(default="", repr=False)
    timeout_s: float = 60.0
    options: Mapping[str, object] = field(default_factory=dict)
    _idle: list[HTTPConnection] = field(default_factory=list, repr=False, compare=False)
    """Open connections that nobody uses; appending and popping are atomic."""

    def __del__(self) -> None:
        self._close_idle()

    def __post_init__(self) -> None:
        place = (self.base_url.partition("://")[2] or self.base_url).partition("/")[0]
        if "@" in place:  # said without the address, which may hold a password
            raise UsageError("an address of a server names no user: a key is given apart")
        try:
            parts = urlsplit(self.base_url)
            is_address = parts.scheme in ("http", "https") and parts.port != 0
        except ValueError:
            is_address = False
        if not is_address or not parts.hostname:
            raise UsageError(f"`{visible(self.base_url)}` is no http or https address")

    async def __call__(self, messages: Sequence[Message], documents: Sequence[str]) -> Any:
        """The reply to some messages.

        Raises:
            ServerError: There is none.
        """
        from anyio.to_thread import run_sync

        said = with_documents(messages, documents) if documents else list(messages)
        body = {**self.options, "model": self.model, "messages": said}
        return await run_sync(self._ask, json.dumps(body).encode(), abandon_on_cancel=True)

    def _ask(self, body: bytes) -> Any:
        from http.client import HTTPException

        error = ServerError("no reply")
        for attempt in range(_TRIES):
            try:
                status, waits, content = self._post(body)
            except TimeoutError:
                raise ServerError("timed out") from None
            except (OSError, HTTPException) as raised:
                error = ServerError(f"unreachable ({type(raised).__name__})")
                waits = 0.2 * 2**attempt
            else:
                if status == 200:
                    return _reply(content)
                error = ServerError(f"HTTP {status}", _code(content))
                if status not in _AGAIN or error.code in _FINAL:
                    raise error
                waits = waits or 0.5 * 2**attempt
            if attempt + 1 < _TRIES:
                time.sleep(min(waits, 10.0))
        raise error

    def _post(self, body: bytes) -> tuple[int, float, bytes]:
        from http.client import IncompleteRead

        try:
            connection, is_used = self._idle.pop(), True
        except IndexError:
            connection, is_used = self._new(), False
        try:
            try:
                answer = self._sent(connection, body)
            except ConnectionError:
                if not is_used:
                    raise
                # The server ended it while nobody used it, and most likely the others too.
                connection.close()
                self._close_idle()
                connection = self._new()
                answer = self._sent(connection, body)
            content = answer.read(MOST_REPLY + 1)
            if len(content) > MOST_REPLY:
                raise ServerError("a reply beyond all bounds")
            if answer.length:
                raise IncompleteRead(content, answer.length)
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        asked = answer.getheader("Retry-After") or ""
        return answer.status, float(asked) if asked.isdigit() else 0.0, content

    def _new(self) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection

        parts = urlsplit(self.base_url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        return kind(parts.hostname or "", parts.port, timeout=self.timeout_s)

    def _sent(self, connection: HTTPConnection, body: bytes) -> HTTPResponse:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        path = urlsplit(self.base_url).path.rstrip("/") + "/chat/completions"
        connection.request("POST", path, body, headers)
        return connection.getresponse()

    def _close_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()


def _reply(content: bytes) -> Any:
    try:
        reply = json.loads(content)
    except ValueError:
        raise ServerError("a reply that is not JSON") from None
    choices = reply.get("choices") if isinstance(reply, dict) else None
    if not isinstance(choices, list) or not choices:
        raise ServerError("a reply without choices")
    return reply


def _code(content: bytes) -> str:
    """The reason in an error's body, where it is one of the short words that providers use."""
    try:
        error = json.loads(content)["error"]
        code = error.get("code") or error.get("type")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return code if isinstance(code, str) and code.replace("_", "").isalnum() else ""
