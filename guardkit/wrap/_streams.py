"""Drives a relay: pulls chunks, gives what is cleared, and closes the source at once on a block."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Any, TypeVar

from ._endings import Ending
from ._exchange import Exchange, Prepared
from ._guarding import Streaming
from ._reader import Block
from ._refuse import refuse_chunk
from ._relay import Relay
from ._steps import ADoes, Does, Steps, arun

T = TypeVar("T")

CLOSING_S = 2.0
"""How long a source that is cancelled may take to close."""


def relay_stream(
    exchange: Exchange, does: Does, source: Any, prepared: Prepared
) -> Generator[Any, None, None]:
    """The guarded stream of a plain iterable."""
    relay = Relay(exchange, prepared)
    texts: Streaming | None = None
    ending = Ending()
    is_done, seen, block = False, None, None
    try:
        for chunk in source:
            if type(chunk) is str:
                if texts is None:
                    texts, seen = relay.texts, ""
                text = texts.feed(chunk)
                if texts.closed:
                    text += texts.finish()  # now its session knows
                    relay.end_texts(text)
                if text:
                    yield text
                continue
            seen = chunk
            shown = _run(relay.take(chunk), does)
            ending.see(shown)
            yield from shown
        is_done = True
        yield from _run(relay.finish(), does)
    except Block as caught:
        block = caught
    finally:
        # Before anything else is given: what is blocked must not go on costing.
        if not is_done:
            _close(source)
            if block is None and _is_heard(exchange):
                _run(relay.leave(), does)
    # Outside the handler: the error that may be raised here has no other behind it.
    if block is not None:
        ending.see(block.shown)
        yield from block.shown
        yield from _last(exchange, block, seen, ending)


async def arelay_stream(
    exchange: Exchange, does: ADoes, source: Any, prepared: Prepared
) -> AsyncGenerator[Any, None]:
    """The guarded stream of an async iterable."""
    relay = Relay(exchange, prepared)
    texts: Streaming | None = None
    ending = Ending()
    is_done, seen, block = False, None, None
    try:
        async for chunk in source:
            if type(chunk) is str:
                if texts is None:
                    texts, seen = relay.texts, ""
                text = await texts.afeed(chunk)
                if texts.closed:
                    text += await texts.afinish()  # now its session knows
                    relay.end_texts(text)
                if text:
                    yield text
                continue
            seen = chunk
            cleared = await arun(relay.take(chunk), does)
            ending.see(cleared)
            for shown in cleared:
                yield shown
        is_done = True
        for shown in await arun(relay.finish(), does):
            yield shown
    except Block as caught:
        block = caught
    finally:
        if not is_done:
            await _aclose(source)
            if block is None and _is_heard(exchange):
                await _aleave(relay, does)
    if block is not None:
        ending.see(block.shown)
        for shown in block.shown:
            yield shown
        for shown in _last(exchange, block, seen, ending):
            yield shown


def _last(exchange: Exchange, block: Block, seen: Any, ending: Ending) -> list[Any]:
    """The message and the end as chunks, where the caller wants them; else the block is raised."""
    message = exchange.block(block.verdict).verdict.text
    if (events := ending.events(message, seen)) is not None:
        return events
    if block.make is not None:
        return [refuse_chunk(block.make(message), message)]
    if isinstance(seen, str):
        return [message]
    return [exchange.refusal(message) if seen is None else refuse_chunk(seen, message)]


def _is_heard(exchange: Exchange) -> bool:
    """Whether somebody is told of every verdict: then of a text that was left midway, too."""
    return bool(getattr(exchange.guard, "listens", False))


async def _aleave(relay: Relay, does: ADoes) -> None:
    import anyio

    with anyio.move_on_after(CLOSING_S, shield=True):
        await arun(relay.leave(), does)


def _run(steps: Steps[T], does: Does) -> T:
    answer: Any = None
    while True:
        try:
            ask = steps.send(answer)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]  # typeshed has no type for it
        answer = does(ask)


def _close(source: Any) -> None:
    close = getattr(source, "close", None)
    if close is not None:
        close()


async def _aclose(source: Any) -> None:
    # Loaded when a stream ends early, never with the package. Shielded: a cancelled consumer must
    # not leave the source open, and a source that hangs must not keep the consumer.
    import anyio

    close = getattr(source, "aclose", None) or getattr(source, "close", None)
    if close is None:
        return
    with anyio.move_on_after(CLOSING_S, shield=True):
        closing = close()
        if hasattr(closing, "__await__"):
            await closing
