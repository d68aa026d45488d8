"""Many attributions, counted, and the rows that were none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Final, NamedTuple

from guardkit.types import Judgement, Layer

from ._attribution import Attribution, Standing

MOST_UNREAD: Final = 20
"""Unreadable rows that are told one by one; the others are only counted."""


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
