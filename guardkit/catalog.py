"""What exists: check kinds, their properties, what they answer and what they cost.

A `Catalog` is an immutable value handed from hand to hand; nothing registers itself on import and
two guards with different kinds live in one process.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

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
    widths: tuple[tuple[str, int], ...] = ()
    """Words of a property that make the longest match longer than `width`."""
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
    labels: tuple[str, ...] = ()
    """What a kind that answers with a label may say, where its settings do not list them."""
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


# --- what a kind does: its settings become one of three live checks

Form = Literal["plain", "loose"]
"""How a view of a text is written: as people write, or with blanks lost and look-alike letters and
digits folded into one (`i` for `i l 1 ! |`)."""


class Hit(NamedTuple):
    """A match, in code points of the text that was handed over."""

    start: int
    end: int
    label: str = ""


class Answer(NamedTuple):
    """What a check says about a text: yes or no, a number, a label; None when it cannot say."""

    value: bool | float | str | None
    hits: tuple[Hit, ...] = ()
    """Where, in code points of the original text, for a kind that finds spans."""


NO = Answer(False)
UNKNOWN = Answer(None)


class Viewed(Protocol):
    """One view of a text, with the way back to the original."""

    @property
    def name(self) -> str:
        """The view, as findings name it."""

    @property
    def form(self) -> Form:
        """How the view is written."""

    @property
    def text(self) -> str:
        """What a check reads."""

    @property
    def instead_of(self) -> str | None:
        """The text that need not be read beside this view, which says all of it; None for most."""

    def back(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of the original that a stretch of this view stands for."""


class Subject(Protocol):
    """One text being judged, and what belongs to its exchange."""

    @property
    def text(self) -> str:
        """The original."""

    @property
    def surface(self) -> str:
        """Where it was found."""

    @property
    def canary(self) -> str | None:
        """The mark in this session's system prompt, if it has one."""

    def views(self) -> tuple[Viewed, ...]:
        """Every view of the text, the original first."""

    @property
    def is_complete(self) -> bool:
        """Whether the views show all there is. Where not, who reads them may not say no."""

    def protected(self, source: str) -> tuple[str, ...] | None:
        """The texts of `context`, `retrieved` or `input`; None when there are none."""


@runtime_checkable
class Finder(Protocol):
    """Finds matches, and names the patterns without which there is none.

    It may also have `least`: how many characters its shortest match has in ASCII text, blanks not
    counted. A shorter text need not be scanned at all; and `spaced`: how long a match may be that
    has a blank in it, so that a stream need not hold back more words than that.

    The patterns of all finders of a surface are searched in one scan. So a text in which none of
    them occurs costs a finder nothing.
    """

    def needles(self, form: Form) -> tuple[str, ...]:
        """RE2 patterns; a text without any of them is a sure no. Empty: does not read this form."""

    def find(self, text: str, seen: Sequence[int], form: Form) -> Sequence[Hit]:
        """Every match in one view. `seen` are the indexes of the needles that occur in it."""

    @property
    def key_words(self) -> tuple[str, ...]:
        """Words in lower case, one of which stands in every match; empty where there are none."""

    @property
    def words(self) -> tuple[str, ...]:
        """Every word of four letters or more that may stand in a match, in lower case."""


@runtime_checkable
class Reader(Protocol):
    """Works an answer out of a text at once: no waiting, no I/O, time in step with the length."""

    def read(self, subject: Subject) -> Answer:
        """The answer; an exception is an unknown."""


@runtime_checkable
class Caller(Protocol):
    """Asks code that is not ours, or that takes its time. The engine gives it a deadline."""

    async def call(self, subject: Subject) -> Answer:
        """The answer; an exception is an unknown."""


@runtime_checkable
class Rated(Protocol):
    """A live check that knows the score behind a rate: what `at fpr 0.5%` asks."""

    def threshold(self, measure: str, rate: float) -> float | None:
        """The score at which `measure` is `rate`; None where nobody measured that."""


Live = Finder | Reader | Caller


class Setting(Protocol):
    """What a check may look around for while it is bound."""

    @property
    def name(self) -> str:
        """The check's name in the policy."""

    @property
    def given(self) -> object | None:
        """What the program handed over for this check by name, if anything."""

    def file(self, name: str) -> bytes:
        """A data file of the policy, by the name the check's config has for it."""

    def folder(self, name: str) -> Path:
        """A folder of the policy, by the name the check's config has for it: a model, say.

        Raises:
            BindError: It does not exist, or leads outside of the policy's own folder.
        """

    @property
    def device(self) -> str:
        """Where models run: `auto`, `cpu` or `gpu`."""

    @property
    def in_thread(self) -> Callable[..., Awaitable[Any]]:
        """Calls a function that may block, off the event loop: `await in_thread(function, *args)`.

        The deadline is the caller's; a call that hangs is left behind, and so many may be.
        """


Bind = Callable[[Mapping[str, object], Setting], Live]
"""Makes a live check of a check's config. Everything that can be prepared is prepared here.

Raises:
    BindError: This machine cannot run the check.
"""


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every check kind of one installation, and the other words the language may be given."""

    specs: Mapping[str, CheckSpec] = field(default_factory=dict)
    disguises: frozenset[str] = frozenset()
    binds: Mapping[str, Bind] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        specs: Iterable[CheckSpec],
        disguises: Iterable[str] = (),
        binds: Mapping[str, Bind] | None = None,
    ) -> Catalog:
        """A catalog of these kinds; two kinds of one name are an error."""
        by_kind: dict[str, CheckSpec] = {}
        for spec in specs:
            if spec.kind in by_kind:
                raise ValueError(f"check kind `{spec.kind}` is defined twice")
            by_kind[spec.kind] = spec
        return cls(MappingProxyType(by_kind), frozenset(disguises), dict(binds or {}))

    def with_specs(self, specs: Iterable[CheckSpec]) -> Catalog:
        """A new catalog with these kinds added."""
        return Catalog.of([*self.specs.values(), *specs], self.disguises, self.binds)
