"""A thread that does small things again and again, while there is anything to do."""

from __future__ import annotations

import threading
from collections.abc import Callable

from guardkit._util.forks import renewed_after_fork
from guardkit.errors import CheckError

IDLE_BEATS = 40
"""After so many beats with nothing to do the thread ends; the next need starts another one."""


class Pulse:
    """Calls a function in a daemon thread, every so often, as long as it says that it is needed.

    A thread, and no task: it goes on while an event loop is busy, and belongs to none.

    Args:
        beat: Does what is due; whether there may be more. A `CheckError` of it is tried again.
        every_s: How often.
    """

    def __init__(self, beat: Callable[[], bool], every_s: float) -> None:
        self._beat = beat
        self._every_s = every_s
        self._renew()
        renewed_after_fork(self)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._is_running = False
        self._is_needed = False

    def start(self) -> None:
        """There is something to do from now on."""
        with self._lock:
            self._is_needed = True
            if not self._is_running:
                self._is_running = True
                thread = threading.Thread(
                    target=self._run, args=(self._wake,), name="guardkit-pulse", daemon=True
                )
                thread.start()

    def stop(self) -> None:
        """End the thread soon; `start` starts another one."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        self._wake.set()
        self._wake = threading.Event()
        self._is_running = False

    def _run(self, wake: threading.Event) -> None:
        idle = 0
        try:
            while not wake.wait(self._every_s):
                try:
                    is_needed = self._beat()
                except CheckError:
                    is_needed = True
                with self._lock:
                    idle = 0 if is_needed or self._is_needed else idle + 1
                    self._is_needed = False
                    if idle >= IDLE_BEATS:
                        if self._wake is wake:
                            self._end()
                        return
        finally:
            with self._lock:
                if self._wake is wake:
                    self._end()
