"""One pool of threads a process, in which all models read.

What is done at once is a *step* of a text: a slice turned into tokens, or one window run. Texts
take turns, a step each, so that a huge one does not keep small ones waiting. A free thread takes
what is there and waits for nothing: where a model allows it, steps of one length run together, as
many as happen to wait.

A text that nobody waits for any more is dropped. Its runs are told to stop; one that does not stop
within `GRACE_S` is given up: another thread takes its place, and its model reads nothing more once
`MOST_HUNG` of its runs hang.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from guardkit._util.forks import renewed_after_fork
from guardkit._util.waking import Signal
from guardkit.errors import CheckError

MOST_THREADS: Final = 8
MOST_TEXTS: Final = 1_024
"""Texts that may be read at once; one more is refused."""
MOST_STEPS: Final = 65_536
"""Steps that may wait; a text with more than are left is refused."""
IDLE_S: Final = 10.0
"""How long a thread without work stays."""
GRACE_S: Final = 0.25
"""How long a run may take to stop."""
REST_S: Final = 2.0
"""How long the end of the process waits for runs that were told to stop."""
MOST_HUNG: Final = 3
"""Runs of one model that may hang before it reads nothing more."""
MOST_REPLACED: Final = 8
"""Threads that hang and whose place is taken by another one."""
_MOST_LOOKED_AT: Final = 64
"""Texts that are looked at for steps that may run together."""

HANGS: Final = "the model hangs"


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        found = len(os.sched_getaffinity(0))
    else:
        found = os.cpu_count() or 1
    return max(1, min(found, _granted(found)))


def _granted(most: int) -> int:
    """The share of processors that a container grants."""
    with suppress(OSError, ValueError), open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
        quota, period = file.read().split()
        return max(1, -(-int(quota) // int(period)))  # `max` is no number: no bound
    return most


class More(NamedTuple):
    """What a text wants done once a step of it is over."""

    steps: int
    bucket: int = 0
    """Steps of one bucket may run together; 0: this one runs alone."""


class Lane(Protocol):
    """A model, as the pool sees it."""

    def most(self, bucket: int) -> int:
        """How many steps of a bucket may run together."""

    def stop(self) -> Any:
        """Something with a `terminate` to be set, by which one run can be told to stop."""

    def run(self, taken: Sequence[tuple[Work, int]], stop: Any) -> Sequence[More | None]:
        """Do these steps; for each what follows. A CheckError is the fault of all their texts."""

    def finish(self, work: Work) -> None:
        """A text is over and somebody waits for it: work out its `result`, unless it failed."""


class Work:
    """One text on its way through the pool. All of it is changed under the lock of the pool."""

    __slots__ = (
        "bucket", "error", "is_over", "is_told", "lane", "next", "result", "runs", "text",
        "waiters", "waiting",
    )  # fmt: skip

    def __init__(self, lane: Lane, text: Any) -> None:
        self.lane = lane
        self.text = text
        """What the lane knows of it."""
        self.waiting = 1
        """Steps that can be done now."""
        self.next = 0
        """The number of the next one."""
        self.bucket = 0
        self.runs: set[_Run] = set()
        self.waiters: list[Signal] = []
        self.is_over = False
        """No step of it is done any more."""
        self.is_told = False
        """Nobody can wait for it any more."""
        self.error: str | None = None
        self.result: Any = None


class _Run:
    """Some steps that one thread is busy with."""

    __slots__ = ("is_hung", "left_at", "stop", "taken")

    def __init__(self, taken: list[tuple[Work, int]], stop: Any) -> None:
        self.taken = taken
        self.stop = stop
        self.left_at: float | None = None
        self.is_hung = False

    @property
    def lane(self) -> Lane:
        return self.taken[0][0].lane


class Pool:
    """Threads that do the steps of texts. They are daemons, start when needed and end idle.

    Args:
        threads: How many steps are done at once; None for one a processor, `MOST_THREADS` at most.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._most = threads or min(cores(), MOST_THREADS)
        self._renew()
        renewed_after_fork(self)

    def _renew(self) -> None:
        self._wake = threading.Condition(threading.Lock())
        self._turns: deque[Work] = deque()
        """Texts with steps that wait, in the order of their turns."""
        self._texts = 0
        self._steps = 0
        self._runs: set[_Run] = set()
        self._hung: dict[Lane, int] = {}
        self._threads = 0
        self._idle = 0
        self._is_watched = False

    def __repr__(self) -> str:
        return f"<Pool: {self._threads} threads, {self.hung} hang, {self._steps} steps wait>"

    @property
    def threads(self) -> int:
        """How many threads there are."""
        return self._threads

    @property
    def hung(self) -> int:
        """Runs that were given up and have not come back."""
        return sum(self._hung.values())

    @property
    def _able(self) -> int:
        """How many threads count: the place of one that hangs is taken."""
        return self._threads - min(self.hung, MOST_REPLACED)

    # --- called by those who wait

    def enter(self, work: Work, waiter: Signal) -> None:
        """Take a text in.

        Raises:
            CheckError: There is no room, or its model hangs.
        """
        with self._wake:
            if self._hung.get(work.lane, 0) >= MOST_HUNG:
                raise CheckError(HANGS)
            if self._texts >= MOST_TEXTS or self._steps >= MOST_STEPS:
                raise CheckError(f"busy: models read {self._texts} texts already")
            work.waiters.append(waiter)
            self._texts += 1
            self._steps += 1
            self._turns.append(work)
            try:
                self._staff()
            except RuntimeError:  # no thread starts any more while the interpreter ends
                self._drop(work)
                self._texts -= 1
                work.is_over = work.is_told = True
                raise CheckError("no thread can be started") from None

    def join(self, work: Work, waiter: Signal) -> bool:
        """Wait for a text that is being read already; False if it is too late for that."""
        with self._wake:
            if work.is_told:
                return False
            work.waiters.append(waiter)
            return True

    def part(self, work: Work, waiter: Signal) -> bool:
        """Wait for a text no longer; whether nobody else does and it is dropped."""
        with self._wake:
            if work.is_over:
                return False
            work.waiters.remove(waiter)
            if work.waiters:
                return False
            work.is_told = True
            self._end(work)
            return True

    def rest(self) -> None:
        """Begin nothing more and let what runs come back: the process ends.

        A thread that stands in a runtime while the interpreter goes away takes the process down
        with it, and its exit code is not the one that was meant.
        """
        with self._wake:
            for work in [*self._turns]:
                self._drop(work)
            for run in self._runs:
                run.stop.terminate = True
        late = time.monotonic() + REST_S
        while self._runs and time.monotonic() < late:
            time.sleep(0.005)

    # --- under the lock

    def _drop(self, work: Work) -> None:
        """Nothing more of it is begun."""
        if work.waiting:
            self._steps -= work.waiting
            work.waiting = 0
            with suppress(ValueError):
                self._turns.remove(work)

    def _end(self, work: Work) -> None:
        """A text that is not read to its end: it is over now, and its runs shall stop."""
        work.is_over = True
        self._texts -= 1
        self._drop(work)
        now = time.monotonic()
        for run in work.runs:
            if run.left_at is None and all(other.is_over for other, _ in run.taken):
                run.left_at = now
                run.stop.terminate = True
                self._watch()

    def _fail(self, work: Work, error: str) -> Iterator[Work]:
        if not work.is_over:
            work.error = error
            self._end(work)
            yield work

    def _staff(self) -> None:
        """Wake or start a thread for what waits."""
        if not self._turns:
            return
        if self._idle >= len(self._turns):
            self._wake.notify()
        elif self._able < self._most:
            _start(self._work, self._wake)
            self._threads += 1
        elif self._idle:
            self._wake.notify()

    def _take(self) -> _Run:
        """The next step, and others that may run with it."""
        first = self._turns[0]
        lane, bucket = first.lane, first.bucket
        most = lane.most(bucket) if bucket else 1
        taken = [(first, self._step(first))]
        if first.waiting:
            self._turns.rotate(-1)
        else:
            self._turns.popleft()
        if most > 1:
            fitting = (
                work
                for _, work in zip(range(_MOST_LOOKED_AT), [*self._turns], strict=False)
                if work.lane is lane and work.bucket == bucket
            )
            for work in fitting:
                while work.waiting and len(taken) < most:
                    taken.append((work, self._step(work)))
                if not work.waiting:
                    self._turns.remove(work)
        run = _Run(taken, lane.stop())
        for work, _ in taken:
            work.runs.add(run)
        self._runs.add(run)
        return run

    def _step(self, work: Work) -> int:
        number = work.next
        work.next += 1
        work.waiting -= 1
        self._steps -= 1
        return number

    def _leave(self, run: _Run) -> None:
        """A run came back."""
        self._runs.discard(run)
        for work, _ in run.taken:
            work.runs.discard(run)
        if run.is_hung:
            left = self._hung.pop(run.lane) - 1
            if left:
                self._hung[run.lane] = left

    def _follow(self, work: Work, more: More | None) -> Iterator[Work]:
        """A step of a text is done; what follows."""
        if work.is_over:
            return
        if more is not None:
            if self._steps + more.steps > MOST_STEPS:
                yield from self._fail(work, f"busy: {self._steps} windows wait already")
                return
            work.waiting, work.next, work.bucket = more.steps, 0, more.bucket
            self._steps += more.steps
            self._turns.append(work)
        elif not work.waiting and not work.runs:
            work.is_over = True
            self._texts -= 1
            yield work

    # --- the threads

    def _work(self, wake: threading.Condition) -> None:
        while True:
            with wake:
                if self._able > self._most:  # one that was given up came back
                    self._threads -= 1
                    return
                self._idle += 1
                is_timely = wake.wait_for(lambda: self._turns, IDLE_S)
                self._idle -= 1
                if not is_timely:
                    self._threads -= 1
                    return
                run = self._take()
                self._staff()
            self._finish(self._do(run, wake))
            del run  # a thread that waits keeps no model alive

    def _do(self, run: _Run, wake: threading.Condition) -> list[Work]:
        """Do a run; the texts that are over with it."""
        follows: Sequence[More | None] = ()
        errors: list[str | None] = [None] * len(run.taken)
        try:
            follows = run.lane.run(run.taken, run.stop)
        except BaseException as error:  # noqa: BLE001 - a thread of the pool survives anything
            follows = [None] * len(run.taken)
            errors = [_said(error)] * len(run.taken)
            if len(run.taken) > 1 and not run.stop.terminate:
                # One row spoils the others: each stands for itself.
                for number, one in enumerate(run.taken):
                    try:
                        run.lane.run([one], run.stop)
                        errors[number] = None
                    except BaseException as own:  # noqa: BLE001 - as above
                        errors[number] = _said(own)
        with wake:
            self._leave(run)
            over: list[Work] = []
            for (work, _), more, problem in zip(run.taken, follows, errors, strict=True):
                over += self._follow(work, more) if problem is None else self._fail(work, problem)
        return over

    def _finish(self, over: Sequence[Work]) -> None:
        for work in over:
            try:
                work.lane.finish(work)
            except BaseException as error:  # noqa: BLE001 - whoever waits has to be told
                work.error = _said(error)
            with self._wake:
                work.is_told = True
            for waiter in work.waiters:
                waiter.set()

    # --- what does not come back

    def _watch(self) -> None:
        """Look after runs that were told to stop. Under the lock."""
        if not self._is_watched:
            with suppress(RuntimeError):
                _start(self._watching, self._wake)
                self._is_watched = True

    def _watching(self, wake: threading.Condition) -> None:
        while True:
            time.sleep(GRACE_S / 5)
            with wake:
                left = [run for run in self._runs if run.left_at is not None and not run.is_hung]
                if not left:
                    self._is_watched = False
                    return
                late = time.monotonic() - GRACE_S
                over: list[Work] = []
                for run in left:
                    if run.left_at is not None and run.left_at <= late:
                        over += self._give_up(run)
            self._finish(over)

    def _give_up(self, run: _Run) -> list[Work]:
        run.is_hung = True
        lane = run.lane
        self._hung[lane] = self._hung.get(lane, 0) + 1
        over: list[Work] = []
        if self._hung[lane] >= MOST_HUNG:
            for work in [work for work in self._turns if work.lane is lane]:
                over += self._fail(work, HANGS)
        with suppress(RuntimeError):
            self._staff()
        return over


def _start(target: Callable[..., None], *args: Any) -> None:
    # A context of its own: nothing of the caller that starts it may stay in it.
    run = partial(Context().run, target, *args)
    threading.Thread(target=run, name="guardkit model", daemon=True).start()


def _said(error: BaseException) -> str:
    """What may be said of an error: those that are not ours may quote the text."""
    if isinstance(error, CheckError):
        return str(error)
    return f"the model failed with {type(error).__name__}"


POOL: Final = Pool()
"""The pool of this process. It has no threads before a text is read."""
atexit.register(POOL.rest)
