"""What the tests of a policy have seen: which rules fired, stayed silent or met an unknown, which
steps, members, exemptions, sequences and windows ever decided anything.

It rests on the engine's own answers to the events of the tests, as they were judged. A check that
was not asked has said nothing. Where a test is played several times, to try what a check that
cannot run here might say, only what really happened counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

from guardkit._util.shares import Share
from guardkit.diagnostics import Place
from guardkit.runtime import Event, Explanation, Memory
from guardkit.semantics import (
    AtLeast,
    CascadeCond,
    Cond,
    Rule,
    SequenceSeen,
    WindowCount,
    atoms_of,
    check_of,
    members_of,
)
from guardkit.types import Truth

from . import _reference
from ._stage import Stage

Kind = Literal["rule", "step", "member", "exemption", "sequence", "window"]
KINDS: Final[tuple[Kind, ...]] = ("rule", "step", "member", "exemption", "sequence", "window")

_FIRED: Final = "fired"
_SILENT: Final = "stayed silent"
_UNKNOWN: Final = "met an unknown"


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that may come of a part of a policy, and how often the tests saw it."""

    kind: Kind
    name: str
    """The rule, sequence or window; of steps and members the rule that they are part of."""
    part: str
    """Which step or member, as the policy writes it; of an exemption its end."""
    what: str
    """What may come of it: `fired`, `decided`, `said yes` …"""
    place: Place | None = field(default=None, compare=False, repr=False)
    times: int = field(default=0, compare=False)
    counts: bool = True
    """Whether it has to be seen. No check of some rules can fail, and no test need pretend so."""

    @property
    def title(self) -> str:
        """The outcome in a few words, for people: what was, or was never, seen."""
        part = f" `{self.part}` of" if self.part and self.kind != "exemption" else ""
        return f"{self.kind}{part} {self.name}"


@dataclass(frozen=True, slots=True)
class Covered:
    """What the tests of one policy saw."""

    outcomes: tuple[Seen, ...]

    @property
    def rules(self) -> Share:
        """Of the outcomes of all rules in force or in shadow, those that were seen."""
        return self.of("rule")

    def of(self, kind: Kind) -> Share:
        """Of the outcomes of one kind that have to be seen, those that were."""
        meant = [one for one in self.outcomes if one.kind == kind and one.counts]
        return Share(sum(one.times > 0 for one in meant), len(meant))

    @property
    def missing(self) -> tuple[Seen, ...]:
        """What has to be seen and never was, by kind, then as the policy is written."""
        never = [one for one in self.outcomes if one.counts and not one.times]
        return tuple(sorted(never, key=lambda one: (KINDS.index(one.kind), _place(one))))


def _place(one: Seen) -> tuple[str, int]:
    return ("", 0) if one.place is None else (one.place.source.path, one.place.span.start)


class Coverage:
    """Watches the tests of a policy: give its `see` to `run_tests` as `watch`.

    Args:
        bound: The policy, bound for its tests.
        today: The day against which exemptions end.
    """

    def __init__(self, bound: Stage, *, today: date | None = None) -> None:
        policy = bound.policy
        self._policy = policy
        self._today = today or date.today()
        self._rules = [rule for rule in policy.rules if rule.mode != "retired"]
        self._meaning = _Meaning(policy, self._today, thresholds=bound.guard.bound.thresholds)
        self._calling = bound.guard.bound.calling
        self._seen: dict[tuple[object, ...], int] = {}

    def see(self, event: Event, told: Explanation) -> None:
        """Note what the judgement of one event has shown."""
        memory = told.memory
        if memory is None:
            return  # a closed session has one answer, and no rule was asked
        for rule in self._rules:
            is_later = rule.judges("conversation")
            if not is_later and not rule.judges(event.surface, event.tool):
                continue
            answers = {} if is_later else told.answers
            moment = self._meaning.at(event, answers, memory)
            self._see_rule(rule, told, moment)
        for name in memory.begun:
            self._note("sequence", name, "began")
        for name, truth in memory.completed.items():
            if truth is Truth.YES:
                self._note("sequence", name, "completed")

    def _see_rule(self, rule: Rule, told: Explanation, moment: _Moment) -> None:
        verdict = told.verdict
        truth = moment.truth(rule.condition)
        acted = rule.name in (*verdict.fired, *verdict.exempted, *verdict.shadow)
        if truth is Truth.YES or (acted and rule.name not in verdict.undecided):
            self._note("rule", rule.name, _FIRED)
        elif rule.name in verdict.undecided:
            self._note("rule", rule.name, _UNKNOWN)
        else:
            self._note("rule", rule.name, _SILENT)
        for at, granted in enumerate(self._policy.exemptions):
            if granted.rule == rule.name and truth is not Truth.NO:
                is_on = granted.condition is None or moment.truth(granted.condition) is Truth.YES
                if is_on and self._today.isoformat() <= granted.until:
                    self._note("exemption", at)
        for at, condition in enumerate(_all_of(rule.condition)):
            if isinstance(condition, CascadeCond):
                self._see_cascade(rule, at, condition, moment)
            elif isinstance(condition, AtLeast):
                for number, member in enumerate(condition.members):
                    said = moment.truth(member)
                    if said is not Truth.UNKNOWN:
                        self._note("member", rule.name, at, number, said)
            elif isinstance(condition, WindowCount) and moment.truth(condition) is Truth.YES:
                self._note("window", condition.window)

    def _see_cascade(self, rule: Rule, at: int, cascade: CascadeCond, moment: _Moment) -> None:
        """A step decides where it holds and none before it does."""
        for number, step in enumerate(cascade.steps):
            said = moment.truth(step.condition)
            if said is not Truth.NO:
                if said is Truth.YES:
                    self._note("step", rule.name, at, number)
                return
        self._note("step", rule.name, at, len(cascade.steps))

    def _note(self, *key: object) -> None:
        self._seen[key] = self._seen.get(key, 0) + 1

    # --- what there is to be seen

    def covered(self) -> Covered:
        """What was seen so far, and what was not."""
        return Covered(tuple(self._outcomes()))

    def _times(self, *key: object) -> int:
        return self._seen.get(key, 0)

    def _outcomes(self) -> Iterator[Seen]:
        for rule in self._rules:
            may_fail = any(check_of(atom) in self._calling for atom in atoms_of(rule.condition))
            place = rule.name_place or rule.place
            for what in (_FIRED, _SILENT, _UNKNOWN):
                seen = self._times("rule", rule.name, what)
                counts = what != _UNKNOWN or may_fail
                yield Seen("rule", rule.name, "", what, place, seen, counts)
        for rule in self._rules:
            for at, condition in enumerate(_all_of(rule.condition)):
                if isinstance(condition, CascadeCond):
                    yield from self._steps(rule, at, condition)
                elif isinstance(condition, AtLeast):
                    yield from self._members(rule, at, condition)
        for at, granted in enumerate(self._policy.exemptions):
            if self._today.isoformat() <= granted.until:
                part = f"until {granted.until}"
                seen = self._times("exemption", at)
                yield Seen("exemption", granted.rule, part, "taken", granted.place, seen)
        asked = [atom for rule in self._rules for atom in atoms_of(rule.condition)]
        sequences = {atom.sequence for atom in asked if isinstance(atom, SequenceSeen)}
        windows = {atom.window for atom in asked if isinstance(atom, WindowCount)}
        for sequence in self._policy.sequences:
            for what in ("began", "completed"):
                if sequence.name in sequences:
                    seen = self._times("sequence", sequence.name, what)
                    yield Seen("sequence", sequence.name, "", what, sequence.place, seen)
        for window in self._policy.windows:
            if window.name in windows:
                seen = self._times("window", window.name)
                yield Seen("window", window.name, "", "reached its bound", window.place, seen)

    def _steps(self, rule: Rule, at: int, cascade: CascadeCond) -> Iterator[Seen]:
        for number, step in enumerate(cascade.steps):
            word = "yes" if step.answer else "no"
            part = _written(step.place) or f"{word} if …"
            seen = self._times("step", rule.name, at, number)
            yield Seen("step", rule.name, part, "decided", step.place, seen)
        part = f"else {'yes' if cascade.otherwise else 'no'}"
        seen = self._times("step", rule.name, at, len(cascade.steps))
        yield Seen("step", rule.name, part, "decided", cascade.place, seen)

    def _members(self, rule: Rule, at: int, quorum: AtLeast) -> Iterator[Seen]:
        for number, member in enumerate(quorum.members):
            place = getattr(member, "place", None)
            part = _written(place) or f"member {number + 1}"
            for said, what in ((Truth.YES, "said yes"), (Truth.NO, "said no")):
                seen = self._times("member", rule.name, at, number, said)
                yield Seen("member", rule.name, part, what, place, seen)


def _all_of(condition: Cond) -> Iterator[Cond]:
    """A condition and all that it is made of, in reading order."""
    yield condition
    for member in members_of(condition):
        yield from _all_of(member)


def _written(place: Place | None) -> str:
    """What a policy says at a place, in one line."""
    return "" if place is None else " ".join(place.text.split())


class _Meaning(_reference.Reference):
    """What a condition means, as the reference says, given what the engine asked and remembers."""

    _memory: Memory

    def at(
        self, event: Event, answers: Mapping[str, bool | float | str | None], memory: Memory
    ) -> _Moment:
        """The moment of one event."""
        said = {name: _reference.Answer(value) for name, value in answers.items()}
        seen = _reference.Event(
            event.surface, event.text, event.tool, event.arguments, said, event.context
        )
        return _Moment(self, seen, memory)

    def settle_as(self, condition: Cond, event: _reference.Event, memory: Memory) -> Truth:
        """What a condition came to."""
        self._memory = memory
        return self._truth(condition, event, _reference._Session())

    def _count(self, name: str, state: _reference._Session) -> int:
        return self._memory.counts.get(name, 0)

    def _sequence(self, name: str, event: _reference.Event, state: _reference._Session) -> Truth:
        return self._memory.completed.get(name, Truth.NO)


@dataclass(frozen=True, slots=True)
class _Moment:
    """One event and what was said about it."""

    meaning: _Meaning
    event: _reference.Event
    memory: Memory

    def truth(self, condition: Cond) -> Truth:
        return self.meaning.settle_as(condition, self.event, self.memory)
