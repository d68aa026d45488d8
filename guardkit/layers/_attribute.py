"""Says of one exchange which layer made it what it is: by its evidence, then by taking layers away.

Whoever ended an exchange is seen in its records, so only the reply of a model leaves a question:
whether the context made it so or the weights. The stack is run again without its context, and the
share of the outcome that goes is the context's doing. Then the layer that is named is taken away,
to see whether another one would have done the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any, Final

from anyio import CapacityLimiter

from guardkit.errors import UsageError

from ._attribution import Attribution, Expected
from ._deployment import Asked, Deployment
from ._forms import MOST_FORMS
from ._inquiry import Inquiry
from ._models import Model
from ._runs import Means, Pace, Runner
from ._to_its_end import to_its_end

MOST_REPEATS: Final = 1_000
AT_ONCE: Final = 8
"""Exchanges at once where nobody says otherwise."""


def most_runs(repeats: int) -> int:
    """The most exchanges that one attribution has."""
    return MOST_FORMS * repeats + 1


async def aattribute(
    deployment: Deployment,
    asked: Asked,
    *,
    id: str = "",
    expect: Expected | None = None,
    repeats: int = 20,
    other: Model | None = None,
    seed: int = 0,
    at_once: int = AT_ONCE,
    rate: float | None = None,
    told: Callable[[], object] = lambda: None,
) -> Attribution:
    """Which layer made an exchange what it is; on asyncio and trio.

    Args:
        deployment: The guard, and the model where it may be asked.
        asked: The exchange; its `reply`, where there is one, is the reply that was seen.
        id: By which the result is known.
        expect: What ought to have come of it; else the policy's `model` block says.
        repeats: How many runs each form of the stack is given at most. Eight that agree are enough
            where those of every form do.
        other: Other weights, to compare with.
        seed: Of the draws behind the probabilities.
        at_once: How many exchanges there may be at once.
        rate: How many may begin per second; any number where it is left out.
        told: Told of every run.

    Raises:
        UsageError: The numbers make no sense.
    """
    sound(repeats, at_once, rate)
    means = Means(deployment, other, CapacityLimiter(at_once), Pace(rate), told)
    return await attributed(means, asked, id, expect, repeats, seed)


def attribute(deployment: Deployment, asked: Asked, **options: Any) -> Attribution:
    """Which layer made an exchange what it is; see `aattribute` for the options."""

    async def run() -> Attribution:
        return await aattribute(deployment, asked, **options)

    return to_its_end(run)


def sound(repeats: int, at_once: int, rate: float | None) -> None:
    """Refuse numbers that make no sense.

    Raises:
        UsageError: They do not.
    """
    if not 1 <= repeats <= MOST_REPEATS:
        raise UsageError(f"`repeats` is a number from 1 to {MOST_REPEATS:,}")
    if at_once < 1:
        raise UsageError("`at_once` is at least 1")
    if rate is not None and not rate > 0:
        raise UsageError("`rate` is a number above 0")


async def attributed(
    means: Means,
    asked: Asked,
    id: str,
    expect: Expected | None,
    repeats: int,
    seed: int,
    name: str | None = None,
) -> Attribution:
    """The attribution of one exchange, with means that others may share.

    Args:
        means: With what it is had.
        asked: The exchange.
        id: By which the result is known.
        expect: What ought to have come of it.
        repeats: Runs of each form at most.
        seed: Of the draws, and in the names of sessions.
        name: Tells its sessions from those of other exchanges; its id where it is left out.
    """
    begun = perf_counter()
    runner = Runner(means, f"{seed} {id if name is None else name}")
    made = await Inquiry(means, runner, asked, expect, repeats, seed).run()
    return replace(
        made,
        id=id,
        runs=runner.runs,
        model_calls=runner.model_calls,
        elapsed_s=perf_counter() - begun,
    )
