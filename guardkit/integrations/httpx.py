"""A guard in a client of the classic `httpx`, for whatever asks a model over HTTP.

from guardkit.integrations.httpx import transport

client = httpx.Client(transport=transport("policy.guard"))
"""

from __future__ import annotations

from typing import Any, Unpack

from guardkit.guard import Guard

from . import _transport
from ._http import Chosen


def transport(
    policy: str | Guard | None = None, inner: Any = None, **choices: Unpack[Chosen]
) -> Any:
    """A transport that judges every request to a model, and every reply.

    Args:
        policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
        inner: The transport that sends; without one, a new `HTTPTransport`.
        **choices: See `Chosen`.

    Raises:
        BindError: The package is not installed, or this machine cannot run the policy.
        PolicyError: The policy is wrong.
    """
    return _transport.opened("httpx", policy, inner, choices)


def async_transport(
    policy: str | Guard | None = None, inner: Any = None, **choices: Unpack[Chosen]
) -> Any:
    """`transport`, for an `AsyncClient`."""
    return _transport.async_opened("httpx", policy, inner, choices)
