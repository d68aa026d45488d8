"""The pool: turns, crowds, cancelling, and runs that do not come back."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from guardkit._util.waking import Signal
from guardkit.errors import CheckError
from guardkit.models import _pool
from guardkit.models._pool import HANGS, MOST_HUNG, More, Pool, Work, cores

from ._nets import BACKENDS, run

ROOT = Path(__file__).parents[2]


class Lane:
    """A model whose steps are Python: `step(text, number)` is called for each window."""

    def __init__(
        self, step: Callable[[Any, int], object] = lambda text, number: None, *, most: int = 1
    ) -> None:
        self.step = step
        self.together = most
        self.runs: list[list[tuple[Any, int]]] = []
        self.stops: list[Any] = []

    def most(self, bucket: int) -> int:
        return self.together

    def stop(self) -> Any:
        self.stops.append(SimpleNamespace(terminate=False))
        return self.stops[-1]

    def run(self, taken: Sequence[tuple[Work, int]], stop: Any) -> Sequence[More | None]:
        self.runs.append([(work.text, number) for work, number in taken])
        for work, number in taken:
            self.step(work.text, number)
        return [None] * len(taken)

    def finish(self, work: Work) -> None:
        work.result = f"{work.text} read"


class Long(Lane):
    """A model whose texts are (name, windows): the first step finds out how many there are."""

    def __init__(self, *args: Any, bucket: int = 0, **more: Any) -> None:
        super().__init__(*args, **more)
        self.bucket = bucket
        self.cut: set[Any] = set()
        self.lock = threading.Lock()

    def run(self, taken: Sequence[tuple[Work, int]], stop: Any) -> Sequence[More | None]:
        text = taken[0][0].text
        with self.lock:
            is_first = text not in self.cut
            self.cut.add(text)
        if is_first:
            return [More(text[1], self.bucket)]
        return super().run(taken, stop)


async def ask(pool: Pool, lane: Lane, text: Any) -> Any:
    waiter = Signal()
    work = Work(lane, text)
    pool.enter(work, waiter)
    try:
        await waiter.wait()
    except BaseException:
        pool.part(work, waiter)
        raise
    if work.error is not None:
        raise CheckError(work.error)
    return work.result


async def until(claim: Callable[[], object]) -> None:
    while not claim():
        await anyio.sleep(0.001)


def is_idle(pool: Pool) -> bool:
    return not (pool._steps or pool._texts or pool._runs or pool._turns or pool.hung)


@BACKENDS
def test_a_text_is_read(backend: str) -> None:
    pool = Pool(2)

    async def main() -> None:
        assert await ask(pool, Lane(), "a") == "a read"
        assert await ask(pool, Long(), ("b", 5)) == "('b', 5) read"

    run(main, backend)
    assert is_idle(pool)
    assert repr(pool) == f"<Pool: {pool.threads} threads, 0 hang, 0 steps wait>"


@BACKENDS
def test_texts_take_turns(backend: str) -> None:
    pool, gate = Pool(1), threading.Event()
    order: list[str] = []
    lane = Long(lambda text, number: order.append(text[0]))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(ask, pool, Lane(lambda text, number: gate.wait()), "gate")
            await until(lambda: pool._runs)
            for count, text in enumerate((("huge", 100), ("small", 3), ("tiny", 1)), 2):
                group.start_soon(ask, pool, lane, text)
                await until(lambda count=count: pool._texts == count)
            gate.set()

    run(main, backend)
    assert order[:7] == ["huge", "small", "tiny", "huge", "small", "huge", "small"]
    assert order[7:] == ["huge"] * 97


@BACKENDS
def test_steps_of_a_text_run_at_once(backend: str) -> None:
    barrier = threading.Barrier(3)
    assert run(lambda: ask(Pool(3), Long(lambda *_: barrier.wait(10)), ("a", 3)), backend)


def test_what_waits_runs_together_and_nothing_is_waited_for() -> None:
    pool, gate = Pool(1), threading.Event()
    lane = Long(most=4, bucket=16)
    other = Long(most=4, bucket=32)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(ask, pool, Lane(lambda text, number: gate.wait()), "gate")
            await until(lambda: pool._runs)
            for text in (("a", 3), ("b", 1), ("c", 2)):
                group.start_soon(ask, pool, lane, text)
            group.start_soon(ask, pool, other, ("d", 1))
            await until(lambda: pool._texts == 5)
            gate.set()

    run(main)
    assert [len(taken) for taken in lane.runs] == [4, 2]
    assert other.runs == [[(("d", 1), 0)]]
    done = sorted(one for taken in lane.runs for one in taken)
    assert done == [
        (("a", 3), 0), (("a", 3), 1), (("a", 3), 2), (("b", 1), 0), (("c", 2), 0), (("c", 2), 1),
    ]  # fmt: skip


@BACKENDS
def test_one_bad_text_fails_alone(backend: str) -> None:
    pool, gate = Pool(1), threading.Event()

    def step(text: Any, number: int) -> None:
        if text[0] == "bad":
            raise ValueError("a secret of the text")

    lane = Long(step, most=8, bucket=16)
    told: dict[str, object] = {}

    async def note(text: tuple[str, int]) -> None:
        try:
            told[text[0]] = await ask(pool, lane, text)
        except CheckError as error:
            told[text[0]] = str(error)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(ask, pool, Lane(lambda text, number: gate.wait()), "gate")
            await until(lambda: pool._runs)
            for text in (("a", 2), ("bad", 2), ("c", 2)):
                group.start_soon(note, text)
            await until(lambda: pool._texts == 4)
            gate.set()

    run(main, backend)
    assert told == {
        "a": "('a', 2) read", "bad": "the model failed with ValueError", "c": "('c', 2) read",
    }  # fmt: skip
    assert is_idle(pool)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, MemoryError, GeneratorExit])
def test_a_thread_survives_anything(error: type[BaseException]) -> None:
    pool = Pool(1)

    def step(text: Any, number: int) -> None:
        raise error

    async def main() -> None:
        with pytest.raises(CheckError, match=error.__name__):
            await ask(pool, Lane(step), "a")
        assert await ask(pool, Lane(), "b") == "b read"

    run(main)
    assert is_idle(pool)


@BACKENDS
def test_no_more_than_there_is_room_for(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pool, "MOST_TEXTS", 3)
    monkeypatch.setattr(_pool, "MOST_STEPS", 50)
    pool, gate = Pool(1), threading.Event()
    lane = Lane(lambda *_: gate.wait())

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for number in range(3):
                group.start_soon(ask, pool, lane, number)
            await until(lambda: pool._texts == 3)
            with pytest.raises(CheckError, match="busy: models read 3 texts already"):
                await ask(pool, lane, "one more")
            gate.set()
        with pytest.raises(CheckError, match="busy: 0 windows wait already"):
            await ask(pool, Long(), ("huge", 51))
        assert await ask(pool, Lane(), "later") == "later read"

    run(main, backend)
    assert is_idle(pool)


@BACKENDS
def test_what_nobody_waits_for_is_dropped(backend: str) -> None:
    pool, gate = Pool(1), threading.Event()
    lane = Long(lambda *_: gate.wait())

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(ask, pool, lane, ("a", 50))
            await until(lambda: lane.runs)
            group.cancel_scope.cancel()
        assert lane.stops[-1].terminate
        assert not pool._steps
        gate.set()
        await until(lambda: is_idle(pool))
        assert await ask(pool, Lane(), "b") == "b read"

    run(main, backend)
    assert len(lane.runs) == 1


@BACKENDS
def test_hung_runs_are_replaced_then_their_model_is_closed(backend: str) -> None:
    pool, gate = Pool(1), threading.Event()
    hung, sound = Lane(lambda *_: gate.wait()), Lane()

    async def main() -> None:
        for number in range(MOST_HUNG):
            async with anyio.create_task_group() as group:
                group.start_soon(ask, pool, hung, number)
                await until(lambda: len(hung.runs) > number)  # noqa: B023 - it is awaited here
                group.cancel_scope.cancel()
            assert await ask(pool, sound, "b") == "b read"  # in a thread that took its place
            assert pool.hung == number + 1
        began = time.perf_counter()
        with pytest.raises(CheckError, match=HANGS):
            await ask(pool, hung, "c")
        assert time.perf_counter() - began < 0.1
        assert await ask(pool, sound, "d") == "d read"
        gate.set()
        await until(lambda: is_idle(pool))
        assert await ask(pool, hung, "e") == "e read"  # it came back
        await until(lambda: pool.threads <= 1)

    run(main, backend)


def test_texts_that_wait_for_a_hung_model_are_told() -> None:
    pool, gate = Pool(3), threading.Event()
    hung = Lane(lambda *_: gate.wait())
    told: list[str] = []
    scopes: list[anyio.CancelScope] = []

    async def leave() -> None:
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            await ask(pool, hung, "left")

    async def stay() -> None:
        try:
            await ask(pool, hung, "waits")
        except CheckError as error:
            told.append(str(error))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(MOST_HUNG):
                group.start_soon(leave)
            await until(lambda: len(pool._runs) == MOST_HUNG)
            group.start_soon(stay)
            await until(lambda: pool._turns)
            for scope in scopes:
                scope.cancel()
            await until(lambda: told)
            gate.set()
        await until(lambda: is_idle(pool))

    run(main)
    assert told == [HANGS]


@BACKENDS
def test_the_places_of_hung_threads_are_taken_so_often_and_no_more(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pool, "GRACE_S", 0.02)
    pool, gate = Pool(2), threading.Event()
    most = 2 + _pool.MOST_REPLACED

    async def hang() -> None:
        lane = Lane(lambda *_: gate.wait())
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(ask, pool, lane, "x")
                await until(lambda: lane.runs or pool.hung == most)
                scope.cancel()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(most + 2):
                group.start_soon(hang)
        await until(lambda: pool.hung == most)
        assert pool.threads == most
        gate.set()
        await until(lambda: is_idle(pool))
        await until(lambda: pool.threads <= 2)

    run(main, backend)


@BACKENDS
def test_cancelling_at_random_leaves_nothing(backend: str) -> None:
    pool = Pool(4)
    lane = Long(lambda text, number: time.sleep(0.0002 * (number % 3)), most=3, bucket=16)

    async def one(number: int) -> None:
        with anyio.move_on_after(0.0005 * (number % 9)):
            await ask(pool, lane, (number, number % 6 + 1))

    async def main() -> None:
        for turn in range(8):
            async with anyio.create_task_group() as group:
                for number in range(40):
                    group.start_soon(one, 100 * turn + number)
        await until(lambda: is_idle(pool))
        assert await ask(pool, Lane(), "next") == "next read"

    run(main, backend)
    assert pool.threads <= 4


def test_many_loops_and_threads_share_a_pool() -> None:
    pool, lane = Pool(2), Long(most=4, bucket=16)
    seen: list[str] = []

    def body(name: int) -> None:
        async def main() -> None:
            seen.extend([await ask(pool, lane, ((name, i), i % 4 + 1)) for i in range(25)])

        run(main, ["asyncio", "trio"][name % 2])

    threads = [threading.Thread(target=body, args=(name,)) for name in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 16 * 25
    assert is_idle(pool)


def test_idle_threads_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pool, "IDLE_S", 0.005)
    pool = Pool(2)

    async def main() -> None:
        assert await ask(pool, Lane(), "a")
        await until(lambda: not pool.threads)
        assert await ask(pool, Lane(), "b")

    run(main)


def test_texts_are_let_go() -> None:
    class Thing:
        pass

    pool, things = Pool(1), [Thing() for _ in range(3)]
    seen = [weakref.ref(thing) for thing in things]

    async def main() -> None:
        while things:
            await ask(pool, Lane(), things.pop())
        await ask(pool, Lane(), "last")

    gc.disable()  # without any help
    try:
        run(main)
        assert [ref() for ref in seen] == [None] * 3
    finally:
        gc.enable()


def test_processors_are_counted() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)


@BACKENDS
def test_a_forked_process_has_threads_of_its_own_and_a_hung_run_ends_with_it(backend: str) -> None:
    program = f"""
        import os, sys, threading, time
        sys.path.insert(0, {str(ROOT)!r})
        import anyio
        from tests.models.test_pool import Lane, Pool, ask

        pool = Pool(2)

        async def main(text):
            return await ask(pool, Lane(), text)

        async def hang():
            with anyio.move_on_after(0.01):
                await ask(pool, Lane(lambda *_: time.sleep(100)), "x")

        assert anyio.run(main, "a", backend={backend!r}) == "a read"
        anyio.run(hang, backend={backend!r})
        child = os.fork()
        if not child:
            assert anyio.run(main, "b", backend={backend!r}) == "b read"
            assert pool.hung == 0
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        print("both")
    """
    head = "import faulthandler\nfaulthandler.dump_traceback_later(20, exit=True)\n"
    done = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-W", "ignore::DeprecationWarning", "-c",
         head + dedent(program)],
        capture_output=True, text=True, timeout=40, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("both\n", "")


def test_the_end_of_a_process_waits_for_what_runs() -> None:
    """A run that is under way when the main thread ends comes back before the interpreter goes."""
    script = """
    import threading, time
    from types import SimpleNamespace
    from guardkit.models._pool import POOL, Work

    begun = threading.Event()

    class Lane:
        def most(self, bucket): return 1
        def stop(self): return SimpleNamespace(terminate=False)
        def finish(self, work): print("finished", flush=True)
        def run(self, taken, stop):
            begun.set()
            while not stop.terminate:
                time.sleep(0.01)
            print("came back", flush=True)
            return [None]

    lane = Lane()
    for _ in range(20):
        POOL.enter(Work(lane, "a text"), SimpleNamespace(set=lambda: None))
    begun.wait(10)
    """
    done = subprocess.run(
        [sys.executable, "-c", dedent(script)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    came_back = done.stdout.count("came back")
    assert 1 <= came_back < 20, "what ran came back, and nothing more was begun"
