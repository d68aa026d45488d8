"""One call on one surface, as a program would make it, and what has to be tidied up after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from guardkit.guard import Guard
from guardkit.plan import Rule
from guardkit.types import SURFACES, Surface, Verdict

from ._clocks import CLOCKS, ClockName
from ._resting import Sources, asked_numbers, rests_on, sources_for

TEXT_SURFACES: tuple[Surface, ...] = tuple(s for s in SURFACES if s != "conversation")


class Asking:
    """Asks a guard about texts on one surface.

    A policy that remembers gets a session of its own for every text. On `tool_call` a text is the
    argument `text` of a call, beside the numbers that rules ask for; the tools that rules name take
    turns. Where checks compare a text with a document or a question, `ready` makes one for it.

    Args:
        guard: The guard.
        surface: One of the surfaces of texts.
        context: Facts for `context.…`.
        clock: What its calls are timed by.
        is_call: On `tool_call`, whether a text is the JSON of the arguments itself.
    """

    def __init__(
        self,
        guard: Guard,
        surface: Surface,
        context: Mapping[str, object] | None = None,
        clock: ClockName = "wall",
        *,
        is_call: bool = False,
    ) -> None:
        self.clock_name = clock
        self.clock = CLOCKS[clock]
        self._is_call = is_call
        self.guard = guard
        self.surface = surface
        self._context = context
        self._is_stateful = guard.needs_session
        self._sessions = count()
        self._session: str | None = None
        self._tools = _tools_of(guard, surface)
        self._numbers = asked_numbers(guard.plan, surface)
        self._rests_on = rests_on(guard.plan, surface)
        self._sources: Sources | None = None
        self._turn = count()
        self.call: Callable[[str], Verdict] = self._call
        """Judge the text that `ready` was told of: this, and nothing else, is timed."""
        is_plain = not self._is_stateful and not self._rests_on
        if surface not in ("tool_call", "tool_result") and is_plain:
            check, facts = guard.check, context
            self.call = lambda text: check(text, on=surface, context=facts)

    def about(self, guard: Guard) -> Asking:
        """The same calls of another guard."""
        return Asking(guard, self.surface, self._context, self.clock_name, is_call=self._is_call)

    def sources(self, text: str) -> Sources | None:
        """What a text rests on, for checks that compare it with something."""
        return sources_for(text, self._rests_on) if self._rests_on else None

    def ready(self, text: str) -> str:
        """A text whose call may be timed now: what it rests on is made."""
        self._sources = self.sources(text)
        return text

    def _options(self, sources: Sources | None) -> dict[str, Any]:  # values of several types
        options: dict[str, Any] = {"context": self._context}
        if sources is not None:
            options["sources"] = sources
        if self._is_stateful:
            options["session"] = self._session = f"bench {next(self._sessions)}"
        if self.surface == "tool_result" and self._tools:
            options["tool"] = self._tools[next(self._turn) % len(self._tools)]
        return options

    def _call(self, text: str) -> Verdict:
        options = self._options(self._sources)
        if self.surface == "tool_call":
            return self.guard.check_tool_call(*self._tool_call(text), **options)
        return self.guard.check(text, on=self.surface, **options)

    def _tool_call(self, text: str) -> tuple[str, Mapping[str, object] | str]:
        tool = self._tools[next(self._turn) % len(self._tools)]
        return tool, text if self._is_call else {**self._numbers, "text": text}

    async def acall(self, text: str, sources: Sources | None) -> Verdict:
        """Judge a text where others are judged at the same time; it tidies up by itself."""
        options = self._options(sources)
        if self.surface == "tool_call":
            verdict = await self.guard.acheck_tool_call(*self._tool_call(text), **options)
        else:
            verdict = await self.guard.acheck(text, on=self.surface, **options)
        self._tidy(verdict, options.get("session"))
        return verdict

    def tidy(self, verdict: Verdict) -> None:
        """Forget the session of the last call, and let nobody wait for its approval."""
        self._tidy(verdict, self._session)

    def _tidy(self, verdict: Verdict, session: str | None) -> None:
        if verdict.hold is not None:
            # Nothing will be delivered; a queue that is full would block.
            self.guard.holds.deny(verdict.hold, "bench")
        if session is not None:
            self.guard.forget(session)


def _tools_of(guard: Guard, surface: Surface) -> tuple[str, ...]:
    """The tools that rules of the surface name, or one that none does."""
    named: dict[str, None] = {}
    for node in guard.plan.nodes:
        if node.surface == surface and isinstance(node.what, Rule):
            named.update(dict.fromkeys(node.what.tools))
    return tuple(named) or (("bench",) if surface == "tool_call" else ())
