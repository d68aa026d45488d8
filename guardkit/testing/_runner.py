"""Runs the `test` blocks of a policy on the engine.

A check that this machine cannot bind gets its answer from the test. A test passes or fails only if
it does so whatever the other unbound checks say: it is played once for each of their answers that
makes a difference. Anything else is undecided.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from itertools import count, pairwise
from pathlib import Path
from typing import Literal

from guardkit.catalog import Catalog
from guardkit.diagnostics import Place
from guardkit.guard import CATALOG, Guard
from guardkit.runtime import Event, Explanation, Given
from guardkit.semantics import (
    Act,
    CheckedPolicy,
    Compared,
    Cond,
    Expected,
    GivenAnswer,
    GivenContext,
    Happened,
    Labelled,
    TestCase,
    atoms_of,
    check_of,
    positive_checks,
)
from guardkit.types import ACTIONS, Action, Verdict

from ._stage import Stage, conditions_of
from ._stage import stage as make_stage

Status = Literal["passed", "failed", "undecided"]

MOST_PLAYS = 2_000
"""How often one test is played, at most, to see whether an unknown matters."""

Watch = Callable[[Event, Explanation], None]

_Key = tuple[int, str]
"""The number of an event and the name of a check that was not answered for it."""
_Picks = Mapping[_Key, Given]


@dataclass(frozen=True, slots=True)
class Miss:
    """An expectation and what came instead."""

    expected: Expected
    event: Place | None
    action: Action
    fired: tuple[tuple[str, Action], ...]
    """The rules in force that fired, and what each of them wanted."""
    exempted: tuple[str, ...]
    shadow: tuple[str, ...]
    text: str
    given: tuple[tuple[str, str], ...]
    """The answers the test gave, as a policy writes them."""
    thresholds: tuple[tuple[str, float], ...] = ()
    """Where a given score is compared at a rate: `CHECK at fpr 1%`, and the score it stands for."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What came of one test."""

    name: str
    status: Status
    place: Place | None
    miss: Miss | None = None
    unanswered: tuple[str, ...] = ()
    """Checks that are not bound here and decide this test."""
    placeless: tuple[str, ...] = ()
    """Checks said to find something, nobody knows where: they decide what the text becomes."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One event with what is known about it, and what is expected of it."""

    event: Event
    answers: Mapping[str, Given]
    failing: frozenset[str]
    """Checks that the test lets fail: their silence is meant."""
    placeless: frozenset[str]
    """Checks given as yes, nobody knows where in the text."""
    given: tuple[tuple[str, str], ...]
    place: Place | None
    expected: tuple[Expected, ...] = ()


@dataclass(frozen=True, slots=True)
class _Play:
    """One run through a test: the first miss, and every check whose answer was missing.

    `vague` holds checks that would have to say where in the text they found something, for a
    test that is met so far.
    """

    miss: Miss | None
    open: tuple[_Key, ...]
    vague: tuple[str, ...]


def run_tests(
    policy: CheckedPolicy,
    read: Callable[[str], bytes],
    *,
    today: date | None = None,
    wanted: Callable[[TestCase], bool] = lambda case: True,
    catalog: Catalog = CATALOG,
    checks: Mapping[str, object] | None = None,
    folder: Callable[[str], Path] | None = None,
    stage: Stage | None = None,
    watch: Watch | None = None,
) -> Iterator[CaseResult]:
    """Run the tests of a policy in the order of its file.

    Args:
        policy: A checked policy.
        read: Gives the bytes of a data file by the name the policy's checks have for it.
        today: The day against which exemptions end.
        wanted: Which tests to run.
        catalog: The check kinds.
        checks: The program's own objects, by check name.
        folder: Gives the folders of the policy, where models lie, by the same kind of name.
        stage: The policy already bound, by `stage`; it makes what stands above needless.
        watch: Is told of every event of every test and why its verdict is what it is; not of what
            is only tried. `Coverage.see` is made for this.
    """
    cases = [case for case in policy.tests if wanted(case)]
    if not cases:
        return
    bound = stage or make_stage(
        policy, read, today=today, catalog=catalog, checks=checks, folder=folder
    )
    runner = _Runner(policy, bound.guard, watch)
    for case in cases:
        yield runner.run(case)


@dataclass
class _Runner:
    policy: CheckedPolicy
    guard: Guard
    watch: Watch | None = None
    plays: int = field(default=0, init=False)
    sessions: Iterator[int] = field(default_factory=count, init=False)

    def run(self, case: TestCase) -> CaseResult:
        steps = self._script(case)
        first = self._play(steps, {})
        self.plays = 0
        missed: list[Miss | None] = []
        vague: set[str] = set()
        for play in self._every(steps, first, {}):
            is_new = missed and (play is None or (play.miss is None) != (missed[0] is None))
            if play is None or is_new or (play.vague and play.miss is None):
                vague |= set(play.vague if play else ())
                unanswered = {name for _, name in first.open}
                return CaseResult(
                    case.name,
                    "undecided",
                    case.place,
                    first.miss,
                    tuple(sorted(unanswered)),
                    tuple(sorted(vague - unanswered)),
                )
            missed.append(play.miss)
        if missed[0] is None:
            return CaseResult(case.name, "passed", case.place)
        return CaseResult(case.name, "failed", case.place, first.miss or missed[0])

    def _every(self, steps: list[_Step], play: _Play, picks: _Picks) -> Iterator[_Play | None]:
        """Every way the missing answers could have turned out; None when there are too many."""
        if not play.open:
            yield play
            return
        key = play.open[0]
        for answer in self._candidates(key[1]):
            self.plays += 1
            if self.plays > MOST_PLAYS:
                yield None
                return
            more = {**picks, key: answer}
            yield from self._every(steps, self._play(steps, more), more)

    def _candidates(self, name: str) -> list[Given]:
        """Answers of which one stands for every possible one, places apart."""
        check = self.policy.check(name)
        if check.answers == "answer":
            return [Given(False), Given(True)]
        if check.answers == "label":
            return [Given(label) for label in sorted({*check.labels, *self._labels_of(name)})]
        return [Given(value) for value in self._values_of(name, is_score=check.answers == "score")]

    def _values_of(self, name: str, *, is_score: bool) -> list[float]:
        """Every bound that a check is compared with, and a value between each two."""
        bounds = {atom.bound for atom in self._compared if atom.check == name}
        if is_score:
            points = sorted({0.0, 0.5, 1.0, *bounds})
        else:
            points = sorted({0.0, *bounds, max(bounds, default=0.0) + 1})
        return sorted({*points, *((a + b) / 2 for a, b in pairwise(points))})

    def _labels_of(self, name: str) -> set[str]:
        named = {
            label
            for condition in self._conditions
            for atom in atoms_of(condition)
            if isinstance(atom, Labelled) and atom.check == name
            for label in atom.labels
        }
        return named if self.policy.check(name).labels else {*named, "".join(sorted(named)) + "_"}

    @cached_property
    def _conditions(self) -> list[Cond]:
        return list(conditions_of(self.policy))

    @cached_property
    def _compared(self) -> list[Compared]:
        atoms = [atom for condition in self._conditions for atom in atoms_of(condition)]
        return [atom for atom in atoms if isinstance(atom, Compared)]

    # --- from a test to events

    def _script(self, case: TestCase) -> list[_Step]:
        steps: list[_Step] = []
        given: dict[str, GivenAnswer] = {}
        context: dict[str, object] = {}
        for step in case.steps:
            match step:
                case GivenAnswer(subject):
                    given[subject] = step
                case GivenContext(path, value):
                    context = _with_field(context, path, value)
                case Happened():
                    steps.append(self._step(step, dict(given), context))
                case Expected():
                    steps[-1] = replace(steps[-1], expected=(*steps[-1].expected, step))
        return steps

    def _step(
        self, happened: Happened, given: dict[str, GivenAnswer], context: dict[str, object]
    ) -> _Step:
        arguments = None if happened.arguments is None else json.loads(happened.arguments)
        event = Event(happened.surface, happened.text, happened.tool, arguments, dict(context))
        answers: dict[str, Given] = {}
        placeless: set[str] = set()
        for name, step in given.items():
            if isinstance(step.value, tuple):
                continue  # no check answers with a list
            answers[name] = Given(step.value)
            if step.value is True and self.policy.check(name).spans:
                # Where it really finds something, that is where.
                found = self.guard.found(name, event)
                answers[name] = Given(True, found)
                if not found:
                    placeless.add(name)
        return _Step(
            event,
            answers,
            frozenset(name for name, step in given.items() if step.value is None),
            frozenset(placeless),
            (*((name, _written(step.value)) for name, step in given.items()), *_facts(context)),
            happened.place,
        )

    # --- playing it

    def _play(self, steps: list[_Step], picks: _Picks) -> _Play:
        session = f"play {next(self.sessions)}"
        missed: Miss | None = None
        open: list[_Key] = []
        vague: list[str] = []
        for number, step in enumerate(steps):
            chosen = {name: answer for (at, name), answer in picks.items() if at == number}
            event = replace(step.event, session=session, given={**step.answers, **chosen})
            verdict = self._judged(event, is_real=not picks)
            if verdict.hold is not None:
                # Nobody will approve it, and a queue that filled up would block.
                self.guard.holds.deny(verdict.hold, "a test")
            open += [
                (number, name)
                for name in sorted(self._missed(verdict))
                if name not in step.failing and name not in event.given
            ]
            placeless = sorted(self._placing(verdict) & {*chosen, *step.placeless})
            for expected in step.expected:
                if missed is not None:
                    continue
                if expected.becomes is not None and placeless:
                    is_met = _meets(replace(expected, becomes=None), verdict, event)
                    vague += placeless if is_met else []
                else:
                    is_met = _meets(expected, verdict, event)
                if not is_met:
                    missed = Miss(
                        expected,
                        step.place,
                        verdict.action,
                        _wishes(verdict),
                        verdict.exempted,
                        verdict.shadow,
                        verdict.text,
                        step.given,
                        self._thresholds_of(step),
                    )
        self.guard.forget(session)
        return _Play(missed, tuple(open), tuple(vague))

    def _thresholds_of(self, step: _Step) -> tuple[tuple[str, float], ...]:
        known = sorted(self.guard.bound.thresholds.items())
        return tuple(
            (f"{name} at {measure} {rate * 100:g}%", score)
            for (name, measure, rate), score in known
            if name in step.answers and name not in step.failing
        )

    def _judged(self, event: Event, *, is_real: bool) -> Verdict:
        if self.watch is None or not is_real:
            return self.guard.judge(event)
        told = self.guard.told(event)
        self.watch(event, told)
        return told.verdict

    def _missed(self, verdict: Verdict) -> set[str]:
        """The unbound checks whose answers could make a difference to a verdict.

        A rule that was decided without an answer would be decided so with any.
        """
        conditions = [self.policy.rule(name).condition for name in verdict.undecided]
        conditions += [
            event.where
            for sequence in self.policy.sequences
            for event in (sequence.first, sequence.then)
            if event.where is not None and event.on.surface == verdict.surface
        ]
        asked = {check_of(atom) for condition in conditions for atom in atoms_of(condition)}
        return {name for name in asked if name in self.guard.lacking}

    def _placing(self, verdict: Verdict) -> set[str]:
        """The checks whose matches a rule that fired shows or wants replaced."""
        rules = [self.policy.rule(name) for name in verdict.fired]
        names = {
            name
            for rule in rules
            if _uses_matches(rule.action)
            for name in positive_checks(rule.condition)
        }
        return {name for name in names if self.policy.check(name).spans}


def _uses_matches(act: Act) -> bool:
    if act.otherwise is not None and _uses_matches(act.otherwise):
        return True
    return (act.verb == "rewrite" and not act.whole) or "{label}" in (act.text or "")


def _meets(expected: Expected, verdict: Verdict, event: Event) -> bool:
    if verdict.action != expected.action:
        return False
    wishes = dict(_wishes(verdict))
    if any(wishes.get(name) != expected.action for name in expected.by):
        return False
    if expected.becomes is None:
        return True
    if event.surface == "tool_call" and verdict.action == "rewrite":
        return _changed(event.arguments, verdict.arguments) == [expected.becomes]
    return verdict.text == expected.becomes


def _wishes(verdict: Verdict) -> tuple[tuple[str, Action], ...]:
    """Each rule that fired with the strongest it wanted; a closed session asks none."""
    said = {record.by: record.outcome for record in verdict.records}
    wanted = {name: said.get(f"rule {name}", verdict.action) for name in verdict.fired}
    return tuple((name, action) for name, action in wanted.items() if action in ACTIONS)


def _changed(before: object, after: object) -> list[object]:
    """The values that rewriting changed, in the order of the arguments."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return [v for name in before for v in _changed(before[name], after.get(name))]
    if isinstance(before, Sequence) and isinstance(after, list):
        return [v for old, new in zip(before, after, strict=True) for v in _changed(old, new)]
    return [] if before == after else [after]


def _with_field(
    context: Mapping[str, object], path: tuple[str, ...], value: object
) -> dict[str, object]:
    inner = context.get(path[0])
    if len(path) == 1:
        return {**context, path[0]: list(value) if isinstance(value, tuple) else value}
    below = inner if isinstance(inner, dict) else {}
    return {**context, path[0]: _with_field(below, path[1:], value)}


def _facts(context: Mapping[str, object], before: str = "context") -> Iterator[tuple[str, str]]:
    for name, value in context.items():
        if isinstance(value, dict):
            yield from _facts(value, f"{before}.{name}")
        else:
            yield f"{before}.{name}", _written(value)


def _written(value: object) -> str:
    """A value as a policy writes it; None is a check that fails."""
    match value:
        case None:
            return "fails"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case list() | tuple():
            return f"[{', '.join(_written(item) for item in value)}]"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)
