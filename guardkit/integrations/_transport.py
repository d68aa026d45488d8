"""Transports with a guard in them, for `httpx2` and the classic `httpx`, which look the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import cache
from typing import Any, Final

from guardkit.guard import Guard

from ._http import SESSION, Answer, Asking, Chosen, HttpGuard
from ._third_party import third_party

Send = Callable[[Any], Any]
"""Sends a request, without reading the body of the response."""
_OWN: Final = frozenset({"content-length", "content-encoding", "transfer-encoding", SESSION})
"""Headers that were true of other bytes."""


def opened(name: str, policy: str | Guard | None, inner: Any, choices: Chosen) -> Any:
    """A transport of `httpx2` or `httpx` behind a policy; `inner` sends, or a new one does."""
    http = third_party(name, name)
    sends = http.HTTPTransport() if inner is None else inner
    return transport(http, HttpGuard(policy, choices), sends.handle_request, sends.close)


def async_opened(name: str, policy: str | Guard | None, inner: Any, choices: Chosen) -> Any:
    """`opened`, for an async client."""
    http = third_party(name, name)
    sends = http.AsyncHTTPTransport() if inner is None else inner
    guard = HttpGuard(policy, choices)
    return async_transport(http, guard, sends.handle_async_request, sends.aclose)


def transport(http: Any, guard: HttpGuard, send: Send, close: Callable[[], None]) -> Any:
    """A transport that judges what passes.

    Args:
        http: The module, `httpx2` or `httpx`.
        guard: The guard.
        send: Sends a request.
        close: Lets go of what `send` uses.
    """

    class Guarded(http.BaseTransport):  # type: ignore[misc]  # known at run time
        """Judges what passes."""

        def handle_request(self, request: Any) -> Any:
            asking = _asking(request, request.read())
            if guard.passes(asking):
                return send(request)
            given = guard.handle(asking, lambda body: answer(send(_with(http, request, body))))
            return response_of(http, given, request)

        def close(self) -> None:
            close()

    return Guarded()


def async_transport(
    http: Any, guard: HttpGuard, send: Send, close: Callable[[], Awaitable[None]]
) -> Any:
    """`transport`, for an async client."""

    class Guarded(http.AsyncBaseTransport):  # type: ignore[misc]  # known at run time
        """Judges what passes."""

        async def handle_async_request(self, request: Any) -> Any:
            asking = _asking(request, await request.aread())
            if guard.passes(asking):
                return await send(request)

            async def sent(body: bytes) -> Answer:
                return await aanswer(await send(_with(http, request, body)))

            return response_of(http, await guard.ahandle(asking, sent), request)

        async def aclose(self) -> None:
            await close()

    return Guarded()


# --- requests


def _asking(request: Any, body: bytes) -> Asking:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Asking(request.method, request.url.path, headers, body)


def _with(http: Any, request: Any, body: bytes) -> Any:
    headers = [(name, value) for name, value in request.headers.items() if name not in _OWN]
    return http.Request(
        request.method, request.url, headers=headers, content=body, extensions=request.extensions
    )


# --- responses


def _kind(response: Any) -> str:
    kind: str = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind


def _headers(response: Any) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in response.headers.items() if name not in _OWN)


def _streams(response: Any) -> bool:
    return response.status_code == 200 and _kind(response) == "text/event-stream"


def answer(response: Any) -> Answer:
    """What the model's server answered; a stream is not read yet."""
    if _streams(response):
        body: Any = _pieces(response)
    else:
        try:
            body = response.read()
        finally:
            response.close()
    return Answer(response.status_code, _headers(response), _kind(response), body)


async def aanswer(response: Any) -> Answer:
    """`answer`, for a response of an async client."""
    if _streams(response):
        body: Any = _apieces(response)
    else:
        try:
            body = await response.aread()
        finally:
            await response.aclose()
    return Answer(response.status_code, _headers(response), _kind(response), body)


def _pieces(response: Any) -> Iterator[bytes]:
    try:
        yield from response.iter_bytes()
    finally:
        response.close()


async def _apieces(response: Any) -> AsyncIterator[bytes]:
    try:
        async for piece in response.aiter_bytes():
            yield piece
    finally:
        await response.aclose()


def response_of(http: Any, answer: Answer, request: Any) -> Any:
    """The response for the client."""
    headers = [pair for pair in answer.headers if pair[0] != "content-type"]
    headers.append(("content-type", answer.kind))
    if isinstance(answer.body, bytes):
        return http.Response(answer.status, headers=headers, content=answer.body, request=request)
    kind = _stream_class(http, is_async=hasattr(answer.body, "__anext__"))
    return http.Response(answer.status, headers=headers, stream=kind(answer.body), request=request)


@cache
def _stream_class(http: Any, *, is_async: bool) -> Any:
    """The body of a streamed response: it closes its source whatever happens."""

    class Pieces(http.SyncByteStream):  # type: ignore[misc]  # known at run time
        def __init__(self, pieces: Any) -> None:
            self._pieces = pieces

        def __iter__(self) -> Iterator[bytes]:
            yield from self._pieces

        def close(self) -> None:
            self._pieces.close()

    class AsyncPieces(http.AsyncByteStream):  # type: ignore[misc]  # known at run time
        def __init__(self, pieces: Any) -> None:
            self._pieces = pieces

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for piece in self._pieces:
                yield piece

        async def aclose(self) -> None:
            await self._pieces.aclose()

    return AsyncPieces if is_async else Pieces
