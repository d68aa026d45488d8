"""The nodes of a rule graph: plain data, one class per operation.

A `Node` is an id, a surface, the ids it reads and `what` it does. Everything a pass rewires lies in
`Node`; what is done lies in the payload, which passes share and seldom make anew.
"""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple

from guardkit._util.frozen import dataclass
from guardkit.catalog import Answers, Reach
from guardkit.semantics import FieldOp, FieldType, Plain
from guardkit.types import Surface

Op = Literal[
    "view",
    "scan",
    "pass",
    "check",
    "compare",
    "field",
    "window",
    "sequence",
    "and",
    "or",
    "not",
    "at_least",
    "rule",
    "join",
]

ALL_VIEWS = ("all",)
VIEW_COUNT = {"all": 6}
"""How many texts a word of `views` stands for; one where the word is not listed."""

UNBOUNDED = -1
"""A width that no number of characters bounds."""


@dataclass(frozen=True, slots=True)
class View:
    """The text of the event, in these views."""

    op: ClassVar[Op] = "view"
    views: tuple[str, ...] = ALL_VIEWS


@dataclass(frozen=True, slots=True)
class Scan:
    """One multi-pattern scan of a text; its checks read their hits from it."""

    op: ClassVar[Op] = "scan"
    views: tuple[str, ...] = ALL_VIEWS
    fixed_us: float = 0.0
    per_kb_us: float = 0.0


@dataclass(frozen=True, slots=True)
class Pass:
    """One run of an encoder over a text; its checks are heads or neighbours of the result."""

    op: ClassVar[Op] = "pass"
    encoder: str = ""
    fixed_us: float = 0.0
    per_kb_us: float = 0.0


@dataclass(frozen=True, slots=True)
class Check:
    """One question about a text. A leaf: the engine answers it, under any of its `names`."""

    op: ClassVar[Op] = "check"
    names: tuple[str, ...]
    kind: str
    answers: Answers
    labels: tuple[str, ...] = ()
    """What a label check may answer; empty when nobody said."""
    reach: Reach = "match"
    width: int = UNBOUNDED
    fixed_us: float = 0.0
    per_kb_us: float = 0.0
    timeout_us: float = 0.0
    """How long a check that calls out may take at worst; 0 for none."""
    yes_rate: float = 0.02
    needs_gate: bool = False
    is_gated: bool = False
    """True when no path reaches it without a cheaper step before."""


@dataclass(frozen=True, slots=True)
class Compare:
    """A score, number, count or label against a bound.

    `relation` is a comparison, `in` for labels, or `at`: the score reaches the threshold at which
    `measure` is `bound`, looked up when the plan is bound.
    """

    op: ClassVar[Op] = "compare"
    relation: str
    bound: float = 0.0
    measure: str = ""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """A typed fact about the context or a tool call. A leaf."""

    op: ClassVar[Op] = "field"
    root: Literal["context", "call"]
    path: tuple[str, ...]
    relation: FieldOp
    values: tuple[Plain, ...]
    type: FieldType

    @property
    def name(self) -> str:
        return ".".join((self.root, *self.path))


@dataclass(frozen=True, slots=True)
class Window:
    """How often the rules of a window fired in this session. A leaf that answers a number."""

    op: ClassVar[Op] = "window"
    name: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """The second event of a sequence, with the first within reach.

    The leaf answers whether the first event was seen; this event's own part, the tool and the
    condition in `inputs`, is settled here. On `conversation`, which has no event of its own, the
    leaf answers for both.
    """

    op: ClassVar[Op] = "sequence"
    name: str
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class And:
    """All inputs hold; without inputs, yes. The first `gate` inputs are asked before the rest."""

    op: ClassVar[Op] = "and"
    gate: int = 0


@dataclass(frozen=True, slots=True)
class Or:
    """Some input holds; without inputs, no. The first `gate` inputs are asked before the rest."""

    op: ClassVar[Op] = "or"
    gate: int = 0


@dataclass(frozen=True, slots=True)
class Not:
    op: ClassVar[Op] = "not"


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A quorum. An input that stands twice counts twice."""

    op: ClassVar[Op] = "at_least"
    count: int
    gate: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule on one surface; `tools` narrows a tool surface, empty means every tool.

    `look_behind` is the longest match in code points that the rule has to see whole; it counts
    where `reach` is `match`.
    """

    op: ClassVar[Op] = "rule"
    name: str
    tools: tuple[str, ...] = ()
    reach: Reach = "match"
    look_behind: int = 0


@dataclass(frozen=True, slots=True)
class Join:
    """The strongest action of the rules of a surface that fired."""

    op: ClassVar[Op] = "join"
    reach: Reach = "match"
    look_behind: int = 0


What = (
    View
    | Scan
    | Pass
    | Check
    | Compare
    | Field
    | Window
    | Sequence
    | And
    | Or
    | Not
    | AtLeast
    | Rule
    | Join
)

PAYLOADS: tuple[type[What], ...] = (
    View,
    Scan,
    Pass,
    Check,
    Compare,
    Field,
    Window,
    Sequence,
    And,
    Or,
    Not,
    AtLeast,
    Rule,
    Join,
)

MAX_DEPTH = 400
"""How deep a graph may be: conditions are settled by functions that call each other."""

LEAVES = frozenset({"check", "field", "window", "sequence"})


CONDITIONS: frozenset[Op] = frozenset(
    {"check", "compare", "field", "sequence", "and", "or", "not", "at_least"}
)
"""Operations that may stand where a truth is read."""


class Node(NamedTuple):
    """One node. INVARIANT: every id in `inputs` is smaller than `id` and of the same surface.

    A tuple, since passes make them by the ten thousand.
    """

    id: int
    surface: Surface
    inputs: tuple[int, ...]
    what: What

    @property
    def op(self) -> Op:
        return self.what.op
