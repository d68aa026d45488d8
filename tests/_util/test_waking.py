"""Waking tasks from other threads, and making anew what a fork breaks."""

from __future__ import annotations

import os
import threading

import anyio
import pytest

from guardkit._util.forks import renewed_after_fork
from guardkit._util.waking import Signal

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@BACKENDS
def test_a_task_is_woken_from_a_thread(backend: str) -> None:
    async def main() -> None:
        signal = Signal()
        threading.Timer(0.0, signal.set).start()
        with anyio.fail_after(10):
            await signal.wait()
            await signal.wait()  # it stays set

    anyio.run(main, backend=backend)


@BACKENDS
def test_a_signal_for_a_loop_that_is_gone_is_lost(backend: str) -> None:
    kept: list[Signal] = []

    async def main() -> None:
        kept.append(Signal())

    anyio.run(main, backend=backend)
    kept[0].set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="platform: nothing forks here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_things_are_made_anew_in_a_forked_process() -> None:
    class Thing:
        turns = 0

        def _renew(self) -> None:
            self.turns += 1

    thing = Thing()
    renewed_after_fork(thing)
    child = os.fork()
    if not child:
        os._exit(thing.turns)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert thing.turns == 0
