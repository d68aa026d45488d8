"""A guard from which one side is taken away: what would have happened without its rules there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from guardkit.guard import Guard
from guardkit.types import Layer, Ledger, Surface, Verdict
from guardkit.wrap import Streaming

INBOUND: Final = frozenset({"input", "retrieved", "tool_result"})
OUTBOUND: Final = frozenset({"output", "tool_call"})


class Less:
    """A guard that lets everything pass on the side that is taken away."""

    def __init__(self, guard: Guard, without: frozenset[Layer]) -> None:
        self._guard: Any = guard
        self._open = (INBOUND if "input" in without else frozenset()) | (
            OUTBOUND if "output" in without else frozenset()
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._guard, name)

    @property
    def listens(self) -> bool:
        return False  # what did not happen is in no log

    def ended(self, ledger: Ledger, **keys: Any) -> None:
        """Nobody is told of an exchange that is an experiment."""

    async def aended(self, ledger: Ledger, **keys: Any) -> None:
        """Nobody is told."""

    def clear(self, text: str, surface: str) -> bool:
        return surface in self._open or bool(self._guard.clear(text, surface))

    def check(self, text: str, /, *, on: Surface, **keys: Any) -> Verdict:
        if on in self._open:
            return self._passed(text, on)
        return cast("Verdict", self._guard.check(text, on=on, **keys))

    async def acheck(self, text: str, /, *, on: Surface, **keys: Any) -> Verdict:
        if on in self._open:
            return self._passed(text, on)
        return cast("Verdict", await self._guard.acheck(text, on=on, **keys))

    def check_tool_call(self, name: str, arguments: Any, /, **keys: Any) -> Verdict:
        if "tool_call" in self._open:
            return self._called(name, arguments)
        return cast("Verdict", self._guard.check_tool_call(name, arguments, **keys))

    async def acheck_tool_call(self, name: str, arguments: Any, /, **keys: Any) -> Verdict:
        if "tool_call" in self._open:
            return self._called(name, arguments)
        return cast("Verdict", await self._guard.acheck_tool_call(name, arguments, **keys))

    def check_tool_result(self, name: str, text: str, /, **keys: Any) -> Verdict:
        if "tool_result" in self._open:
            return self._passed(text, "tool_result")
        return cast("Verdict", self._guard.check_tool_result(name, text, **keys))

    async def acheck_tool_result(self, name: str, text: str, /, **keys: Any) -> Verdict:
        if "tool_result" in self._open:
            return self._passed(text, "tool_result")
        return cast("Verdict", await self._guard.acheck_tool_result(name, text, **keys))

    def unread(self, on: Surface, **keys: Any) -> Verdict:
        if on in self._open:
            return self._passed("", on)
        return cast("Verdict", self._guard.unread(on, **keys))

    async def aunread(self, on: Surface, **keys: Any) -> Verdict:
        return self.unread(on, **keys)

    def stream(self, **keys: Any) -> Streaming:
        if keys.get("on", "output") in self._open:
            return _Through(self._passed("", "output"))
        return cast("Streaming", self._guard.stream(**keys))

    def _passed(self, text: str, on: Surface) -> Verdict:
        return Verdict.passed(text, on, self._guard.digest, 0.0, None)

    def _called(self, name: str, arguments: Any) -> Verdict:
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        passed = Verdict.passed(text, "tool_call", self._guard.digest, 0.0, name)
        return passed._replace(arguments=arguments if isinstance(arguments, Mapping) else None)


class _Through:
    """A stream that nobody judges."""

    def __init__(self, verdict: Verdict) -> None:
        self._passed = verdict
        self.verdict: Verdict | None = None
        self.closed = False

    def feed(self, chunk: str, /) -> str:
        return chunk

    def finish(self) -> str:
        self.closed = True
        self.verdict = self._passed
        return ""

    async def afeed(self, chunk: str, /) -> str:
        return chunk

    async def afinish(self) -> str:
        return self.finish()
