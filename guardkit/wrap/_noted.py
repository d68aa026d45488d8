"""The parts of one exchange with notes taken: the steps, the guard, the callable."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from typing import Any, Literal, cast

from guardkit.types import Surface, Verdict

from ._exchange import Args, Exchange, Keys, Prepared, Stopped, is_stream
from ._guarding import Guarding, Restoring, Streaming
from ._notes import Notes, Reply
from ._steps import Steps

Wrapped = Callable[..., Any]
Kind = Literal["plain", "coroutine", "generator", "async generator"]


# --- a callable that notes what it gives back


def _plain_calling(function: Wrapped, notes: Notes) -> Wrapped:
    def call(*args: Any, **kwargs: Any) -> Any:
        reply = notes.asks()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            notes.broke(error)
            raise
        if hasattr(result, "__await__"):
            return _awaiting(result, reply, notes)
        return _replied(result, reply, notes)

    return call


def _coroutine_calling(function: Wrapped, notes: Notes) -> Wrapped:
    async def call(*args: Any, **kwargs: Any) -> Any:
        return await _awaiting(function(*args, **kwargs), notes.asks(), notes)

    return call


def _generator_calling(function: Wrapped, notes: Notes) -> Wrapped:
    def call(*args: Any, **kwargs: Any) -> Any:
        return _chunks(function(*args, **kwargs), notes.asks(), notes)

    return call


def _async_generator_calling(function: Wrapped, notes: Notes) -> Wrapped:
    def call(*args: Any, **kwargs: Any) -> Any:
        return _achunks(function(*args, **kwargs), notes.asks(), notes)

    return call


CALLINGS: dict[Kind, Callable[[Wrapped, Notes], Wrapped]] = {
    "plain": _plain_calling,
    "coroutine": _coroutine_calling,
    "generator": _generator_calling,
    "async generator": _async_generator_calling,
}
"""Makes a callable of each kind note what it gives back."""


async def _awaiting(coming: Any, reply: Reply, notes: Notes) -> Any:
    try:
        result = await coming
    except BaseException as error:
        notes.broke(error)
        raise
    return _replied(result, reply, notes)


def _replied(result: Any, reply: Reply, notes: Notes) -> Any:
    if is_stream(result):
        is_async = hasattr(type(result), "__aiter__")
        return (_achunks if is_async else _chunks)(result, reply, notes)
    reply.whole(result)
    return result


def _chunks(source: Any, reply: Reply, notes: Notes) -> Generator[Any, None, None]:
    try:
        for chunk in source:
            reply.chunk(chunk)
            yield chunk
    except GeneratorExit:
        raise
    except BaseException as error:
        notes.broke(error)
        raise
    finally:
        reply.over()
        if (close := getattr(source, "close", None)) is not None:
            close()


async def _achunks(source: Any, reply: Reply, notes: Notes) -> AsyncGenerator[Any, None]:
    try:
        async for chunk in source:
            reply.chunk(chunk)
            yield chunk
    except GeneratorExit:
        raise
    except BaseException as error:
        notes.broke(error)
        raise
    finally:
        reply.over()
        close = getattr(source, "aclose", None) or getattr(source, "close", None)
        if close is not None:
            closing = close()
            if hasattr(closing, "__await__"):
                await closing


# --- a guard that notes what it says


def noted(exchange: Exchange, notes: Notes) -> Exchange:
    """The same steps, for one exchange, with notes taken."""
    fields = {name: getattr(exchange, name) for name in _FIELDS}
    return _NotedExchange(**{**fields, "guard": _NotedGuard(exchange.guard, notes)})


_FIELDS = tuple(each.name for each in dataclasses.fields(Exchange))


class _NotedExchange(Exchange):
    """The steps of one exchange, with notes taken of what no check is asked about."""

    @property
    def _notes(self) -> Notes:
        return cast("_NotedGuard", self.guard).notes

    def keys(self, args: Args, kwargs: Mapping[str, Any]) -> Keys:
        self._notes.keys = keys = super().keys(args, kwargs)
        return keys

    def prepare(
        self, args: Args, kwargs: Mapping[str, Any], first: Verdict | None = None
    ) -> Steps[Prepared | Stopped]:
        prepared = yield from super().prepare(args, kwargs, first)
        if self.injected is not None and isinstance(prepared, Prepared):
            self._notes.prompted()
        return prepared

    def _judged(self, source: Any, *rest: Any) -> Steps[Any]:
        self._notes.is_question = source.role == "text"
        return (yield from super()._judged(source, *rest))

    def block(self, verdict: Verdict) -> Stopped:
        self._notes.stopped(verdict)
        return super().block(verdict)


class _NotedGuard:
    """A guard, and notes of every verdict it gives."""

    def __init__(self, guard: Guarding, notes: Notes) -> None:
        self._guard: Any = guard
        self.notes = notes

    def __getattr__(self, name: str) -> Any:  # prompts, principles, pseudonyms, approvals
        return getattr(self._guard, name)

    @property
    def system_prompt(self) -> str:
        return cast(str, self._guard.system_prompt)

    def system_prompt_for(self, session: str, /, *, tenant: str = "") -> str:
        return cast(str, self._guard.system_prompt_for(session, tenant=tenant))

    def principle(self, name: str, /) -> str:
        return cast(str, self._guard.principle(name))

    def restore(self, text: str, /, *, session: str, tenant: str = "") -> str:
        return cast(str, self._guard.restore(text, session=session, tenant=tenant))

    def restorer(self, session: str, /, *, tenant: str = "") -> Restoring:
        return cast("Restoring", self._guard.restorer(session, tenant=tenant))

    def clear(self, text: str, surface: str) -> bool:
        clear = getattr(self._guard, "clear", None)
        if clear is None or not clear(text, surface):
            return False
        self._ask(text, surface)
        self.notes.cleared(surface)
        return True

    def check(self, text: str, /, *, on: Surface, **keys: Any) -> Verdict:
        self._ask(text, on)
        return self._noted(self._guard.check(text, on=on, **keys))

    async def acheck(self, text: str, /, *, on: Surface, **keys: Any) -> Verdict:
        self._ask(text, on)
        return self._noted(await self._guard.acheck(text, on=on, **keys))

    def check_tool_call(self, name: str, arguments: Any, /, **keys: Any) -> Verdict:
        return self._noted(self._guard.check_tool_call(name, arguments, **keys))

    async def acheck_tool_call(self, name: str, arguments: Any, /, **keys: Any) -> Verdict:
        return self._noted(await self._guard.acheck_tool_call(name, arguments, **keys))

    def check_tool_result(self, name: str, text: str, /, **keys: Any) -> Verdict:
        return self._noted(self._guard.check_tool_result(name, text, **keys))

    async def acheck_tool_result(self, name: str, text: str, /, **keys: Any) -> Verdict:
        return self._noted(await self._guard.acheck_tool_result(name, text, **keys))

    def unread(self, on: Surface, **keys: Any) -> Verdict:
        return self._noted(self._guard.unread(on, **keys))

    async def aunread(self, on: Surface, **keys: Any) -> Verdict:
        return self._noted(await self._guard.aunread(on, **keys))

    def stream(self, **keys: Any) -> Streaming:
        stream: Streaming = self._guard.stream(**keys)
        if not keys.get("again"):
            self.notes.streams(stream)
        return stream

    def _ask(self, text: str, on: str) -> None:
        if on == "input" and self.notes.is_question:
            self.notes.question = text

    def _noted(self, verdict: Verdict) -> Verdict:
        self.notes.judged(verdict)
        return verdict
