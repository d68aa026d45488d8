"""Runs a guarded callable with notes taken, and tells the ledger of every exchange at its end.

Nothing here decides. The steps run as they always do, around a guard that notes what it says and a
callable that notes what it gives back.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from functools import partial
from typing import Any

from guardkit.errors import Blocked
from guardkit.types import Ledger

from ._exchange import Exchange, is_stream
from ._find_texts import Lens
from ._guarding import Guarding
from ._noted import CALLINGS, Kind, Wrapped, noted
from ._notes import Notes
from ._replied import text_of as reply_text

TELLING_S = 2.0
"""How long whoever listens may take to hear of an exchange; its verdicts are kept before."""

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
        lens = exchange.options.reply
        texts = reply_text if lens is None else partial(_through, lens)
        notes = Notes(_refusal_of(exchange.guard), exchange.options.fixed, texts)
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
    guard: Any = exchange.guard
    ledger = _ledger(notes, error)
    if _is_doubtful(ledger, notes) and hasattr(guard, "expected"):
        ledger = ledger._replace(expected=guard.expected(notes.question))
    if getattr(guard, "listens", False):
        guard.ended(ledger, **_whose(notes))
    _tell(exchange, ledger, error)


async def _aend(exchange: Exchange, notes: Notes, error: BaseException | None = None) -> None:
    guard: Any = exchange.guard
    ledger = _ledger(notes, error)
    try:
        if _is_doubtful(ledger, notes) and hasattr(guard, "aexpected"):
            ledger = ledger._replace(expected=await guard.aexpected(notes.question))
    finally:  # a call that is cancelled here is told of like any other
        if getattr(guard, "listens", False):
            from anyio import move_on_after

            with move_on_after(TELLING_S, shield=True):
                await guard.aended(ledger, **_whose(notes))
        _tell(exchange, ledger, error)


def _tell(exchange: Exchange, ledger: Ledger, error: BaseException | None) -> None:
    tell = exchange.options.ledger
    if tell is None:
        return
    try:
        tell(ledger)
    except Exception:
        if error is None:
            raise
        # What ends the exchange goes on: a block is not replaced by what was to be told of it.


def _is_doubtful(ledger: Ledger, notes: Notes) -> bool:
    """Only a question that was refused is looked at again: that is what can be one too many."""
    return ledger.outcome == "refused" and notes.question is not None


def _whose(notes: Notes) -> dict[str, Any]:
    return {"session": notes.keys.get("session"), "tenant": notes.keys.get("tenant") or ""}


def _ledger(notes: Notes, error: BaseException | None) -> Ledger:
    # A consumer that leaves a stream is no fault of anybody; nor is a call of the model that failed
    # where the exchange went on without it.
    is_fault = error is not None and not isinstance(error, Blocked | GeneratorExit)
    if error is not None and is_fault:
        notes.broke(error)
    return notes.ledger(is_fault=is_fault)


def _through(lens: Lens, reply: Any) -> str:
    found = lens.get(reply)
    texts = [found] if isinstance(found, str) else list(found)
    return "\n".join(text for text in texts if isinstance(text, str))


def _refusal_of(guard: Guarding) -> Callable[[str], str]:
    return getattr(guard, "refusal_of", None) or (lambda text: "none")
