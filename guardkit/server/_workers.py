"""Several processes on one socket: begun, replaced when one dies, ended together."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

SOON_S: Final = 5.0
"""A worker that ends sooner than this after its start could not begin."""
PAUSE_S: Final = 1.0


def run_workers(
    number: int,
    work: Callable[[], int],
    patience_s: float,
    leave: Callable[[], object] = lambda: None,
    tell: Callable[..., object] = lambda name, **facts: None,
) -> int:
    """Run a function in so many processes until a signal says stop; the exit code.

    The parent has to be without threads: the processes are forks of it.

    Args:
        number: How many.
        work: What each does; it ends by itself when it gets SIGTERM.
        patience_s: How long they may take to end before they are killed.
        leave: Lets go of what the workers have from here, once they are told to stop.
        tell: Writes an event: that a worker ended, and by what.
    """
    begun: dict[int, float] = {}
    held, holder = os.pipe()
    stopping: list[int] = []

    def stop(signum: int, frame: FrameType | None) -> None:
        stopping.append(signum)
        leave()
        for child in begun:
            os.kill(child, signal.SIGTERM)

    def reload(signum: int, frame: FrameType | None) -> None:
        for child in begun:
            os.kill(child, signal.SIGHUP)

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    before[signal.SIGHUP] = signal.signal(signal.SIGHUP, reload)
    code = 0
    try:
        for _ in range(number):
            begun[_forked(work, held, holder)] = time.monotonic()
        while begun and not stopping:
            child, status = _ended()
            if child not in begun:
                continue
            took_s = time.monotonic() - begun.pop(child)
            if stopping:
                break
            ended = os.waitstatus_to_exitcode(status)
            tell("worker_ended", worker=child, code=ended, after_s=round(took_s))
            if took_s < SOON_S:
                # It would only fail again: nothing is served by half of what was asked for.
                code = ended or 2
                stop(signal.SIGTERM, None)
                break
            time.sleep(PAUSE_S)
            begun[_forked(work, held, holder)] = time.monotonic()
        _reap(begun, patience_s)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        os.close(held)
        os.close(holder)
    return abs(code)


def _forked(work: Callable[[], int], held: int, holder: int) -> int:
    child = os.fork()
    if child:
        return child
    code = 101
    try:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until somebody listens for it
        os.close(holder)
        threading.Thread(target=_outlive_nobody, args=(held,), daemon=True).start()
        code = work()
    except KeyboardInterrupt:
        code = 0
    except Exception as error:  # noqa: BLE001 - `os._exit` would keep it unseen
        sys.stderr.write(f"guardkit: a worker ended: {type(error).__name__}\n")
    finally:
        os._exit(code)


def _outlive_nobody(held: int) -> None:
    """Stop once the parent has gone without a word: nobody else could stop this process."""
    os.read(held, 1)  # nothing ever comes but the end, when nobody holds the other side any more
    os.kill(os.getpid(), signal.SIGTERM)


def _ended() -> tuple[int, int]:
    """A worker that ended; (0, 0) where none did."""
    # A wait without end would be resumed after the handler of a signal (PEP 475).
    time.sleep(0.1)
    try:
        return os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return 0, 0


def _reap(begun: dict[int, float], patience_s: float) -> None:
    until = time.monotonic() + patience_s
    while begun:
        child, _ = _ended()
        begun.pop(child, None)
        if time.monotonic() > until:
            for left in begun:
                os.kill(left, signal.SIGKILL)
            until += 1.0
