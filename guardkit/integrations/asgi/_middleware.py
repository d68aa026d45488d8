"""The middleware: which requests are judged, and what becomes of the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from guardkit.errors import UsageError
from guardkit.guard import Guard
from guardkit.types import Ledger, Verdict

from ._exchange import Exchange
from ._line import App, Receive, Scope, Send
from ._settings import Settings

MOST_BODY: Final = 10_000_000
_REFUSED: Final = 1008
_log = logging.getLogger("guardkit.integrations.asgi")


class Middleware:
    """A policy in front of an ASGI app: `app.add_middleware(Middleware, policy=…, paths=[…])`.

    A `POST` to a path that ends as a dialect's (`/chat/completions`, `/messages`) is judged as
    `guardkit serve` judges it. Of every other request the query and the body (JSON, or plain text)
    are judged as `input`, of its reply the body (JSON, plain text, events) as `output`. What is in
    another form is unread: blocked, unless the policy says `defaults { unread flag }`.

    Args:
        app: The app.
        policy: A path, the name of a policy that ships, or a guard; else `GUARDKIT_POLICY`.
        paths: What asks a model: these paths, and all below them. Nothing else is judged.
        on_block: Answer with status 400 and the rule's message, in a dialect as it does (default);
            or raise `Blocked`, which an exception handler around this sees, while nothing is sent.
        on_hold: Treat what is held for approval as blocked (default), or wait for the approval.
        session: The session, or a function of the scope; else the header `x-guardkit-session`.
        context: What rules may ask about as `context.…`, or a function of the scope.
        watch: Told of every verdict that is more than a pass.
        ledger: Told at the end of every exchange what it came to.
        most_body: How many bytes a request may have.

    Raises:
        PolicyError: The policy is wrong.
        BindError: This machine cannot run it.
        UsageError: A choice makes no sense.
    """

    def __init__(
        self,
        app: App,
        policy: str | Guard | None = None,
        *,
        paths: Sequence[str],
        on_block: Literal["raise", "reply"] = "reply",
        on_hold: Literal["block", "wait"] = "block",
        session: str | Callable[[Mapping[str, Any]], str | None] | None = None,
        context: Mapping[str, object]
        | Callable[[Mapping[str, Any]], Mapping[str, object]]
        | None = None,
        watch: Callable[[Verdict], object] | None = None,
        ledger: Callable[[Ledger], object] | None = None,
        most_body: int = MOST_BODY,
    ) -> None:
        self._app = app
        self._settings = Settings(
            policy, paths, on_block, on_hold, session, context, watch, ledger, most_body
        )
        self._has_warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        below = self._settings.below(scope) if "path" in scope else None
        if below is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await Exchange(self._app, self._settings, scope, below, receive, send).run()
        elif scope["type"] == "websocket":
            await self._refused(receive, send)
        else:
            raise UsageError("a connection of this kind cannot be judged")

    async def _refused(self, receive: Receive, send: Send) -> None:
        if not self._has_warned:
            self._has_warned = True
            _log.warning("a WebSocket was refused: it would pass the policy by")
        await receive()
        await send({"type": "websocket.close", "code": _REFUSED, "reason": ""})
