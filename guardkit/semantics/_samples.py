"""Many random outcomes at once, one bit each: what already differs there needs no exact question.

Samples only ever spare work. Whatever they leave open is asked of diagrams, so no report depends
on which outcomes were drawn; the fixed seed keeps the amount of work the same from run to run.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence
from itertools import accumulate
from operator import or_

from ._cells import Subject
from ._outcomes import Space, judge
from ._policy import Atom, Cond

_COUNT = 2048
_FEW = 4
_BLOCK = 16
"""How many samples are added for a condition that held in too few."""


class Samples:
    """Random outcomes of a space; a condition becomes the bit set of those in which it holds."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._random = random.Random(20_26)  # noqa: S311 -- samples, not secrets
        self._count = _COUNT
        self._masks = {subject: self._drawn(subject, _COUNT) for subject in space.subjects}
        self._settle()

    def _drawn(self, subject: Subject, count: int) -> list[int]:
        """A bit set per cell of a subject, each sample in exactly one."""
        masks = [0] * len(self._space.cells[subject].cells)
        todo = [(0, len(masks), (1 << count) - 1)]
        while todo:
            low, high, within = todo.pop()
            if high - low == 1:
                masks[low] = within
                continue
            middle, coin = (low + high) // 2, self._random.getrandbits(count)
            todo += [(low, middle, within & coin), (middle, high, within & ~coin)]
        return masks

    def _settle(self) -> None:
        self._everything = (1 << self._count) - 1
        self._below = {
            subject: list(accumulate(masks, or_, initial=0))
            for subject, masks in self._masks.items()
        }
        self._atoms: dict[Atom, tuple[int, int]] = {}

    def sharpen(self, conditions: Iterable[Cond]) -> bool:
        """Add samples in which conditions that hardly ever hold do; say whether any were added."""
        pins = []
        for condition in conditions:
            if self.yes(condition).bit_count() < _FEW:
                node = self._space.outcome(condition).yes
                pins += [pin for _ in range(2) if (pin := self._example(node)) is not None]
        if not pins:
            return False
        count = _BLOCK * len(pins)
        for subject, masks in self._masks.items():
            fresh = self._drawn(subject, count)
            for at, pin in enumerate(pins):
                if subject in pin:
                    block = ((1 << _BLOCK) - 1) << (_BLOCK * at)
                    fresh = [mask & ~block for mask in fresh]
                    fresh[pin[subject]] |= block
            self._masks[subject] = [
                old | (new << self._count) for old, new in zip(masks, fresh, strict=True)
            ]
        self._count += count
        self._settle()
        return True

    def _example(self, node: int) -> dict[Subject, int] | None:
        space = self._space
        shuffled = {
            space.variable(subject): self._random.sample(range(len(cells)), len(cells))
            for subject, found in space.cells.items()
            for cells in [found.cells]
        }
        chosen = space.diagrams.witness(node, shuffled)
        if chosen is None:
            return None
        return {s: chosen[v] for s in space.subjects if (v := space.variable(s)) in chosen}

    def yes(self, condition: Cond) -> int:
        """The samples in which a condition holds."""
        return judge(condition, self)[0]

    @property
    def count(self) -> int:
        return self._count

    # --- as a `Logic` of bit sets

    def atom(self, atom: Atom) -> tuple[int, int]:
        known = self._atoms.get(atom)
        if known is None:
            subject = self._space.subject(atom)
            cells = self._space.cells[subject]
            known = self._atoms[atom] = (
                self._union(subject, cells.yes[atom]),
                self._union(subject, cells.no[atom]),
            )
        return known

    def _union(self, subject: Subject, cells: Collection[int]) -> int:
        if isinstance(cells, range):
            if not cells:
                return 0
            below = self._below[subject]
            return below[cells.stop] & ~below[cells.start]
        union = 0
        for cell in cells:
            union |= self._masks[subject][cell]
        return union

    def all_of(self, nodes: Iterable[int]) -> int:
        result = self._everything
        for node in nodes:
            result &= node
        return result

    def any_of(self, nodes: Iterable[int]) -> int:
        result = 0
        for node in nodes:
            result |= node
        return result

    def at_least(self, k: int, nodes: Sequence[int]) -> int:
        if k <= 0:
            return self._everything
        if k > len(nodes):
            return 0
        reached = [self._everything] + [0] * k
        for node in nodes:
            for j in range(k, 0, -1):
                reached[j] |= node & reached[j - 1]
        return reached[k]


class Columns:
    """The bit sets of many rules, turned: per sample, which rules hold in it."""

    def __init__(self, rows: Sequence[int], count: int) -> None:
        self._width = min(512, count)
        low = (1 << self._width) - 1
        # Texts of digits turn over in C; bit by bit this would be the slowest part of all.
        digits = [format(row & low, f"0{self._width}b") for row in reversed(rows)]
        self._columns = [int("".join(column), 2) for column in zip(*digits, strict=True)][::-1]

    def holding_with(self, row: int, among: int) -> int:
        """The rules that hold in every sample in which this one does, as far as looked at."""
        row &= (1 << self._width) - 1
        while row and among:
            lowest = row & -row
            among &= self._columns[lowest.bit_length() - 1]
            row ^= lowest
        return among
