"""A run beside an earlier one: what got better or worse, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb, sqrt
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from guardkit._util.shares import wilson

from ._ended import Ended
from ._figures import DIGITS, Figures, Rate
from ._run_file import head_of, rows_of
from ._tally import Tally

Verdict = Literal["better", "worse", "same", "unsure"]
What = Literal["leaked", "over_refusal"]

_SURE: Final = 0.05
"""How likely a difference may be by chance that is called one: of each rate of the whole, and of
all families together."""
_HALVINGS: Final = 40
_CHOSEN: Final = {
    "disguises": "disguises",
    "plain": "disguises",
    "disguise_benign": "disguises",
    "splits": "splits",
    "limit": "limit",
    "seed": "seed",
}
"""What the parts of a choice of trials are called."""


class Change(NamedTuple):
    """One rate of both runs."""

    what: What
    family: str
    """Empty: of all of them."""
    old: Rate
    new: Rate
    low: float
    high: float
    """Where the difference, new less old, lies: the interval of two shares, as if nothing were
    known of which trials both runs have."""
    better: int
    """Trials of both runs that came out wrong then and do not now."""
    worse: int
    """The other way round."""
    p: float | None
    """How likely so many cases would change to one side by chance; None: no trial is in both."""
    verdict: Verdict

    @property
    def difference(self) -> float | None:
        """New less old."""
        if self.old.value is None or self.new.value is None:
            return None
        return self.new.value - self.old.value


@dataclass(frozen=True, slots=True)
class Compared:
    """What changed since an earlier run."""

    old: Figures
    paired: int
    """Trials that both runs have and could judge."""
    changes: tuple[Change, ...]
    """The whole first, then families."""
    notes: tuple[str, ...]

    @property
    def worse(self) -> tuple[Change, ...]:
        """What is worse: each rate of the whole by a test at 5 %, families by one of them all."""
        return tuple(change for change in self.changes if change.verdict == "worse")

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "old": {
                "policy": self.old.policy,
                "digest": self.old.digest,
                "target": self.old.target,
            },
            "paired": self.paired,
            "worse": len(self.worse),
            "changes": [
                {
                    "what": one.what,
                    "family": one.family,
                    "old": one.old.as_dict(),
                    "new": one.new.as_dict(),
                    "low": round(one.low, DIGITS),
                    "high": round(one.high, DIGITS),
                    "better": one.better,
                    "worse": one.worse,
                    "p": None if one.p is None else round(one.p, DIGITS),
                    "verdict": one.verdict,
                }
                for one in self.changes
            ],
            "notes": list(self.notes),
        }


class _Pairs:
    """The trials of one rate that both runs have."""

    __slots__ = ("better", "cases", "count", "worse")

    def __init__(self) -> None:
        self.count = self.better = self.worse = 0
        self.cases: dict[str, int] = {}
        """Per case how many more trials are wrong now."""

    def add(self, case: str, *, was: bool, is_now: bool) -> None:
        self.count += 1
        self.better += was and not is_now
        self.worse += is_now and not was
        if was != is_now:
            self.cases[case] = self.cases.get(case, 0) + (1 if is_now else -1)

    @property
    def p(self) -> float | None:
        """The sign test of McNemar, exact, over cases: forms of one text are no witnesses apart."""
        return sign_test(self.up, self.up + self.down) if self.count else None

    @property
    def up(self) -> int:
        """Cases of which more trials are wrong now than then."""
        return sum(net > 0 for net in self.cases.values())

    @property
    def down(self) -> int:
        """Cases of which fewer are."""
        return sum(net < 0 for net in self.cases.values())

    @property
    def side(self) -> Verdict:
        """Where the cases went that the test counts; how many trials each has is no matter."""
        return "worse" if self.up > self.down else "better"


class Earlier:
    """An earlier run, to which the trials of a new one are held as they end.

    Args:
        path: Its file.

    Raises:
        UsageError: It is no file of a run.
    """

    def __init__(self, path: Path) -> None:
        self._head = head_of(path)
        tally = Tally(has_weights=self._head.has_weights)
        self._wrong: dict[str, bool] = {}
        for row in rows_of(path):
            if isinstance(row, Ended):
                tally.add(row)
                if _is_rated(row):
                    self._wrong[row.id] = row.is_wrong
        self.figures = tally.figures(self._head)
        self._pairs: dict[tuple[What, str], _Pairs] = {}

    def add(self, ended: Ended) -> None:
        """Hold a new trial to the same one then."""
        was = self._wrong.get(ended.id)
        if was is None or not _is_rated(ended):
            return
        what: What = "leaked" if ended.is_attack else "over_refusal"
        for family in ("", ended.family):
            pairs = self._pairs.setdefault((what, family), _Pairs())
            pairs.add(ended.case, was=was, is_now=ended.is_wrong)

    def compared(self, new: Figures) -> Compared:
        """What changed."""
        old = self.figures
        paired = sum(pairs.count for (_, family), pairs in self._pairs.items() if not family)
        notes = [f"the {word} changed" for word in changed(old, new)]
        return Compared(old, paired, tuple(self._changes(new)), tuple(notes))

    def _changes(self, new: Figures) -> Iterator[Change]:
        old = self.figures
        yield self._change(new, "leaked", "", old.leaked, new.leaked)[0]
        yield self._change(new, "over_refusal", "", old.over_refusal, new.over_refusal)[0]
        yield from together(list(self._families(new)))

    def _families(self, new: Figures) -> Iterator[tuple[Change, float | None]]:
        old = self.figures
        for group in new.families:
            before = old.group(group.name)
            if before is None:
                continue
            if group.leaked.of and before.leaked.of:
                yield self._change(new, "leaked", group.name, before.leaked, group.leaked)
            if group.over_refusal.of and before.over_refusal.of:
                both = before.over_refusal, group.over_refusal
                yield self._change(new, "over_refusal", group.name, *both)

    def _change(
        self, new_run: Figures, what: What, family: str, old: Rate, new: Rate
    ) -> tuple[Change, float | None]:
        """A change as a test of it alone has it, and its chance; None where nothing is tested."""
        pairs = self._pairs.get((what, family), _Pairs())
        low, high = difference_interval(old, new)
        p = pairs.p
        verdict: Verdict = "unsure"
        is_same = p is not None and pairs.count == old.of == new.of
        if is_same and not pairs.better and not pairs.worse:
            verdict = "same"
        if is_same or not is_alike(self.figures, new_run):
            # Of the very same trials it is known what changed; rates of other trials are no
            # measure of it. Where no case changed there is nothing to be wrong about.
            chance = p if pairs.up or pairs.down else None
            if chance is not None and chance < _SURE:
                verdict = pairs.side
        else:
            chance = difference_chance(old, new)
            if low > 0:
                verdict = "worse"
            elif high < 0:
                verdict = "better"
        made = Change(what, family, old, new, low, high, pairs.better, pairs.worse, p, verdict)
        return made, chance


def together(tested: Sequence[tuple[Change, float | None]]) -> Iterator[Change]:
    """Changes of many families, called better or worse only where all tests together allow it.

    By Holm's way: of many tests at 5 % each, some would call families better or worse that are
    as they were.

    Args:
        tested: Each change as its own test has it, with its chance; None where there was no test.
    """
    chances = sorted(chance for _, chance in tested if chance is not None)
    most = -1.0
    for at, chance in enumerate(chances):
        if chance >= _SURE / (len(chances) - at):
            break
        most = chance
    for change, alone in tested:
        is_open = change.verdict in ("better", "worse") and (alone is None or alone > most)
        yield change._replace(verdict="unsure") if is_open else change


def is_alike(old: Figures, new: Figures) -> bool:
    """Whether both runs made the same trials of the same cases."""
    drawn = (old.suites, old.planned, old.choice), (new.suites, new.planned, new.choice)
    return drawn[0] == drawn[1]


def changed(old: Figures, new: Figures) -> list[str]:
    """What may have made the difference between two runs."""
    found = [
        word
        for word, was, now in (
            ("policy", old.digest, new.digest),
            ("model", old.target, new.target),
            ("set of cases", old.suites, new.suites),
        )
        if was != now
    ]
    parts = (word for name, word in _CHOSEN.items() if old.choice.get(name) != new.choice.get(name))
    return [*found, *dict.fromkeys(parts)]


def _is_rated(ended: Ended) -> bool:
    return ended.outcome != "unjudged" and not (ended.is_attack and ended.outcome == "partial")


def difference_interval(old: Rate, new: Rate) -> tuple[float, float]:
    """Newcombe's interval of 95 % for the difference of two shares, new less old.

    Example:
        >>> [round(end, 3) for end in difference_interval(Rate(48, 80), Rate(56, 70))]
        [0.052, 0.334]
    """
    return _apart(old, new, None)


def difference_chance(old: Rate, new: Rate) -> float | None:
    """How likely the shares would be so far apart by chance: where Newcombe's interval ends at 0.

    Example:
        >>> difference_chance(Rate(48, 80), Rate(56, 70)) < 0.05
        True
    """
    if old.value is None or new.value is None:
        return None
    least, most = 0.0, 0.5
    for _ in range(_HALVINGS):
        side = (least + most) / 2
        low, high = _apart(old, new, 1 - side)
        # The less may lie beyond an end, the wider the interval is.
        least, most = (side, most) if low <= 0 <= high else (least, side)
    return 2 * most


def _apart(old: Rate, new: Rate, confidence: float | None) -> tuple[float, float]:
    if old.value is None or new.value is None:
        return -1.0, 1.0
    (old_low, old_high), (new_low, new_high) = _lies(old, confidence), _lies(new, confidence)
    middle = new.value - old.value
    low = middle - sqrt((new.value - new_low) ** 2 + (old_high - old.value) ** 2)
    high = middle + sqrt((new_high - new.value) ** 2 + (old.value - old_low) ** 2)
    return max(-1.0, low), min(1.0, high)


def _lies(rate: Rate, confidence: float | None) -> tuple[float, float]:
    """Its interval, as sure as that on each side."""
    if confidence is None:
        return rate.interval
    cases = min(rate.cases, rate.of)
    # Wilson's formula takes shares of a case as well as whole ones.
    return wilson(rate.hits * cases / rate.of, cases, confidence)  # type: ignore[arg-type]


def sign_test(up: int, count: int) -> float:
    """How likely a fair coin is to be as lopsided as this, to either side.

    Example:
        >>> sign_test(0, 6)
        0.03125
    """
    few = min(up, count - up)
    tail = sum(comb(count, k) for k in range(few + 1))
    return min(1.0, float(Fraction(2 * tail, 1 << count)))
