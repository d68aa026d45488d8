"""A guard: a bound policy that judges texts, tool calls and streams, and wraps callables."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack, cast, overload

from guardkit.catalog import Catalog
from guardkit.checks import refusal_of
from guardkit.errors import UsageError
from guardkit.plan import Plan
from guardkit.runtime import (
    MAX_CHARS,
    NOTHING,
    Bound,
    Event,
    Expected,
    Explanation,
    Glance,
    HoldQueue,
    Located,
    Machine,
    Measured,
    MemoryHolds,
    Sighting,
    Stream,
    aexpected,
    ameasured,
    ascores,
    bind,
    decided,
    drive,
    held,
    unread,
)
from guardkit.types import Ledger, Refusal, Surface, Verdict

from ._arguments import (
    TEXT_SURFACES,
    Around,
    Whose,
    is_ordinary,
    mapping_of,
    surface_of,
    text_of,
)
from ._events import Events
from ._hearing import Auditing, Hearing, OnAuditError
from ._remembering import Remembering

if TYPE_CHECKING:
    from guardkit.telemetry import Monitors
    from guardkit.wrap import Decorator, WrapOptions

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_BUDGET_S = 30.0
"""How long checks that call out may take where the policy declares no budget."""

_PLAIN_SURFACES = frozenset(TEXT_SURFACES) - {"tool_call"}


class Guard(Remembering):
    """A policy, compiled and bound: the object a program holds. Make one with `load` or `loads`.

    It may be used from any number of threads and tasks.

    Args:
        plan: The compiled policy.
        catalog: The check kinds.
        machine: What this machine brings.
        holds: Where held texts wait for approval; in memory when left out.
        audit: The log that keeps every verdict.
        on_audit_error: What becomes of a verdict that could not be kept.
        monitors: The live counters, and the alarms of the policy's `monitor` blocks.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        catalog: Catalog,
        machine: Machine,
        holds: HoldQueue | None = None,
        audit: Auditing | None = None,
        on_audit_error: OnAuditError = "block",
        monitors: Monitors | None = None,
    ) -> None:
        self._bound = bind(plan, catalog, machine)
        self._engine = self._bound.engine
        self._plan = plan
        self._digest = plan.digest
        self.holds: HoldQueue = holds if holds is not None else MemoryHolds()
        """The queue of texts that wait for approval."""
        self.monitors: Monitors | None = monitors
        """The live counters; None where nothing is counted."""
        self._events = Events(plan, self._bound)
        listens = audit is not None or monitors is not None
        self._hearing = Hearing(audit, monitors, on_audit_error, self.holds) if listens else None
        self._silent: dict[str, Callable[[str], Sighting]] = {
            surface: lane.scanner.glance if lane.scanner is not None else _nothing
            for surface, lane in self._engine.lanes.items()
            if lane.is_silent and surface in _PLAIN_SURFACES
        }
        """Surfaces where a glance at a text may settle it. A call is no text: it is read first."""
        self._budgets: dict[str, float] = {
            budget.surface: budget.ms / 1000 for budget in plan.limits.budgets
        }

    def __repr__(self) -> str:
        return f"<Guard {self._plan.policy} {self._digest[:19]}>"

    @property
    def plan(self) -> Plan:
        """The compiled rule graph."""
        return self._plan

    @property
    def needs_session(self) -> bool:
        """Whether a text without a session makes no sense: the policy remembers something."""
        return self._engine.needs_session

    @property
    def listens(self) -> bool:
        """Whether somebody is told of every verdict and exchange: an audit log, monitors."""
        return self._hearing is not None

    @property
    def digest(self) -> str:
        """The plan's digest; it stands in every verdict."""
        return self._digest

    # --- texts

    def check(
        self,
        text: str,
        *,
        on: Surface = "input",
        context: Mapping[str, object] | None = None,
        session: str | None = None,
        tenant: str = "",
        tool: str | None = None,
        sources: Mapping[str, Sequence[str]] | None = None,
        same_turn: bool = False,
        again: bool = False,
    ) -> Verdict:
        """Judge a text.

        Args:
            text: The text.
            on: The surface it was found on.
            context: Facts about the deployment and the user, for `context.…` in the policy.
            session: The conversation it belongs to.
            tenant: Whose session it is; tenants never share anything.
            tool: The tool, on a tool surface.
            sources: Texts of the exchange to compare with, by surface: `{"retrieved": [...]}`.
            same_turn: An `input` that belongs to the turn under way, and begins none.
            again: A text that was judged before in another form: it is judged, and the session
                does not count it a second time.

        Raises:
            UsageError: The call makes no sense. It is never a verdict.

        Example:
            >>> guard.check("hello").action  # doctest: +SKIP
            'pass'
        """
        glance: Glance | None = None
        if type(text) is str and is_ordinary(context, session, tenant):
            begun = perf_counter()
            sighting = self._glance(text, on)
            if sighting is NOTHING:
                elapsed_us = (perf_counter() - begun) * 1e6
                verdict = Verdict.passed(text, on, self._digest, elapsed_us, tool)
                if self._hearing is None:
                    return verdict
                return self._heard(verdict, session, tenant, again)
            glance = None if sighting is None else Glance(sighting, begun)
        event = self._events.of_text(
            text, on, context, session, tenant, tool, sources, same_turn, again, glance
        )
        verdict = event if isinstance(event, Verdict) else self._judged(event)
        return verdict if self._hearing is None else self._heard(verdict, session, tenant, again)

    async def acheck(
        self,
        text: str,
        *,
        on: Surface = "input",
        context: Mapping[str, object] | None = None,
        session: str | None = None,
        tenant: str = "",
        tool: str | None = None,
        sources: Mapping[str, Sequence[str]] | None = None,
        same_turn: bool = False,
        again: bool = False,
    ) -> Verdict:
        """Judge a text, awaiting the checks that call out; see `check`."""
        glance: Glance | None = None
        if type(text) is str and is_ordinary(context, session, tenant):
            begun = perf_counter()
            sighting = self._glance(text, on)
            if sighting is NOTHING:
                elapsed_us = (perf_counter() - begun) * 1e6
                verdict = Verdict.passed(text, on, self._digest, elapsed_us, tool)
                return await self._aheard(verdict, session, tenant, again)
            glance = None if sighting is None else Glance(sighting, begun)
        event = self._events.of_text(
            text, on, context, session, tenant, tool, sources, same_turn, again, glance
        )
        verdict = event if isinstance(event, Verdict) else await self._ajudged(event)
        return await self._aheard(verdict, session, tenant, again)

    def clear(self, text: str, surface: str) -> bool:
        """Whether a text passes with nothing to record: one scan, and a no that needs no second.

        False means "ask `check`", not "blocked". Where somebody is told of every verdict, it is
        always that.
        """
        return self._hearing is None and self._glance(text, surface) is NOTHING

    def _glance(self, text: str, surface: str) -> Sighting | None:
        """What stands in a text, where that alone may settle it; None where nobody looked."""
        glance = self._silent.get(surface)
        if glance is None or len(text) > MAX_CHARS or not text.isascii():
            return None
        return glance(text)

    # --- tools

    def check_tool_call(
        self,
        name: str,
        arguments: Mapping[str, object] | str,
        *,
        context: Mapping[str, object] | None = None,
        session: str | None = None,
        tenant: str = "",
    ) -> Verdict:
        """Judge a tool call before the tool runs; `verdict.arguments` are those to run it with.

        Args:
            name: The tool.
            arguments: Its arguments, or the JSON text of them.
        """
        event = self._events.of_call(name, arguments, context, session, tenant)
        verdict = event if isinstance(event, Verdict) else self._judged(event)
        return verdict if self._hearing is None else self._heard(verdict, session, tenant)

    async def acheck_tool_call(
        self,
        name: str,
        arguments: Mapping[str, object] | str,
        *,
        context: Mapping[str, object] | None = None,
        session: str | None = None,
        tenant: str = "",
    ) -> Verdict:
        """Judge a tool call; see `check_tool_call`."""
        event = self._events.of_call(name, arguments, context, session, tenant)
        verdict = event if isinstance(event, Verdict) else await self._ajudged(event)
        return await self._aheard(verdict, session, tenant)

    def check_tool_result(
        self,
        name: str,
        text: str,
        *,
        context: Mapping[str, object] | None = None,
        session: str | None = None,
        tenant: str = "",
    ) -> Verdict:
        """Judge what a tool gave back."""
        return self.check(
            text, on="tool_result", context=context, session=session, tenant=tenant, tool=name
        )

    async def acheck_tool_result(
        self,
        name: str,
        text: str,
        *,
        context: Mapping[str, object] | None = None,
        session: str | None = None,
        tenant: str = "",
    ) -> Verdict:
        """Judge what a tool gave back."""
        return await self.acheck(
            text, on="tool_result", context=context, session=session, tenant=tenant, tool=name
        )

    def unread(self, on: Surface = "input", **whose: Unpack[Whose]) -> Verdict:
        """The verdict on a part that cannot be read: an image, a file."""
        verdict = unread(self._plan, surface_of(on), whose.get("tool"))
        return self._heard(verdict, whose.get("session"), whose.get("tenant", ""))

    async def aunread(self, on: Surface = "input", **whose: Unpack[Whose]) -> Verdict:
        """The verdict on a part that cannot be read."""
        verdict = unread(self._plan, surface_of(on), whose.get("tool"))
        return await self._aheard(verdict, whose.get("session"), whose.get("tenant", ""))

    # --- streams

    def stream(
        self,
        *,
        on: Surface = "output",
        context: Mapping[str, object] | None = None,
        session: str | None = None,
        tenant: str = "",
        sources: Mapping[str, Sequence[str]] | None = None,
        says: bool = True,
        again: bool = False,
        restores: bool = True,
    ) -> Stream:
        """A stream to be judged while it passes: `feed` chunks, emit what comes back, `finish`.

        No character of a match that a rule blocks or rewrites is ever given back, and the result
        does not depend on how the text was cut.

        Args:
            on: The surface.
            context: Facts for `context.…`.
            session: The conversation it belongs to.
            tenant: Whose session it is.
            sources: Texts of the exchange to compare with.
            says: Whether the message of a block comes out too, once.
            again: A text that is judged in another form too: the session does not count it twice.
            restores: Whether the session's pseudonyms are undone in what comes out.
        """
        surface = surface_of(on)
        if surface == "tool_call":
            raise UsageError("a tool call is judged whole: use `check_tool_call`")
        self._events.need_session(session, tenant)
        facts = mapping_of(context, "context")
        event = Event(surface, "", None, None, facts, session, tenant, sources or {})
        event = replace(event, again=again)
        return Stream(
            self._engine,
            event,
            self._bound.vault,
            self._judged,
            self._ajudged,
            hear=partial(self._heard, session=session, tenant=tenant, again=again),
            ahear=partial(self._aheard, session=session, tenant=tenant, again=again),
            says=says,
            restores=restores,
        )

    # --- holds

    def await_hold(self, hold: str) -> Verdict:
        """Wait until a held text is decided or expires; what may be delivered then.

        Args:
            hold: The id that `verdict.hold` gave.
        """
        return cast(Verdict, self._bridge(self.aawait_hold, hold))

    async def aawait_hold(self, hold: str) -> Verdict:
        """Wait for an approval; see `await_hold`."""
        found = await self.holds.wait(hold)
        verdict = decided(self._digest, found)
        return await self._aheard(verdict, found.session or None, found.tenant)

    # --- exchanges

    def refusal_of(self, reply: str) -> Refusal:
        """How a reply of a model refuses, as its phrases say: `none`, `full`, `partial`, `deflect`.

        Example:
            >>> guard.refusal_of("I can't help with that.")  # doctest: +SKIP
            'full'
        """
        return refusal_of(text_of(reply))

    def expected(self, question: str) -> Expected | None:
        """What the `model` block says of a question: that the model answers or refuses it."""
        if not (self._plan.model.refuses or self._plan.model.answers):
            return None
        return cast("Expected | None", self._bridge(self.aexpected, question))

    async def aexpected(self, question: str) -> Expected | None:
        """What the `model` block says of a question; see `expected`."""
        event = Event("input", text_of(question))
        return await aexpected(self._engine, event, self._deadline("input"))

    def ended(self, ledger: Ledger, *, session: str | None = None, tenant: str = "") -> None:
        """Tell whoever listens what an exchange came to. A wrapped callable does this by itself."""
        if self._hearing is not None:
            self._hearing.ended(ledger, session, tenant)

    async def aended(self, ledger: Ledger, *, session: str | None = None, tenant: str = "") -> None:
        """`ended`, without keeping the event loop waiting."""
        if self._hearing is not None:
            await self._hearing.aended(ledger, session, tenant)

    # --- evaluation

    def scores(self, text: str, *, on: Surface = "input") -> dict[str, float]:
        """The score of every score check of a surface, each evaluated without short-cuts."""
        event = Event(surface_of(on), text_of(text))
        made = self._bridge(ascores, self._engine, event, self._deadline(on))
        return cast(dict[str, float], made)

    def measure(self, text: str, **around: Unpack[Around]) -> Measured:
        """Judge a text, and ask every check of its surface, needed for the verdict or not.

        For evaluation: no budget cuts anything short, so that what is found does not depend on the
        machine, and nothing is held. A text without a session is one of its own.
        """
        return cast(Measured, self._bridge(partial(self.ameasure, **around), text))

    async def ameasure(self, text: str, **around: Unpack[Around]) -> Measured:
        """Judge a text and ask every check; see `measure`."""
        session = around.get("session")
        if session is None and self.needs_session:
            session = f"measure {secrets.token_hex(8)}"
        on, facts, tool = around.get("on", "input"), around.get("context"), around.get("tool")
        event = self._events.of_text(text, on, facts, session, "", tool, around.get("sources"))
        if isinstance(event, Verdict):
            return Measured(event, {})
        try:
            return await ameasured(self._engine, event, perf_counter() + DEFAULT_BUDGET_S)
        finally:
            if around.get("session") is None and event.session is not None:
                self.forget(event.session)

    def explain(
        self,
        text: str,
        *,
        on: Surface = "input",
        context: Mapping[str, object] | None = None,
        tool: str | None = None,
    ) -> Explanation:
        """Judge a text by itself and say why: the decision tree of every rule of the surface."""
        # A session of its own: nothing that came before counts, and nothing stays.
        session = f"explain {secrets.token_hex(8)}" if self._engine.needs_session else None
        event = self._events.of_text(text, on, context, session, "", tool, None)
        if isinstance(event, Verdict):
            return Explanation(event, (), ())
        told = self._explained(event)
        if session is not None:
            self.forget(session)
        return told

    def judge(self, event: Event) -> Verdict:
        """Judge an event given whole, with answers that a test lays down."""
        return self._judged(event)

    def told(self, event: Event) -> Explanation:
        """Judge an event as `judge` does, and say why."""
        told = self._explained(event)
        return told._replace(verdict=self._finished(told.verdict, event))

    def found(self, check: str, event: Event) -> tuple[Located, ...]:
        """Where a check finds something in an event, without calling anybody."""
        moment = self._engine.moment(event)
        node = moment.lane.node_of.get(check)
        said = moment.of(node) if node is not None else None
        return said.hits if said is not None and said.value is True else ()

    @property
    def lacking(self) -> frozenset[str]:
        """The checks that could not be bound; empty but for guards made to run tests."""
        return self._bound.lacking

    @property
    def bound(self) -> Bound:
        """What the plan became on this machine, for those who test or explain it."""
        return self._bound

    # --- wrapping

    @overload
    def __call__(
        self, function: Callable[P, R], /, **options: Unpack[WrapOptions]
    ) -> Callable[P, R]: ...
    @overload
    def __call__(self, /, **options: Unpack[WrapOptions]) -> Decorator: ...
    def __call__(
        self, function: Callable[..., Any] | None = None, /, **options: Unpack[WrapOptions]
    ) -> Any:
        """Put this guard around a callable: `@guard` or `@guard(on_block="reply")`.

        See `guardkit.wrap.wrap` for the options.
        """
        from guardkit.wrap import wrap

        return wrap(self, **options) if function is None else wrap(self, function, **options)

    # --- inside

    def _heard(
        self, verdict: Verdict, session: str | None, tenant: str, again: bool = False
    ) -> Verdict:
        if self._hearing is None:
            return verdict
        return self._hearing.heard(verdict, session, tenant, again=again)

    async def _aheard(
        self, verdict: Verdict, session: str | None, tenant: str, again: bool = False
    ) -> Verdict:
        if self._hearing is None:
            return verdict
        return await self._hearing.aheard(verdict, session, tenant, again=again)

    def _judged(self, event: Event) -> Verdict:
        judgement = self._engine.judge(event)
        try:
            jobs = next(judgement)
        except StopIteration as ended:
            return self._finished(ended.value, event)
        verdict = self._bridge(drive, judgement, jobs, self._deadline(event.surface))
        return self._finished(verdict, event)

    def _explained(self, event: Event) -> Explanation:
        telling = self._engine.explain(event)
        told: Explanation
        try:
            told = self._bridge(drive, telling, next(telling), self._deadline(event.surface))
        except StopIteration as ended:
            told = ended.value
        return told

    async def _ajudged(self, event: Event) -> Verdict:
        judgement = self._engine.judge(event)
        try:
            jobs = next(judgement)
        except StopIteration as ended:
            return await self._afinished(ended.value, event)
        return await self._afinished(
            await drive(judgement, jobs, self._deadline(event.surface)), event
        )

    def _finished(self, verdict: Verdict, event: Event) -> Verdict:
        if verdict.action == "hold":
            return held(self.holds, self._plan, verdict, event)
        return verdict

    async def _afinished(self, verdict: Verdict, event: Event) -> Verdict:
        if verdict.action == "hold":  # a durable queue waits for its disk
            return await self._bound.workers.run(held, self.holds, self._plan, verdict, event)
        return verdict

    def _bridge(self, function: Callable[..., Any], *args: object) -> Any:
        from guardkit.runtime import Bridge

        return Bridge.run(function, *args)

    def _deadline(self, surface: str) -> float:
        return perf_counter() + self._budgets.get(surface, DEFAULT_BUDGET_S)


def _nothing(text: str) -> Sighting:
    """No rule here could object to anything."""
    return NOTHING
