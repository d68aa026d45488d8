"""A policy inside a server: what clients ask of it is judged before, what it answers after."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from guardkit.guard import Guard
from guardkit.types import Verdict

from .._judged import Judge, said
from ._package import package, refused
from ._wire import Refusal, Wire, name_of, surface_of

Handler = Callable[[Any, Callable[[Any], Awaitable[Any]]], Awaitable[Any]]


def middleware(
    policy: str | Guard | None = None,
    *,
    on_block: Literal["raise", "reply"] = "reply",
    on_hold: Literal["block", "wait"] = "block",
    session: str | Callable[[Any], str | None] | None = None,
    context: Mapping[str, object] | Callable[[Any], Mapping[str, object]] | None = None,
    watch: Callable[[Verdict], object] | None = None,
) -> Handler:
    """A policy for `MCPServer(middleware=[…])`.

    Args:
        policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
        on_block: What a client gets for a blocked tool call: a result that is an error and says the
            rule's message, which its model reads, or an error of the protocol. All else that is
            blocked is an error of the protocol.
        on_hold: Treat what is held for approval as blocked, or wait for the approval.
        session: The session, or a function of the request's context that gives it; without it, the
            one that the transport counts (streamable HTTP before the revision of 2026-07-28).
        context: Facts for `context.…`, or a function of the request's context that gives them.
        watch: Told of every verdict that is more than a pass.

    Returns:
        The middleware.

    Raises:
        PolicyError: The policy is wrong.
        BindError: This machine cannot run it, or `mcp` is missing or too old.

    Example:
        >>> server = MCPServer("shop", middleware=[middleware("shop.guard")])  # doctest: +SKIP
    """
    package("mcp.server.context")
    judge = Judge(policy, on_hold=on_hold, watch=watch)

    async def guarded(ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        if ctx.request_id is None or ctx.method in ("initialize", "server/discover"):
            return await call_next(ctx)  # a notification, or a server's word on itself
        wire = Wire(judge, _keys(judge, ctx, session, context))
        try:
            params = await wire.asked(ctx.method, ctx.params)
        except Refusal as refusal:
            return _refused(refusal.verdict, ctx, {}, on_block)
        asked = ctx if params is ctx.params else dataclasses.replace(ctx, params=params)
        try:
            result = await call_next(asked)
        except Exception as error:  # noqa: BLE001 - judged, and raised again below
            result = error
        plain: Mapping[str, Any] = {}
        try:
            if isinstance(result, Exception):
                # Raised from here, a verdict has no error behind it that quotes the server.
                raise await _failure(wire, ctx, result)
            if result is None:
                return None
            plain = _plain(result)
            made = await wire.answered(ctx.method, params, plain)
        except Refusal as refusal:
            return _refused(refusal.verdict, ctx, plain, on_block)
        return result if made is plain else made

    return guarded


def _keys(judge: Judge, ctx: Any, session: Any, context: Any) -> Mapping[str, Any]:
    named = session(ctx) if callable(session) else session
    if named is None:
        named = _transport_session(ctx)
    judge.need_session(named)
    facts = context(ctx) if callable(context) else context
    return {"session": named, "context": facts}


def _transport_session(ctx: Any) -> str | None:
    headers = getattr(ctx.request, "headers", None)
    return None if headers is None else headers.get("mcp-session-id")


def _plain(result: Any) -> dict[str, Any]:
    if isinstance(result, dict):
        return result
    # Another middleware may answer with a model.
    made: dict[str, Any] = result.model_dump(by_alias=True, mode="json", exclude_none=True)
    return made


def _refused(
    verdict: Verdict, ctx: Any, result: Mapping[str, Any], on_block: Literal["raise", "reply"]
) -> dict[str, Any]:
    if on_block == "raise" or ctx.method != "tools/call":
        raise refused(verdict) from None
    made: dict[str, Any] = {
        "content": [{"type": "text", "text": said(verdict)}],
        "isError": True,
    }
    if "resultType" in result or ctx.protocol_version in _modern():
        made["resultType"] = "complete"
    return made


def _modern() -> Any:
    return package("mcp_types.version").MODERN_PROTOCOL_VERSIONS


async def _failure(wire: Wire, ctx: Any, error: Exception) -> Exception:
    """The error to raise: what a handler raised may be sent to the client as it is."""
    shown = getattr(error, "error", None)
    value: Any = _plain(shown) if hasattr(shown, "model_dump") else {"message": str(error)}
    tool = name_of(ctx.params) if ctx.method == "tools/call" else None
    made = await wire.text(value, surface_of(ctx.method), tool)
    if made is value:
        return error
    code = made.get("code", package("mcp_types").INTERNAL_ERROR)
    failure: Exception = package().MCPError(
        code=code, message=made["message"], data=made.get("data")
    )
    return failure
