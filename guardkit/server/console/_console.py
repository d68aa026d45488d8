"""The console: who may see it, and which handler serves which of its addresses."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread

from guardkit.guard import Guard, shipped
from guardkit.wire import Fault

from .._admin import PAGE_HEADERS, Admin
from .._http import Handler, Reply, Request, Streamed
from ._drafts import MOST_BYTES, Drafts, in_force
from ._holding import Holding
from ._monitor import Monitor
from ._pages import ASSETS, console_page, sent, sign_in_page
from ._play import (
    MOST_CHARS,
    MOST_CHUNK,
    MOST_STREAMED,
    Question,
    streamed,
    surface_named,
    tried,
)
from ._replies import Asked, answered, asked, number_in, said, text_in
from ._reports import Reports
from ._stage import Stage
from ._work import Work

SAMPLE_S: Final = 30.0
"""How often the totals are noted, so that the last hour has no gaps."""
_MOST_TOKEN: Final = 4_096
_MOST_SESSION: Final = 200
_STARTERS: Final = ("support", "session", "models")
"""Policies to begin with, beside this file; they use no files of their own."""


class Console:
    """Monitor, playground, holds and reports, behind the admin's token.

    Args:
        stage: The server.
        admin: Knows the admin.
        is_tls: Whether browsers come by TLS; the cookie then goes no other way.
    """

    def __init__(self, stage: Stage, admin: Admin, *, is_tls: bool = False) -> None:
        self._stage = stage
        self._admin = admin
        self._is_tls = is_tls
        self._monitor = Monitor(stage)
        self._holding = Holding(stage)
        self._reports = Reports(stage)
        self._drafts = Drafts()
        self._work = Work()

    def routes(self) -> Mapping[tuple[str, str], Handler]:
        """Every address of the console by method and path. Paths are exact."""
        free: dict[tuple[str, str], Handler] = {
            ("GET", "/console"): self._page,
            ("GET", "/console/"): self._page,
            ("POST", "/console/sign-in"): said(self._sign_in),
        }
        free |= {("GET", f"/console/assets/{name}"): partial(_asset, name) for name in ASSETS}
        known: dict[tuple[str, str], Handler] = {
            ("POST", "/console/sign-out"): self._sign_out,
            ("GET", "/console/api/monitor"): self._watched,
            ("GET", "/console/api/starters"): self._starters,
            ("POST", "/console/api/compile"): self._compiled,
            ("POST", "/console/api/try"): self._tried,
            ("POST", "/console/api/stream"): self._streamed,
            ("GET", "/console/api/holds"): self._holding.listed,
            ("POST", "/console/api/holds/text"): self._holding.text,
            ("POST", "/console/api/holds/decide"): self._holding.decide,
            ("GET", "/console/api/reports"): self._reports.listed,
            ("GET", "/console/report"): self._reports.page,
        }
        return free | {at: said(self._known(handler)) for at, handler in known.items()}

    async def watch(self) -> None:
        """Note the totals of every policy twice a minute, without end: run it beside the server."""
        while True:
            await anyio.to_thread.run_sync(self._monitor.sample)
            await anyio.sleep(SAMPLE_S)

    def _known(self, handler: Handler) -> Handler:
        """A handler for the admin alone; what changes anything has to come from our own page."""

        async def answer(request: Request) -> Reply | Streamed:
            if not self._admin.may(request):
                raise Fault(401, "not_signed_in", "sign in with the admin token")
            self._admin.checks(request)
            return await handler(request)

        return answer

    # --- pages and the session

    async def _page(self, request: Request) -> Reply:
        if not self._admin.may(request):
            return sign_in_page()
        return console_page(self._admin.csrf(request))

    async def _sign_in(self, request: Request) -> Reply:
        self._admin.checks_origin(request)
        token = text_in(await asked(request), "token", _MOST_TOKEN).strip()
        cookie = self._admin.cookie(token, peer=request.peer, is_tls=self._is_tls)
        if cookie is None:
            raise Fault(401, "wrong_token", "this is not the admin token")
        return Reply(204, headers=(*PAGE_HEADERS, *cookie))

    async def _sign_out(self, request: Request) -> Reply:
        out = self._admin.signed_out(is_tls=self._is_tls)
        return Reply(204, headers=(*PAGE_HEADERS, *out))

    # --- the monitor

    async def _watched(self, request: Request) -> Reply:
        chosen = request.query.get("policy")
        return answered(await anyio.to_thread.run_sync(self._monitor.shown, chosen))

    # --- the playground

    async def _starters(self, request: Request) -> Reply:
        policies = [
            {"name": name, "policy": guard.plan.policy}
            for name, guard in self._stage.policies().items()
        ]
        starters = await anyio.to_thread.run_sync(_shipped)
        return answered({"starters": starters, "live": policies})

    async def _compiled(self, request: Request) -> Reply:
        body = await asked(request)
        if body.get("live") is not None:
            return answered(await self._work.run(lambda: in_force(self._guard(body))))
        text = text_in(body, "text", MOST_BYTES)
        return answered(await self._work.run(lambda: self._drafts.draft(text).as_dict()))

    async def _tried(self, request: Request) -> Reply:
        body = await asked(request)
        question = _question(body, MOST_CHARS)
        return answered(await self._work.run(lambda: tried(self._guard(body), question)))

    async def _streamed(self, request: Request) -> Reply:
        body = await asked(request)
        question, chunk = _question(body, MOST_STREAMED), number_in(body, "chunk", 1, MOST_CHUNK)
        return answered(await self._work.run(lambda: streamed(self._guard(body), question, chunk)))

    def _guard(self, body: Asked) -> Guard:
        """The live policy that is named, else the one in the editor."""
        if body.get("live") is None:
            return self._drafts.draft(text_in(body, "policy", MOST_BYTES)).guard()
        guard = self._stage.policies().get(text_in(body, "live", _MOST_SESSION))
        if guard is None:
            raise Fault(404, "no_such_policy", "no policy of this name is in force any more")
        return guard


async def _asset(name: str, request: Request) -> Reply:
    return sent(name, request)


def _question(body: Asked, most: int) -> Question:
    context = body.get("context") or {}
    if not isinstance(context, dict):
        raise Fault(422, "no_context", "the context is a JSON object")
    return Question(
        surface_named(text_in(body, "on", 20)),
        text_in(body, "text", most),
        text_in(body, "tool", _MOST_SESSION, "").strip() or None,
        context,
        text_in(body, "session", _MOST_SESSION, "").strip() or None,
    )


# Any: what goes to a browser is plain data.
def _shipped() -> list[dict[str, Any]]:
    folder = Path(__file__).parent / "starters"
    found = [
        {"name": name, "text": (folder / f"{name}.guard").read_text("utf-8")} for name in _STARTERS
    ]
    starter = shipped("policies") / "starter" / "starter.guard"
    return [*found, {"name": "starter", "text": starter.read_text("utf-8")}]
