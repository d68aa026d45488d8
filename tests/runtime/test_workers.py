"""Crossing between threads and loops: nothing deadlocks, nothing is lost, stuck calls are counted.

Whatever may hang, fork or end the interpreter runs in a process of its own, with a watchdog.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import subprocess
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from textwrap import dedent
from typing import Any

import anyio
import anyio.to_thread
import pytest
import sniffio

from guardkit.errors import CheckError, UsageError
from guardkit.runtime._workers import Bridge, Workers

ROOT = Path(__file__).parents[2]
WATCHDOG_S = 10.0
BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])

name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="nobody")


def run(main: Callable[[], Awaitable[object]], backend: str) -> None:
    async def limited() -> None:
        with anyio.fail_after(WATCHDOG_S):
            await main()

    anyio.run(limited, backend=backend)


def alone(program: str) -> str:
    """What a program prints, within ten seconds."""
    head = """
        import faulthandler
        faulthandler.dump_traceback_later(10, exit=True)
    """
    done = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", dedent(head) + dedent(program)],
        capture_output=True,
        text=True,
        timeout=40,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


async def twice(number: int) -> int:
    await anyio.lowlevel.checkpoint()
    return 2 * number


# --- workers


@BACKENDS
def test_a_call_runs_in_another_thread(backend: str) -> None:
    workers = Workers(2)

    async def main() -> None:
        assert await workers.run(divmod, 7, 2) == (3, 1)
        thread = await workers.run(threading.current_thread)
        assert thread is not threading.current_thread()
        assert thread.daemon

    run(main, backend)


@BACKENDS
def test_context_variables_go_along_and_do_not_come_back(backend: str) -> None:
    workers = Workers(1)

    def change() -> tuple[str, str]:
        before = name.get()
        name.set("changed")
        return before, name.get()

    async def main() -> None:
        name.set("caller")
        assert await workers.run(change) == ("caller", "changed")
        assert name.get() == "caller"
        assert await workers.run(name.get) == "caller"
        with pytest.raises(sniffio.AsyncLibraryNotFoundError):
            await workers.run(sniffio.current_async_library)

    run(main, backend)


@BACKENDS
def test_an_error_comes_with_its_own_traceback(backend: str) -> None:
    workers = Workers(1)

    def breaks() -> None:
        raise KeyError("mine")

    async def main() -> None:
        with pytest.raises(KeyError, match="mine") as caught:
            await workers.run(breaks)
        assert "breaks" in [frame.name for frame in traceback.extract_tb(caught.tb)]

    run(main, backend)


@BACKENDS
@pytest.mark.parametrize(
    "error", [SystemExit, KeyboardInterrupt, StopIteration, asyncio.CancelledError, GeneratorExit]
)
def test_a_call_cannot_end_the_program_or_the_task(
    backend: str, error: type[BaseException]
) -> None:
    workers = Workers(1)

    def breaks() -> None:
        raise error

    async def main() -> None:
        with pytest.raises((CheckError, RuntimeError), match=error.__name__):
            await workers.run(breaks)
        assert await workers.run(abs, -1) == 1

    run(main, backend)


@BACKENDS
def test_no_more_run_at_once_than_may(backend: str) -> None:
    workers = Workers(3)
    lock = threading.Lock()
    now = most = 0

    def work() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.002)
        with lock:
            now -= 1

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(workers.run, work)

    run(main, backend)
    assert now == 0
    assert 2 <= most <= 3


@BACKENDS
def test_stuck_calls_are_left_counted_and_capped(backend: str) -> None:
    workers = Workers(2, most_stuck=3)
    gate = threading.Event()
    calls: list[int] = []

    def hang(number: int) -> None:
        calls.append(number)
        gate.wait()

    async def main() -> None:
        for number in range(3):
            with anyio.move_on_after(0.02) as scope:
                await workers.run(hang, number)
            assert scope.cancelled_caught
            assert workers.stuck == number + 1
            if number < 2:
                assert await workers.run(abs, -1) == 1  # others go on
        with pytest.raises(CheckError, match="busy: 3 calls hang"):
            await workers.run(abs, -1)
        gate.set()
        while workers.stuck:
            await anyio.sleep(0.001)
        assert await workers.run(abs, -1) == 1

    run(main, backend)
    assert calls == [0, 1, 2]
    assert workers._threads <= 2


@BACKENDS
def test_a_call_cancelled_before_its_turn_never_runs(backend: str) -> None:
    workers = Workers(1)
    gate = threading.Event()
    ran: list[int] = []

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(workers.run, gate.wait)
            await anyio.sleep(0.01)
            with anyio.move_on_after(0.01):
                await workers.run(ran.append, 1)
            gate.set()
        assert workers.stuck == 0
        await workers.run(ran.append, 2)

    run(main, backend)
    assert ran == [2]


@BACKENDS
def test_those_that_wait_go_on_when_a_running_call_is_left(backend: str) -> None:
    workers = Workers(1, most_stuck=2)
    gate = threading.Event()

    async def stuck() -> None:
        with anyio.move_on_after(0.03):
            await workers.run(gate.wait)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(stuck)
            await anyio.sleep(0.005)
            assert await workers.run(abs, -1) == 1
            gate.set()

    run(main, backend)


@BACKENDS
def test_too_many_that_wait_are_refused(backend: str) -> None:
    workers = Workers(1, most_waiting=2)
    gate, started = threading.Event(), threading.Event()
    refused: list[CheckError] = []

    def hold() -> None:
        started.set()
        gate.wait()

    async def ask() -> None:
        try:
            await workers.run(hold)
        except CheckError as error:
            refused.append(error)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            while not started.is_set():
                await anyio.sleep(0.001)
            for _ in range(5):
                group.start_soon(ask)
            while len(refused) < 3:
                await anyio.sleep(0.001)
            gate.set()

    run(main, backend)
    assert [str(error) for error in refused] == ["busy: 2 calls wait"] * 3


def test_several_loops_share_workers() -> None:
    workers = Workers(4)
    seen: list[int] = []

    async def main() -> None:
        seen.extend([await workers.run(abs, -i) for i in range(1, 31)])

    threads = [
        threading.Thread(target=run, args=(main, backend)) for backend in ["asyncio", "trio"] * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted([*range(1, 31)] * 8)
    assert workers._threads <= 4


@BACKENDS
def test_cancelling_at_random_leaves_nothing(backend: str) -> None:
    workers = Workers(4, most_stuck=64)

    async def ask(number: int) -> None:
        with anyio.move_on_after(0.0005 * (number % 7)):
            await workers.run(time.sleep, 0.0005 * (number % 5))

    async def main() -> None:
        for _ in range(10):
            async with anyio.create_task_group() as group:
                for number in range(20):
                    group.start_soon(ask, number)
        while workers.stuck:
            await anyio.sleep(0.001)
        assert await workers.run(abs, -1) == 1

    run(main, backend)
    assert not workers._waiting
    assert workers._threads <= 4
    assert repr(workers).endswith("0 stuck>")


@BACKENDS
def test_arguments_and_results_are_let_go(backend: str) -> None:
    class Thing:
        pass

    workers = Workers(1)
    seen: list[weakref.ref[Thing]] = []

    def breaks(thing: Thing) -> None:
        raise ValueError

    async def main() -> None:
        for function in (id, breaks, lambda thing: thing):
            thing = Thing()
            seen.append(weakref.ref(thing))
            with suppress(ValueError):
                await workers.run(function, thing)
            del thing
        await workers.run(abs, -1)

    gc.disable()  # without any help
    try:
        run(main, backend)
        assert [ref() for ref in seen] == [None] * 3
    finally:
        gc.enable()


def test_idle_threads_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardkit.runtime._workers.IDLE_S", 0.005)
    workers = Workers(2)

    async def main() -> None:
        await workers.run(abs, -1)
        while workers._threads:
            await anyio.sleep(0.001)
        assert await workers.run(abs, -1) == 1

    run(main, "asyncio")


def test_limits_of_workers_are_positive() -> None:
    with pytest.raises(UsageError):
        Workers(0)
    with pytest.raises(UsageError):
        Workers(most_stuck=0)


@BACKENDS
def test_a_hanging_call_does_not_keep_the_interpreter(backend: str) -> None:
    program = f"""
        import time, anyio
        from guardkit.runtime._workers import Workers

        async def main():
            with anyio.move_on_after(0.05):
                await Workers(1).run(time.sleep, 100)
            print("left")

        anyio.run(main, backend={backend!r})
    """
    assert alone(program) == "left"


# --- the bridge


def test_it_runs_and_waits() -> None:
    assert Bridge.run(twice, 21) == 42


def test_one_daemon_thread_serves_all() -> None:
    threads = {Bridge.run(current_thread) for _ in range(10)}
    assert len(threads) == 1
    assert threads.pop().daemon


async def current_thread() -> threading.Thread:
    return threading.current_thread()


def test_what_a_call_keeps_stays_in_its_loop() -> None:
    async def loop() -> object:
        return asyncio.get_running_loop()

    assert Bridge.run(loop) is Bridge.run(loop)


@BACKENDS
def test_it_works_inside_a_running_loop(backend: str) -> None:
    async def library() -> str:
        await anyio.sleep(0)
        return sniffio.current_async_library()

    async def main() -> None:
        assert Bridge.run(twice, 21) == 42
        assert Bridge.run(library) == "asyncio"
        assert sniffio.current_async_library() == backend
        await anyio.sleep(0)

    run(main, backend)


def test_it_works_in_a_callback_and_leaves_the_loop_as_it_was() -> None:
    """As in a notebook: a loop that runs, and code in it that is not async."""
    seen: list[object] = []
    loop = asyncio.new_event_loop()
    kind, running = type(loop), asyncio.events._get_running_loop()  # type: ignore[attr-defined]

    def callback() -> None:
        seen.append(Bridge.run(twice, 21))
        assert asyncio.get_running_loop() is loop
        loop.stop()

    policy = asyncio.get_event_loop_policy() if sys.version_info < (3, 14) else None
    loop.call_soon(callback)
    loop.run_forever()
    loop.close()
    assert seen == [42]
    assert type(loop) is kind
    assert asyncio.events._get_running_loop() is running  # type: ignore[attr-defined]
    if sys.version_info < (3, 14):
        assert asyncio.get_event_loop_policy() is policy


@pytest.mark.parametrize("where", ["plain", "asyncio", "trio"])
def test_sync_in_async_in_sync_to_any_depth(where: str) -> None:
    def down(depth: int) -> int:
        async def middle() -> int:
            await anyio.sleep(0)
            found = down(depth - 1)
            await anyio.sleep(0)
            return found + 1

        return Bridge.run(middle) if depth else 0

    async def main() -> None:
        assert down(3) == 3

    if where == "plain":
        assert down(3) == down(1) + 2 == 3
        assert down(8) == 8
    else:
        run(main, where)
    settled()


def settled() -> None:
    """Loops that were needed for a moment end."""
    limit = time.monotonic() + WATCHDOG_S
    while len(bridges()) > 1:
        assert time.monotonic() < limit
        time.sleep(0.001)


def bridges() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "guardkit bridge"]


def test_a_loop_comes_back_after_a_nested_call() -> None:
    async def outer() -> tuple[int, threading.Thread]:
        return Bridge.run(twice, 1), threading.current_thread()

    first = Bridge.run(current_thread)
    assert Bridge.run(outer) == (2, first)
    assert Bridge.run(current_thread) is first


@pytest.mark.parametrize("pool", ["to_thread", "workers", "threads"])
def test_nested_through_other_threads(pool: str) -> None:
    """The last one blocks the loop without its knowing: the call must find another loop."""

    def ask() -> int:
        return Bridge.run(twice, 2)

    async def outer() -> int:
        if pool == "to_thread":
            return await anyio.to_thread.run_sync(ask)
        if pool == "workers":
            return await Workers(1).run(ask)
        found: list[int] = []
        thread = threading.Thread(target=lambda: found.append(ask()), daemon=True)
        thread.start()
        thread.join(WATCHDOG_S)
        return found[0]

    assert Bridge.run(outer) == 4
    assert Bridge.run(twice, 2) == 4
    settled()


def test_a_blocked_loop_does_not_hold_up_others() -> None:
    gate = threading.Event()
    begun = threading.Event()

    async def rude() -> str:
        begun.set()
        assert gate.wait(WATCHDOG_S)
        await anyio.sleep(0)
        return "rude"

    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(Bridge.run(rude)))
    thread.start()
    assert begun.wait(WATCHDOG_S)
    assert Bridge.run(twice, 21) == 42
    assert found == []
    gate.set()
    thread.join(WATCHDOG_S)
    assert found == ["rude"]
    settled()


def test_64_threads_at_once() -> None:
    found: list[int] = []
    gate = threading.Barrier(64)

    def down(depth: int, number: int) -> int:
        async def middle() -> int:
            await anyio.sleep(0.0005)
            return down(depth - 1, number) + 1

        return Bridge.run(middle) if depth else number

    def work(number: int) -> None:
        gate.wait()
        found.extend(Bridge.run(twice, number) for _ in range(5))
        found.append(down(number % 4, 1000 * number))

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WATCHDOG_S)
    expected = [2 * n for n in range(64)] * 5 + [1000 * n + n % 4 for n in range(64)]
    assert sorted(found) == sorted(expected)
    settled()


def test_calls_of_several_threads_run_side_by_side() -> None:
    inside = 0
    all_there = threading.Event()

    async def meet() -> None:
        nonlocal inside
        inside += 1
        while inside < 8:
            await anyio.sleep(0.001)
        all_there.set()

    threads = [threading.Thread(target=Bridge.run, args=(meet,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WATCHDOG_S)
    assert all_there.is_set()


def test_context_variables_go_over_the_bridge() -> None:
    async def change() -> str:
        before = name.get()
        name.set("changed")
        return before

    token = name.set("caller")
    try:
        assert Bridge.run(change) == "caller"
        assert name.get() == "caller"
    finally:
        name.reset(token)
    assert Bridge.run(change) == "nobody"
    assert Bridge.run(change) == "nobody"


def test_an_error_comes_over_with_its_own_traceback() -> None:
    async def breaks() -> None:
        await anyio.sleep(0)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as caught:
        Bridge.run(breaks)
    assert "breaks" in [frame.name for frame in traceback.extract_tb(caught.tb)]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_ends_a_program_goes_to_the_caller_and_spares_the_loop(
    error: type[BaseException],
) -> None:
    async def breaks() -> None:
        raise error

    thread = Bridge.run(current_thread)
    with pytest.raises(error):
        Bridge.run(breaks)
    assert Bridge.run(current_thread) is thread


def test_cancelled_from_within_is_an_error() -> None:
    async def breaks() -> None:
        raise anyio.get_cancelled_exc_class()

    with pytest.raises(CheckError, match="from within"):
        Bridge.run(breaks)
    assert Bridge.run(twice, 21) == 42


def test_deadlines_work_over_the_bridge() -> None:
    async def slow() -> str:
        with anyio.move_on_after(0.005):
            await anyio.sleep(100)
        return "gave up"

    assert Bridge.run(slow) == "gave up"


def test_nothing_is_kept_alive() -> None:
    class Thing:
        pass

    async def breaks(thing: Thing) -> None:
        raise ValueError

    async def gives(thing: Thing) -> Thing:
        return thing

    seen = []
    gc.disable()  # without any help
    try:
        for function in (breaks, gives):
            thing = Thing()
            seen.append(weakref.ref(thing))
            with suppress(ValueError):
                Bridge.run(function, thing)
            del thing
        Bridge.run(twice, 1)
        limit = time.monotonic() + WATCHDOG_S
        while any(ref() is not None for ref in seen) and time.monotonic() < limit:
            time.sleep(0.001)  # the loop's side of it ends a moment later
        assert [ref() for ref in seen] == [None, None]
    finally:
        gc.enable()


INTERRUPTED = """
    import os, signal, threading, time, anyio
    from guardkit.runtime._workers import Bridge

    begun, ended = threading.Event(), threading.Event()

    async def slow():
        begun.set()
        try:
            await anyio.sleep(100)
        finally:
            ended.set()

    def interrupt():
        begun.wait()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    try:
        Bridge.run(slow)
    except KeyboardInterrupt:
        print("interrupted", ended.wait(5))

    async def answer():
        return 42

    print(Bridge.run(answer))
"""


@pytest.mark.skipif(os.name != "posix", reason="platform: no such signal here")
def test_an_interrupt_ends_the_wait_and_the_call() -> None:
    assert alone(INTERRUPTED).split() == ["interrupted", "True", "42"]


FORKED = """
    import os, sys, threading, time, warnings, anyio
    warnings.simplefilter("ignore", DeprecationWarning)  # some releases warn of any such fork
    from guardkit.runtime._workers import Bridge, Workers

    workers = Workers(2)

    async def answer(number):
        await anyio.sleep(0)
        return number + await workers.run(abs, -1)

    def nested():
        async def middle():
            return Bridge.run(answer, 40)
        return Bridge.run(middle)

    def child_of_a_child():
        if not (child := os.fork()):
            os._exit(Bridge.run(answer, 10))
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert nested() == 41
    # Other threads keep every lock busy while this one forks.
    is_over = False
    def busy():
        while not is_over:
            Bridge.run(answer, 1)
    threads = [threading.Thread(target=busy, daemon=True) for _ in range(4)]
    [thread.start() for thread in threads]

    codes = []
    for i in range(10):
        if not (child := os.fork()):
            found = nested() + Bridge.run(answer, 0)
            if i == 9:
                found += child_of_a_child()
            os._exit(found)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    async def forks():
        if not (child := os.fork()):
            os._exit(7)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    codes.append(Bridge.run(forks))
    is_over = True
    [thread.join(5) for thread in threads]
    print(codes, nested())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="platform: nothing forks here")
def test_a_forked_process_starts_a_loop_of_its_own() -> None:
    assert alone(FORKED) == f"{[42] * 9 + [53, 7]} 41"


AT_EXIT = """
    import atexit, sys, anyio
    from guardkit.runtime._workers import Bridge

    async def answer(number):
        await anyio.sleep(0)
        return number

    async def nested(number):
        return Bridge.run(answer, number)

    class Last:
        def __del__(self, run=Bridge.run, answer=answer):
            try:
                run(answer, 3)
            except Exception:
                pass  # hardly anything works by now, but nothing may hang

    BEFORE
    if sys.version_info[:2] != (3, 12):  # that release starts no thread any more: an error
        atexit.register(lambda: print(Bridge.run(nested, 2), flush=True))
    atexit.register(lambda: print(Bridge.run(answer, 1), flush=True))
    sys.modules["last"] = last = Last()
    last.itself = last
"""


@pytest.mark.parametrize("before", ["", "print(Bridge.run(answer, 0), flush=True)"])
def test_it_works_while_the_interpreter_ends(before: str) -> None:
    told = alone(AT_EXIT.replace("BEFORE", before)).split()
    expected = ["0", "1", "2"] if before else ["1", "2"]
    assert told == expected[: len(expected) - (sys.version_info[:2] == (3, 12))]


def test_a_process_that_used_it_ends_at_once() -> None:
    program = """
        import threading, anyio
        from guardkit.runtime._workers import Bridge

        async def forever():
            await anyio.sleep(100)

        threading.Thread(target=Bridge.run, args=(forever,), daemon=True).start()

        async def answer():
            return 42

        print(Bridge.run(answer))
    """
    assert alone(program) == "42"


def test_without_threads_it_runs_in_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def outer() -> int:
        return Bridge.run(twice, 1)

    async def main() -> None:
        with pytest.raises(CheckError, match="no thread"):
            Bridge.run(twice, 1)
        with pytest.raises(CheckError, match="no thread"):
            await Workers(1).run(abs, -1)

    loops = type(Bridge._loops)()
    monkeypatch.setattr(Bridge, "_loops", loops)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert Bridge.run(twice, 21) == 42
    with pytest.raises(CheckError, match="no thread"):
        Bridge.run(outer)
    for backend in ("asyncio", "trio"):
        run(main, backend)


def test_a_loop_that_cannot_run_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OSError("too many open files")

    loops = type(Bridge._loops)()
    monkeypatch.setattr(Bridge, "_loops", loops)
    with monkeypatch.context() as inner:
        inner.setattr("guardkit.runtime._workers.anyio.run", refuse)
        with pytest.raises(CheckError, match="no event loop: OSError"):
            Bridge.run(twice, 21)
    assert Bridge.run(twice, 21) == 42
    loops.step_aside(loops._free[0])


def test_the_bridge_gives_what_it_is_given() -> None:
    async def same(*args: Any) -> tuple[Any, ...]:
        return args

    thing = object()
    assert Bridge.run(same, 1, thing) == (1, thing)
    assert Bridge.run(same) == ()


def test_the_bridge_stands_when_a_policy_that_calls_is_bound() -> None:
    """Else the first text would pay for it out of its budget."""
    program = """
        import threading
        from guardkit import loads

        policy = '''guardkit 1
        policy p

        check c = python {
          call "somewhere:Check"
        }

        rule r {
          tier safety
          on   input
          when c
          then block
        }
        '''

        class Check:
            def check(self, text):
                return False

        before = {t.name for t in threading.enumerate()}
        guard = loads(policy, checks={"c": Check()})
        assert "guardkit bridge" in {t.name for t in threading.enumerate()} - before
        assert guard.check("hello").action == "pass"
    """
    done = subprocess.run(
        [sys.executable, "-c", dedent(program)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
