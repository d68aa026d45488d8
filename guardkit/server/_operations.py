"""What operators and their machines ask: whether the server is ready, its numbers, a reload."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hmac import compare_digest
from typing import Any

from guardkit.wire import Fault, write_json

from ._admin import Admin
from ._counters import Counters
from ._exposition import joined, labelled
from ._health import Health
from ._http import Reply, Request
from ._policies import Policies

Reload = Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]


class Operations:
    """Answers at `/readyz`, `/metrics` and `/v1/policy/reload`.

    Args:
        health: Whether the server guards.
        policies: The policies in force.
        counters: The numbers.
        admin: Knows the admin.
        reload: Loads every policy again.
        is_open: Whether everybody may look.
        is_worker: Whether there are other processes, which have to load theirs, too.
    """

    def __init__(
        self,
        health: Health,
        policies: Policies,
        counters: Counters,
        admin: Admin,
        reload: Reload,
        *,
        is_open: bool,
        is_worker: bool,
    ) -> None:
        self._health = health
        self._policies = policies
        self._counters = counters
        self._admin = admin
        self._load_again = reload
        self._is_open = is_open
        self._is_worker = is_worker
        self._scraper = os.environb.get(b"GUARDKIT_METRICS_TOKEN", b"")

    async def ready(self, request: Request) -> Reply:
        """Whether the server is ready; who may not look gets the word alone."""
        reply = await self._health.ready(request)
        if self._may_look(request):
            return reply
        # Names of tenants and which checks fail are nobody's business that has no token.
        return reply._replace(body=write_json({"status": self._health.word}))

    async def metrics(self, request: Request) -> Reply:
        """All numbers, for a machine that scrapes them.

        Raises:
            Fault: They are not for whoever asks.
        """
        if not self._may_look(request):
            raise Fault(401, "no_token", "metrics need a token here")
        texts = [
            labelled(live.guard.monitors.metrics(), "guard", name or "server")
            for name, live in self._policies.live.items()
            if live.guard.monitors is not None
        ]
        body = joined([*texts, self._counters.metrics()])
        return Reply(200, body.encode(), "text/plain; version=0.0.4; charset=utf-8")

    async def reload(self, request: Request) -> Reply:
        """Load every policy again, and say what became of it.

        Raises:
            Fault: It was not the admin who asked.
        """
        if not self._admin.may(request):
            raise Fault(401, "no_token", "a reload needs the admin token")
        made = await self._load_again()
        if self._is_worker:
            os.kill(os.getppid(), signal.SIGHUP)  # it tells the others
        is_refused = any(one["outcome"] == "refused" for one in made)
        return Reply(422 if is_refused else 200, write_json({"policies": list(made)}))

    def _may_look(self, request: Request) -> bool:
        """Whether a request carries the admin token, or the scraper's, where one is needed."""
        if self._is_open or self._admin.may(request):
            return True
        return bool(self._scraper) and compare_digest(request.bearer().encode(), self._scraper)
