"""Waking a task from another thread, under asyncio and trio."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio
from anyio.lowlevel import current_token


class Signal:
    """Wakes one task from any thread. Make it in the loop of that task."""

    __slots__ = ("_event", "_soon")

    def __init__(self) -> None:
        self._event = anyio.Event()
        self._soon = soon()

    def set(self) -> None:
        """Wake the task; a loop that is gone has nobody to wake."""
        with suppress(RuntimeError):
            self._soon(self._event.set)

    async def wait(self) -> None:
        """Until it is set."""
        await self._event.wait()


def soon() -> Callable[[Callable[[], object]], object]:
    """What has the running loop call a function, from any thread and without waiting for it."""
    token: Any = current_token()
    # Older releases of anyio hand out the native object itself.
    native = getattr(token, "native_token", token)
    call: Any = getattr(native, "call_soon_threadsafe", None) or native.run_sync_soon
    return call  # type: ignore[no-any-return]  # a method of a loop that is not ours
