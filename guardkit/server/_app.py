"""The server as an ASGI application: routes, who may call, how many at once, a proper end."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final

import anyio

from guardkit.errors import AuditError, CheckError
from guardkit.shared import Busy
from guardkit.wire import Fault, Headers, fault_body, write_json

from ._exchange import last_words
from ._house import House, Route
from ._http import Reply, Request, Streamed, Within
from ._wire import Buffers, ClientLeft, Receive, Scope, Send, Wire, too_slow

_SOON: Final[Headers] = (("retry-after", "1"),)


class App:
    """Serves what a house holds.

    Args:
        house: Policies, keys, counters and all that is shared by requests.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._inside: set[_Flight] = set()
        self._buffers = Buffers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI conversation."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            most = self._house.settings.most_body
            await self._serve(Wire(scope, receive, send, most, self._buffers))

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._house.reach()
        except CheckError as error:
            self._house.log.event("not_started", problem=str(error))
            await self._house.aclose()
            await send({"type": "lifespan.startup.failed"})
            return
        try:
            async with anyio.create_task_group() as group:
                await self._house.open(group)
                await send({"type": "lifespan.startup.complete"})
                await receive()
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._house.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def drain(self, seconds: float) -> None:
        """Take no new requests; those inside may end, and are ended once the time is over."""
        self._house.stop()
        with anyio.move_on_after(seconds):
            while self._inside:
                await anyio.sleep(0.05)
        for flight in list(self._inside):
            flight.cut()
        with anyio.move_on_after(2.0):
            while self._inside:
                await anyio.sleep(0.01)

    # --- one request

    async def _serve(self, wire: Wire) -> None:
        flight = _Flight(wire.scope)
        self._inside.add(flight)
        route = self._house.routes.get(wire.path)
        if route is not None and route.is_proxied:
            wire.when_left(flight.leave)
        try:
            with flight.scope:
                await self._answer(wire, route)
            if flight.scope.cancelled_caught and flight.reason != "client":
                await self._end(wire, route, flight.reason)
        finally:
            self._inside.discard(flight)
            wire.close()

    async def _answer(self, wire: Wire, route: Route | None) -> None:
        own: Headers = (("x-guardkit-decision", wire.decision),)
        request: Request | None = None
        try:
            request = wire.request()
            reply = await self._made(wire, route, request)
            if isinstance(reply, Streamed):
                await wire.stream(reply, own)
            else:
                await wire.reply(reply, own)
            return
        except ClientLeft:
            return
        except Fault as raised:
            fault = raised
        except Busy:
            message = "another request of this session is under way"
            fault = Fault(429, "session_busy", message, _SOON)
        except (AuditError, CheckError):
            fault = Fault(503, "not_available", "the request could not be judged")
        except Exception as error:  # noqa: BLE001 - a bug is an answer too, and says nothing
            self._house.log.event("bug", error=type(error).__name__)
            fault = Fault(500, "internal_error", "an internal error: the request was not served")
        if wire.has_begun:
            # The stream cannot become an error any more: it must not look like a whole reply.
            raise ConnectionResetError
        if request is not None and (route is None or route.needs_key) and not request.is_told:
            self._house.faulted(request, "other" if route is None else route.name, fault)
        await wire.reply(self._fault(wire, route, fault), own)

    async def _made(self, wire: Wire, route: Route | None, request: Request) -> Reply | Streamed:
        if route is None:
            raise Fault(404, "not_found", "there is nothing at this path")
        handler = route.handlers.get(wire.method)
        if handler is None:
            allowed = ", ".join(sorted(route.handlers))
            raise Fault(405, "method_not_allowed", f"use {allowed} here", (("allow", allowed),))
        if self._house.is_stopping and not route.is_always:
            self._house.counters.shed("draining")
            raise _stopping()
        if not route.needs_key:
            return await handler(request)
        self._house.know(request)
        # Before a place is taken: a body that comes slowly must not keep anybody else out.
        await request.read()
        stack = AsyncExitStack()
        try:
            await stack.enter_async_context(self._house.admitted(request))
            reply = await handler(request)
        except BaseException:
            await stack.aclose()
            raise
        if not isinstance(reply, Streamed):
            await stack.aclose()
            return reply
        return reply._replace(source=Within(reply.source, stack))

    def _fault(self, wire: Wire, route: Route | None, fault: Fault) -> Reply:
        family = route.family if route is not None else "openai"
        body = write_json(fault_body(family, fault, wire.decision))
        return Reply(fault.status, body, headers=fault.headers)

    async def _end(self, wire: Wire, route: Route | None, reason: str) -> None:
        """The request was ended from outside: say so in the reply, whole or not."""
        fault = _stopping() if reason == "shutdown" else too_slow()
        if wire.has_begun:
            await wire.end(last_words(fault))
        else:
            own: Headers = (("x-guardkit-decision", wire.decision),)
            await wire.reply(self._fault(wire, route, fault), own)


def _stopping() -> Fault:
    # On a connection that is kept a client would ask again and again, and never somebody else.
    headers = (("retry-after", "1"), ("connection", "close"))
    return Fault(503, "stopping", "the server is stopping", headers)


class _Flight:
    """A request under way.

    Args:
        scope: Ends it: the client left, the server stops, or its body comes too slowly.
    """

    __slots__ = ("reason", "scope")

    def __init__(self, scope: anyio.CancelScope) -> None:
        self.scope = scope
        self.reason = ""

    def leave(self) -> None:
        """The client has gone: nothing of it costs any more."""
        self._stop("client")

    def cut(self) -> None:
        """The server stops."""
        self._stop("shutdown")

    def _stop(self, reason: str) -> None:
        self.reason = self.reason or reason
        self.scope.cancel()
