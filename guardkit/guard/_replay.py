"""Recorded traffic judged again: by one guard, or by two and compared."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Literal, Protocol, TypedDict, TypeVar

import anyio

from guardkit.errors import UsageError
from guardkit.runtime import Bridge
from guardkit.types import STRENGTH, Surface, Verdict

from ._guard import Guard

Shift = Literal["same", "weaker", "stronger", "unjudged"]

_ALONE = "recorded texts without a session"
"""The tenant of texts that name no session: no recorded session can be theirs."""
_AT_ONCE: Final = 32
"""Texts under way together where no budget is declared."""


class Recorded(Protocol):
    """One recorded text or tool call, as files of cases hold it."""

    @property
    def text(self) -> str:
        """The text, or the arguments of a tool call as JSON."""

    @property
    def on(self) -> Surface:
        """Its surface."""

    @property
    def context(self) -> Mapping[str, object] | None:
        """Facts for `context.…`."""

    @property
    def session(self) -> str | None:
        """The conversation it belongs to; one that names none is a session of its own."""

    @property
    def tool(self) -> str | None:
        """The tool, on a tool surface."""


C = TypeVar("C", bound=Recorded)


@dataclass(frozen=True, slots=True, repr=False)
class Replayed(Generic[C]):
    """One case and both verdicts on it; a text in place of a verdict says why there is none."""

    case: C
    old: Verdict | str
    new: Verdict | str
    shift: Shift
    """What became of the verdict. A rewriting that shows more of the text is weaker too."""

    def __repr__(self) -> str:
        return f"<Replayed {self.shift}: {self.old!r} and {self.new!r}>"

    @property
    def newly(self) -> tuple[str, ...]:
        """The rules in force that fire now and did not before."""
        return _only(self.new, self.old)

    @property
    def no_longer(self) -> tuple[str, ...]:
        """The rules in force that fired before and do not now."""
        return _only(self.old, self.new)


def replay(
    old: Guard,
    new: Guard,
    cases: Iterable[C],
    *,
    context: Mapping[str, object] | None = None,
) -> Iterator[Replayed[C]]:
    """Judge each case by both guards, in order.

    Sessions go on from case to case, each guard's own apart from the other's. Cases are taken one
    by one and none is kept, so there may be any number of them.

    Args:
        old: The guard whose verdicts are what was.
        new: The guard whose verdicts are what would be.
        cases: The recorded texts.
        context: Facts for cases that do not say otherwise.

    Example:
        >>> [one.shift for one in replay(guard, stricter, cases)]  # doctest: +SKIP
        ['same', 'stronger']
    """
    for case in cases:
        before = judged(old, case, context=context)
        after = judged(new, case, context=context)
        yield Replayed(case, before, after, _shift(old, before, new, after))


def judged(
    guard: Guard, case: Recorded, *, context: Mapping[str, object] | None = None
) -> Verdict | str:
    """The verdict on a recorded case, or why there is none. Nobody has to approve what it holds."""
    around = _around(guard, case, context)
    try:
        return _let_go(guard, guard.check(case.text, **around))
    except UsageError as error:
        return str(error)
    finally:
        _forget(guard, case, around)


async def ajudged(
    guard: Guard, case: Recorded, *, context: Mapping[str, object] | None = None
) -> Verdict | str:
    """The verdict on a recorded case, awaiting the checks that call out; see `judged`."""
    around = _around(guard, case, context)
    try:
        return _let_go(guard, await guard.acheck(case.text, **around))
    except UsageError as error:
        return str(error)
    finally:
        _forget(guard, case, around)


def judged_all(
    guard: Guard, cases: Sequence[Recorded], *, context: Mapping[str, object] | None = None
) -> list[Verdict | str]:
    """The verdict on each of some cases that have nothing to do with each other.

    Where models or functions of the program are asked, several texts are under way at once: a
    model that can reads them together. A text whose checks could not all answer beside others is
    judged once more by itself, so that no verdict depends on its neighbours.

    Args:
        guard: The guard.
        cases: The texts. Of one session there must not be two if the policy remembers sessions.
        context: Facts for cases that do not say otherwise.
    """
    if len(cases) < 2 or not guard.bound.calling:
        return [judged(guard, case, context=context) for case in cases]
    # Who waits for others may be late for its budget: then no more than the machine can do.
    at_once = 2 * (os.cpu_count() or 1) if guard.plan.limits.budgets else _AT_ONCE
    made = Bridge.run(_side_by_side, guard, cases, context, at_once)
    return [
        judged(guard, case, context=context)
        if isinstance(verdict, Verdict) and verdict.unknown
        else verdict
        for case, verdict in zip(cases, made, strict=True)
    ]


async def _side_by_side(
    guard: Guard,
    cases: Sequence[Recorded],
    context: Mapping[str, object] | None,
    at_once: int,
) -> list[Verdict | str]:
    made: dict[int, Verdict | str] = {}
    waiting = enumerate(cases)

    async def judge() -> None:
        for number, case in waiting:
            made[number] = await ajudged(guard, case, context=context)

    async with anyio.create_task_group() as group:
        for _ in range(min(at_once, len(cases))):
            group.start_soon(judge)
    return [made[number] for number in range(len(cases))]


class _Around(TypedDict):
    """What stands around a recorded text; see `Guard.check`."""

    on: Surface
    context: Mapping[str, object] | None
    session: str | None
    tenant: str
    tool: str | None


def _around(guard: Guard, case: Recorded, context: Mapping[str, object] | None) -> _Around:
    session, tenant = case.session, ""
    if session is None:
        # What neither remembers sessions nor has shares of them asks for none.
        engine = guard.bound.engine
        is_asked = engine.needs_session or engine.shares
        session, tenant = (_own(case) if is_asked else None), _ALONE
    facts = {**(context or {}), **(case.context or {})} if context or case.context else None
    return {
        "on": case.on,
        "context": facts,
        "session": session,
        "tenant": tenant,
        "tool": case.tool,
    }


def _let_go(guard: Guard, verdict: Verdict) -> Verdict:
    if verdict.hold is not None:
        # Nothing will be delivered, and a queue that filled up would block.
        guard.holds.deny(verdict.hold, "recorded")
    return verdict


def _forget(guard: Guard, case: Recorded, around: _Around) -> None:
    session = around["session"]
    if case.session is None and session is not None:
        guard.forget(session, tenant=around["tenant"])


def _own(case: Recorded) -> str:
    """The session of a text that names none: a rule for a share of them has each fall by itself."""
    return hashlib.sha256(f"{case.on} {case.text}".encode("utf-8", "surrogatepass")).hexdigest()


def _shift(old: Guard, before: Verdict | str, new: Guard, after: Verdict | str) -> Shift:
    if not isinstance(before, Verdict) or not isinstance(after, Verdict):
        return "unjudged"
    if before.action != after.action:
        return "weaker" if STRENGTH[after.action] < STRENGTH[before.action] else "stronger"
    if before.action != "rewrite":
        return "same"
    was, now = _Replaced(old, before), _Replaced(new, after)
    if not now.covers(was):
        return "weaker"
    return "same" if was.covers(now) else "stronger"


class _Replaced:
    """What a rewriting leaves nothing of: code points by place in the text or the arguments."""

    def __init__(self, guard: Guard, verdict: Verdict) -> None:
        rows = [row for row in guard.plan.rules if row.name in verdict.fired]
        acts = {row.name: row.action for row in rows if row.action.verb == "rewrite"}
        self._whole = any(act.whole for act in acts.values())
        spans: dict[str, list[tuple[int, int]]] = {}
        for found in verdict.findings:
            if found.rule in acts:
                act = acts[found.rule]
                kept = act.keep if act.form == "mask" else 0
                end = found.end - kept if found.end - found.start > kept else found.end
                spans.setdefault(found.pointer, []).append((found.start, end))
        self._spans = {place: _joined(some) for place, some in spans.items()}

    def covers(self, other: _Replaced) -> bool:
        """Whether nothing that `other` replaces is left."""
        if self._whole or other._whole:
            return self._whole
        return all(
            any(start <= first and last <= end for start, end in self._spans.get(place, ()))
            for place, some in other._spans.items()
            for first, last in some
        )


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same stretches without overlaps; those that touch become one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _only(one: Verdict | str, other: Verdict | str) -> tuple[str, ...]:
    if not isinstance(one, Verdict) or not isinstance(other, Verdict):
        return ()
    return tuple(name for name in one.fired if name not in other.fired)
