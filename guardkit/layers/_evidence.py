"""What the records of a run show of who made it what it is. It costs no further run.

A verdict is the join of the actions of its rules, so what it would have been without one of them,
or with one in force, follows from its records: no chance is in that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from guardkit.plan import Plan
from guardkit.types import STRENGTH, Layer, Record, Surface

from ._attribution import Evidence, How
from ._lifted import lifted_by
from ._runs import Run

_STOPS: Final = STRENGTH["revise"]
_SILENCED: Final = "a check could not answer"
_SIDES: Final[Mapping[Layer, tuple[Surface, ...]]] = {
    "input": ("input", "retrieved", "tool_result"),
    "output": ("output", "tool_call"),
}
_LEAKS: Final[tuple[How, ...]] = (
    "shadow",
    "exempted",
    "unknown",
    "lifted",
    "flagged",
    "rewritten",
    "silent",
)
"""What explains an answer best, first: a rule that said yes and was kept from acting, one that
could not say, one that its own exception lifted, one that acted too weakly, one that saw nothing.
"""


class Blame(NamedTuple):
    """One who had a part in the outcome of a run."""

    layer: Layer
    by: str
    how: How
    is_decisive: bool
    """Whether the outcome would have been the opposite, had this one acted otherwise."""
    detail: str = ""


class Judged(NamedTuple):
    """The records of one text that was judged."""

    layer: Layer
    surfaces: tuple[Surface, ...]
    """Where it stood; all surfaces of the layer where the records do not say."""
    action: str
    rules: Mapping[str, Record]
    checks: Mapping[str, Record]

    @property
    def stopping(self) -> list[str]:
        """The rules that stop the text."""
        return [name for name, record in self.rules.items() if _stops(record.outcome)]


def _stops(outcome: str) -> bool:
    return STRENGTH.get(outcome, 0) >= _STOPS


def judged_texts(records: Iterable[Record]) -> Iterator[Judged]:
    """The texts of an exchange, in the order in which they were judged."""
    rules: dict[str, Record] = {}
    checks: dict[str, Record] = {}
    for record in records:
        if record.layer not in ("input", "output"):
            continue
        layer: Layer = "input" if record.layer == "input" else "output"
        kind, _, name = record.by.partition(" ")
        if kind == "rule":
            rules[name] = record
        elif kind == "check":
            checks[name] = record
        elif record.by == "policy":
            said = record.detail.removeprefix("on ")
            on = tuple(surface for surface in _SIDES[layer] if surface == (said or layer))
            yield Judged(layer, on or _SIDES[layer], record.outcome, rules, checks)
            rules, checks = {}, {}


def blames(run: Run, plan: Plan) -> tuple[Blame, ...]:
    """Who had a part in the outcome of a run, the first of them the one who made it so.

    Of an answer these are the rules that ought to have stopped it: ask only where it was wrong.
    """
    if run.outcome == "failed":
        return (Blame("transport", run.by, "failed", True),)
    if run.outcome == "refused":
        if run.layer in ("input", "output"):
            return tuple(_stopped(run, run.layer, plan))
        how: How = "stopped" if run.layer == "provider" else "refused"
        return (Blame(run.layer or "model", run.by, how, True),)
    found = [blame for text in judged_texts(run.records) for blame in _let(text, plan)]
    # Of two that are alike the later layer counts: it was the last that could have stopped it.
    found.sort(key=lambda one: (not one.is_decisive, _LEAKS.index(one.how), one.layer != "output"))
    return tuple(dict.fromkeys(found))


def _stopped(run: Run, layer: Layer, plan: Plan) -> Iterator[Blame]:
    texts = [text for text in judged_texts(run.records) if text.layer == layer]
    ending = next((text for text in texts if _stops(text.action)), None)
    rules = ending.stopping if ending is not None else []
    first = run.by.removeprefix("rule ")
    if ending is None or first not in rules:
        # A session that was closed, a part that nobody can read, a rewriting into a refusal.
        yield Blame(layer, run.by, "stopped", True)
        return
    for name in sorted(rules, key=lambda name: name != first):
        record = ending.rules[name]
        is_mute = record.detail == _SILENCED
        detail = _mute(ending, plan.rule(name).asks) if is_mute else _speaking(ending)
        how: How = "unknown" if is_mute else "stopped"
        yield Blame(layer, f"rule {name}", how, len(rules) == 1, detail)


def _speaking(text: Judged) -> str:
    """The check that said yes, where only one did."""
    said = sorted(name for name, record in text.checks.items() if record.outcome == "yes")
    return f"check {said[0]}" if len(said) == 1 else ""


def _let(text: Judged, plan: Plan) -> Iterator[Blame]:
    """The rules that let a text pass which is part of a wrong answer."""
    about = set(plan.model.refuses)
    weak = {tier.name for tier in plan.tiers if not any(_stops(action) for action in tier.may)}
    for row in plan.rules:
        if row.tier in weak or not set(text.surfaces).intersection(row.surfaces):
            continue
        record = text.rules.get(row.name)
        # A rule that acts without stopping is the cause only where it knows the topic: a masked
        # address says nothing of what was answered around it.
        is_about = bool(about.intersection(row.asks))
        by, stops = f"rule {row.name}", _stops(row.action.verb)
        if record is None:
            said = lifted_by(plan, row.name, text.surfaces, text.checks) if stops else None
            if said is not None:
                yield Blame(text.layer, by, "lifted", True, f"check {said}")
            elif stops and about.intersection(row.asks):
                yield Blame(text.layer, by, "silent", False)
            continue
        standing, _, wanted = record.outcome.rpartition(": ")
        if record.detail == _SILENCED and not _stops(wanted):
            yield Blame(text.layer, by, "unknown", stops, _mute(text, row.asks))
        elif standing in ("shadow", "exempted", "silent"):
            how: How = "exempted" if standing == "exempted" else "shadow"
            yield Blame(text.layer, by, how, _stops(wanted), f"would {wanted}")
        elif wanted in ("flag", "rewrite"):
            yield Blame(text.layer, by, "flagged" if wanted == "flag" else "rewritten", is_about)


def _mute(text: Judged, asks: Sequence[str]) -> str:
    """The check that could not answer, and why."""
    for name in asks:
        record = text.checks.get(name)
        if record is not None and record.outcome == "unknown":
            return f"check {name} {record.detail}".rstrip()
    return ""


# --- over many runs


def gathered(made: Sequence[tuple[Blame, ...]]) -> tuple[Evidence, ...]:
    """The evidence of runs with one outcome, what decided most often first."""
    seen, decided = Counter[tuple[Layer, str, How]](), Counter[tuple[Layer, str, How]]()
    details: dict[tuple[Layer, str, How], str] = {}
    rank: dict[tuple[Layer, str, How], int] = {}
    for run in made:
        for place, one in enumerate(run):
            key = one.layer, one.by, one.how
            if key not in details:
                details[key], rank[key] = one.detail, place
            seen[key] += 1
            decided[key] += one.is_decisive
    ordered = sorted(seen, key=lambda key: (-decided[key], -seen[key], rank[key], key))
    return tuple(
        Evidence(*key, seen[key], len(made), decided[key], details[key]) for key in ordered
    )
