"""What is to be measured: surfaces, each with its groups of texts, and what is counted of them."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from guardkit.errors import UsageError
from guardkit.guard import Guard
from guardkit.plan import Plan
from guardkit.types import Surface

from ._alone import Asked, checks_of, only_checks
from ._asking import TEXT_SURFACES, Asking
from ._clocks import ClockName
from ._texts import HOSTILE_SIZE, Texts, near_hits, pool_of, prose

OWN: Final = "own texts"
"""What the group of texts that were given is called."""


@dataclass(slots=True)
class Counted:
    """The calls of one group, as they are made."""

    name: str
    texts: Texts = field(repr=False)
    rounds: list[array[float]] = field(default_factory=list)
    actions: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    took: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    spared: int = 0
    undecided: int = 0
    unanswered: Counter[str] = field(default_factory=Counter)
    """The rules that could not be decided, and how often."""

    @property
    def calls(self) -> int:
        return sum(map(len, self.rounds))

    @property
    def mean(self) -> float:
        return sum(map(sum, self.rounds)) / self.calls

    @property
    def chars(self) -> int:
        return round(sum(map(len, self.texts.texts)) / len(self.texts))


@dataclass(slots=True)
class Lane:
    """One surface while it is measured."""

    asking: Asking
    checks: tuple[Asked, ...]
    groups: list[Counted]
    scan: tuple[Asking, Counted] | None = None
    """The scan of all patterns by itself, measured beside the usual group."""
    first_us: float = 0.0

    @property
    def surface(self) -> Surface:
        return self.asking.surface

    @property
    def dear(self) -> frozenset[str]:
        return frozenset(check.name for check in self.checks if check.is_dear)

    @property
    def usual(self) -> Counted:
        """The group that stands for the others: the one nearest to a kilobyte."""
        return min(self.groups, key=lambda group: abs(group.chars - 1_000))


def surfaces_of(
    plan: Plan, on: Sequence[Surface], texts: Mapping[Surface, Sequence[str]] | None
) -> list[Surface]:
    """The surfaces that are measured.

    Raises:
        UsageError: There is nothing to measure.
    """
    judged = [surface for surface in plan.surfaces if surface in TEXT_SURFACES]
    if not judged:
        raise UsageError("no rule of the policy judges texts")
    for surface in on:
        if surface not in judged:
            known = ", ".join(f"`{name}`" for name in judged)
            raise UsageError(f"no rule judges `{surface}`; rules judge {known}")
    wanted = [surface for surface in judged if not on or surface in on]
    if texts is not None:
        wanted = [surface for surface in wanted if texts.get(surface)]
        if not wanted:
            raise UsageError("there is no text for any surface that rules judge")
    return wanted


def pools_of(sizes: Sequence[int]) -> dict[str, list[str]]:
    """The groups of texts that are made, by name."""
    made = {f"prose, {size:,}": pool_of(prose, size) for size in sizes}
    hostile = HOSTILE_SIZE if HOSTILE_SIZE in sizes else max(sizes)
    return {**made, f"near hits, {hostile:,}": pool_of(near_hits, hostile)}


def lane_of(
    guard: Guard,
    surface: Surface,
    pools: Mapping[str, Sequence[str]],
    context: Mapping[str, object] | None,
    bind: Callable[[Plan], Guard] | None,
    clock: ClockName,
) -> Lane:
    """A surface with its groups of texts, ready to be measured."""
    plan = guard.plan
    checks = tuple(c for c in checks_of(plan, surface) if c.name not in guard.lacking)
    groups = [Counted(name, Texts(pool, seed=at)) for at, (name, pool) in enumerate(pools.items())]
    is_own = OWN in pools
    lane = Lane(Asking(guard, surface, context, clock, is_call=is_own), checks, groups)
    scanned = [check for check in checks if check.is_scanned]
    if scanned and bind is not None:
        part = bind(only_checks(plan, surface, scanned))
        alone = Asking(part, surface, context, clock, is_call=is_own)
        many = f"scan for {len(scanned)} checks" if len(scanned) > 1 else "scan for 1 check"
        lane.scan = alone, Counted(many, Texts(lane.usual.texts.texts, seed=99))
    return lane
