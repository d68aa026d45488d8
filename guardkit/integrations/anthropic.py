"""A guard in a client of Anthropic's SDK, as one of its middlewares.

from guardkit.integrations.anthropic import middleware

client = Anthropic(middleware=[middleware("policy.guard")])
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Unpack

from guardkit.errors import BindError, UsageError
from guardkit.guard import Guard
from guardkit.wire import read_json, write_json

from . import _transport
from ._http import SESSION, Answer, Asking, Chosen, HttpGuard
from ._third_party import third_party


def middleware(policy: str | Guard | None = None, **choices: Unpack[Chosen]) -> Any:
    """A middleware that judges every request to a model, and every reply.

    It serves plain and async clients. Name it last, so that it sees what is really sent. The SDK
    runs it once per attempt: with a session, what passed once is not counted again.

    Args:
        policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
        **choices: See `Chosen`.

    Raises:
        BindError: The SDK is missing or too old, or this machine cannot run the policy.
        PolicyError: The policy is wrong.
    """
    anthropic = third_party("anthropic", "anthropic")
    if not hasattr(anthropic, "Middleware"):
        said = "this version of `anthropic` has no middleware"
        raise BindError(f"{said}: pip install -U 'guardkit[anthropic]'")
    http = third_party("httpx2", "anthropic")
    guard = HttpGuard(policy, choices)

    base: Any = anthropic.Middleware

    class Guarded(base):  # type: ignore[misc]  # known at run time
        """Judges what passes."""

        def handle(self, request: Any, call_next: Any) -> Any:
            asking = _asking(request)
            if guard.passes(asking):
                return call_next(request)
            sent: list[Any] = []

            def send(body: bytes) -> Answer:
                sent.append(call_next(_with(request, body)))
                return _transport.answer(sent[0].http_response)

            answer = guard.handle(asking, send)
            if sent:
                return _replaced(http, sent[0], answer)
            return _said(anthropic.Anthropic, http.Client, http, request, answer)

        async def handle_async(self, request: Any, call_next: Any) -> Any:
            asking = _asking(request)
            if guard.passes(asking):
                return await call_next(request)
            sent: list[Any] = []

            async def send(body: bytes) -> Answer:
                sent.append(await call_next(_with(request, body)))
                return await _transport.aanswer(sent[0].http_response)

            answer = await guard.ahandle(asking, send)
            if sent:
                return _replaced(http, sent[0], answer)
            return await _said(anthropic.AsyncAnthropic, http.AsyncClient, http, request, answer)

    return Guarded()


def _asking(request: Any) -> Asking:
    headers = {name.lower(): str(value) for name, value in request.headers.items()}
    path = request.url.partition("?")[0]
    return Asking(request.method.upper(), path, headers, _body(request))


def _body(request: Any) -> bytes:
    """What will be sent, with what the caller adds to it."""
    said, more = request.json, request.options.extra_json
    if said is None and more is None:
        return b""
    if not isinstance(said, Mapping) or not isinstance(more, Mapping | None):
        raise UsageError("the request cannot be judged: its body is no JSON object")
    try:
        return write_json({**said, **(more or {})})
    except (TypeError, ValueError):
        raise UsageError("the request cannot be judged: its body is no JSON") from None


def _with(request: Any, body: bytes) -> Any:
    headers = {name: each for name, each in request.headers.items() if name.lower() != SESSION}
    made = request.copy(body=read_json(body), headers=headers)
    made.options.extra_json = None  # it stands in the body, as it was judged
    return made


def _replaced(http: Any, reply: Any, answer: Answer) -> Any:
    """The SDK's response with another body."""
    given = copy.copy(reply)
    given._parsed_by_type = {}
    given.http_response = _transport.response_of(http, answer, reply.http_response.request)
    return given


def _said(client: Any, inner: Any, http: Any, request: Any, answer: Answer) -> Any:
    """What the caller waits for, made of an answer that no server gave."""

    def respond(sent: Any) -> Any:
        return _transport.response_of(http, answer, sent)

    made = client(
        api_key="none",
        base_url="http://guard.invalid",
        max_retries=0,
        http_client=inner(transport=http.MockTransport(respond)),
    )
    return made.request(
        request.cast_to, request.options, stream=request.stream, stream_cls=request.stream_cls
    )
