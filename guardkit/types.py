"""Words everyone shares: actions, surfaces, severities, truths, and the verdict made of them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Literal, NamedTuple

Action = Literal["pass", "flag", "rewrite", "revise", "hold", "block"]
Surface = Literal["input", "retrieved", "tool_call", "tool_result", "output", "conversation"]
Severity = Literal["critical", "high", "medium", "low", "info"]
Layer = Literal["input", "context", "weights", "model", "provider", "output", "transport"]
"""Where an exchange can end. `model` is context and weights: one reply does not tell them apart."""
Refusal = Literal["none", "full", "partial", "deflect"]

ACTIONS: tuple[Action, ...] = ("pass", "flag", "rewrite", "revise", "hold", "block")
"""Weakest first: the verdict is the strongest action of all rules that fired."""

SURFACES: tuple[Surface, ...] = (
    "input",
    "retrieved",
    "tool_call",
    "tool_result",
    "output",
    "conversation",
)

LAYERS: tuple[Layer, ...] = (
    "input",
    "context",
    "weights",
    "model",
    "provider",
    "output",
    "transport",
)
"""In the order in which an exchange passes them."""

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
"""Gravest first."""

STRENGTH: dict[str, int] = {action: rank for rank, action in enumerate(ACTIONS)}


def strongest(actions: list[Action]) -> Action:
    """The join of actions: order and repetition never matter; nothing joins to `pass`."""
    return max(actions, key=STRENGTH.__getitem__, default="pass")


class Truth(Enum):
    """What a check or a condition answers. `UNKNOWN` is never silently `NO`."""

    NO = 0
    UNKNOWN = 1
    YES = 2

    def __and__(self, other: Truth) -> Truth:
        return self if self.value <= other.value else other

    def __or__(self, other: Truth) -> Truth:
        return self if self.value >= other.value else other

    def __invert__(self) -> Truth:
        return Truth(2 - self.value)


# --- what a judgement comes to


class Finding(NamedTuple):
    """A match of a rule that fired: where it stands, never what it says."""

    rule: str
    check: str
    label: str
    start: int
    end: int
    """`start` and `end` count code points of the original text."""
    score: float | None = None
    view: str = "raw"
    """The view of the text in which it was found."""
    pointer: str = ""
    """For a tool call: the JSON pointer of the argument."""


class Record(NamedTuple):
    """One line of the ledger: a layer of the stack, who spoke there, and what came of it."""

    layer: str
    """The surface that was judged, or `model` for what the wrapped callable did."""
    by: str
    """`policy NAME`, `rule NAME` or `check NAME`."""
    outcome: str
    elapsed_us: float
    score: float | None = None
    detail: str = ""
    """Why a check could not answer, or which view spoke; never any of the text."""


class Next(NamedTuple):
    """What becomes of a held or revised text later: an action, and what may then be delivered."""

    action: Action
    text: str
    arguments: Mapping[str, object] | None = None


class Verdict(NamedTuple):
    """What the policy says about one text or tool call.

    A tuple, because one is made for every call: a frozen dataclass of this size costs 2 µs.
    """

    action: Action
    text: str
    """What may be delivered: the text, the rewritten text, or the message of a block."""
    surface: Surface
    policy: str
    """The digest of the plan that judged."""
    elapsed_us: float
    message: str | None = None
    """What the user may be told when the action is `block`."""
    fired: tuple[str, ...] = ()
    """The enforcing rules that fired, by tier, severity and name."""
    exempted: tuple[str, ...] = ()
    shadow: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    unknown: tuple[str, ...] = ()
    """The checks that could not answer where it mattered."""
    undecided: tuple[str, ...] = ()
    """The rules that an unknown reached; their `on_error` decided."""
    records: tuple[Record, ...] = ()
    tool: str | None = None
    arguments: Mapping[str, object] | None = None
    """The arguments of a tool call as they may be used; None for every other surface."""
    hold: str | None = None
    """The id under which a held text waits for approval."""
    principle: str | None = None
    """The principle a revision has to satisfy."""
    rounds: int = 0
    """How many revisions are allowed."""
    approved: Next | None = None
    otherwise: Next | None = None
    session_closed: bool = False

    @classmethod
    def passed(
        cls, text: str, surface: Surface, policy: str, elapsed_us: float, tool: str | None
    ) -> Verdict:
        """Nothing stands against a text and there is nothing to record: the usual verdict.

        Twenty default arguments cost more than the rest of it.
        """
        if tool is not None:
            return cls("pass", text, surface, policy, elapsed_us, tool=tool)
        return cls._make(("pass", text, surface, policy, elapsed_us, *_DEFAULTS))

    @property
    def is_allowed(self) -> bool:
        """Whether `text` may be delivered as an answer to the question asked."""
        return self.action in ("pass", "flag", "rewrite")

    @property
    def ledger(self) -> tuple[Record, ...]:
        """Who spoke, in order, and what it took."""
        whole = Record(self.surface, "policy", self.action, self.elapsed_us)
        return (*self.records, whole)

    def as_dict(self, *, text: bool = False) -> dict[str, object]:
        """Plain data for JSON. Guarded text is left out unless asked for."""
        shown: dict[str, object] = {
            "action": self.action,
            "surface": self.surface,
            "policy": self.policy,
            "message": self.message,
            "fired": list(self.fired),
            "exempted": list(self.exempted),
            "shadow": list(self.shadow),
            "findings": [finding._asdict() for finding in self.findings],
            "unknown": list(self.unknown),
            "undecided": list(self.undecided),
            "ledger": [
                {**record._asdict(), "elapsed_us": round(record.elapsed_us, 1)}
                for record in self.ledger
            ],
            "elapsed_us": round(self.elapsed_us, 1),
        }
        for name in ("tool", "hold", "principle"):
            if getattr(self, name) is not None:
                shown[name] = getattr(self, name)
        if self.session_closed:
            shown["session_closed"] = True
        if text:
            shown["text"] = self.text
            if self.arguments is not None:
                shown["arguments"] = self.arguments
        return shown

    def __bool__(self) -> bool:
        # A tuple is true whatever it says; `if guard.check(text):` must not mean "judged".
        raise TypeError("a verdict is neither true nor false: ask for `.is_allowed` or `.action`")

    def __repr__(self) -> str:
        by = f" by {', '.join(self.fired)}" if self.fired else ""
        return f"<Verdict {self.action} on {self.surface}{by}>"


_DEFAULTS = tuple(Verdict._field_defaults.values())


# --- what an exchange comes to

Judgement = Literal[
    "answered", "refused", "correct refusal", "over-refusal", "wrong answer", "fault"
]


class Ledger(NamedTuple):
    """What one exchange with a deployment came to, and which layer made it so."""

    outcome: Literal["answered", "refused", "failed"]
    """What the user got: an answer, a refusal or a block, or nothing that can be read."""
    layer: Layer | None = None
    """Who refused or failed; None for an answer."""
    by: str = ""
    """What there refused or failed: `rule NAME`, `finish_reason content_filter`, `refusal full`,
    the type of an error. Never any of the text."""
    refusal: Refusal = "none"
    """How the reply of the model refuses, as far as there was one."""
    expected: Literal["answer", "refuse"] | None = None
    """What the `model` block of the policy says of the question; None where it says nothing, and
    where nobody asked."""
    records: tuple[Record, ...] = ()
    """Layer by layer, in the order of the exchange."""
    elapsed_us: float = 0.0

    @property
    def judgement(self) -> Judgement:
        """The outcome beside what was expected of it."""
        if self.outcome == "failed":
            return "fault"
        if self.expected is None:
            return self.outcome
        if self.outcome == "refused":
            return "correct refusal" if self.expected == "refuse" else "over-refusal"
        return "wrong answer" if self.expected == "refuse" else "answered"

    def as_dict(self) -> dict[str, object]:
        """Plain data for JSON. It holds none of the text."""
        return {
            "outcome": self.outcome,
            "layer": self.layer,
            "by": self.by,
            "refusal": self.refusal,
            "expected": self.expected,
            "judgement": self.judgement,
            "records": [
                {**record._asdict(), "elapsed_us": round(record.elapsed_us, 1)}
                for record in self.records
            ],
            "elapsed_us": round(self.elapsed_us, 1),
        }
