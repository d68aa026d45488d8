"""What two policies make of recorded traffic: counted, with a few examples of everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

from guardkit.guard import BrokenRow, Case, Guard, Replayed, cases_of, replay
from guardkit.types import STRENGTH, Action, Surface, Verdict

from ._moving_line import MovingLine
from ._screen import Screen

MOST_CHARS = 400
"""How much of a text is kept to be shown."""
K = TypeVar("K")


class Example(NamedTuple):
    """One text of many, by its id or its line; the text itself only where it was asked for."""

    id: str
    text: str | None = None


@dataclass(slots=True)
class Counted:
    """How many, and the first few of them."""

    most: int
    texts: int = 0
    examples: list[Example] = field(default_factory=list)

    def add(self, example: Example) -> None:
        """One more."""
        self.texts += 1
        if len(self.examples) < self.most:
            self.examples.append(example)

    @property
    def more(self) -> int:
        """How many are no examples."""
        return self.texts - len(self.examples)


class Step(NamedTuple):
    """From one action to another; from one to the same, only how much is replaced differs."""

    before: Action
    after: Action
    is_weaker: bool

    @property
    def order(self) -> tuple[int, int]:
        """The widest step first."""
        return -abs(STRENGTH[self.after] - STRENGTH[self.before]), -STRENGTH[self.before]


class Turn(NamedTuple):
    """A rule that fires now and did not before, or the other way round."""

    rule: str
    is_new: bool


@dataclass(slots=True)
class Tally:
    """Everything that is told of a replay. Its size depends on the policies, not on the texts."""

    most: int
    shows_texts: bool = False
    judged: int = 0
    same: int = 0
    other_rules: int = 0
    """The same action, by other rules; counted as the same too."""
    old: Counter[Action] = field(default_factory=Counter)
    """How often each verdict came before."""
    new: Counter[Action] = field(default_factory=Counter)
    """How often each comes now."""
    steps: dict[Step, Counted] = field(default_factory=dict)
    turns: dict[Turn, Counted] = field(default_factory=dict)
    silent: dict[str, Counted] = field(default_factory=dict)
    """`old`, `new`: verdicts that `on_error` decided, because a check could not answer."""
    unread: list[tuple[str, str]] = field(default_factory=list)
    """The first few rows that could not be judged, and why."""
    unjudged: int = 0

    def add(self, one: Replayed[Case]) -> None:
        """Count a case."""
        old, new = one.old, one.new
        if not isinstance(old, Verdict) or not isinstance(new, Verdict):
            why = old if isinstance(old, str) else new
            self.skip(one.case.id, str(why))
            return
        self.judged += 1
        self.old[old.action] += 1
        self.new[new.action] += 1
        text = one.case.text[: MOST_CHARS + 1] if self.shows_texts else None
        example = Example(one.case.id, text)
        if one.shift == "same":
            self.same += 1
            self.other_rules += old.fired != new.fired
        else:
            step = Step(old.action, new.action, one.shift == "weaker")
            self._add(self.steps, step, example)
        for rule in one.no_longer:
            self._add(self.turns, Turn(rule, is_new=False), example)
        for rule in one.newly:
            self._add(self.turns, Turn(rule, is_new=True), example)
        for side, verdict in (("old", old), ("new", new)):
            if verdict.undecided:
                self._add(self.silent, side, example)

    def skip(self, id: str, why: str) -> None:
        """Count a row that no verdict can be given on."""
        self.unjudged += 1
        if len(self.unread) < max(self.most, 1):
            self.unread.append((id, why))

    def _add(self, counts: dict[K, Counted], key: K, example: Example) -> None:
        counts.setdefault(key, Counted(self.most)).add(example)

    @property
    def texts(self) -> int:
        """All of them."""
        return self.judged + self.unjudged

    @property
    def weaker(self) -> int:
        """Verdicts that became weaker."""
        return sum(counted.texts for step, counted in self.steps.items() if step.is_weaker)

    @property
    def stronger(self) -> int:
        """Verdicts that became stronger."""
        return sum(counted.texts for step, counted in self.steps.items() if not step.is_weaker)

    @property
    def is_whole(self) -> bool:
        """Whether every text was judged by both, with every check answering."""
        return not self.unjudged and not self.silent

    def steps_of(self, *, weaker: bool) -> list[tuple[Step, Counted]]:
        """The steps down or up, the widest first."""
        found = [
            (step, counted) for step, counted in self.steps.items() if step.is_weaker == weaker
        ]
        return sorted(found, key=lambda pair: pair[0].order)

    def turns_of(self) -> list[tuple[Turn, Counted]]:
        """Rules that fire no longer, then those that fire newly, by how often."""
        return sorted(
            self.turns.items(), key=lambda pair: (pair[0].is_new, -pair[1].texts, pair[0].rule)
        )


def tally_of(
    show: Screen,
    guards: tuple[Guard, Guard],
    files: Sequence[Path],
    on: Surface,
    context: Mapping[str, object],
    tally: Tally,
) -> None:
    """Replay files through both guards, in order, into `tally`.

    Raises:
        UsageError: A file cannot be read. What came before it is counted.
    """
    line = MovingLine(show)
    try:
        for one in replay(*guards, _readable(files, on, tally), context=context):
            tally.add(one)
            if line.is_due:
                counts = f"{tally.weaker:,} weaker, {tally.stronger:,} stronger"
                line.tell(f"{tally.texts:,} texts: {counts}")
    finally:
        line.clear()


def _readable(files: Iterable[Path], on: Surface, tally: Tally) -> Iterator[Case]:
    for file in files:
        for case in cases_of(file, on):
            if isinstance(case, BrokenRow):
                tally.skip(case.id, case.why)
            else:
                yield case
