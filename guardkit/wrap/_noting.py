"""Runs a guarded callable with notes taken, and tells the ledger of every exchange at its end.

Nothing here decides. The steps run as they always do, around a guard that notes what it says and a
callable that notes what it gives back.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from guardkit.errors import Blocked
from guardkit.types import Ledger

from ._exchange import Exchange, is_stream
from ._guarding import Guarding
from ._noted import CALLINGS, Kind, Wrapped, noted
from ._notes import Notes

Build = Callable[[Exchange, Wrapped], Wrapped]


def noting(exchange: Exchange, function: Wrapped, build: Build, kind: Kind) -> Wrapped:
    """A guarded callable that tells what each of its exchanges came to.

    Args:
        exchange: The steps; its options say who is told.
        function: The callable.
        build: Puts steps around a callable of this kind.
        kind: The kind.
    """

    def begin() -> tuple[Notes, Wrapped]:
        notes = Notes(_refusal_of(exchange.guard), exchange.options.fixed)
        return notes, build(noted(exchange, notes), CALLINGS[kind](function, notes))

    def plain(*args: Any, **kwargs: Any) -> Any:
        notes, guarded = begin()
        try:
            result = guarded(*args, **kwargs)
        except BaseException as error:
            _end(exchange, notes, error)
            raise
        if hasattr(result, "__await__"):
            return later(notes, result)
        if is_stream(result):
            return over(notes, result)
        _end(exchange, notes)
        return result

    async def later(notes: Notes, coming: Any) -> Any:
        try:
            result = await coming
        except BaseException as error:
            await _aend(exchange, notes, error)
            raise
        if is_stream(result):
            is_async = hasattr(type(result), "__aiter__")
            return aover(notes, result) if is_async else over(notes, result)
        await _aend(exchange, notes)
        return result

    def over(notes: Notes, stream: Any) -> Any:
        return aover(notes, stream) if hasattr(type(stream), "__aiter__") else each(notes, stream)

    def each(notes: Notes, stream: Any) -> Generator[Any, None, None]:
        error: BaseException | None = None
        try:
            yield from stream
        except BaseException as raised:
            error = raised
            raise
        finally:
            _end(exchange, notes, error)

    async def aover(notes: Notes, stream: Any) -> AsyncGenerator[Any, None]:
        error: BaseException | None = None
        try:
            async for chunk in stream:
                yield chunk
        except BaseException as raised:
            error = raised
            raise
        finally:
            if (close := getattr(stream, "aclose", None)) is not None:
                await close()
            await _aend(exchange, notes, error)

    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        notes, guarded = begin()
        return await later(notes, guarded(*args, **kwargs))

    def generator(*args: Any, **kwargs: Any) -> Generator[Any, None, None]:
        notes, guarded = begin()
        yield from each(notes, guarded(*args, **kwargs))

    async def async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        notes, guarded = begin()
        relayed = aover(notes, guarded(*args, **kwargs))
        try:
            async for chunk in relayed:
                yield chunk
        finally:
            await relayed.aclose()

    made: dict[Kind, Wrapped] = {
        "plain": plain,
        "coroutine": coroutine,
        "generator": generator,
        "async generator": async_generator,
    }
    return made[kind]


# --- the end


def _end(exchange: Exchange, notes: Notes, error: BaseException | None = None) -> None:
    ledger = _ledger(notes, error)
    if ledger.outcome == "refused" and notes.question is not None:
        ask = getattr(exchange.guard, "expected", None)
        if ask is not None:
            ledger = ledger._replace(expected=ask(notes.question))
    _tell(exchange, notes, ledger)


async def _aend(exchange: Exchange, notes: Notes, error: BaseException | None = None) -> None:
    ledger = _ledger(notes, error)
    # Only a question that was refused is looked at again: that is what can be one too many.
    if ledger.outcome == "refused" and notes.question is not None:
        ask = getattr(exchange.guard, "aexpected", None)
        if ask is not None:
            ledger = ledger._replace(expected=await ask(notes.question))
    _tell(exchange, notes, ledger)


def _ledger(notes: Notes, error: BaseException | None) -> Ledger:
    # A consumer that leaves a stream is no fault of anybody.
    if error is not None and not isinstance(error, Blocked | GeneratorExit):
        notes.broke(error)
    return notes.ledger()


def _tell(exchange: Exchange, notes: Notes, ledger: Ledger) -> None:
    if (ended := getattr(exchange.guard, "ended", None)) is not None:
        keys = notes.keys
        ended(ledger, session=keys.get("session"), tenant=keys.get("tenant") or "")
    if exchange.options.ledger is not None:
        exchange.options.ledger(ledger)


def _refusal_of(guard: Guarding) -> Callable[[str], str]:
    return getattr(guard, "refusal_of", None) or (lambda text: "none")
