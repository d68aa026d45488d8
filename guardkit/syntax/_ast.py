"""The tree of a policy file. Every node is frozen; spans never take part in equality."""

from __future__ import annotations

from typing import Literal as OneOf

from guardkit._util.frozen import dataclass, field
from guardkit.diagnostics import Source, Span

Verb = OneOf["block", "hold", "revise", "rewrite", "flag", "pass"]


@dataclass(frozen=True, slots=True)
class Node:
    """Anything that stands somewhere in the file."""

    span: Span = field(compare=False, repr=False)


# --- words and values


@dataclass(frozen=True, slots=True)
class Name(Node):
    """One word: a name being declared, a choice, a kind."""

    text: str


@dataclass(frozen=True, slots=True)
class Ref(Node):
    """A dotted name: `injection.classifier`, `call.to.domain`, `context.channel`."""

    parts: tuple[str, ...]

    @property
    def dotted(self) -> str:
        return ".".join(self.parts)


LiteralKind = OneOf["text", "number", "percent", "duration", "date", "answer"]


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A value as written. `value`: str for text and date, float for number, a share of 1 for
    percent, milliseconds for duration, bool for answer (`yes`, `no`)."""

    kind: LiteralKind
    value: str | float | int | bool
    raw: str


@dataclass(frozen=True, slots=True)
class Pattern(Node):
    """`/source/flags`."""

    source: str
    flags: str


@dataclass(frozen=True, slots=True)
class ListOf(Node):
    """`[a, b]`."""

    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Argument(Node):
    """`label: value`."""

    label: str
    value: Value
    label_span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Record(Node):
    """`{label: value}`: an object inside tool arguments."""

    fields: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Sized(Node):
    """A number with an optional unit: `40 chars`."""

    number: Literal
    unit: Name | None


@dataclass(frozen=True, slots=True)
class Chosen(Node):
    """A word with an optional bound: `luhn`, `entropy >= 3.5`."""

    word: Name
    op: str | None = None
    bound: Literal | None = None


Value = Literal | ListOf | Record | Ref
PropertyValue = Literal | Pattern | ListOf | Sized | Chosen

# --- conditions


@dataclass(frozen=True, slots=True)
class AnyOf(Node):
    """`a or b`."""

    members: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AllOf(Node):
    """`a and b`."""

    members: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Negation(Node):
    """`not a`."""

    inner: Condition


@dataclass(frozen=True, slots=True)
class Quorum(Node):
    """`2 of (…)`, `any of`, `all of`, `none of`."""

    count: Literal | Name
    members: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Step(Node):
    """`yes if …` or `no if …`."""

    answer: bool
    condition: Condition


@dataclass(frozen=True, slots=True)
class Cascade(Node):
    """`cascade { yes if A  no if B  else no }`."""

    steps: tuple[Step, ...]
    otherwise: bool


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    """`left op right`."""

    left: Value
    op: str
    right: Value


@dataclass(frozen=True, slots=True)
class Membership(Node):
    """`left in right`, `left not in right`."""

    left: Value
    right: Value
    negated: bool


@dataclass(frozen=True, slots=True)
class AtRate(Node):
    """`score at fpr 0.5%`: the threshold the calibration table gives for that rate."""

    score: Value
    measure: Name
    rate: Literal


@dataclass(frozen=True, slots=True)
class Seen(Node):
    """`sequence NAME`: the sequence has just completed."""

    name: Name


Condition = (
    AnyOf
    | AllOf
    | Negation
    | Quorum
    | Cascade
    | Comparison
    | Membership
    | AtRate
    | Seen
    | Literal
    | ListOf
    | Record
    | Ref
)

# --- clauses and what they hold


@dataclass(frozen=True, slots=True)
class Target(Node):
    """A surface; for tool surfaces perhaps only some tools."""

    surface: Name
    tools: tuple[Ref, ...] = ()


@dataclass(frozen=True, slots=True)
class Action(Node):
    """What a rule does. Which fields are set depends on the verb."""

    verb: Verb
    text: Literal | None = None
    form: OneOf["text", "mask", "hash", "pseudonym"] | None = None
    whole: bool = False
    keep: Literal | None = None
    for_session: bool = False
    approvers: Literal | None = None
    principle: Ref | None = None
    rounds: Literal | None = None
    within: Literal | None = None
    otherwise: Action | None = None


@dataclass(frozen=True, slots=True)
class Budget(Node):
    """`input 25ms`, `output 40ms per chunk`, `refusals 2%`."""

    what: Name
    amount: Literal
    per_chunk: bool


@dataclass(frozen=True, slots=True)
class Event(Node):
    """One half of a sequence."""

    target: Target
    where: Condition | None


@dataclass(frozen=True, slots=True)
class Rate(Node):
    """`stopped at least 95% confidence 95%`."""

    outcome: Name
    bound: OneOf["least", "most"]
    rate: Literal
    confidence: Literal | None


@dataclass(frozen=True, slots=True)
class Watch(Node):
    """`refusal.any on output`."""

    condition: Condition
    surface: Name | None


@dataclass(frozen=True, slots=True)
class Alarm(Node):
    """`above 5% over 1h`."""

    direction: OneOf["above", "below"]
    rate: Literal
    over: Literal


Held = (
    Name
    | Target
    | Ref
    | Literal
    | Action
    | Budget
    | Event
    | Rate
    | Watch
    | Alarm
    | AnyOf
    | AllOf
    | Negation
    | Quorum
    | Cascade
    | Comparison
    | Membership
    | AtRate
    | Seen
    | ListOf
    | Record
)


@dataclass(frozen=True, slots=True)
class Clause(Node):
    """One line of a block: its first word and what follows."""

    word: str
    values: tuple[Held, ...]
    word_span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Property(Node):
    """One property of a check, with named options where the value takes them."""

    name: Name
    value: PropertyValue
    options: tuple[Argument, ...] = ()


# --- test steps


@dataclass(frozen=True, slots=True)
class Given(Node):
    """`given CHECK = value`, or without a value `given CHECK fails`."""

    subject: Ref
    value: Value | None


@dataclass(frozen=True, slots=True)
class Said(Node):
    """`input "…"`, `output "…"`, `retrieved "…"`."""

    surface: str
    text: Value


@dataclass(frozen=True, slots=True)
class Called(Node):
    """`tool_call TOOL (…)`."""

    tool: Ref
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Returned(Node):
    """`tool_result TOOL "…"`."""

    tool: Ref
    text: Value


@dataclass(frozen=True, slots=True)
class Expect(Node):
    """`expect ACTION by RULE becomes "…"`."""

    verb: Name
    by: tuple[Ref, ...]
    becomes: Literal | None


TestStep = Given | Said | Called | Returned | Expect

# --- declarations


@dataclass(frozen=True, slots=True)
class Edition(Node):
    number: int


@dataclass(frozen=True, slots=True)
class Header(Node):
    """`policy NAME` or `module NAME` with its metadata."""

    kind: OneOf["policy", "module"]
    name: Name
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class Tiers(Node):
    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Tier(Node):
    name: Name
    may: tuple[Name, ...]
    on_error: Name | None


@dataclass(frozen=True, slots=True)
class UseModule(Node):
    path: Literal
    version: Literal
    alias: Name
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class UseTools(Node):
    path: Literal
    alias: Name


@dataclass(frozen=True, slots=True)
class Param(Node):
    name: Name
    type: Name
    is_list: bool
    default: Value | None


@dataclass(frozen=True, slots=True)
class Check(Node):
    name: Ref
    kind: Name
    properties: tuple[Property, ...]


BlockKind = OneOf[
    "defaults",
    "principle",
    "context",
    "model",
    "rule",
    "window",
    "sequence",
    "exempt",
    "probe",
    "monitor",
]


@dataclass(frozen=True, slots=True)
class Block(Node):
    """A declaration made of clauses; clauses whose order means nothing stand in house order."""

    kind: BlockKind
    name: Name | Ref | None
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class Apply(Node):
    target: Ref
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Test(Node):
    title: Literal
    variable: Name | None
    cases: Value | None
    steps: tuple[TestStep, ...]


Declaration = (
    Edition | Header | Tiers | Tier | UseModule | UseTools | Param | Check | Block | Apply | Test
)


@dataclass(frozen=True, slots=True)
class Comment(Node):
    """`# …`, without its line break."""

    text: str


@dataclass(frozen=True, slots=True)
class File:
    """One parsed file: the declarations that could be parsed. Its comments are in its source."""

    source: Source = field(compare=False, repr=False)
    declarations: tuple[Declaration, ...]
