"""Texts that wait for approval: who waits, since when, and a decision by somebody with a name."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Final

import anyio.to_thread

from guardkit.guard import Guard
from guardkit.runtime import Hold
from guardkit.wire import Fault

from .._http import Reply, Request
from ._replies import answered, asked, text_in
from ._stage import Stage

MOST_LISTED: Final = 200
_MOST_NAME: Final = 100
_MOST_REASON: Final = 1_000
_MOST_ID: Final = 200


class Holding:
    """Lists, shows and decides what is held.

    Args:
        stage: The server.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def listed(self, request: Request) -> Reply:
        """What waits, the oldest first, and what was decided, the newest first. No text."""
        return answered(await anyio.to_thread.run_sync(self._listed))

    def _listed(self) -> dict[str, Any]:
        queue = self._stage.holds()
        names = _names(self._stage.policies())
        every = queue.list(limit=10 * MOST_LISTED)
        waiting = queue.list(state="waiting", limit=MOST_LISTED)
        done = sorted(
            (hold for hold in every if hold.state != "waiting"),
            key=lambda hold: -(hold.decided_at or hold.deadline),
        )
        return {
            "at": time.time(),
            "waiting": [_shown(hold, names) for hold in waiting],
            "decided": [_shown(hold, names) for hold in done[:MOST_LISTED]],
        }

    async def text(self, request: Request) -> Reply:
        """What is held under an id: what is delivered once approved, and else."""
        id = text_in(await asked(request), "id", _MOST_ID)
        hold = await anyio.to_thread.run_sync(self._stage.holds().get, id)
        if hold is None:
            raise _gone()
        kept = json.loads(hold.payload)
        return answered({"approved": kept.get("approved"), "otherwise": kept.get("otherwise")})

    async def decide(self, request: Request) -> Reply:
        """Approve or deny; whether it was this decision that counted, and what there is now."""
        body = await asked(request)
        id, word = text_in(body, "id", _MOST_ID), text_in(body, "what", 10)
        by = text_in(body, "by", _MOST_NAME).strip()
        reason = text_in(body, "reason", _MOST_REASON, "").strip()
        if word not in ("approve", "deny"):
            raise Fault(400, "wrong_word", "`what` is `approve` or `deny`")
        if not by:
            raise Fault(422, "no_name", "say who decides: the name is kept with the decision")

        def done() -> dict[str, Any]:
            queue = self._stage.holds()
            made = queue.approve(id, by) if word == "approve" else queue.deny(id, by, reason)
            if made.hold is None:
                raise _gone()
            return {"took": made.took, "hold": _shown(made.hold, _names(self._stage.policies()))}

        return answered(await anyio.to_thread.run_sync(done))


def _gone() -> Fault:
    return Fault(404, "no_such_hold", "nothing is held under this id any more")


def _names(guards: Mapping[str, Guard]) -> dict[str, str]:
    return {guard.digest: guard.plan.policy for guard in guards.values()}


def _shown(hold: Hold, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": hold.id,
        "tenant": hold.tenant,
        "session": hold.session,
        "policy": names.get(hold.policy, ""),
        "digest": hold.policy,
        "rules": list(hold.rules),
        "surface": hold.surface,
        "tool": hold.tool,
        "approvers": list(hold.approvers),
        "created": hold.created,
        "deadline": hold.deadline,
        "state": hold.state,
        "by": hold.decided_by,
        "decided": hold.decided_at,
        "reason": hold.reason,
    }
