"""Has one exchange again and again, whole or with layers taken away, and keeps what it came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from anyio import CapacityLimiter, create_task_group, current_time, sleep_until

from guardkit.plan import Plan
from guardkit.types import Layer, Ledger, Record, Refusal

from ._attribution import Ending, Expected, Outcome
from ._deployment import Asked, Deployment
from ._models import Message, Model

_CALLED_OUT: Final = frozenset({"judge", "python"})
"""Kinds of checks that are somebody else's code: it may say one thing now and another later."""


class Run(NamedTuple):
    """What one exchange came to."""

    outcome: Outcome
    layer: Layer | None
    by: str
    refusal: Refusal
    expected: Expected | None
    records: tuple[Record, ...]
    is_exact: bool
    """Whether it would come to the same every time: no model was asked, and no chance is left."""

    @property
    def ending(self) -> tuple[Layer | None, str]:
        """Who ended it."""
        return self.layer, self.by


class Pace:
    """Lets so many begin per second, evenly.

    Args:
        per_second: How many; None is no bound.
    """

    def __init__(self, per_second: float | None) -> None:
        self._between = 1 / per_second if per_second else 0.0
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for the next turn."""
        if not self._between:
            return
        begins = max(self._next, current_time())
        self._next = begins + self._between
        await sleep_until(begins)


@dataclass(frozen=True, slots=True)
class Means:
    """With what exchanges are had, and what bounds them."""

    deployment: Deployment
    other: Model | None
    """Other weights."""
    places: CapacityLimiter
    """How many exchanges there may be at once."""
    pace: Pace
    ran: Callable[[], object]
    """Told of every run."""


class Runner:
    """Runs forms of one deployment for one question, and counts them.

    Args:
        means: The deployment.
        name: Tells its sessions from those of other exchanges with the same deployment. The same
            name has the same sessions again.
    """

    def __init__(self, means: Means, name: str) -> None:
        self._means = means
        self._name = name
        self._numbers = Counter[str]()
        self._is_pure = is_pure(means.deployment.guard.plan)
        self.runs = 0
        self.model_calls = 0

    async def many(
        self, said: Asked, count: int, without: Sequence[Layer] = (), *, goes_on: bool = False
    ) -> tuple[Run, ...]:
        """So many runs of one form, in a fixed order; one, where the first is exact.

        Args:
            said: The exchange.
            count: How many.
            without: What is taken away; `weights` are exchanged for the other ones.
            goes_on: There were runs of this form before, and they were not exact.
        """
        if not count:
            return ()
        first = await self._one(said, without, self._session(said, without))
        if first.is_exact and not goes_on:
            return (first,)
        runs = [first] * count

        async def run(at: int, session: str) -> None:
            runs[at] = await self._one(said, without, session)

        async with create_task_group() as group:
            for at in range(1, count):
                group.start_soon(run, at, self._session(said, without))
        return tuple(runs)

    def _session(self, said: Asked, without: Sequence[Layer]) -> str:
        """The session of the next run of a form: by its number, not by who is ready first."""
        reply = "" if said.reply is None else " given"
        form = f"{self._name} without {'+'.join(without) or 'nothing'}{reply}"
        self._numbers[form] += 1
        return f"exchange {form} {self._numbers[form]}"

    async def _one(self, said: Asked, without: Sequence[Layer], session: str) -> Run:
        means, calls = self._means, 0
        model = means.other if "weights" in without else means.deployment.model

        async def counted(messages: Sequence[Message], documents: Sequence[str]) -> Any:
            nonlocal calls
            calls += 1
            assert model is not None
            return await model(messages, documents)

        async with means.places:
            await means.pace.turn()
            ledger = (
                await means.deployment.run(
                    said,
                    without=frozenset(layer for layer in without if layer != "weights"),
                    model=counted if model is not None else None,
                    session=session,
                )
            ).ledger
        self.runs += 1
        self.model_calls += calls
        means.ran()
        if ledger.outcome == "answered" and (calls or said.reply is not None) and _is_empty(ledger):
            ledger = ledger._replace(outcome="failed", layer="transport", by="empty reply")
        is_sure = self._is_pure and not any(_is_open(record) for record in ledger.records)
        return Run(
            ledger.outcome,
            ledger.layer,
            ledger.by,
            ledger.refusal,
            ledger.expected,
            ledger.records,
            not calls and ledger.outcome != "failed" and is_sure,
        )


def is_pure(plan: Plan) -> bool:
    """Whether a text gets the same verdict every time: no foreign code, no share of sessions."""
    return not any(row.kind in _CALLED_OUT for row in plan.checks) and all(
        row.share == 100 for row in plan.rules
    )


def _is_empty(ledger: Ledger) -> bool:
    """Whether a reply said nothing and called nothing: nobody can tell whether it is an answer."""
    said = [record.outcome for record in ledger.records if record.layer == "model"]
    has_call = any(
        record.layer == "output" and record.detail.startswith("on tool_call")
        for record in ledger.records
    )
    return said[-1:] == ["no text"] and not has_call


def _is_open(record: Record) -> bool:
    """Whether a check could not answer; it may do so the next time."""
    return record.by.startswith("check ") and record.outcome == "unknown"


# --- what runs come to


class Tally(NamedTuple):
    """How often runs of one form came to an outcome."""

    hits: int
    of: int
    failed: int
    is_exact: bool
    endings: tuple[Ending, ...]

    @property
    def is_unanimous(self) -> bool:
        """Whether all came to the same."""
        return not self.failed and self.hits in (0, self.of)


def tally(runs: Iterable[Run], outcome: Outcome) -> Tally:
    """Count runs. Those that failed are told apart: they say nothing of the outcome."""
    hits = of = failed = 0
    exact: list[bool] = []
    endings = Counter[tuple[Layer | None, str]]()
    for run in runs:
        endings[run.ending] += 1
        if run.outcome == "failed":
            failed += 1
            continue
        of += 1
        hits += run.outcome == outcome
        exact.append(run.is_exact)
    ranked = sorted(endings.items(), key=lambda item: (-item[1], item[0][0] or "", item[0][1]))
    ends = tuple(Ending(layer, by, count) for (layer, by), count in ranked)
    return Tally(hits, of, failed, bool(exact) and all(exact), ends)
