"""What the guardrails share: one judgement of texts that go nowhere from here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple

from guardkit.errors import Blocked
from guardkit.guard import Guard
from guardkit.types import STRENGTH, Verdict

from .._around import Around, Call, Said
from ._agents import session_of_trace

Session = str | Callable[[Any], str | None] | None
Context = Mapping[str, object] | Callable[[Any], Mapping[str, object] | None] | None

NO_REPLY: dict[str, Any] = {"object": "response", "output": []}

_HEARD: ContextVar[list[Verdict]] = ContextVar("guardkit.openai_agents.heard")
"""The verdicts of the judgement under way: no task is ever started in between."""


class Judged(NamedTuple):
    """What the policy said."""

    messages: Sequence[Any]
    """As they may go on."""
    reply: Any
    is_changed: bool
    """Whether any of them is not what it was."""
    heard: tuple[Verdict, ...] = ()
    """Every verdict that was more than a pass."""
    block: Verdict | None = None
    """The verdict that stopped it; nothing may go on then."""

    @property
    def verdict(self) -> Verdict | None:
        """The one that decides: the block, else the strongest."""
        if self.block is not None or not self.heard:
            return self.block
        return max(self.heard, key=lambda verdict: STRENGTH[verdict.action])

    @property
    def info(self) -> dict[str, object]:
        """What the SDK may keep of it; none of the text."""
        return {"action": "pass"} if self.verdict is None else self.verdict.as_dict()


class Judging:
    """A policy that is asked for its judgement alone."""

    def __init__(
        self,
        policy: str | Guard | None,
        on_hold: Literal["block", "wait"],
        session: Session,
        context: Context,
        watch: Callable[[Verdict], object] | None,
    ) -> None:
        self._session, self._context = session, context

        def hear(verdict: Verdict) -> None:
            _HEARD.get().append(verdict)
            if watch is not None:
                watch(verdict)

        self._around = Around(policy, on_hold=on_hold, watch=hear)

    async def __call__(self, run: Any, messages: Sequence[Any], reply: Any = NO_REPLY) -> Judged:
        """Judge what goes in and what comes out, either of which may be nothing."""
        given = messages

        async def send(said: Said) -> Any:
            nonlocal given
            given = said.messages[1:]
            return reply

        session = keyed(self._session, run) or session_of_trace()
        call = Call(send, session, keyed(self._context, run))
        heard: list[Verdict] = []
        token = _HEARD.set(heard)
        try:
            # The context layer goes into the first one: what is judged has no place for it.
            shown = await self._around.aask(call, [{"role": "system", "content": ""}, *messages])
        except Blocked as blocked:
            return Judged((), None, True, tuple(heard), blocked.verdict)
        finally:
            _HEARD.reset(token)
        is_same = all(a is b for a, b in zip(given, messages, strict=True))
        return Judged(given, shown, not is_same or shown is not reply, tuple(heard))


def keyed(given: Any, run: Any) -> Any:
    """A session or a context, as it is or of a run."""
    return given(run) if callable(given) else given
