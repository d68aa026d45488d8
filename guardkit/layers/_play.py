"""Makes trials and searches in this process, many at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import anyio
from anyio.lowlevel import checkpoint

from ._ended import Ended, Target, lost
from ._search import Found, search, search_id
from ._suites import ProbeCase
from ._trials import Trial

Job = Trial | ProbeCase
"""A trial to be made, or a case for which a way through is searched."""
Result = Ended | Found
Done = Callable[[Result], None]


async def play(
    take: Callable[[], Awaitable[Job | None]],
    target: Target,
    done: Done,
    *,
    seed: int,
    budget: int,
    at_once: int,
) -> None:
    """Do jobs until there are none.

    Args:
        take: Gives the next job; None: there is none.
        target: What they are done on.
        done: Is told of each that is over.
        seed: Picks the forms of disguises and the candidates of searches.
        budget: The most queries of a search.
        at_once: How many jobs are under way at a time.
    """

    again = anyio.Lock()

    async def work() -> None:
        while (job := await take()) is not None:
            result = await _do(job, target, seed, budget)
            if isinstance(result, Ended) and result.is_unanswered:
                # A check that was late may have had to wait for others: it is asked once more.
                async with again:
                    result = await _do(job, target, seed, budget)
            done(result)
            await checkpoint()  # most texts are settled without waiting for anybody

    async with anyio.create_task_group() as group:
        for _ in range(at_once):
            group.start_soon(work)


def taken_from(jobs: Iterator[Job]) -> Callable[[], Awaitable[Job | None]]:
    """Jobs that are all there already."""

    async def take() -> Job | None:
        return next(jobs, None)

    return take


async def _do(job: Job, target: Target, seed: int, budget: int) -> Result:
    try:
        if isinstance(job, Trial):
            return await target.run(job, seed)
        return await search(target, job, budget, seed)
    except Exception as error:  # noqa: BLE001 - one that breaks is not judged; the others go on
        return not_done(job, type(error).__name__)


def not_done(job: Job, why: str) -> Result:
    """A job of which nobody can say what came of it."""
    if isinstance(job, Trial):
        return lost(job, why)
    return Found(search_id(job), job.family, False, 0, (), {}, True)


def name_of(job: Job) -> str:
    """The name of a job, and of its result."""
    return job.id if isinstance(job, Trial) else search_id(job)
