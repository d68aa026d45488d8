"""The plan: a rule graph and plain tables, everything an engine needs and nothing else."""

from __future__ import annotations

from typing import Literal

from guardkit._util.frozen import dataclass
from guardkit.catalog import Answers
from guardkit.semantics import Act, Config, Context, Mode, Model, OnError, Plain, Tier, Tool
from guardkit.types import Action, Severity, Surface

from ._nodes import Node

Role = Literal["join", "first", "then", "exempt", "watch"]


@dataclass(frozen=True, slots=True)
class Root:
    """A node somebody asks for: a join, or a condition of the table row called `name`."""

    role: Role
    name: str
    surface: Surface
    node: int


@dataclass(frozen=True, slots=True)
class Budget:
    surface: Surface
    ms: int
    per_chunk: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """The policy's defaults. `hold_back` None means the whole reply is held."""

    budgets: tuple[Budget, ...]
    refusals: float | None
    hold_back: int | None
    hold_limit: int
    session_ttl_ms: int
    unread: Action

    def budget(self, surface: str) -> Budget | None:
        return next((budget for budget in self.budgets if budget.surface == surface), None)


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check by one name. Rows with equal kind and config share their nodes."""

    name: str
    kind: str
    answers: Answers
    spans: bool
    label: str
    labels: tuple[str, ...]
    config: Config


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule. It covers the matches of the checks in `matches`; `asks` are all its checks.

    `speaks` are those whose yes speaks for it, with matches or without.
    """

    name: str
    tier: str
    severity: Severity
    surfaces: tuple[Surface, ...]
    action: Act
    on_error: OnError
    mode: Mode
    matches: tuple[str, ...]
    speaks: tuple[str, ...]
    asks: tuple[str, ...]
    share: float = 100.0
    """The percentage of sessions it is enforced for; dumped only where it is not all."""


@dataclass(frozen=True, slots=True)
class RuleProse:
    """What a rule says about itself; no verdict depends on it."""

    name: str
    title: str
    owner: str
    version: str
    note: str
    refs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PrincipleRow:
    name: str
    tier: str
    text: str
    title: str


@dataclass(frozen=True, slots=True)
class ParamRow:
    name: str
    type: str
    value: Plain


@dataclass(frozen=True, slots=True)
class WindowRow:
    name: str
    counts: tuple[str, ...]
    turns: int


@dataclass(frozen=True, slots=True)
class SequenceRow:
    """Both events of a sequence; their conditions are the roots `first` and `then`, if any."""

    name: str
    first_surface: Surface
    first_tools: tuple[str, ...]
    then_surface: Surface
    then_tools: tuple[str, ...]
    turns: int


@dataclass(frozen=True, slots=True)
class ExemptionRow:
    """`name` is unique; `always` is an exemption without a condition, so without roots `exempt`."""

    name: str
    rule: str
    tier: str
    always: bool
    owner: str
    reason: str
    until: str


@dataclass(frozen=True, slots=True)
class MonitorRow:
    """Watches a rule, or a condition: the root `watch`."""

    name: str
    rule: str | None
    surface: Surface | None
    direction: Literal["above", "below"]
    rate: float
    over_ms: int


@dataclass(frozen=True, slots=True)
class NodeCost:
    """`worst_us` if it runs; `rate` is how often an event makes it run."""

    node: int
    worst_us: float
    expected_us: float
    rate: float


@dataclass(frozen=True, slots=True)
class Step:
    """One dear thing on a critical path."""

    name: str
    us: float


@dataclass(frozen=True, slots=True)
class SurfaceCost:
    """Worst is everything that can run. `path` is what the dearest rule waits for, in order."""

    surface: Surface
    worst_us: float
    expected_us: float
    rule: str
    path: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Costs:
    kilobytes: float
    nodes: tuple[NodeCost, ...]
    surfaces: tuple[SurfaceCost, ...]

    def surface(self, name: str) -> SurfaceCost | None:
        return next((cost for cost in self.surfaces if cost.surface == name), None)


@dataclass(frozen=True, slots=True)
class Plan:
    """A policy, compiled. Equal policies give equal plans whatever the order of their files.

    INVARIANT: `nodes[i].id == i`, and a node comes after all that it reads.
    """

    policy: str
    title: str
    owner: str
    version: str
    tiers: tuple[Tier, ...]
    limits: Limits
    params: tuple[ParamRow, ...]
    checks: tuple[CheckRow, ...]
    rules: tuple[RuleRow, ...]
    prose: tuple[RuleProse, ...]
    principles: tuple[PrincipleRow, ...]
    context: Context
    model: Model
    tools: tuple[Tool, ...]
    windows: tuple[WindowRow, ...]
    sequences: tuple[SequenceRow, ...]
    exemptions: tuple[ExemptionRow, ...]
    monitors: tuple[MonitorRow, ...]
    nodes: tuple[Node, ...]
    roots: tuple[Root, ...]
    costs: Costs
    digest: str = ""

    @property
    def surfaces(self) -> tuple[Surface, ...]:
        """The surfaces that rules judge, in the order of an exchange."""
        return tuple(root.surface for root in self.roots if root.role == "join")

    def join(self, surface: str) -> Node | None:
        """The join of a surface, if any rule judges it."""
        for root in self.roots:
            if root.role == "join" and root.surface == surface:
                return self.nodes[root.node]
        return None

    def rule(self, name: str) -> RuleRow:
        return next(row for row in self.rules if row.name == name)

    def sequence(self, name: str) -> SequenceRow:
        return next(row for row in self.sequences if row.name == name)

    def asked(self, role: Role, surface: str) -> tuple[Root, ...]:
        """The roots of one role on one surface."""
        return tuple(root for root in self.roots if root.role == role and root.surface == surface)
