"""A checked policy: every name resolved, every value typed, nothing left to look up.

Plain frozen values. Places point back into the files for later diagnostics and never take part in
equality.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from guardkit._util.frozen import dataclass, field
from guardkit.catalog import Answers
from guardkit.diagnostics import Place
from guardkit.types import Action, Severity, Surface

Plain = str | float | int | bool | tuple["Plain", ...]
Config = tuple[tuple[str, Plain], ...]
"""A check's properties as sorted plain data."""

Mode = Literal["enforce", "shadow", "retired"]
OnError = Literal["block", "hold", "flag", "pass"]

# --- conditions


@dataclass(frozen=True, slots=True)
class Asked:
    """A yes/no check says yes."""

    check: str
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Compared:
    """A score or number stands in a relation to a bound."""

    check: str
    op: str
    bound: float
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ComparedAtRate:
    """A score reaches the threshold at which `measure` is `rate`; resolved at bind."""

    check: str
    measure: str
    rate: float
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A label check gave one of these labels."""

    check: str
    labels: tuple[str, ...]
    place: Place | None = field(default=None, compare=False, repr=False)


FieldOp = Literal["==", "!=", "in", "not in", "<", "<=", ">", ">="]
FieldType = Literal["text", "number", "answer", "domain", "money", "duration", "date"]


@dataclass(frozen=True, slots=True)
class FieldTest:
    """A fact about the context or a tool call: `context.channel == "…"`, `call.to.domain in […]`.

    `type` says how both sides are read; `domain` compares hosts. Absent is not unknown: see
    LANGUAGE, "Absent is not unknown".
    """

    root: Literal["context", "call"]
    path: tuple[str, ...]
    op: FieldOp
    values: tuple[Plain, ...]
    type: FieldType
    place: Place | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        return ".".join((self.root, *self.path))


@dataclass(frozen=True, slots=True)
class WindowCount:
    """How often the rules of a window fired, against a bound."""

    window: str
    op: str
    bound: int
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SequenceSeen:
    """A sequence completes with this event."""

    sequence: str
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class And:
    members: tuple[Cond, ...]
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Or:
    members: tuple[Cond, ...]
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not:
    inner: Cond
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AtLeast:
    """At least `count` of the members hold. `none of` is its negation."""

    count: int
    members: tuple[Cond, ...]
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class CascadeStep:
    answer: bool
    condition: Cond
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class CascadeCond:
    """Steps from cheap to dear; equal to `A or (not B and C)`."""

    steps: tuple[CascadeStep, ...]
    otherwise: bool
    place: Place | None = field(default=None, compare=False, repr=False)


Atom = Asked | Compared | ComparedAtRate | Labelled | FieldTest | WindowCount | SequenceSeen
Cond = Atom | And | Or | Not | AtLeast | CascadeCond


def members_of(condition: Cond) -> tuple[Cond, ...]:
    """The conditions directly inside one."""
    match condition:
        case And(members) | Or(members) | AtLeast(_, members):
            return members
        case Not(inner):
            return (inner,)
        case CascadeCond(steps):
            return tuple(step.condition for step in steps)
        case _:
            return ()


def atoms_of(condition: Cond) -> Iterator[Atom]:
    """Every atom, in reading order, repeats included."""
    match condition:
        case And() | Or() | Not() | AtLeast() | CascadeCond():
            for member in members_of(condition):
                yield from atoms_of(member)
        case _:
            yield condition


def check_of(atom: Atom) -> str | None:
    """The check an atom asks, if it asks one."""
    match atom:
        case Asked(check) | Compared(check) | ComparedAtRate(check) | Labelled(check):
            return check
        case _:
            return None


def positive_checks(condition: Cond, positive: bool = True) -> Iterator[str]:
    """Checks whose yes speaks for the condition: not the negated ones, not those of `no if`."""
    match condition:
        case Not(inner):
            yield from positive_checks(inner, not positive)
        case CascadeCond(steps):
            for step in steps:
                if step.answer:
                    yield from positive_checks(step.condition, positive)
        case And() | Or() | AtLeast():
            for member in members_of(condition):
                yield from positive_checks(member, positive)
        case Asked(check) if positive:
            yield check


# --- declarations


@dataclass(frozen=True, slots=True)
class Tier:
    """One step of the chain of authority; the first of a policy is the highest."""

    name: str
    may: tuple[Action, ...]
    on_error: OnError


@dataclass(frozen=True, slots=True)
class Budget:
    surface: Surface
    ms: int
    per_chunk: bool
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the policy says once for all rules. `hold_back` None means the whole reply is held."""

    budgets: tuple[Budget, ...] = ()
    refusals: float | None = None
    hold_back: int | None = 64
    hold_back_place: Place | None = field(default=None, compare=False, repr=False)
    hold_limit: int = 4096
    session_ttl_ms: int = 86_400_000
    unread: Action = "block"

    def budget(self, surface: str) -> Budget | None:
        return next((budget for budget in self.budgets if budget.surface == surface), None)


@dataclass(frozen=True, slots=True)
class Param:
    name: str
    type: str
    value: Plain


@dataclass(frozen=True, slots=True)
class Check:
    """One instantiated check. Equal kind and config mean equal answers."""

    name: str
    kind: str
    answers: Answers
    spans: bool
    label: str
    labels: tuple[str, ...]
    config: Config
    place: Place = field(compare=False, repr=False)

    def get(self, name: str) -> Plain | None:
        return next((value for key, value in self.config if key == name), None)


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool of the listing, with the types of its arguments by dotted path."""

    name: str
    arguments: tuple[tuple[tuple[str, ...], str], ...]


@dataclass(frozen=True, slots=True)
class On:
    """A surface a rule judges; `tools` narrows a tool surface, empty means every tool."""

    surface: Surface
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Act:
    """What happens when a rule fires. Which fields count depends on the verb."""

    verb: Action
    text: str | None = None
    form: Literal["text", "mask", "hash", "pseudonym"] | None = None
    whole: bool = False
    keep: int = 0
    for_session: bool = False
    approvers: str | None = None
    within_ms: int | None = None
    principle: str | None = None
    rounds: int = 0
    otherwise: Act | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `unless` is already part of the condition."""

    name: str
    tier: str
    severity: Severity
    on: tuple[On, ...]
    condition: Cond
    action: Act
    on_error: OnError
    mode: Mode = "enforce"
    share: float = 100.0
    """The percentage of sessions it is enforced for; for the others it is in shadow."""
    title: str = ""
    owner: str = ""
    version: str = ""
    note: str = ""
    refs: tuple[str, ...] = ()
    place: Place | None = field(default=None, compare=False, repr=False)
    name_place: Place | None = field(default=None, compare=False, repr=False)

    @property
    def surfaces(self) -> tuple[Surface, ...]:
        return tuple(dict.fromkeys(on.surface for on in self.on))

    def judges(self, surface: str, tool: str | None = None) -> bool:
        """Whether the rule looks at an event on this surface, of this tool."""
        return any(on.surface == surface and (not on.tools or tool in on.tools) for on in self.on)


@dataclass(frozen=True, slots=True)
class Principle:
    name: str
    tier: str
    text: str
    title: str = ""
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Context:
    """The compiled context layer: what is said to the model, in order; perhaps a canary."""

    lines: tuple[str, ...] = ()
    canary: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    """What the weights are expected to refuse and to answer, as checks or topics."""

    refuses: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    name: str
    counts: tuple[str, ...]
    turns: int
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SequenceEvent:
    on: On
    where: Cond | None


@dataclass(frozen=True, slots=True)
class Sequence:
    name: str
    first: SequenceEvent
    then: SequenceEvent
    turns: int
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Exemption:
    """Takes one rule's effect away under a condition until a day (inclusive)."""

    rule: str
    tier: str
    condition: Cond | None
    owner: str
    reason: str
    until: str
    place: Place | None = field(default=None, compare=False, repr=False)


# --- tests and measurement


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """What a test says a check answers; `value` None makes it fail."""

    subject: str
    value: Plain | None


@dataclass(frozen=True, slots=True)
class GivenContext:
    path: tuple[str, ...]
    value: Plain | None


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of a test. `arguments` is JSON text for tool calls."""

    surface: Surface
    text: str = ""
    tool: str | None = None
    arguments: str | None = None
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the last event must come to."""

    action: Action
    by: tuple[str, ...] = ()
    becomes: str | None = None
    place: Place | None = field(default=None, compare=False, repr=False)


TestStep = GivenAnswer | GivenContext | Happened | Expected


@dataclass(frozen=True, slots=True)
class TestCase:
    """One test, one case of a `for each` already put in."""

    title: str
    case: str
    steps: tuple[TestStep, ...]
    place: Place | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        return f"{self.title} [{self.case}]" if self.case else self.title


@dataclass(frozen=True, slots=True)
class Probe:
    name: str
    cases: str
    disguises: tuple[str, ...]
    surface: Surface
    outcome: str
    bound: Literal["least", "most"]
    rate: float
    confidence: float | None
    """How sure the cases have to make one of the rate; None counts what was seen, no more."""
    seed: int
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Monitor:
    name: str
    condition: Cond | None
    rule: str | None
    surface: Surface | None
    direction: Literal["above", "below"]
    rate: float
    over_ms: int
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class CheckedPolicy:
    """A policy that means something. Sorted, so that the order of a file never shows."""

    name: str
    kind: Literal["policy", "module"]
    title: str
    owner: str
    version: str
    tiers: tuple[Tier, ...]
    defaults: Defaults
    params: tuple[Param, ...]
    checks: tuple[Check, ...]
    rules: tuple[Rule, ...]
    principles: tuple[Principle, ...]
    context: Context
    model: Model
    tools: tuple[Tool, ...]
    windows: tuple[Window, ...]
    sequences: tuple[Sequence, ...]
    exemptions: tuple[Exemption, ...]
    tests: tuple[TestCase, ...]
    probes: tuple[Probe, ...]
    monitors: tuple[Monitor, ...]

    def check(self, name: str) -> Check:
        return next(check for check in self.checks if check.name == name)

    def rule(self, name: str) -> Rule:
        return next(rule for rule in self.rules if rule.name == name)

    def tier_rank(self, name: str) -> int:
        return next(i for i, tier in enumerate(self.tiers) if tier.name == name)
