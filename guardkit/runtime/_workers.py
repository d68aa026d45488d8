"""Crosses between threads and event loops: plain calls off the loop, awaiting calls off a thread.

`Workers` runs blocking callables in daemon threads. `anyio.to_thread` does not do for code that
may hang: under asyncio its threads keep the interpreter from ending, and an abandoned call gives
its place back at once, so nothing bounds how many of them hang.

`Bridge` is the one way from synchronous code to asynchronous code. It patches no loop and needs
none: the work runs in a loop of its own thread, whatever runs in the caller's.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from typing import Any, ClassVar, TypeVar

import anyio

from guardkit._util.forks import renewed_after_fork
from guardkit._util.waking import Signal, soon
from guardkit.errors import CheckError, UsageError

T = TypeVar("T")

MOST_WAITING = 1024
"""Calls that wait for a worker; one more is refused."""
IDLE_S = 10.0
"""How long a worker without work stays."""
PATIENCE_S = 0.1
"""How long a call waits for a loop to begin it before it is taken to another loop."""

_LIBRARY = "current_async_library_cvar"
"""The variable by which a context says which event loop runs in it."""


# --- what both directions need


def carried() -> Context:
    """A copy of the caller's context variables, less the note of which event loop it runs in."""
    context = copy_context()
    for variable in context:
        if variable.name == _LIBRARY:
            context.run(variable.set, None)
    return context


# --- blocking calls, off the loop


class _Call:
    """One blocking call."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.function = function
        self.args = args
        self.context = carried()
        self.signal = Signal()
        self.value: Any = None
        self.error: BaseException | None = None
        self.is_begun = False
        self.is_left = False
        """Its caller went away while it ran."""

    def do(self) -> None:
        try:
            self.value = self.context.run(self.function, *self.args)
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller, whatever it is
            self.error = error


class Workers:
    """Runs blocking callables in daemon threads, under asyncio and trio, from any number of loops.

    The deadline is the caller's: when it is cancelled, the call is left behind at once. A thread
    cannot be stopped, so the call may be stuck; another thread then takes its place, until there
    are `most_stuck` of them. Threads start when they are needed and end when they idle. None of
    them keeps the interpreter from ending.

    A callable that waits for another call of the same workers holds one of their places meanwhile.

    Args:
        limit: Calls that run at once, those left behind aside.
        most_stuck: Calls that may have been left behind and still run.
        most_waiting: Calls that may wait for their turn.
    """

    def __init__(
        self, limit: int = 8, *, most_stuck: int = 8, most_waiting: int = MOST_WAITING
    ) -> None:
        if min(limit, most_stuck, most_waiting) < 1:
            raise UsageError("the limits of workers have to be at least 1")
        self._limit = limit
        self._most_stuck = most_stuck
        self._most_waiting = most_waiting
        self._renew()
        renewed_after_fork(self)

    def _renew(self) -> None:
        self._wake = threading.Condition(threading.Lock())
        self._waiting: deque[_Call] = deque()
        self._threads = 0
        self._idle = 0
        self._stuck = 0

    def __repr__(self) -> str:
        return f"<Workers: {self._threads} threads, {self._stuck} stuck>"

    @property
    def stuck(self) -> int:
        """Calls that were left behind and still run."""
        return self._stuck

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function in a thread, with the caller's context variables.

        Returns:
            What it returns; what it raises is raised with its own traceback.

        Raises:
            CheckError: Too many calls hang or wait already, or the function tried to end the
                program.
        """
        call = _Call(function, args)
        self._enter(call)
        try:
            await call.signal.wait()
        except BaseException:
            self._leave(call)
            raise
        error, call.error = call.error, None  # an error and its frames would keep each other alive
        if error is not None:
            try:
                if isinstance(error, Exception):
                    raise error
                # One that ends the program or a task must not reach the loop from a check.
                raise CheckError(f"it raised {type(error).__name__}") from error
            finally:
                del error
        value: T = call.value
        return value

    def _enter(self, call: _Call) -> None:
        with self._wake:
            if self._stuck >= self._most_stuck:
                raise CheckError(f"busy: {self._stuck} calls hang")
            if len(self._waiting) >= self._most_waiting:
                raise CheckError(f"busy: {len(self._waiting)} calls wait")
            self._waiting.append(call)
            try:
                self._staff()
            except RuntimeError:  # no thread starts any more while the interpreter ends
                self._waiting.remove(call)
                raise CheckError("no thread can be started") from None

    def _leave(self, call: _Call) -> None:
        with self._wake:
            if not call.is_begun:
                with suppress(ValueError):
                    self._waiting.remove(call)
            elif not call.is_left:
                call.is_left = True
                self._stuck += 1
                with suppress(RuntimeError):
                    self._staff()

    def _staff(self) -> None:
        """Wake or start a thread for a call that waits. Under the lock."""
        if not self._waiting:
            return
        if len(self._waiting) <= self._idle:
            self._wake.notify()
        elif self._threads - self._stuck < self._limit:
            # A context of its own: nothing of the caller that starts it may stay in it.
            start = partial(Context().run, self._work, self._wake)
            threading.Thread(target=start, name="guardkit worker", daemon=True).start()
            self._threads += 1

    def _work(self, wake: threading.Condition) -> None:
        while True:
            with wake:
                self._idle += 1
                is_timely = wake.wait_for(lambda: self._waiting, IDLE_S)
                self._idle -= 1
                if not is_timely:
                    self._threads -= 1
                    return
                call = self._waiting.popleft()
                call.is_begun = True
            call.do()
            with wake:
                if call.is_left:
                    self._stuck -= 1
                call.is_left = True  # over: nobody may count it as stuck now
                is_one_too_many = self._threads - self._stuck > self._limit
                if is_one_too_many:
                    self._threads -= 1
            call.signal.set()
            del call
            if is_one_too_many:
                return


# --- awaiting calls, from synchronous code


class _Job:
    """One call that a loop makes for a thread that waits."""

    def __init__(self, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        self.function = function
        self.args = args
        self.context = carried()
        self.done = threading.Lock()
        """Held until the call is over."""
        self.done.acquire()
        self.loop: _Loop | None = None
        """The loop that is to begin it. INVARIANT: changed only under the lock of the loops."""
        self.spawned_in: _Loop | None = None
        self.is_begun = False
        self.is_left = False
        """Its caller went away."""
        self.scope: anyio.CancelScope | None = None
        self.value: Any = None
        self.error: BaseException | None = None

    async def run(self) -> None:
        try:
            with anyio.CancelScope() as scope:
                self.scope = scope
                if self.is_left:
                    return
                try:
                    self.value = await self.function(*self.args)
                except anyio.get_cancelled_exc_class() as error:
                    if self.is_left:
                        raise
                    # The caller is no task: an error is all that it can be told.
                    self.error = CheckError("it was cancelled from within")
                    self.error.__cause__ = error
                except BaseException as error:  # noqa: BLE001 - it belongs to the caller
                    self.error = error
        finally:
            self.scope = None
            self.done.release()

    def outcome(self) -> Any:
        error, self.error = self.error, None  # an error and its frames would keep each other alive
        if error is not None:
            try:
                raise error
            finally:
                del error
        return self.value


class _Loop:
    """An event loop in a daemon thread of its own."""

    def __init__(self, loops: _Loops, serial: int) -> None:
        self.serial = serial
        self.queue: deque[_Job] = deque()
        """Jobs not begun."""
        self.running = 0
        """Jobs begun and not over."""
        self.is_over = False
        """INVARIANT: these four are changed only under the lock of the loops."""
        self._loops = loops
        self._bell: anyio.Event | None = None
        self.soon: Callable[[Callable[[], object]], object] | None = None
        """How to reach it from other threads; None until it serves."""
        # A context of its own: variables of whoever needs the loop first do not become everybody's.
        serve = partial(Context().run, self._serve)
        threading.Thread(target=serve, name="guardkit bridge", daemon=True).start()

    def call(self, function: Callable[[], object]) -> None:
        """Have the loop call a function, from any thread."""
        if self.soon is not None:
            with suppress(RuntimeError):  # it has just ended
                self.soon(function)

    def ring(self) -> None:
        """There is something to look at; from any thread."""
        self.call(self._ring)

    def _ring(self) -> None:
        if self._bell is not None:
            self._bell.set()

    def _serve(self) -> None:
        _here.loop = self
        try:
            anyio.run(self._main, backend="asyncio")
        except BaseException as error:  # noqa: BLE001 - whoever waits has to be told
            self._loops.give_up(self, error)

    async def _main(self) -> None:
        self._bell = anyio.Event()
        self.soon = soon()
        async with anyio.create_task_group() as group:
            while not self.is_over:
                for job in self._loops.fresh(self):
                    # A copy: a loop that lost the job may be in the context at this moment.
                    job.context.copy().run(group.start_soon, self._do, job)
                await self._bell.wait()
                self._bell = anyio.Event()

    async def _do(self, job: _Job) -> None:
        if not self._loops.claim(self, job):
            return  # it waited too long and went to another loop
        try:
            await job.run()
        finally:
            self._loops.close(self)


class _Loops:
    """The event loops of this process: one, and more only while that one is kept from working."""

    def __init__(self) -> None:
        self._renew()
        renewed_after_fork(self)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._free: list[_Loop] = []
        """Loops that can work, by age. Jobs go to the first; only that one stays when it idles."""
        self._serial = 0
        _here.loop = None

    # --- called by threads that wait

    def give(self, job: _Job) -> None:
        """Hand a job to a loop.

        Raises:
            RuntimeError: There is none, and no thread can be started.
        """
        with self._lock:
            self._hand_over([job], self._first())

    def step_aside(self, loop: _Loop) -> None:
        """A loop is kept from working: others take its place, and what it has not begun."""
        with self._lock:
            if loop not in self._free:
                return
            self._free.remove(loop)
            if loop.queue:
                with suppress(RuntimeError):  # no thread can be started: they have to wait
                    first = self._first()
                    jobs = [*loop.queue]
                    loop.queue.clear()
                    self._hand_over(jobs, first)

    def step_back(self, loop: _Loop) -> None:
        """A loop works again."""
        with self._lock:
            self._put_back(loop)

    def rescue(self, job: _Job) -> None:
        """A job waits too long to be begun. Its loop must be blocked, by what it runs."""
        loop = job.loop
        if loop is not None and loop.soon is not None and not job.is_begun:
            self.step_aside(loop)

    def leave(self, job: _Job) -> None:
        """The thread that waited for a job goes away."""
        job.is_left = True
        with self._lock:
            loop = job.loop
            if loop is not None and not job.is_begun:
                with suppress(ValueError):
                    loop.queue.remove(job)
        scope = job.scope
        if loop is not None and scope is not None:
            loop.call(scope.cancel)

    # --- called by the loops

    def fresh(self, loop: _Loop) -> list[_Job]:
        """The jobs for which the loop has no task yet. A loop that asks is one that works."""
        with self._lock:
            self._put_back(loop)
            jobs = [job for job in loop.queue if job.spawned_in is not loop]
            for job in jobs:
                job.spawned_in = loop
            return jobs

    def claim(self, loop: _Loop, job: _Job) -> bool:
        """Whether the loop is still the one that is to begin the job; it begins now."""
        with self._lock:
            if job.loop is not loop or job.is_begun or job.is_left:
                return False
            loop.queue.remove(job)
            job.is_begun = True
            loop.running += 1
            return True

    def close(self, loop: _Loop) -> None:
        """A job of the loop is over."""
        with self._lock:
            loop.running -= 1
            self._put_back(loop)
            self._dismiss()

    def give_up(self, loop: _Loop, error: BaseException) -> None:
        """A loop could not be run: what it was to begin fails."""
        with self._lock:
            loop.is_over = True
            if loop in self._free:
                self._free.remove(loop)
            jobs = [*loop.queue]
            loop.queue.clear()
        for job in jobs:
            job.error = CheckError(f"no event loop: {type(error).__name__}")
            job.error.__cause__ = error
            job.done.release()

    # --- under the lock

    def _first(self) -> _Loop:
        if not self._free:
            self._serial += 1
            self._free.append(_Loop(self, self._serial))
        return self._free[0]

    @staticmethod
    def _hand_over(jobs: list[_Job], loop: _Loop) -> None:
        for job in jobs:
            job.loop = loop
            loop.queue.append(job)
        loop.ring()

    def _put_back(self, loop: _Loop) -> None:
        if not loop.is_over and loop not in self._free:
            self._free.append(loop)
            self._free.sort(key=lambda one: one.serial)
            self._dismiss()

    def _dismiss(self) -> None:
        """Loops that are needed no longer end."""
        for loop in self._free[1:]:
            if not loop.running and not loop.queue:
                self._free.remove(loop)
                loop.is_over = True
                loop.ring()


_here = threading.local()
"""`loop`: the one whose thread this is."""


class Bridge:
    """Runs asynchronous code for synchronous code, from any thread, and waits for it.

    The code runs under asyncio in one daemon thread of the process, started by the first call, so
    clients it keeps from call to call stay in their loop. It may call `run` again, to any depth: a
    loop whose thread waits steps aside for another one. A loop that is blocked some other way loses
    the calls it has not begun after a tenth of a second. A forked process starts a thread of its
    own.

    The loop of the caller is neither used nor patched; while it waits, it is blocked. Code that
    needs that very loop to go on would wait forever: await it there instead.

    Example:
        >>> async def answer() -> int:
        ...     return 42
        >>> Bridge.run(answer)
        42
    """

    _loops: ClassVar[_Loops] = _Loops()

    @classmethod
    def run(cls, function: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Call an async function and wait for what it returns.

        It sees the caller's context variables; what it sets, it sets for itself. What it raises is
        raised with its own traceback. When the wait is interrupted, as by Ctrl-C, it is cancelled.

        Raises:
            CheckError: It was cancelled from within, or no thread can be started any more and a
                loop is running in this one.
        """
        job = _Job(function, args)
        result: T
        loops = cls._loops
        outer: _Loop | None = getattr(_here, "loop", None)
        if sys.is_finalizing():
            result = _alone(job)  # threads stand still now, ours too
            return result
        if outer is not None:
            loops.step_aside(outer)
        try:
            try:
                loops.give(job)
            except RuntimeError:
                result = _alone(job)
                return result
            while not job.done.acquire(timeout=-1 if job.is_begun else PATIENCE_S):
                loops.rescue(job)
        except BaseException:
            loops.leave(job)
            raise
        finally:
            if outer is not None:
                loops.step_back(outer)
        result = job.outcome()
        return result


def _alone(job: _Job) -> Any:
    """Without another thread: while the interpreter ends, or where no more threads may be."""
    try:
        job.context.run(anyio.run, job.run)
    except RuntimeError as error:
        raise CheckError("no thread can be started") from error
    return job.outcome()
