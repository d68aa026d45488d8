"""Calls the checks that a judgement waits for: all at once, each with a deadline and a breaker."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from time import perf_counter
from typing import TypeVar

import anyio

from guardkit.catalog import Answer

from ._engine import Job
from ._lane import Calling
from ._moment import Said, Subject, joined

T = TypeVar("T")
Driven = Generator[tuple[Job, ...], Mapping[int, Said], T]


async def drive(
    judgement: Driven[T], jobs: Sequence[Job], deadline: float, *, insists: bool = False
) -> T:
    """Finish a judgement that has checks to call.

    Args:
        judgement: It has just yielded `jobs`.
        jobs: The checks it waits for.
        deadline: When the budget of the surface is spent, on the clock of `perf_counter`; whatever
            has not answered by then is unknown.
        insists: Whether a check that failed often is asked all the same. For measuring: there an
            answer must not depend on the texts before it.
    """
    try:
        while True:
            answers = await called(jobs, deadline, insists=insists)
            jobs = judgement.send(answers)
    except StopIteration as ended:
        result: T = ended.value
        return result
    finally:
        judgement.close()


async def called(
    jobs: Sequence[Job], deadline: float, *, insists: bool = False
) -> Mapping[int, Said]:
    """What each of these checks says; all of them at once."""
    if len(jobs) == 1:
        job = jobs[0]
        return {job.node: await _call(job, deadline, insists=insists)}
    answers: dict[int, Said] = {}

    async def run(job: Job) -> None:
        answers[job.node] = await _call(job, deadline, insists=insists)

    async with anyio.create_task_group() as group:
        for job in jobs:
            group.start_soon(run, job)
    return answers


async def _call(job: Job, deadline: float, *, insists: bool) -> Said:
    """What one check says. INVARIANT: only cancellation from outside ever leaves this function."""
    calling = job.moment.lane.callers[job.node]
    is_let = calling.breaker.allow()
    if not is_let and not insists:
        return Said(None, why="is not asked: it failed too often")
    begun = perf_counter()
    patience = min(calling.timeout_s, deadline - begun)
    said: Said | None = None
    is_settled = False
    try:
        with anyio.move_on_after(max(patience, 0.0)):
            said = await _asked(calling, job.moment.subjects)
        is_settled = True
    finally:
        if not is_settled and is_let:
            calling.breaker.release()  # cancelled from outside: that says nothing about the check
    if said is None:
        said = Said(None, why="took too long")
    if is_let:
        calling.breaker.record(ok=said.value is not None)
    return said._replace(elapsed_us=(perf_counter() - begun) * 1e6)


async def _asked(calling: Calling, subjects: Sequence[Subject]) -> Said:
    answers: list[tuple[Subject, Answer]] = []
    for subject in subjects:
        try:
            answers.append((subject, await calling.caller.call(subject)))
        except Exception as error:  # noqa: BLE001 - a check that breaks is an unknown, by rule
            return Said(None, why=f"raised {type(error).__name__}")
    return joined(answers)
