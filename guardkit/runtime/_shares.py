"""Rules that are enforced for a share of the sessions, and in shadow for the others."""

from __future__ import annotations

import hashlib

from guardkit.plan import Plan

from ._event import Event, spelled

LOTS = 10_000
"""A share has two decimals."""
_MARK = b"guardkit share 1"


class Shares:
    """Says for which events a rule acts. Without any shares it is false.

    A session always falls the same way, in every process: what counts is a hash of its name. A
    larger share keeps the sessions of a smaller one. The rules of one module fall alike.
    """

    def __init__(self, plan: Plan) -> None:
        self._most = {
            row.name: round(row.share * LOTS / 100)
            for row in plan.rules
            if row.mode == "enforce" and row.share < 100
        }

    def __bool__(self) -> bool:
        return bool(self._most)

    def leaves_out(self, rule: str, event: Event) -> bool:
        """Whether a rule in force is in shadow for this event."""
        most = self._most.get(rule)
        return most is not None and lot_of(rule.split(".")[0], event) >= most


def lot_of(module: str, event: Event) -> int:
    """The lot of an event's session, from 0 to `LOTS` - 1; that of its text where it has none."""
    if event.session is not None:
        kind, name = "session", event.session
    elif event.stream:
        kind, name = "stream", event.stream
    elif event.arguments is not None:
        kind, name = "call", f"{event.tool} {spelled(event.arguments)}"
    else:
        kind, name = "text", event.text
    hashed = hashlib.sha256(_MARK)
    for part in (module, event.tenant, kind, name):
        content = part.encode("utf-8", "surrogatepass")
        hashed.update(len(content).to_bytes(8, "big") + content)
    return int.from_bytes(hashed.digest()[:8], "big") % LOTS
