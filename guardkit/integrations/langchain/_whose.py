"""Whose an exchange is: the session and the facts that rules may ask about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ._packages import config_now

Session = str | Callable[[Any], str | None] | None
Facts = Mapping[str, object] | Callable[[Any], Mapping[str, object] | None] | None


class Whose(NamedTuple):
    """The session and context of one exchange."""

    session: str | None
    context: Mapping[str, object] | None

    @property
    def keys(self) -> dict[str, Any]:
        """As a guard takes them."""
        given = {"session": self.session, "context": self.context}
        return {name: each for name, each in given.items() if each is not None}


def whose(session: Session, context: Facts, given: Any, config: Any = None) -> Whose:
    """The session and context of a call.

    Args:
        session: The session, or a function that gives it; without it, the thread's id.
        context: The facts, or a function that gives them.
        given: What the functions are asked with: a config, or a runtime.
        config: The configuration of the call, where it is known.
    """
    named = session(given) if callable(session) else session
    if session is None:
        thread = config_now(config).get("configurable", {}).get("thread_id")
        named = None if thread is None else str(thread)
    return Whose(named, context(given) if callable(context) else context)
