"""What follows a judgement: holding a text for approval, answering for parts nobody can read."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from guardkit.errors import BindError, CheckError
from guardkit.plan import Plan
from guardkit.types import SURFACES, Action, Next, Record, Surface, Verdict

from ._acts import BLOCKED, HELD, UNREADABLE
from ._drive import called, drive
from ._engine import Engine, Job, Measured
from ._event import Event
from ._expect import Expected
from ._hold import Hold, HoldQueue
from ._lane import Lane

DEFAULT_WITHIN_MS = 3_600_000
"""How long a held text waits where the policy does not say."""


def held(queue: HoldQueue, plan: Plan, verdict: Verdict, event: Event) -> Verdict:
    """The verdict with the id under which its text now waits."""
    holding = [row for row in plan.rules if row.name in verdict.fired and row.action.verb == "hold"]
    waits = [row.action.within_ms for row in holding if row.action.within_ms is not None]
    approvers = sorted({row.action.approvers for row in holding if row.action.approvers})
    now = time.time()
    within_ms = min(waits, default=DEFAULT_WITHIN_MS)
    hold = Hold(
        tenant=event.tenant,
        session=event.session or "",
        policy=plan.digest,
        rules=verdict.fired,
        surface=event.surface,
        tool=event.tool,
        approvers=tuple(approvers),
        created=now,
        deadline=now + within_ms / 1000,
        payload=json.dumps(
            {"approved": _plain(verdict.approved), "otherwise": _plain(verdict.otherwise)},
            ensure_ascii=False,
            default=str,
        ),
    )
    try:
        return verdict._replace(hold=queue.add(hold))
    except (BindError, CheckError) as error:
        # A queue that is full or cannot be written keeps nothing, so nothing may be delivered.
        why = f"raised {type(error).__name__}"
        lost = Record(event.surface, "approval", "unknown", 0.0, None, why)
        return verdict._replace(
            action="block",
            text=BLOCKED,
            message=BLOCKED,
            arguments=None,
            records=(*verdict.records, lost),
        )


def decided(policy: str, hold: Hold) -> Verdict:
    """What may be delivered now that somebody decided on a held text, or nobody did in time."""
    kept = json.loads(hold.payload)
    is_approved = hold.state == "approved"
    later = kept["approved" if is_approved else "otherwise"] or {"action": "block", "text": BLOCKED}
    action: Action = later["action"]
    waited_us = max((hold.decided_at or time.time()) - hold.created, 0.0) * 1e6
    return Verdict(
        action,
        later["text"],
        next(surface for surface in SURFACES if surface == hold.surface),
        policy,
        0.0,
        message=later["text"] if action == "block" else None,
        fired=hold.rules,
        records=(Record(hold.surface, "approval", hold.state, waited_us),),
        tool=hold.tool,
        arguments=later.get("arguments"),
    )


def _plain(later: Next | None) -> dict[str, object] | None:
    return None if later is None else later._asdict()


def unread(plan: Plan, surface: Surface, tool: str | None) -> Verdict:
    """The verdict on something that no check can read, as `defaults { unread … }` says."""
    action = plan.limits.unread
    text = {"block": UNREADABLE, "hold": HELD}.get(action, "")
    return Verdict(
        action,
        text,
        surface,
        plan.digest,
        0.0,
        message=UNREADABLE if action == "block" else None,
        records=(Record(surface, "policy", "unread", 0.0, None, "cannot be read"),),
        tool=tool,
    )


async def aexpected(engine: Engine, event: Event, deadline: float) -> Expected | None:
    """What the `model` block says of a question; None where it says nothing."""
    asking = engine.expect(event)
    try:
        jobs = next(asking)
    except StopIteration as ended:
        found: Expected | None = ended.value
        return found
    return await drive(asking, jobs, deadline)


async def ameasured(engine: Engine, event: Event, deadline: float) -> Measured:
    """The verdict on an event, and what every check of its surface says."""
    measuring = engine.measure(event)
    try:
        return await drive(measuring, next(measuring), deadline, insists=True)
    except StopIteration as ended:
        measured: Measured = ended.value
        return measured


async def ascores(engine: Engine, event: Event, deadline: float) -> dict[str, float]:
    """Every score of a surface, each worked out without short-cuts; what failed is left out."""
    moment = engine.moment(event)
    lane = moment.lane
    jobs = [Job(node, moment) for node in lane.callers if _is_score(engine, lane, node)]
    if jobs:
        moment.said.update(await called(jobs, deadline))
    found: dict[str, float] = {}
    for node, names in lane.names.items():
        said = moment.of(node) if _is_score(engine, lane, node) else None
        value = None if said is None else said.value
        if isinstance(value, int | float) and not isinstance(value, bool):
            found.update(dict.fromkeys(names, float(value)))
    return dict(sorted(found.items()))


def _is_score(engine: Engine, lane: Lane, node: int) -> bool:
    answers: Mapping[str, str] = engine.answers
    return answers[lane.names[node][0]] in ("score", "number")
