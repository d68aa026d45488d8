"""A policy around a client: what a server sends is judged before anybody reads it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

from guardkit.errors import UsageError
from guardkit.guard import Guard
from guardkit.types import Verdict

from .._judged import Judge, said
from ._package import package, refused
from ._wire import Refusal, Wire, name_of, surface_of


def guarded(
    client: Any,
    policy: str | Guard | None = None,
    *,
    on_block: Literal["raise", "reply"] = "raise",
    on_hold: Literal["block", "wait"] = "block",
    session: str | Callable[[Any], str | None] | None = None,
    context: Mapping[str, object] | Callable[[Any], Mapping[str, object]] | None = None,
    watch: Callable[[Verdict], object] | None = None,
) -> Any:
    """A policy around a client of a server that nobody here wrote.

    Args:
        client: A `Client` that is not connected yet, or a `ClientSession`.
        policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
        on_block: Raise, or give a blocked tool call's result as an error that says the rule's
            message. All else that is blocked raises: an `MCPError` that is a `guardkit.Blocked`.
        on_hold: Treat what is held for approval as blocked, or wait for the approval.
        session: The session, or a function of the request that gives it.
        context: Facts for `context.…`, or a function of the request that gives them.
        watch: Told of every verdict that is more than a pass.

    Returns:
        A client of the same class, to be connected in place of the given one; a `ClientSession` is
        guarded itself, and given back.

    Raises:
        PolicyError: The policy is wrong.
        BindError: This machine cannot run it, or `mcp` is missing or too old.
        UsageError: The client is connected already, or the policy needs a session.

    Example:
        >>> async with guarded(Client(url), "shop.guard") as client:  # doctest: +SKIP
        ...     await client.call_tool("find", {"order": "1"})
    """
    mcp = package()
    judge = Judge(policy, on_hold=on_hold, watch=watch)
    judge.need_session(session)
    post = _Post(judge, on_block, session, context)
    if isinstance(client, mcp.ClientSession):
        post.stand_in(client)
        return client
    if not isinstance(client, mcp.Client):
        kind = type(client).__name__
        raise UsageError(f"a client is a `Client` or a `ClientSession`, not a `{kind}`")
    try:
        _ = client.session
    except RuntimeError:
        given = {f.name: getattr(client, f.name) for f in dataclasses.fields(client) if f.init}
        kind_of: Any = type(client)
        made = _guarded_class(kind_of)(**given)
        made.guardkit_post = post
        return made
    raise UsageError("a client is guarded before it is connected")


@functools.cache
def _guarded_class(kind: Any) -> Any:
    class Guarded(kind):  # type: ignore[misc]  # the package is not typed here
        """A client with a policy around it."""

        guardkit_post: _Post

        async def __aenter__(self) -> Any:
            await super().__aenter__()
            try:
                self.guardkit_post.stand_in(self.session)
                await self.guardkit_post.introduced(self.session)
            except BaseException:
                # Closed as if nothing had happened: a task group would wrap the error in a group.
                await self.__aexit__(None, None, None)
                raise
            return self

        @property
        def instructions(self) -> str | None:
            """What the server says of itself, as it was judged."""
            _ = self.session
            found: str | None = self.guardkit_post.instructions
            return found

    Guarded.__name__ = Guarded.__qualname__ = f"Guarded{kind.__name__}"
    return Guarded


class _Post:
    """Stands where everything between a session and its server passes."""

    def __init__(
        self, judge: Judge, on_block: Literal["raise", "reply"], session: Any, context: Any
    ) -> None:
        self._judge, self._on_block = judge, on_block
        self._session, self._context = session, context
        self.instructions: str | None = None

    def __repr__(self) -> str:
        return f"<guarded by {self._judge.guard!r}>"

    def stand_in(self, session: Any) -> None:
        """Everything that a session sends and is asked goes through here from now on."""
        session.send_request = functools.partial(self._send, session.send_request)
        session.dispatch_input_request = functools.partial(
            self._asked, session.dispatch_input_request
        )

    async def introduced(self, session: Any) -> None:
        """Judge what a server said of itself when the client connected."""
        about = session.server_info
        plain = {"instructions": session.instructions, "about": _dump(about) if about else None}
        try:
            made = await self._wire(None).text(plain, "input")
        except Refusal as refusal:
            raise refused(refusal.verdict) from None
        self.instructions = made["instructions"]

    def _wire(self, request: Any) -> Wire:
        session = self._session(request) if callable(self._session) else self._session
        context = self._context(request) if callable(self._context) else self._context
        return Wire(self._judge, {"session": session, "context": context})

    async def _send(
        self, send: Any, request: Any, result_type: Any, *args: Any, **keys: Any
    ) -> Any:
        wire, method = self._wire(request), request.method
        params = _dump(request).get("params")
        try:
            asked = await wire.asked(method, params)
            if asked is not params:
                changed = {"method": method, "params": asked}
                request = type(request).model_validate(changed, by_name=False)
            try:
                result = await send(request, result_type, *args, **keys)
            except package().MCPError as error:
                result = error
            if isinstance(result, Exception):
                # Raised from here, a verdict has no error behind it that quotes the server.
                raise await self._failure(wire, request, result)
            plain = _dump(result)
            made = await wire.answered(method, asked, plain)
        except Refusal as refusal:
            return self._refused(refusal.verdict, method)
        return result if made is plain else type(result).model_validate(made, by_name=False)

    async def _failure(self, wire: Wire, request: Any, error: Any) -> Exception:
        """The error to raise: what a server says when it fails is read by models, too."""
        value = _dump(error.error)
        tool = name_of(_dump(request).get("params")) if request.method == "tools/call" else None
        made = await wire.text(value, surface_of(request.method), tool)
        failure: Exception = error if made is value else package().MCPError(**made)
        return failure

    def _refused(self, verdict: Verdict, method: str) -> Any:
        if self._on_block == "raise" or method != "tools/call":
            raise refused(verdict) from None
        types = package("mcp_types")
        text = types.TextContent(text=said(verdict))
        return types.CallToolResult(content=[text], is_error=True)

    async def _asked(self, answer: Any, ctx: Any, request: Any) -> Any:
        """A server asks this side: for words of its model, or of its user."""
        wire, plain = self._wire(request), _dump(request)
        try:
            asked = await wire.text(plain, "tool_result")
            if asked is not plain:
                request = type(request).model_validate(asked, by_name=False)
            reply = await answer(ctx, request)
            given = _dump(reply)
            made = await wire.text(given, "output")
        except Refusal as refusal:
            raise refused(refusal.verdict) from None
        return reply if made is given else type(reply).model_validate(made, by_name=False)


def _dump(model: Any) -> Any:
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)
