"""Every verdict under the decision of its request: in the audit log, and in the request's span."""

from __future__ import annotations

from typing import Any

from guardkit.telemetry import Audit

from ._exchange import decision, span


class Numbered:
    """An audit log that knows which request a verdict belongs to.

    Args:
        audit: The log; without one the spans alone are told.
    """

    def __init__(self, audit: Audit | None) -> None:
        self._audit = audit

    # Any: a guard hands over its verdicts and ledgers; none of them is looked into here.
    def record(self, verdict: Any, *, session: str | None = None, tenant: str = "") -> int:
        """File a verdict; its number."""
        span().judged(verdict, decision=decision() or "")
        if self._audit is None:
            return 0
        return self._audit.record(verdict, session=session, tenant=tenant, decision=decision())

    async def arecord(self, verdict: Any, *, session: str | None = None, tenant: str = "") -> int:
        """`record`, without keeping the event loop waiting."""
        span().judged(verdict, decision=decision() or "")
        if self._audit is None:
            return 0
        return await self._audit.arecord(
            verdict, session=session, tenant=tenant, decision=decision()
        )

    def exchange(self, ledger: Any, *, session: str | None = None, tenant: str = "") -> int:
        """File what an exchange came to; its number."""
        if self._audit is None:
            return 0
        return self._audit.exchange(ledger, session=session, tenant=tenant, decision=decision())

    async def aexchange(self, ledger: Any, *, session: str | None = None, tenant: str = "") -> int:
        """`exchange`, without keeping the event loop waiting."""
        if self._audit is None:
            return 0
        return await self._audit.aexchange(
            ledger, session=session, tenant=tenant, decision=decision()
        )
