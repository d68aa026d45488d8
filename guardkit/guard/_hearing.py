"""Who is told of every verdict: the audit log first, then the monitors."""

from __future__ import annotations

from typing import Literal, Protocol

from guardkit.errors import AuditError
from guardkit.runtime import HoldQueue
from guardkit.types import Ledger, Verdict

OnAuditError = Literal["block", "continue"]

UNRECORDED = "This request could not be recorded and was stopped."


class Auditing(Protocol):
    """Keeps verdicts and exchanges; `guardkit.telemetry.Audit` is one.

    Raises:
        AuditError: From every method: the record could not be kept.
    """

    def record(self, verdict: Verdict, *, session: str | None = None, tenant: str = "") -> int:
        """Keep a verdict; back once it is kept, as the mode of the log means that."""

    async def arecord(
        self, verdict: Verdict, *, session: str | None = None, tenant: str = ""
    ) -> int:
        """`record`, without keeping the event loop waiting."""

    def exchange(self, ledger: Ledger, *, session: str | None = None, tenant: str = "") -> int:
        """Keep what a whole exchange came to."""

    async def aexchange(
        self, ledger: Ledger, *, session: str | None = None, tenant: str = ""
    ) -> int:
        """`exchange`, without keeping the event loop waiting."""


class Counting(Protocol):
    """Counts verdicts and exchanges; `guardkit.telemetry.Monitors` is one. It never raises."""

    def saw(self, verdict: Verdict) -> None:
        """A text was judged."""

    def ended(self, ledger: Ledger) -> None:
        """An exchange came to its end."""


class Hearing:
    """Tells whoever listens of every verdict, before it is given to the caller.

    Args:
        audit: The audit log.
        monitors: The live counters.
        on_audit_error: What becomes of a verdict that could not be recorded: it is a block, or it
            stands and only the monitors count it.
        holds: Where held texts wait: one whose verdict is lost is waited for by nobody.
    """

    __slots__ = ("_audit", "_holds", "_monitors", "_stops")

    def __init__(
        self,
        audit: Auditing | None,
        monitors: Counting | None,
        on_audit_error: OnAuditError,
        holds: HoldQueue,
    ) -> None:
        self._audit = audit
        self._holds = holds
        self._monitors = monitors
        self._stops = on_audit_error != "continue"

    def heard(
        self, verdict: Verdict, session: str | None, tenant: str, *, again: bool = False
    ) -> Verdict:
        """The verdict as it may be given to the caller.

        One on a text that was judged before in another form counts only where a rule fired.
        """
        if self._audit is not None:
            try:
                self._audit.record(verdict, session=session, tenant=tenant)
            except AuditError:
                verdict = self._unrecorded(verdict)
        if self._monitors is not None and not (again and not verdict.fired):
            self._monitors.saw(verdict)
        return verdict

    async def aheard(
        self, verdict: Verdict, session: str | None, tenant: str, *, again: bool = False
    ) -> Verdict:
        """`heard`, without keeping the event loop waiting."""
        if self._audit is not None:
            try:
                await self._audit.arecord(verdict, session=session, tenant=tenant)
            except AuditError:
                verdict = self._unrecorded(verdict)
        if self._monitors is not None and not (again and not verdict.fired):
            self._monitors.saw(verdict)
        return verdict

    def ended(self, ledger: Ledger, session: str | None, tenant: str) -> None:
        """An exchange came to its end.

        Its verdicts are in the log already: that a summary of them is missing stops nothing.
        """
        if self._monitors is not None:
            self._monitors.ended(ledger)
        if self._audit is not None:
            try:
                self._audit.exchange(ledger, session=session, tenant=tenant)
            except AuditError:
                return

    async def aended(self, ledger: Ledger, session: str | None, tenant: str) -> None:
        """`ended`, without keeping the event loop waiting."""
        if self._monitors is not None:
            self._monitors.ended(ledger)
        if self._audit is not None:
            try:
                await self._audit.aexchange(ledger, session=session, tenant=tenant)
            except AuditError:
                return

    def _unrecorded(self, verdict: Verdict) -> Verdict:
        unknown = (*verdict.unknown, "audit")
        if not self._stops:
            return verdict._replace(unknown=unknown)
        if verdict.hold is not None:
            self._holds.deny(verdict.hold, "it could not be recorded")
        return verdict._replace(
            action="block",
            text=UNRECORDED,
            message=UNRECORDED,
            arguments=None,
            unknown=unknown,
            hold=None,
            approved=None,
            otherwise=None,
        )
