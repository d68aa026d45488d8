"""Trials: cases in disguises and in pieces. Which there are follows from the cases and a seed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Final, Literal, NamedTuple, TypeVar
from zlib import crc32

from guardkit.diagnostics import nearest, visible
from guardkit.errors import UsageError
from guardkit.text import CHAINS, DISGUISES, chain, disguise

from ._deployment import Asked, asked
from ._suites import ProbeCase

T = TypeVar("T")

Split = Literal["whole", "turns2", "turns3", "parts2"]

PLAIN: Final = "plain"
SPLITS: Final[tuple[Split, ...]] = ("whole", "turns2", "turns3", "parts2")
_CHAINED: Final[Mapping[str, tuple[str, ...]]] = {"+".join(names): names for names in CHAINS}
CHAIN_NAMES: Final = tuple(_CHAINED)
LEAST_SPLIT: Final = 12
"""A text of fewer characters is not cut: its pieces would say nothing."""


class Trial(NamedTuple):
    """One case in one disguise, whole or cut."""

    case: ProbeCase
    disguise: str
    split: Split

    @property
    def id(self) -> str:
        """Its name in every run: it does not depend on which other trials there are."""
        return f"{self.case.id}|{self.disguise}|{self.split}"

    def __repr__(self) -> str:
        return f"<Trial {self.id}>"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which trials of the cases are made.

    Args:
        disguises: For attacks, besides the plain text.
        plain: Whether the plain text is tried too.
        splits: For attacks on `input`.
        disguise_benign: Whether benign cases are disguised and split as attacks are.
        limit: How many trials, drawn evenly over families, and in each over disguises; None: all.
        seed: Picks the forms of disguises, and what is drawn.
    """

    disguises: tuple[str, ...] = DISGUISES
    plain: bool = True
    splits: tuple[Split, ...] = ("whole", "turns2")
    disguise_benign: bool = False
    limit: int | None = None
    seed: int = 0

    def as_dict(self) -> dict[str, object]:
        """Plain data, as it stands in the head of a run's file."""
        return {
            "disguises": list(self.disguises),
            "plain": self.plain,
            "splits": list(self.splits),
            "disguise_benign": self.disguise_benign,
            "limit": self.limit,
            "seed": self.seed,
        }


def chosen_disguises(named: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """The disguises that names stand for, and whether the plain text is among them.

    Args:
        named: Names of disguises or chains, `all`, `chains`, `none` (the plain text and no more) or
            `plain`; nothing stands for all of them and the plain text.

    Raises:
        UsageError: No disguise has one of these names.
    """
    if not named:
        return DISGUISES, True
    found: dict[str, None] = {}
    has_plain = False
    for name in named:
        if name in ("none", PLAIN):
            has_plain = True
        elif name == "all":
            has_plain = True
            found.update(dict.fromkeys(DISGUISES))
        elif name == "chains":
            found.update(dict.fromkeys(CHAIN_NAMES))
        elif name in DISGUISES or name in _CHAINED:
            found[name] = None
        else:
            near = nearest(name, (*DISGUISES, *CHAIN_NAMES))
            advice = f"; did you mean `{near}`?" if near else ""
            raise UsageError(f"no disguise is called `{visible(name)}`{advice}")
    return tuple(found), has_plain


def chosen_splits(named: Sequence[str]) -> tuple[Split, ...]:
    """The splits that names stand for; nothing stands for the whole text and two turns.

    Args:
        named: `turns2`, `turns3`, `parts2`, `none` (or `whole`) for the text in one piece.

    Raises:
        UsageError: No split has one of these names.
    """
    if not named:
        return ("whole", "turns2")
    wanted = {"whole" if name == "none" else name for name in named}
    for name in sorted(wanted.difference(SPLITS)):
        known = ", ".join(("none", *SPLITS[1:]))
        raise UsageError(f"no split is called `{visible(name)}`: they are {known}")
    return tuple(split for split in SPLITS if split in wanted)


class Trials:
    """The trials of some cases, in an order that depends on nothing else.

    Args:
        cases: The cases.
        choice: Which trials are made.
    """

    def __init__(self, cases: Sequence[ProbeCase], choice: Choice) -> None:
        self.cases = tuple(cases)
        self.choice = choice
        self._drawn = None if choice.limit is None else self._draw(choice.limit)
        self.available = sum(
            len(self._disguises(case)) * len(self._splits(case)) for case in self.cases
        )
        """How many there would be without a limit."""

    def __len__(self) -> int:
        return self.available if self._drawn is None else len(self._drawn)

    def __iter__(self) -> Iterator[Trial]:
        if self._drawn is None:
            yield from self._all()
            return
        for at, worn, split in self._drawn:
            yield Trial(self.cases[at], worn, split)

    def _all(self) -> Iterator[Trial]:
        for case in self.cases:
            for worn in self._disguises(case):
                for split in self._splits(case):
                    yield Trial(case, worn, split)

    def _disguises(self, case: ProbeCase) -> tuple[str, ...]:
        choice = self.choice
        if not (case.is_attack or choice.disguise_benign):
            return (PLAIN,)
        return ((PLAIN,) if choice.plain else ()) + choice.disguises

    def _splits(self, case: ProbeCase) -> tuple[Split, ...]:
        choice = self.choice
        is_tried = case.is_attack or choice.disguise_benign
        can_split = case.on == "input" and not case.turns and len(case.text) >= LEAST_SPLIT
        return choice.splits if is_tried and can_split else ("whole",)

    def _draw(self, limit: int) -> list[tuple[int, str, Split]]:
        """So many trials, as evenly over families, and in each over disguises, as there are any.

        What is drawn under a limit is drawn under every higher one.
        """
        seed = self.choice.seed
        families: dict[str, dict[str, list[tuple[int, int, str, Split]]]] = {}
        for at, case in enumerate(self.cases):
            cells = families.setdefault(case.family, {})
            for worn in self._disguises(case):
                cell = cells.setdefault(worn, [])
                for split in self._splits(case):
                    cell.append((_lot(seed, Trial(case, worn, split).id), at, worn, split))
        turns = []
        for family in sorted(families, key=partial(_lot, seed)):
            cells = families[family]
            # An order of its own for each family, so that a small draw meets all disguises.
            names = sorted(cells, key=partial(_lot, seed, family))
            turns.append(_dealt([sorted(cells[name]) for name in names]))
        return [lot[1:] for lot in islice(_dealt(turns), limit)]


def _lot(seed: int, *names: str) -> int:
    return crc32(f"{seed} {' '.join(names)}".encode(*_ANY))


def _dealt(heaps: Sequence[Iterable[T]]) -> Iterator[T]:
    """One of each heap in turn, until all are used up."""
    left = [iter(heap) for heap in heaps]
    while left:
        still = []
        for heap in left:
            for one in islice(heap, 1):
                yield one
                still.append(heap)
        left = still


_ANY: Final = ("utf-8", "surrogatepass")


# --- what is said


def posed(trial: Trial, seed: int = 0) -> Asked:
    """What is said to a deployment in a trial."""
    case = disguised_case(trial.case, trial.disguise, seed)
    return said_in(case, pieces_of(case.text, trial.split), parts=trial.split == "parts2")


def said_in(case: ProbeCase, pieces: Sequence[str], *, parts: bool = False) -> Asked:
    """A case whose text is said in pieces: turns of the user, or parts of one message."""
    if len(pieces) == 1:
        return asked(pieces[0], case.on, ask=case.ask, tool=case.tool, turns=case.turns)
    if not parts:
        return asked(pieces[-1], turns=(*case.turns, *pieces[:-1]))
    content = [{"type": "text", "text": piece} for piece in pieces]
    before = asked("", turns=case.turns).messages[:-1]
    return Asked((*before, {"role": "user", "content": content}))


def disguised_case(case: ProbeCase, worn: str, seed: int = 0) -> ProbeCase:
    """A case in a disguise: all that the attacker says; of a tool call, every text in it."""
    return case if worn == PLAIN else change_texts(case, partial(worn_text, worn=worn, seed=seed))


def worn_text(text: str, worn: str, seed: int = 0) -> str:
    """A text in a disguise or a chain of them."""
    if worn == PLAIN:
        return text
    # A number of its own for every text, so that all forms of a disguise have their turn.
    own = seed + crc32(text.encode(*_ANY))
    names = _CHAINED.get(worn)
    return disguise(worn, text, own) if names is None else chain(names, text, own)


def change_texts(case: ProbeCase, change: Callable[[str], str]) -> ProbeCase:
    """A case whose texts are changed, each by itself; of a tool call, those in its arguments."""
    if case.on == "tool_call":
        return replace(case, text=_in_arguments(case.text, change))
    return replace(case, text=change(case.text), turns=tuple(map(change, case.turns)))


def _in_arguments(text: str, change: Callable[[str], str]) -> str:
    try:
        arguments = json.loads(text)
    except (ValueError, RecursionError):
        return change(text)
    return json.dumps(_each(arguments, change), ensure_ascii=False)


def _each(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_each(item, change) for item in value]
    if isinstance(value, dict):
        return {name: _each(item, change) for name, item in value.items()}
    return value


def pieces_of(text: str, split: Split) -> tuple[str, ...]:
    """A text cut into about equal pieces, between words where there are any."""
    count = {"whole": 1, "turns2": 2, "turns3": 3, "parts2": 2}[split]
    if len(text) < count:
        return (text,)
    pieces: list[str] = []
    rest = text
    for left in range(count, 1, -1):
        at = _cut(rest, len(rest) // left, len(rest) - left + 1)
        pieces.append(rest[:at])
        rest = rest[at:]
    return (*pieces, rest)


def _cut(text: str, middle: int, most: int) -> int:
    """Where to cut: after the white space nearest to a place, else at it."""
    for away in range(max(8, len(text) // 8)):
        for at in (middle + away, middle - away):
            if 0 < at <= most and text[at - 1].isspace():
                return at
    return max(1, min(middle, most))
