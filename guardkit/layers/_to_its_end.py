"""Waits for async code from synchronous code, and after an interrupt until that code has ended."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from guardkit.runtime import Bridge

T = TypeVar("T")

_GRACE_S: Final = 5.0
"""How long an interrupt waits for what is under way."""


def to_its_end(run: Callable[[], Awaitable[T]]) -> T:
    """Wait for async code; an interrupt is passed on when that code has really ended.

    A process that ends while another thread of it is still judging may be aborted by the pattern
    engine, with another exit code than that of an interrupt.
    """
    is_begun, is_over = threading.Event(), threading.Event()

    async def told() -> T:
        is_begun.set()
        try:
            return await run()
        finally:
            is_over.set()

    try:
        made: T = Bridge.run(told)
    except KeyboardInterrupt:
        if is_begun.is_set():
            is_over.wait(_GRACE_S)
        raise
    return made
