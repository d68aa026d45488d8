"""Which texts are left out together, to see what a model makes of texts of another kind.

A random split flatters: texts of one source are alike. So whole sources are left out, and only
where that cannot be done, texts are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, Final, Literal, NamedTuple

from guardkit.errors import UsageError

from ._rows import Row
from ._target import Target

FOLDS: Final = 5
FEWEST: Final = 10
"""Texts of each kind that a head needs to be trained and tried."""


class Folds(NamedTuple):
    """Parts of the rows; each is left out once."""

    of: tuple[int, ...]
    """The part of each row."""
    parts: int
    by: Literal["source", "text"]
    """What is never split: the texts of a source, or nothing but one text."""

    def without(self, fold: int) -> list[int]:
        """The rows that are not in a part."""
        return [at for at, part in enumerate(self.of) if part != fold]

    def within(self, fold: int) -> list[int]:
        """The rows of a part."""
        return [at for at, part in enumerate(self.of) if part == fold]


def folds(rows: Sequence[Row], targets: Sequence[Target], count: int = FOLDS) -> Folds:
    """Divide rows by source, so that each part can be left out and the rest still be learned.

    Raises:
        UsageError: A head has too few texts to be trained and tried.
    """
    sides = [sides_of(rows, target) for target in targets]
    for target, side in zip(targets, sides, strict=True):
        _refuse_few(target, side)
    by_source = _by_source(rows, count)
    if by_source is not None and _can_be_learned(by_source, sides):
        return by_source
    return _by_text(rows, sides[0], count)


def sides_of(rows: Sequence[Row], target: Target) -> list[bool | None]:
    """For each row: whether it is what a head looks for; None where that is not known."""
    rest = rest_of(target)
    found: list[bool | None] = []
    for row in rows:
        value = row.truth.get(target.name)
        if value is None and target.only_if and row.truth.get(target.only_if) == 0:
            value = -1
        if value is None:
            found.append(None)
        elif len(target.labels) == 1:
            found.append(value > 0)
        else:
            found.append(value >= 0 and value != rest)
    return found


def rest_of(target: Target) -> int | None:
    """The place of the label that means: none of the others."""
    return 0 if target.kind == "softmax" else None


def _refuse_few(target: Target, side: Iterable[bool | None]) -> None:
    known = [*side]
    for wanted, what in ((True, "that it looks for"), (False, "that it does not look for")):
        have = known.count(wanted)
        if have < FEWEST:
            raise UsageError(
                f"head `{target.name}` has {have} texts {what}; {FEWEST} are the fewest"
            )


def _by_source(rows: Sequence[Row], count: int) -> Folds | None:
    """The largest source first, into the part that holds least."""
    sizes: dict[str, int] = defaultdict(int)
    for row in rows:
        sizes[row.source] += 1
    if len(sizes) < 2:
        return None
    held = [0] * min(count, len(sizes))
    part_of: dict[str, int] = {}
    for source in sorted(sizes, key=lambda name: (-sizes[name], name)):
        part = held.index(min(held))
        part_of[source] = part
        held[part] += sizes[source]
    return Folds(tuple(part_of[row.source] for row in rows), len(held), "source")


def _can_be_learned(made: Folds, sides: Sequence[Sequence[bool | None]]) -> bool:
    """Whether the rest has enough of both kinds, whichever part is left out."""
    for side in sides:
        for kind in (True, False):
            held = [0] * made.parts
            for part, value in zip(made.of, side, strict=True):
                held[part] += value is kind
            if sum(held) - max(held) < FEWEST // 2:
                return False
    return True


def _by_text(rows: Sequence[Row], side: Sequence[bool | None], count: int) -> Folds:
    """Dealt in the order of a hash, kind by kind; the same text is always in one part."""
    places: dict[Any, int] = {}
    part_of: dict[str, int] = {}
    order = sorted(range(len(rows)), key=lambda at: _hash(rows[at].text))
    for at in order:
        if rows[at].text not in part_of:
            kind = side[at]
            part_of[rows[at].text] = places.get(kind, 0) % count
            places[kind] = places.get(kind, 0) + 1
    return Folds(tuple(part_of[row.text] for row in rows), count, "text")


def _hash(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
