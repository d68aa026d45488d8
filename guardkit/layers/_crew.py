"""Processes that make trials side by side: each binds its own guard, and is missed when it dies.

What goes to and fro is JSON. No more waits for a process than `AHEAD` jobs, so memory does not grow
with a run.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, Final

import anyio

from guardkit.errors import BindError, PolicyError, UsageError

from ._ended import Ended
from ._play import Done, Job, Result, name_of, not_done, play
from ._search import Found
from ._setting import Setting, why_not
from ._suites import case_of_plain, plain_case
from ._trials import Trial

AHEAD: Final = 32
"""Jobs that a process has at a time: those under way, and those it goes on with."""
MOST_DEATHS: Final = 4
"""So many processes may die in one run before it ends."""
DIED: Final = "the process died"
_JOIN_S: Final = 5.0


class CrewError(Exception):
    """Processes died, too many to go on. What is finished is kept."""


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_crew(
    jobs: Iterator[Job], setting: Setting, done: Done, *, workers: int, seed: int, budget: int
) -> None:
    """Do jobs in so many processes.

    Args:
        jobs: The jobs. They are taken one by one, as processes want them.
        setting: What they are done on.
        done: Is told of each that is over, in this thread.
        workers: How many processes.
        seed: Picks the forms of disguises.
        budget: The most queries of a search.

    Raises:
        BindError: A process could not bind the policy or open the model.
        CrewError: Too many of them died.
    """
    crew = _Crew(setting.each_of(workers), seed, budget)
    try:
        crew.run(jobs, done, workers)
    except BaseException:
        crew.end(at_once=True)
        raise
    crew.end(at_once=False)


class _Worker:
    """One process, seen from outside."""

    def __init__(self, setting: Setting, seed: int, budget: int) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=_work, args=(theirs, setting, seed, budget), daemon=True
        )
        with _deaf():
            self.process.start()
        theirs.close()
        self.has: dict[str, Job] = {}
        """What it was given and has not answered, by name."""

    def send(self, job: Job) -> None:
        self.has[name_of(job)] = job
        with suppress(OSError):  # that it died is noticed where its results are read
            self.connection.send_bytes(_spelled(job))

    def end(self, *, at_once: bool) -> None:
        with suppress(OSError):
            self.connection.close()
        if at_once:
            self.process.terminate()
        self.process.join(_JOIN_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join(_JOIN_S)
        self.process.close()


class _Crew:
    def __init__(self, setting: Setting, seed: int, budget: int) -> None:
        self._new = (setting, seed, budget)
        self._workers: list[_Worker] = []
        self._deaths = 0

    def run(self, jobs: Iterator[Job], done: Done, workers: int) -> None:
        for _ in range(workers):
            self._workers.append(_Worker(*self._new))
        is_over = False
        while True:
            for worker in self._workers:
                while not is_over and len(worker.has) < AHEAD:
                    job = next(jobs, None)
                    if job is None:
                        is_over = True
                        break
                    worker.send(job)
            if is_over and not any(worker.has for worker in self._workers):
                return
            ready = wait([worker.connection for worker in self._workers])
            for worker in [one for one in self._workers if one.connection in ready]:
                if not _heard(worker, done):
                    self._replace(worker, done)

    def _replace(self, worker: _Worker, done: Done) -> None:
        """A process died: nobody knows what came of what it had."""
        self._workers.remove(worker)
        worker.end(at_once=True)
        for job in worker.has.values():
            done(not_done(job, DIED))
        self._deaths += 1
        if self._deaths >= MOST_DEATHS:
            raise CrewError(f"{self._deaths} processes died: the rest is not tried")
        self._workers.append(_Worker(*self._new))

    def end(self, *, at_once: bool) -> None:
        for worker in self._workers:
            worker.end(at_once=at_once)


def _heard(worker: _Worker, done: Done) -> bool:
    """Take what a process says; False if it is gone."""
    try:
        while True:
            said = json.loads(worker.connection.recv_bytes())
            if "wrong" in said:
                raise BindError(*said["wrong"])
            result = _result(said)
            if worker.has.pop(result.id, None) is not None:
                done(result)
            if not worker.connection.poll():
                return True
    except (EOFError, OSError):
        return False


@contextmanager
def _deaf() -> Iterator[None]:
    """What starts now does not hear Ctrl-C: this process ends it, and says so once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


# --- to and fro


def _spelled(job: Job) -> bytes:
    if isinstance(job, Trial):
        row = {"case": plain_case(job.case), "how": [job.disguise, job.split]}
    else:
        row = {"case": plain_case(job)}
    return json.dumps(row).encode()


def _read(content: bytes) -> Job:
    row = json.loads(content)
    case = case_of_plain(row["case"])
    return Trial(case, *row["how"]) if "how" in row else case


def _result(said: dict[str, Any]) -> Result:
    return Ended(*said["ended"]) if "ended" in said else Found.of_dict(said["found"])


# --- inside


def _work(connection: Connection, setting: Setting, seed: int, budget: int) -> None:
    """What a process does until nobody is there any more."""
    try:
        target = setting.opened()
    except (PolicyError, BindError, UsageError) as error:
        problems = error.problems if isinstance(error, BindError) else (why_not(error),)
        with suppress(OSError):
            connection.send_bytes(json.dumps({"wrong": list(problems)}).encode())
        return

    def done(result: Result) -> None:
        said = {"ended": result} if isinstance(result, Ended) else {"found": result.as_dict()}
        connection.send_bytes(json.dumps(said).encode())

    async def main() -> None:
        turn = anyio.Lock()

        async def take() -> Job | None:
            async with turn:
                try:
                    return _read(await anyio.to_thread.run_sync(connection.recv_bytes))
                except (EOFError, OSError):
                    return None

        await play(take, target, done, seed=seed, budget=budget, at_once=setting.at_once)

    with suppress(OSError, KeyboardInterrupt):  # nobody listens any more
        anyio.run(main)
