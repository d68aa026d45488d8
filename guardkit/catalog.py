"""What exists: check kinds, their properties, what they answer and what they cost.

A `Catalog` is an immutable value handed from hand to hand; nothing registers itself on import and
two guards with different kinds live in one process.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Answers = Literal["answer", "score", "number", "label"]
"""What a check gives back: yes/no, a score from 0 to 1, a count, or one of its labels."""

PropertyType = Literal[
    "text",  # one text
    "texts",  # a list of texts
    "domains",  # a list of host names, `*.` in front for sub-domains
    "word",  # one of `choices`
    "words",  # one or several of `choices`
    "number",
    "size",  # a number with one of the units in `choices`
    "duration",
    "pattern",  # /…/
    "validator",  # one of `choices`, some with a bound
    "file",  # a file inside the policy's folder, read when the policy is compiled
    "model",  # a model directory (text) or a shipped tier (word); opened at bind
    "digest",  # sha256:…
    "call",  # "package.module:name", looked up at bind
]

Reach = Literal["match", "whole", "window"]
"""How much of a stream a check must see: the longest match, everything, or a text window."""


@dataclass(frozen=True, slots=True)
class PropertySpec:
    """One property a check kind takes."""

    name: str
    type: PropertyType
    doc: str
    required: bool = False
    repeated: bool = False
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run costs on one ordinary core, in microseconds.

    `shared` names the piece of work several checks have in common (one scan, one encoder pass):
    it is paid once per text, `own_us` by each check.
    """

    fixed_us: float
    per_kb_us: float
    own_us: float = 0.0
    shared: str = ""

    def at(self, kilobytes: float) -> float:
        """The shared part for a text of this size."""
        return self.fixed_us + self.per_kb_us * kilobytes


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """A check kind as the language sees it. Without a cost model there is no kind."""

    kind: str
    summary: str
    answers: Answers
    cost: Cost
    properties: tuple[PropertySpec, ...] = ()
    spans: bool = False
    width: int = 256
    """Longest match in characters of a kind that finds spans and has no patterns or words to
    measure; -1 where there is no upper bound."""
    width_from: str = ""
    """The size property that bounds a match, where one does."""
    reach: Reach = "match"
    reach_with: tuple[tuple[str, Reach], ...] = ()
    """A property whose presence changes the reach; the first that is given counts."""
    surfaces: tuple[str, ...] = ("input", "retrieved", "tool_call", "tool_result", "output")
    one_of: tuple[str, ...] = ()
    """At least one of these properties has to be given."""
    answers_with: tuple[tuple[str, Answers], ...] = ()
    """A property whose presence changes what the check answers; the first that is given counts."""
    yes_rate: float = 0.02
    """How often ordinary text makes it answer yes: the compiler's estimate, not a promise."""
    is_deterministic: bool = True
    needs_gate: bool = False
    """True for kinds so dear that the language wants a cheaper step before them."""
    costs: tuple[tuple[str, str, Cost], ...] = ()
    """(property, value, cost): a property value that changes the cost."""

    def property(self, name: str) -> PropertySpec | None:
        return next((spec for spec in self.properties if spec.name == name), None)

    def reach_for(self, given: Collection[str]) -> Reach:
        """How much of a stream a check with these properties must see."""
        return next((reach for name, reach in self.reach_with if name in given), self.reach)


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every check kind of one installation, and the other words the language may be given."""

    specs: Mapping[str, CheckSpec] = field(default_factory=dict)
    disguises: frozenset[str] = frozenset()

    @classmethod
    def of(cls, specs: Iterable[CheckSpec], disguises: Iterable[str] = ()) -> Catalog:
        """A catalog of these kinds; two kinds of one name are an error."""
        by_kind: dict[str, CheckSpec] = {}
        for spec in specs:
            if spec.kind in by_kind:
                raise ValueError(f"check kind `{spec.kind}` is defined twice")
            by_kind[spec.kind] = spec
        return cls(MappingProxyType(by_kind), frozenset(disguises))

    def with_specs(self, specs: Iterable[CheckSpec]) -> Catalog:
        """A new catalog with these kinds added."""
        return Catalog.of([*self.specs.values(), *specs], self.disguises)
