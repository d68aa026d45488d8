"""What takes long leaves the event loop: a few threads, and nobody waits without end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeVar

import anyio
import anyio.to_thread

from guardkit.wire import Fault

T = TypeVar("T")

AT_ONCE: Final = 2
"""How much may be under way. What judges the traffic needs the machine more."""
PATIENCE_S: Final = 10.0
"""How long one thing may take; a policy of a thousand rules compiles in less than one."""
_LOOK_S: Final = 0.02
_RETRY: Final = (("retry-after", "2"),)


class Work:
    """Runs functions in threads, so many at once and each for so long.

    A thread cannot be stopped: one that is late goes on, and its place stays taken until it ends.
    So many of them can be late, and no more.

    Args:
        at_once: How many may run.
        patience_s: How long somebody waits for one.
    """

    __slots__ = ("_patience_s", "_places")

    def __init__(self, at_once: int = AT_ONCE, patience_s: float = PATIENCE_S) -> None:
        self._places = threading.BoundedSemaphore(at_once)
        self._patience_s = patience_s

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """What the function returns.

        Raises:
            Fault: All places are taken, or it takes too long.
        """
        with anyio.move_on_after(self._patience_s):
            while not self._places.acquire(blocking=False):
                await anyio.sleep(_LOOK_S)
            # Whoever takes it gives the place back: the thread, or we where it never began.
            turn = threading.Lock()

            def inside() -> T:
                if not turn.acquire(blocking=False):
                    raise RuntimeError("nobody waits any more")
                try:
                    return function(*args)
                finally:
                    self._places.release()

            try:
                return await anyio.to_thread.run_sync(inside, abandon_on_cancel=True)
            finally:
                if turn.acquire(blocking=False):
                    self._places.release()
        raise Fault(503, "too_slow", "this takes too long here: make it smaller", _RETRY)
