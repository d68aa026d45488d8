"""What a measurement found: plain values, and the same as JSON. No text is in any of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from guardkit._util.shares import Share
from guardkit.types import Surface

from ._allocated import Allocated
from ._clocks import ClockName
from ._concurrency import Loaded
from ._machine import MachineSeen
from ._quantiles import QuantileName, Spread
from ._streams import Streamed

FORMAT: Final = 1
"""Of the JSON. A reader refuses another one."""


MOST_UNDECIDED: Final = 0.10
"""If checks could not answer in more of the calls, the figures are not about their work."""


class Group(NamedTuple):
    """Calls with texts of one kind."""

    name: str
    texts: int
    chars: int
    """Characters of a text, on average."""
    spread: Spread
    bins: tuple[int, ...]
    """How many calls took how long; the bounds stand with the surface."""
    actions: Mapping[str, int]
    """What the verdicts were."""


class Part(NamedTuple):
    """What a part of a call takes: a check, the scan of all patterns, whatever is left."""

    name: str
    kind: str
    is_scanned: bool
    asked: float | None
    """In which share of the calls it was asked; None for what is no check."""
    share: float | None
    """Its share of the time of all calls; None where it is counted with the scan."""
    alone: Spread | None
    """A policy with nothing else in it; None where there was no time for it."""


class RuleTime(NamedTuple):
    """A policy with this rule alone."""

    name: str
    alone: Spread


class Budgeted(NamedTuple):
    """A budget, and what is held against it."""

    limit_us: float
    per_chunk: bool
    quantile: QuantileName
    us: float
    """The quantile of the slowest group; per chunk, of the slowest step of a stream."""
    low: float | None
    high: float | None
    """Its interval; None where too few calls were made to know a bound."""
    by: str
    """Which group or step that is."""
    rounds: int
    rounds_over: int
    is_over: bool


class SurfaceSeen(NamedTuple):
    """One surface, measured."""

    surface: Surface
    budget: Budgeted | None
    first_us: float
    """The very first call."""
    bounds: tuple[float, ...]
    """The upper bounds of the bins of the histograms, in microseconds."""
    groups: tuple[Group, ...]
    parts: tuple[Part, ...]
    rules: tuple[RuleTime, ...]
    left_out: int
    """Checks and rules that were not measured alone: there was no time, or they did not answer."""
    dear: tuple[str, ...]
    """Checks that take half a millisecond and more."""
    spared: Share
    """Of all calls, those decided without any of them."""
    at_once: tuple[Loaded, ...]
    not_at_once: tuple[int, ...]
    """Numbers of calls at once that there was no time for."""
    stream: Streamed | None
    allocated: Allocated
    lacking: tuple[str, ...]
    """Checks that could not be bound here: the figures are without them."""
    undecided: Share
    """Of all calls, those in which a check could not answer and `on_error` decided."""
    undecided_by: tuple[str, ...]
    """The rules that this happened to, the most frequent first."""

    @property
    def usual(self) -> Group:
        """The group that stands for the others: the one nearest to a kilobyte."""
        return usual_of(self.groups)

    @property
    def is_judged(self) -> bool:
        """Whether the figures are about the whole work of this surface."""
        return not self.lacking and (self.undecided.value or 0.0) <= MOST_UNDECIDED


class Exchange(NamedTuple):
    """One text on every surface, added up: what a question and its reply take together."""

    texts: str
    """With which texts."""
    layers: tuple[tuple[Surface, float], ...]
    """The median of each surface, in microseconds."""
    us: float
    low: float | None
    """The bounds of all surfaces added up: a careful interval; None where one is unknown."""
    high: float | None


class Loading(NamedTuple):
    """How long a guard took to make, in microseconds."""

    compile_us: float
    bind_us: float
    """Models, data files and the libraries that read them included."""
    again_us: float
    """The same once more, models being open already."""


class Memory(NamedTuple):
    """The memory of the process, in bytes; None where the system does not say."""

    loaded: int | None
    """Once the guard was there."""
    grown: int | None
    """What was added while calls were made, our own notes left out."""
    calls: int


class Report(NamedTuple):
    """Everything that was measured."""

    policy: str
    digest: str
    version: str
    models: tuple[tuple[str, str], ...]
    """The models that are asked, and their digests."""
    device: str
    quantile: QuantileName
    clock: ClockName
    seconds: float
    rounds: int
    texts: str
    """What was measured with, and what no cache could know of it."""
    machine: MachineSeen
    loading: Loading | None
    memory: Memory
    surfaces: tuple[SurfaceSeen, ...]
    notes: tuple[str, ...]

    @property
    def over(self) -> tuple[Surface, ...]:
        """The surfaces that are over their budgets."""
        return tuple(s.surface for s in self.surfaces if s.budget is not None and s.budget.is_over)

    @property
    def unjudged(self) -> tuple[Surface, ...]:
        """The surfaces that keep their budgets, maybe only because checks did not do their work."""
        return tuple(
            s.surface
            for s in self.surfaces
            if s.budget is not None and not s.is_judged and not s.budget.is_over
        )

    @property
    def exchange(self) -> Exchange:
        """What all surfaces take together, each asked about one text of about a kilobyte."""
        medians = [surface.usual.spread.p50 for surface in self.surfaces]
        return Exchange(
            ", ".join(dict.fromkeys(surface.usual.name for surface in self.surfaces)),
            tuple((s.surface, at.us) for s, at in zip(self.surfaces, medians, strict=True)),
            sum(at.us for at in medians),
            _added([at.low for at in medians]),
            _added([at.high for at in medians]),
        )

    def as_json(self) -> dict[str, Any]:  # JSON
        """Plain data: objects, lists, numbers; times in microseconds."""
        found = {"guardkit_bench": FORMAT, **_plain(self), "exchange": _plain(self.exchange)}
        found["exchange"]["layers"] = {name: round(us, 3) for name, us in self.exchange.layers}
        return found


def usual_of(groups: Sequence[Group]) -> Group:
    """The group whose texts are nearest to a kilobyte; the first of several."""
    return min(groups, key=lambda group: abs(group.chars - 1_000))


def _added(bounds: Sequence[float | None]) -> float | None:
    known = [bound for bound in bounds if bound is not None]
    return sum(known) if len(known) == len(bounds) else None


def _plain(value: object) -> Any:
    if isinstance(value, Share):
        low, high = value.interval
        return {"hits": value.hits, "of": value.of, "low": round(low, 4), "high": round(high, 4)}
    if isinstance(value, tuple):
        if hasattr(value, "_asdict"):
            return {name: _plain(inner) for name, inner in value._asdict().items()}
        return [_plain(inner) for inner in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in sorted(value.items())}
    return round(value, 3) if isinstance(value, float) else value
