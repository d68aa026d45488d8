"""Whether the server lives, and whether it guards: a text that has to be stopped is stopped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any, Final

import anyio.to_thread

from guardkit.wire import write_json

from ._http import Reply, Request
from ._policies import Live, Policies

FRESH_S: Final = 1.0
"""How long an answer holds: who asks often must not cost more than who asks seldom."""


class Health:
    """Answers at `/healthz` and `/readyz`.

    Args:
        policies: The policies in force.
        lacking: What the server needs and cannot reach, in words.
    """

    def __init__(self, policies: Policies, lacking: Callable[[], Awaitable[Sequence[str]]]) -> None:
        self._policies = policies
        self._lacking = lacking
        self._said: Reply | None = None
        self._at = 0.0
        self.word = ""
        """`ready`, `degraded` or `not ready`, as it was said last."""

    def forget(self) -> None:
        """What was said holds no longer."""
        self._said = None

    async def alive(self, request: Request) -> Reply:
        """The process answers."""
        return Reply(200, b'{"status":"ok"}')

    async def ready(self, request: Request) -> Reply:
        """Every policy stops what it is known to stop.

        503 where one does not, and while the server stops. A breaker that is open, or a Redis that
        is away, is `degraded` and 200: what needs them fails closed, and the rest is served.
        """
        if self._said is None or monotonic() - self._at > FRESH_S:
            self._said = await self._asked()
            self._at = monotonic()
        return self._said

    async def _asked(self) -> Reply:
        lacks = list(await self._lacking())
        shown = [await _shown(live) for live in self._policies.live.values()]
        is_blind = any(one["probe"] == "passed" for one in shown)
        is_weak = bool(lacks) or any(one["silent"] or one["probe"] == "none" for one in shown)
        status = "degraded" if is_weak else "ready"
        if is_blind or not shown or "stopping" in lacks:
            status = "not ready"
        self.word = status
        body = {"status": status, "lacks": lacks, "policies": shown}
        return Reply(503 if status == "not ready" else 200, write_json(body))


async def _shown(live: Live) -> dict[str, Any]:
    return {
        "tenant": live.name,
        "policy": live.guard.plan.policy,
        "digest": live.guard.digest,
        "probe": await _probed(live),
        "silent": sorted(_silent(live)),
    }


async def _probed(live: Live) -> str:
    """What becomes of the text that has to be stopped. Nobody is told, nothing is remembered."""
    probe = live.probe
    if probe is None:
        return "none"

    def judged() -> str:
        told = live.guard.explain(probe.text, on=probe.surface, tool=probe.tool)
        return "passed" if told.verdict.is_allowed else "stopped"

    return await anyio.to_thread.run_sync(judged)


def _silent(live: Live) -> set[str]:
    """The checks that failed so often that they are not asked."""
    return {
        name
        for lane in live.guard.bound.engine.lanes.values()
        for node, calling in lane.callers.items()
        if calling.breaker.state != "closed"
        for name in lane.names[node]
    }
