"""What an attribution says: which layer made an exchange what it is, how surely, and on what
evidence. Plain data; no text of any exchange is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, NamedTuple

from guardkit._util.shares import Share
from guardkit.types import Judgement, Layer, Ledger

Outcome = Literal["refused", "answered", "failed"]
Expected = Literal["answer", "refuse"]

Standing = Literal["named", "overdetermined", "undetermined", "unjudged", "none"]
"""How an attribution ends.

`named`: one layer made it so. `overdetermined`: so did one, and others would have done the same
without it. `undetermined`: the figures do not separate the layers. `unjudged`: there was nothing
to judge: no reply, no model. `none`: there is nothing to explain.
"""

How = Literal[
    "stopped",
    "refused",
    "failed",
    "shadow",
    "exempted",
    "unknown",
    "flagged",
    "rewritten",
    "lifted",
    "silent",
]
"""What a piece of evidence shows.

`stopped`: a rule or a filter of the provider ended the exchange. `refused`: the reply of the model
refuses. `failed`: there was no reply. The others are ways in which a rule let something pass: in
`shadow` mode, `exempted`, with a check of `unknown` answer, `flagged` only, `rewritten` and still
an answer, `lifted` by its own exception although its check said yes, `silent` on a topic that it
covers.
"""


MOST_UNREAD: Final = 20
"""Unreadable rows that are told one by one; the others are only counted."""


class Ending(NamedTuple):
    """How some runs ended: who ended them, and how many."""

    layer: Layer | None
    """None for an answer."""
    by: str
    runs: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Something that was seen in the runs of the whole stack; it costs no further run."""

    layer: Layer
    by: str
    """`rule NAME`, `finish_reason content_filter`, `refusal full`, `TimeoutError`."""
    how: How
    seen: int
    """In how many runs of the whole stack."""
    of: int
    decided: int
    """In how many of them this alone made the outcome: without it, or with it in force, the rules
    that judged the same text would have come to the opposite. Exact, from the records."""
    detail: str = ""
    """What is behind it, in the words of the policy: `check card`."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What becomes of the outcome when layers are taken away."""

    without: tuple[Layer, ...]
    """What was taken away; `weights` were exchanged for others."""
    intact: Share
    """How often the whole stack came to the outcome."""
    left: Share
    """How often the rest of it did."""
    difference: float
    """`intact` less `left`, from -1 to 1."""
    low: float
    high: float
    """The interval of 95 % of the difference."""
    chance: float
    """How likely it is that at least half of the outcome goes with the layers."""
    flips: bool
    """Whether it does, as far as 95 % are certainty."""
    is_exact: bool
    """Whether both sides are known by rule instead of by chance; there is no interval then."""
    failed: int
    """Runs that gave no reply; they are in neither share."""
    then: tuple[Ending, ...]
    """How the runs without the layers ended, most frequent first."""
    did_nothing: bool = False
    """Whether the layer ended no run and changed no text, so that it was not taken away: `left` is
    `intact`. What it may do in other runs lies in the interval."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """Which layer made an exchange what it is."""

    id: str
    outcome: Outcome
    """What is explained."""
    expected: Expected | None
    standing: Standing
    layer: Layer | None
    """Who made it so; None where nobody can be named."""
    by: str
    """The rule, or the evidence."""
    certainty: float | None
    """The probability that it was this layer; None where none is named."""
    odds: tuple[tuple[Layer, float], ...]
    """The probability of each layer, the likeliest first."""
    also: tuple[Layer, ...]
    """Who would have done the same without it."""
    intact: Share
    """How often the whole stack came to the outcome."""
    effects: tuple[Effect, ...]
    evidence: tuple[Evidence, ...]
    notes: tuple[str, ...]
    runs: int
    """Exchanges that were had."""
    model_calls: int
    elapsed_s: float

    @property
    def judgement(self) -> Judgement:
        """The outcome beside what was expected."""
        return Ledger(self.outcome, expected=self.expected).judgement

    @property
    def is_finding(self) -> bool:
        """Whether it came out otherwise than expected."""
        return self.judgement in ("over-refusal", "wrong answer")

    def effect(self, *layers: Layer) -> Effect | None:
        """The effect of taking these layers away, where that was tried."""
        return next((one for one in self.effects if one.without == layers), None)

    @property
    def sentence(self) -> str:
        """The finding as one sentence."""
        from ._sentence import sentence

        return sentence(self)

    def as_dict(self) -> dict[str, object]:
        """Plain data for JSON. It holds none of the text."""
        made = asdict(self)
        made["odds"] = dict(self.odds)
        made["intact"] = _plain(self.intact)
        made["effects"] = [
            {
                **asdict(one),
                "intact": _plain(one.intact),
                "left": _plain(one.left),
                "then": [ending._asdict() for ending in one.then],
            }
            for one in self.effects
        ]
        return {**made, "judgement": self.judgement, "sentence": self.sentence}


def _plain(share: Share) -> dict[str, object]:
    return {"hits": share.hits, "of": share.of}


@dataclass(frozen=True, slots=True)
class Unread:
    """A row of a case file that is no exchange."""

    id: str
    why: str
    """It quotes nothing of the row."""


class Group(NamedTuple):
    """Exchanges that one layer, and one rule of it, made what they are."""

    layer: Layer | None
    by: str
    judgement: Judgement
    standing: Standing
    exchanges: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Many attributions, counted."""

    exchanges: int
    groups: tuple[Group, ...]
    """The most frequent first."""
    findings: int
    """Over-refusals and wrong answers."""
    unjudged: int
    """Exchanges that could not be judged."""
    unread: tuple[Unread, ...]
    """The first of the rows that are no exchange."""
    runs: int
    model_calls: int
    rows_unread: int = 0
    """All rows that are no exchange; they are in no other count."""

    @classmethod
    def of(cls, made: Iterable[Attribution], unread: Iterable[Unread] = ()) -> Summary:
        """Count attributions."""
        sums = Sums()
        for one in made:
            sums.add(one)
        for row in unread:
            sums.pass_over(row)
        return sums.summary

    def as_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        made = asdict(self)
        return {**made, "groups": [group._asdict() for group in self.groups]}


class Sums:
    """Counts attributions one by one, and keeps none."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[Layer | None, str, Judgement, Standing]] = Counter()
        self._findings = self._unjudged = self._runs = self._calls = self._rows_unread = 0
        self._unread: list[Unread] = []

    def add(self, one: Attribution) -> None:
        """Count one."""
        self._counts[one.layer, one.by, one.judgement, one.standing] += 1
        self._findings += one.is_finding
        self._unjudged += one.standing == "unjudged"
        self._runs += one.runs
        self._calls += one.model_calls

    def pass_over(self, row: Unread) -> None:
        """Count a row that is no exchange."""
        self._rows_unread += 1
        if len(self._unread) < MOST_UNREAD:
            self._unread.append(row)

    @property
    def summary(self) -> Summary:
        """The counts so far."""
        groups = sorted(
            (Group(*key, count) for key, count in self._counts.items()),
            key=lambda group: (-group.exchanges, group.layer or "", group.by, group.judgement),
        )
        return Summary(
            self._counts.total(),
            tuple(groups),
            self._findings,
            self._unjudged,
            tuple(self._unread),
            self._runs,
            self._calls,
            self._rows_unread,
        )


# --- back from plain data


def attribution_from(given: Mapping[str, Any]) -> Attribution:
    """The attribution that `as_dict` wrote.

    Raises:
        KeyError, TypeError, ValueError: It did not write this.
    """
    effects = tuple(
        Effect(
            **{
                **_fields(Effect, one),
                "without": tuple(one["without"]),
                "intact": _share(one["intact"]),
                "left": _share(one["left"]),
                "then": tuple(Ending(**ending) for ending in one["then"]),
            }
        )
        for one in given["effects"]
    )
    return Attribution(
        **{
            **_fields(Attribution, given),
            "odds": tuple((layer, float(chance)) for layer, chance in given["odds"].items()),
            "also": tuple(given["also"]),
            "intact": _share(given["intact"]),
            "effects": effects,
            "evidence": tuple(Evidence(**one) for one in given["evidence"]),
            "notes": tuple(given["notes"]),
        }
    )


def _fields(kind: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    return {each.name: given[each.name] for each in fields(kind)}


def _share(given: Mapping[str, Any]) -> Share:
    return Share(int(given["hits"]), int(given["of"]))
