"""One logic for two worlds: steps say what they want to know, a driver asks and answers.

Steps are generators that yield an `Ask` and are sent its answer. `run` asks at once, `arun` awaits.
So nothing here exists twice, and nothing here starts a task.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any, NamedTuple, TypeVar

from guardkit.errors import UsageError
from guardkit.types import Surface, Verdict

from ._guarding import Guarding

T = TypeVar("T")


class Ask(NamedTuple):
    """A question of the steps: to the guard, to a stream, or a call of the wrapped callable."""

    what: str
    args: tuple[Any, ...]
    keys: Mapping[str, Any]


# What is sent into steps depends on what they asked: a verdict, a text or the callable's result.
Steps = Generator[Ask, Any, T]

TIMED_OUT = object()
"""The answer to a call that took longer than it may."""

Watch = Callable[[Verdict], object]
"""Told of verdicts that are more than a pass."""

ASKED = ("check", "check_tool_call", "check_tool_result")
VERDICTS = frozenset({*ASKED, "await_hold", "unread"})
"""`count` is a `check` for the session's sake: whoever watches was told of its text before."""
TOLD = frozenset({"flag", "rewrite"})
"""What goes on. What ends an exchange is told where it ends."""


class Does:
    """Answers asks at once."""

    def __init__(
        self, guard: Guarding, function: Callable[..., Any], watch: Watch | None = None
    ) -> None:
        self._watch = watch
        self._ops: dict[str, Callable[..., Any]] = {
            **{name: getattr(guard, name) for name in ASKED},
            "count": guard.check,
            "await_hold": getattr(guard, "await_hold", _no_holds),
            "unread": getattr(guard, "unread", _no_unread),
            "call": function,
            "call_within": lambda seconds, args, kwargs: function(*args, **kwargs),
            "feed": lambda stream, text: stream.feed(text),
            "finish": lambda stream: stream.finish(),
        }

    def __call__(self, ask: Ask) -> Any:
        answer = self._ops[ask.what](*ask.args, **ask.keys)
        if self._watch is not None:
            _tell(self._watch, ask, answer)
        return answer


class ADoes:
    """Answers asks by awaiting."""

    def __init__(
        self, guard: Guarding, function: Callable[..., Any], watch: Watch | None = None
    ) -> None:
        self._watch = watch
        self._ops: dict[str, Callable[..., Any]] = {
            "unread": getattr(guard, "aunread", getattr(guard, "unread", _no_unread)),
            **{name: getattr(guard, "a" + name) for name in ASKED},
            "count": guard.acheck,
            "await_hold": getattr(guard, "aawait_hold", _a_no_holds),
            "call": function,
            "call_within": lambda seconds, args, kwargs: _within(
                seconds, function(*args, **kwargs)
            ),
            "feed": lambda stream, text: stream.afeed(text),
            "finish": lambda stream: stream.afinish(),
        }

    async def __call__(self, ask: Ask) -> Any:
        answer = self._ops[ask.what](*ask.args, **ask.keys)
        if hasattr(answer, "__await__"):
            answer = await answer
        if self._watch is not None:
            _tell(self._watch, ask, answer)
        return answer


def _tell(watch: Watch, ask: Ask, answer: Any) -> None:
    verdict = ask.args[0].verdict if ask.what == "finish" else answer
    is_verdict = ask.what in VERDICTS or ask.what == "finish"
    if is_verdict and verdict is not None and verdict.action in TOLD:
        watch(verdict)


def run(steps: Steps[T], does: Does, adoes: ADoes) -> T | Awaitable[T]:
    """Drive the steps to their end.

    A plain callable may give back an awaitable; then so does this, and the rest is awaited.
    """
    answer: Any = None
    while True:
        # Only `send` stands inside: a StopIteration of the callable is not an end of the steps.
        try:
            ask = steps.send(answer)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]  # typeshed has no type for it
        answer = does(ask)
        if ask.what in ("call", "call_within") and hasattr(answer, "__await__"):
            return _late(steps, adoes, answer)


async def arun(steps: Steps[T], does: ADoes, answer: Any = None) -> T:
    """Drive the steps to their end, awaiting every answer."""
    while True:
        try:
            ask = steps.send(answer)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]  # typeshed has no type for it
        answer = await does(ask)


async def _late(steps: Steps[T], does: ADoes, answer: Awaitable[Any]) -> T:
    return await arun(steps, does, await answer)


async def _within(seconds: float, call: Any) -> Any:
    # Loaded when a reply is revised for the first time, never with the package.
    import anyio

    if not hasattr(call, "__await__"):
        return call
    with anyio.move_on_after(seconds):
        return await call
    return TIMED_OUT


def _no_holds(hold: str) -> Verdict:
    # INVARIANT: never asked: `wrap` refuses to wait on a guard that has no way to.
    raise AssertionError("the guard has no `await_hold`")


async def _a_no_holds(hold: str) -> Verdict:
    return _no_holds(hold)


def _no_unread(on: Surface) -> Verdict:
    raise UsageError("an image, a file or the like cannot be read, and no guard can judge it")
