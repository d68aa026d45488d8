"""What a guard says of labelled texts: numbers by text and subject. No text is kept."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from itertools import islice
from math import inf, nan
from secrets import token_hex
from typing import Final, Literal, NamedTuple

from guardkit.errors import UsageError
from guardkit.guard import Guard
from guardkit.plan import Plan
from guardkit.runtime import Measured
from guardkit.types import STRENGTH, Action, Surface, Verdict

from ._cases import Case

Kind = Literal["policy", "rule", "check"]
Answers = Literal["answer", "score", "number", "label"]

AT_ONCE: Final = 4
"""Texts that are judged at a time: enough to keep the models busy, few enough for none to wait."""
_WINDOW: Final = 512
"""Texts that are read ahead."""
_MOST_UNJUDGED: Final = 20
_MOST_VAIN: Final = 20
"""So often in a row asking again may be in vain, before it is given up."""
UNKNOWN: Final = nan
NOT_ASKED: Final = -inf
"""There is no such rule or check on the surface of the text."""


class Unjudged(NamedTuple):
    """A text that could not be judged at all."""

    id: str
    why: str


class Column:
    """What one subject said, text by text: 1 or 0, a score, or the number of a label."""

    __slots__ = ("answers", "kind", "labels", "mode", "name", "values")

    def __init__(self, kind: Kind, name: str, answers: Answers, mode: str = "") -> None:
        self.kind = kind
        self.name = name
        self.answers = answers
        self.mode = mode
        """Of a rule: `enforce` or `shadow`."""
        self.values = array("d")
        self.labels: dict[str, int] = {}

    def add(self, value: bool | float | str | None) -> None:
        """The answer to the next text."""
        if isinstance(value, str):
            value = self.labels.setdefault(value, len(self.labels))
        self.values.append(UNKNOWN if value is None else float(value))


class Names:
    """Names by number, in the order in which they came."""

    __slots__ = ("numbers", "values")

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.values = array("I")

    def add(self, name: str) -> None:
        """The name of the next text."""
        self.values.append(self.numbers.setdefault(name, len(self.numbers)))


class Table:
    """What was said of every text, as numbers.

    Args:
        plan: The policy.
        weakest: The weakest action that counts as stopping a text.
    """

    def __init__(self, plan: Plan, weakest: Action) -> None:
        self.weakest = STRENGTH[weakest]
        self.harmful = bytearray()
        self.sources, self.groups, self.categories = Names(), Names(), Names()
        self.ids: list[str] = []
        self.actions: Counter[tuple[Action, bool]] = Counter()
        self.surfaces: Counter[Surface] = Counter()
        self.unjudged: list[Unjudged] = []
        self.unjudged_count = 0
        self.undecided = 0
        rules = [row for row in plan.rules if row.mode != "retired"]
        self._surfaces = {row.name: frozenset(row.surfaces) for row in rules}
        self._acts = any(row.mode == "enforce" for row in rules)
        self.policy = Column("policy", plan.policy, "answer")
        self.rules = {row.name: Column("rule", row.name, "answer", row.mode) for row in rules}
        self.checks = {
            row.name: Column("check", row.name, row.answers)
            for row in plan.checks
            if row.answers in ("answer", "score", "number", "label")
        }

    def __len__(self) -> int:
        return len(self.harmful)

    def add(self, case: Case, measured: Measured | str) -> None:
        """What came of the next text: answers, or why there are none."""
        if isinstance(measured, str):
            self.unjudged_count += 1
            if len(self.unjudged) < _MOST_UNJUDGED:
                self.unjudged.append(Unjudged(case.id, measured))
            return
        verdict, answers = measured
        self.harmful.append(case.is_harmful)
        self.ids.append(case.id)
        self.sources.add(case.source)
        self.groups.add(case.group)
        self.categories.add(case.category)
        self.actions[verdict.action, case.is_harmful] += 1
        self.surfaces[case.on] += 1
        self.undecided += bool(verdict.undecided)
        # A text on a surface that no rule is on passes: where it is harmful, it is missed.
        self.policy.add(self._stopped(verdict) if self._acts else NOT_ASKED)
        fired = {*verdict.fired, *verdict.shadow, *verdict.exempted}
        for name, column in self.rules.items():
            if case.on not in self._surfaces[name]:
                column.add(NOT_ASKED)
            elif name in verdict.undecided:
                column.add(None)
            else:
                column.add(name in fired)
        for name, column in self.checks.items():
            column.add(answers.get(name, NOT_ASKED))

    def _stopped(self, verdict: Verdict) -> bool | None:
        """Whether a verdict stops a text; unknown where `on_error` and nothing else did."""
        if not verdict.undecided:
            return STRENGTH[verdict.action] >= self.weakest
        if not verdict.records:
            return None
        decided = {f"rule {name}" for name in verdict.fired if name not in verdict.undecided}
        wanted = [record.outcome for record in verdict.records if record.by in decided]
        is_stopped = any(STRENGTH.get(outcome, 0) >= self.weakest for outcome in wanted)
        return True if is_stopped else None


def answered(
    guard: Guard,
    cases: Iterable[Case],
    weakest: Action,
    context: Mapping[str, object],
    told: Callable[[int], None] | None,
    at_once: int,
) -> Table:
    """Ask a guard about every text.

    Args:
        guard: The guard.
        cases: The texts; they are taken a few hundred at a time.
        weakest: The weakest action that counts as stopping a text.
        context: Facts of every text that does not say otherwise.
        told: Called with the number of texts judged so far.
        at_once: How many are judged at a time.
    """
    import anyio

    table = Table(guard.plan, weakest)
    run, calling = token_hex(8), guard.bound.calling
    sessions: set[str] = set()
    done = 0

    def session_of(case: Case) -> str | None:
        if case.session is None:
            return None
        # Sessions of this run: what the guard was asked before has no part in them.
        sessions.add(f"eval {run} {case.session}")
        return f"eval {run} {case.session}"

    async def judged(case: Case) -> Measured | str:
        facts = {**context, **(case.context or {})}
        try:
            return await guard.ameasure(
                case.text,
                on=case.on,
                context=facts or None,
                session=session_of(case),
                tool=case.tool,
                sources=case.sources,
            )
        except UsageError as error:
            return str(error)

    async def one(case: Case) -> Measured | str:
        nonlocal done
        measured = await judged(case)
        done += 1
        if told is not None:
            told(done)
        return measured

    vain = 0

    async def settled(case: Case, measured: Measured | str) -> Measured | str:
        """Asked once more, by itself, where a call had no answer: it may have had to wait."""
        nonlocal vain
        if isinstance(measured, str) or case.session is not None or vain >= _MOST_VAIN:
            return measured
        if not any(measured.answers.get(name, 0) is None for name in calling):
            return measured
        again = await judged(case)
        is_better = not isinstance(again, str) and None not in again.answers.values()
        vain = 0 if is_better else vain + 1
        return again

    async def every() -> None:
        given = iter(cases)
        while window := list(islice(given, _WINDOW)):
            for case, measured in zip(window, await _window(window, one, at_once), strict=True):
                table.add(case, await settled(case, measured))

    anyio.run(every)
    for session in sessions:
        guard.forget(session)
    return table


async def _window(
    window: list[Case], one: Callable[[Case], Awaitable[Measured | str]], at_once: int
) -> list[Measured | str]:
    """What comes of some texts. Those of sessions are judged in their order, one by one."""
    import anyio

    found: list[Measured | str] = [""] * len(window)
    alone = iter([at for at, case in enumerate(window) if case.session is None])
    in_turn = iter([at for at, case in enumerate(window) if case.session is not None])

    async def work(places: Iterator[int]) -> None:
        for at in places:
            found[at] = await one(window[at])

    async with anyio.create_task_group() as group:
        group.start_soon(work, in_turn)
        for _ in range(at_once):
            group.start_soon(work, alone)
    return found
