"""One conversation of an evaluation is one session of the policy."""

from __future__ import annotations

import secrets

from guardkit.guard import Guard

from .._third_party import third_party

_KEY = "guardkit.session"


def session_of(guard: Guard) -> str | None:
    """The session of the sample under way; None for a policy that remembers nothing."""
    if not guard.needs_session:
        return None
    store = third_party("inspect_ai.util", "inspect").store()
    session: str | None = store.get(_KEY)
    if session is None:
        session = f"sample {secrets.token_hex(8)}"
        store.set(_KEY, session)
    return session
