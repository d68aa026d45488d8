"""The engine of several processes of this machine: forks of this one, each with the bound guard.

A process that dies is replaced and its block is judged again. Results come in the order of rows.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from guardkit.errors import UsageError
from guardkit.guard import Guard

from ._judging import Asked, Judged, Result, is_apart
from ._read import Block, Item, Reader
from ._wire import read, read_results, spelled, spelled_results, travels

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkProcess

MOST_TRIES: Final = 3
"""Processes that one block may take down with it before its rows count as not judged."""
_AHEAD: Final = 4
"""Blocks a process that may be read before the oldest of them is judged."""


def judge_in_workers(guard: Guard, asked: Asked, reader: Reader, number: int) -> Iterator[Judged]:
    """Judge what a reader gives in so many processes, in order.

    Rows of one session of a policy that remembers sessions are judged here, one after the other.

    Raises:
        UsageError: This system cannot fork.
    """
    if not hasattr(os, "fork"):
        raise UsageError("this system cannot fork: take one worker, or `--engine ray`")
    crew = _Crew(guard, asked, number)
    try:
        yield from crew.judge(reader.blocks())
    finally:
        crew.dismiss()


@dataclass(slots=True)
class _Sent:
    """A block under way."""

    block: Block
    sent: list[int]
    """Which of its rows a process judges."""
    results: list[Result] | None = None
    tries: int = 0


@dataclass(slots=True)
class _Worker:
    process: ForkProcess
    line: Connection
    number: int | None = field(default=None)
    """The block it is busy with."""


class _Crew:
    def __init__(self, guard: Guard, asked: Asked, number: int) -> None:
        self._guard = guard
        self._asked = asked
        self._under_way: dict[int, _Sent] = {}
        self._waiting: list[int] = []
        """Blocks that no process has, the oldest first."""
        self._workers: list[_Worker] = []
        for _ in range(number):
            self._workers.append(self._hired())

    def judge(self, blocks: Iterator[Block]) -> Iterator[Judged]:
        read_, next_, error = 0, 0, None
        is_over = False
        while True:
            while not is_over and len(self._under_way) < _AHEAD * len(self._workers):
                try:
                    block = next(blocks, None)
                except UsageError as problem:  # what was read before it is judged first
                    block, error = None, problem
                if block is None:
                    is_over = True
                    break
                self._take(read_, block)
                read_ += 1
                self._hand_out()
                if self._answers(timeout=0):
                    break
            while next_ in self._under_way and self._under_way[next_].results is not None:
                yield self._finished(self._under_way.pop(next_))
                next_ += 1
            if is_over and not self._under_way:
                break
            self._hand_out()
            self._answers(timeout=None)
        if error is not None:
            raise error

    def dismiss(self) -> None:
        """End the processes, whatever they do."""
        for worker in self._workers:
            worker.line.close()
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()

    # --- blocks

    def _take(self, number: int, block: Block) -> None:
        sent = [
            at
            for at, item in enumerate(block.items)
            if is_apart(self._guard, item) and travels(item)
        ]
        made = _Sent(block, sent)
        self._under_way[number] = made
        if sent:
            self._waiting.append(number)
        else:
            made.results = []

    def _finished(self, sent: _Sent) -> Judged:
        """The block with all its results; what no process judges is judged now, in its turn."""
        items = sent.block.items
        far = dict(zip(sent.sent, sent.results or (), strict=True))
        near = [at for at in range(len(items)) if at not in far]
        here = self._asked.judge(self._guard, [items[at] for at in near])
        far.update(zip(near, here, strict=True))
        return Judged(items, [far[at] for at in range(len(items))], sent.block.position)

    def _hand_out(self) -> None:
        for worker in self._workers:
            if worker.number is not None or not self._waiting:
                continue
            number = self._waiting.pop(0)
            sent = self._under_way[number]
            text = spelled([sent.block.items[at] for at in sent.sent])
            worker.number = number
            try:
                worker.line.send_bytes(text.encode("ascii"))
            except OSError:
                self._bury(worker)

    def _answers(self, timeout: float | None) -> bool:
        """Take in what processes have done, waiting for the first; whether there was anything."""
        from multiprocessing.connection import wait

        busy = {worker.line: worker for worker in self._workers if worker.number is not None}
        if not busy:
            return False
        ready = wait(list(busy), timeout)
        for line in ready:
            worker = next(w for w in self._workers if w.line is line)
            try:
                answer = worker.line.recv_bytes().decode("ascii")
            except (EOFError, OSError):
                self._bury(worker)
                continue
            number, worker.number = worker.number, None
            if number is None:
                continue
            if answer.startswith("!"):
                raise RuntimeError(f"a worker failed: {answer[1:]}")
            sent = self._under_way[number]
            results = read_results(answer)
            if len(results) != len(sent.sent):
                raise RuntimeError("a worker gave back another number of results than rows")
            sent.results = results
        return bool(ready)

    # --- processes

    def _hired(self) -> _Worker:
        import multiprocessing

        fork = multiprocessing.get_context("fork")
        ours, theirs = fork.Pipe()
        others = [worker.line for worker in self._workers]
        process = fork.Process(
            target=_serve,
            args=(self._guard, self._asked, theirs, [ours, *others]),
            name="guardkit scan",
            daemon=True,
        )
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _bury(self, worker: _Worker) -> None:
        """A process died: another one takes its place, and its block waits again."""
        worker.line.close()
        worker.process.kill()
        worker.process.join()
        number = worker.number
        at = self._workers.index(worker)
        del self._workers[at]
        self._workers.insert(at, self._hired())
        if number is None:
            return
        sent = self._under_way[number]
        sent.tries += 1
        if sent.tries < MOST_TRIES:
            self._waiting.insert(0, number)
            return
        why = f"{MOST_TRIES} processes ended while they judged it or its neighbours"
        sent.results = [self._asked.unjudged(sent.block.items[at], why) for at in sent.sent]


def _serve(guard: Guard, asked: Asked, line: Connection, others: Sequence[Connection]) -> None:
    """Judge what comes until nothing comes any more. Runs in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in others:  # else this process would keep the lines of its siblings open
        other.close()
    while True:
        try:
            items: list[Item] = read(line.recv_bytes().decode("ascii"))
        except (EOFError, OSError):
            return
        try:
            answer = spelled_results(asked.judge(guard, items))
        except Exception as error:  # noqa: BLE001 - a message might quote a text: its type is told
            answer = f"!{type(error).__name__}"
        try:
            line.send_bytes(answer.encode("ascii"))
        except OSError:
            return
