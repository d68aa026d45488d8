"""A guard in a client of OpenAI's SDK.

from guardkit.integrations.openai import guarded

client = guarded(OpenAI(), "policy.guard")
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, TypeVar, Unpack

from guardkit.errors import BindError, UsageError
from guardkit.guard import Guard

from . import _transport
from ._http import Chosen, HttpGuard
from ._third_party import third_party

C = TypeVar("C")
_CLIENTS: Final = ("Client", "AsyncClient")


def guarded(client: C, policy: str | Guard | None = None, **choices: Unpack[Chosen]) -> C:
    """A copy of a client that judges every request to a model, and every reply.

    Completions, responses and embeddings are judged, streams too, however they are asked for
    (`create`, `parse`, `with_raw_response`, `with_streaming_response`). A request of another kind,
    and a WebSocket, is a `UsageError` before anything is sent.

    Args:
        client: An `OpenAI` or `AsyncOpenAI`, or one for Azure. It stays as it is, and its HTTP
            client sends what the copy asks.
        policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
        **choices: See `Chosen`.

    Raises:
        BindError: The SDK is missing or too old, or this machine cannot run the policy.
        PolicyError: The policy is wrong.
        UsageError: This is no client of the SDK.
    """
    openai = third_party("openai", "openai")
    if not isinstance(client, openai.OpenAI | openai.AsyncOpenAI):
        raise UsageError(f"a client of the SDK is wanted, not a `{type(client).__qualname__}`")
    if not hasattr(client, "_prepare_options"):
        raise BindError("this version of `openai` is too old: pip install -U 'guardkit[openai]'")
    guard = HttpGuard(policy, choices)
    inner: Any = client._client
    # Its own flavour of HTTP client: some SDKs take both.
    named = next(each.__module__ for each in type(inner).__mro__ if each.__name__ in _CLIENTS)
    http = third_party(named.partition(".")[0], "openai")
    if isinstance(client, openai.AsyncOpenAI):

        async def asend(request: Any) -> Any:
            return await inner.send(request, stream=True)

        outer = http.AsyncClient(
            transport=_transport.async_transport(http, guard, asend, inner.aclose)
        )
    else:

        def send(request: Any) -> Any:
            return inner.send(request, stream=True)

        outer = http.Client(transport=_transport.transport(http, guard, send, inner.close))
    made: Any = client.with_options(http_client=outer)
    kind: Any = type(client)
    made.__class__ = _without_sockets(kind)
    same: C = made
    return same


@cache
def _without_sockets(kind: type) -> type:
    """A class of client that opens no WebSocket: nothing would stand between it and the model."""

    def refuse(options: Any) -> None:
        if str(options.url).startswith(("ws:", "wss:")):
            raise UsageError("a WebSocket passes the guard by: ask over HTTP, or leave the guard")

    if hasattr(kind, "__aenter__"):

        async def _prepare_options(self: Any, options: Any) -> Any:
            refuse(options)
            return await kind._prepare_options(self, options)  # type: ignore[attr-defined]
    else:

        def _prepare_options(self: Any, options: Any) -> Any:  # type: ignore[misc]
            refuse(options)
            return kind._prepare_options(self, options)  # type: ignore[attr-defined]

    return type(kind.__name__, (kind,), {"_prepare_options": _prepare_options})
