"""What an attribution says: which layer made an exchange what it is, how surely, and on what
evidence. Plain data; no text of any exchange is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, NamedTuple

from guardkit._util.shares import Share
from guardkit.diagnostics import visible
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
        """The finding as one sentence. It holds names and numbers, and none of the text."""
        return _sentence(self)

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


# --- the finding in words

_LEAKED = {
    "shadow": "is in shadow",
    "exempted": "was exempted",
    "unknown": "could not tell and let it pass",
    "lifted": "was lifted by its own exception",
    "flagged": "only flags",
    "rewritten": "only rewrites",
}
_SURE = 0.995


def _sentence(made: Attribution) -> str:
    if made.standing == "none":
        return f"answered in {_of(made.intact)} runs: there is nothing to explain"
    if made.layer is None:
        return "could not be judged"
    if made.outcome == "failed":
        return f"could not be judged: no reply came ({visible(made.by)})"
    head = f"{made.outcome} {_whose(made)}"
    if made.standing == "undetermined":
        if made.layer == "model":
            return f"{head}: context or weights, that is not known"
        odds = ", ".join(f"{layer} {_percent(chance)}" for layer, chance in made.odds[:3])
        return f"not settled; likeliest {head} ({odds})"
    more = _proof(made)
    return f"{head}: {more}" if more else head


def _whose(made: Attribution) -> str:
    is_name = made.layer in ("input", "provider", "output") and made.by
    by = f" ({visible(made.by)})" if is_name else ""
    if made.outcome == "refused":
        return f"by the {made.layer}{by}"
    if made.layer in ("input", "output"):
        return f"because of the {made.layer} rules{by}"
    return f"because of the {made.layer}"


def _proof(made: Attribution) -> str:
    assert made.layer is not None
    if made.outcome == "answered":
        leak = next((one for one in made.evidence if _is_leak(one, made)), None)
        if leak is not None:
            return f"it {_LEAKED[leak.how]}, in {leak.decided} of {leak.of} runs"
    told = []
    if (effect := made.effect(made.layer)) is not None:
        said = "with other weights" if made.layer == "weights" else "without it"
        told.append(f"{said} {_left(effect, made.outcome)}")
    elif made.layer == "weights" and (effect := made.effect("context")) is not None:
        told.append(f"without the context {_left(effect, made.outcome)}")
    if made.also:
        told.append(f"{_listed(made.also)} would have done it too")
    return "; ".join(told)


def _is_leak(one: Evidence, made: Attribution) -> bool:
    return one.by == made.by and one.layer == made.layer and one.how in _LEAKED


def _left(effect: Effect, outcome: str) -> str:
    if effect.is_exact:
        still = "still" if effect.left.hits else "not"
        return f"the exchange is {still} {outcome}, and that is certain"
    low, high = round(100 * effect.low), round(100 * effect.high)
    return (
        f"{_of(effect.left)} were {outcome} (intact {_of(effect.intact)}; difference "
        f"{round(100 * effect.difference)} points, {low} to {high})"
    )


def _of(share: Share) -> str:
    return f"{share.hits} of {share.of}"


def _percent(chance: float) -> str:
    if chance > _SURE:
        return "100 %" if chance == 1 else "above 99 %"
    return f"{100 * chance:.0f} %"


def _listed(layers: Sequence[Layer]) -> str:
    return " and ".join(f"the {layer}" for layer in layers)
