"""Judges messages that are not about to be sent anywhere: they come back with their changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from guardkit.guard import Guard
from guardkit.types import Verdict
from guardkit.wrap import Judgements, Lens, wrap

from ._whose import Whose


class Gate:
    """What goes in is judged, as what it says that it is.

    Args:
        guard: The guard.
        on_hold: Treat what is held as blocked, or wait for the approval.
        watch: Told of every verdict that is more than a pass.
        again: Whether the session has counted these messages, or will.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        on_hold: Literal["block", "wait"] = "block",
        watch: Callable[[Verdict], object] | None = None,
        again: bool = False,
    ) -> None:
        known = Judgements()

        def put_around(function: Callable[..., Any]) -> Callable[..., Any]:
            return wrap(
                _Again(guard) if again else _Quiet(guard),
                function,
                on_hold=on_hold,
                text=("messages",),
                reply=_NOTHING,
                inject=False,
                session=lambda call: call["whose"].session,
                context=lambda call: call["whose"].context,
                watch=watch,
                known=known,
            )

        self._read = put_around(_same)
        self._aread = put_around(_asame)

    def read(self, given: Any, whose: Whose) -> Any:
        """A message, or several, with the changes that rules made.

        A list is a conversation: with a session, what was judged before is not judged again.

        Raises:
            Blocked: A rule stopped them.
        """
        return self._read(given, whose)

    async def aread(self, given: Any, whose: Whose) -> Any:
        """`read`, awaited."""
        return await self._aread(given, whose)


def _same(messages: Any, whose: Whose) -> Any:
    return messages


async def _asame(messages: Any, whose: Whose) -> Any:
    return messages


_NOTHING = Lens(lambda reply: ())
"""What comes back was judged as what went in."""


class _Quiet:
    """A guard that takes this for no exchange: nobody is asked, and none ends here."""

    listens = False

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._guard, name)


class _Again(_Quiet):
    """A guard whose session counts nothing of it."""

    def check(self, text: str, **keys: Any) -> Verdict:
        return self._guard.check(text, **{**keys, "again": True})

    async def acheck(self, text: str, **keys: Any) -> Verdict:
        return await self._guard.acheck(text, **{**keys, "again": True})

    def check_tool_result(self, name: str, text: str, **keys: Any) -> Verdict:
        return self.check(text, on="tool_result", tool=name, **keys)

    async def acheck_tool_result(self, name: str, text: str, **keys: Any) -> Verdict:
        return await self.acheck(text, on="tool_result", tool=name, **keys)
