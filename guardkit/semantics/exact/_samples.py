"""Many random outcomes at once, one bit each: what already differs there needs no exact question.

Samples only ever spare work. Whatever they leave open is asked of diagrams, so no report depends
on which outcomes were drawn; the fixed seed keeps the amount of work the same from run to run.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate
from operator import or_

from guardkit.types import Truth

from .._policy import And, AtLeast, Atom, CascadeCond, Cond, Not, Or
from ._cells import Subject
from ._outcomes import Space, Twins, as_formula, judge

_COUNT = 2048
_FEW = 4
_ROUNDS = 8
"""How many samples are added for a condition that held in too few."""
_LOOKS = 48


class Samples:
    """Random outcomes of a space; a condition becomes the bit set of those in which it holds."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._random = random.Random(20_26)  # noqa: S311 -- samples, not secrets
        self._count = _COUNT
        self._masks = {subject: self._drawn(subject, _COUNT) for subject in space.subjects}
        self._pins = 0
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

    def sharpen(self, conditions: Iterable[Cond], twins: Twins) -> None:
        """Add samples in which conditions that hardly ever hold do."""
        pins = []
        for condition in conditions:
            if self.yes(condition).bit_count() < _FEW:
                pin = self._example(condition, twins)
                if pin is not None:
                    pins.append(pin)
        self._pins = len(pins)
        if not pins:
            return
        # Round by round, every pin once a round: `Columns` looks at the first rounds.
        count = _ROUNDS * len(pins)
        rounds = sum(1 << (len(pins) * at) for at in range(_ROUNDS))
        for subject, masks in self._masks.items():
            fixed: dict[int, int] = {}
            for at, pin in enumerate(pins):
                if subject in pin:
                    fixed[pin[subject]] = fixed.get(pin[subject], 0) | 1 << at
            pinned = sum(fixed.values()) * rounds
            self._masks[subject] = [
                old | ((new & ~pinned) | fixed.get(cell, 0) * rounds) << self._count
                for cell, (old, new) in enumerate(
                    zip(masks, self._drawn(subject, count), strict=True)
                )
            ]
        self._count += count
        self._settle()

    def _example(self, condition: Cond, twins: Twins) -> dict[Subject, int] | None:
        """Cells that make a condition hold."""
        said: dict[Subject, dict[Atom, Truth]] = {}
        for atom, truth in self._wishes(condition, True):
            if said.setdefault(self._space.subject(atom), {}).setdefault(atom, truth) is not truth:
                return self._exact_example(condition, twins)
        pin = {}
        for subject, wanted in said.items():
            cell = self._space.cells[subject].find(wanted)
            if cell is None:
                return self._exact_example(condition, twins)
            pin[subject] = cell
        return pin

    def _wishes(self, condition: Cond, holds: bool) -> Iterator[tuple[Atom, Truth]]:
        """Answers that make a condition hold or fail, as long as they do not exclude each other."""
        match condition:
            case And(members) | Or(members):
                if isinstance(condition, And) != holds and members:
                    members = (self._random.choice(members),)
            case AtLeast(count, members):
                count = count if holds else len(members) - count + 1
                members = tuple(self._random.sample(members, count))
            case Not(inner):
                members, holds = (inner,), not holds
            case CascadeCond():
                members = (as_formula(condition),)
            case _:
                yield condition, Truth.YES if holds else Truth.NO
                return
        for member in members:
            yield from self._wishes(member, holds)

    def _exact_example(self, condition: Cond, twins: Twins) -> dict[Subject, int] | None:
        local = Space([condition], twins)
        chosen = local.example(local.outcome(condition).yes)
        if chosen is None:
            return None
        pin = {}
        for subject, at in chosen.items():
            cell = self._space.cells[subject].find(local.cells[subject].said(at))
            if cell is None:
                return None
            pin[subject] = cell
        return pin

    @property
    def telling(self) -> tuple[int, int]:
        """Where the samples lie that tell most: the last of the free ones, the first pinned."""
        return _COUNT - 256, _COUNT + 2 * self._pins

    def yes(self, condition: Cond) -> int:
        """The samples in which a condition holds."""
        return judge(condition, self)[0]

    # --- as a `Logic` of bit sets

    def atom(self, atom: Atom) -> tuple[int, int]:
        known = self._atoms.get(atom)
        if known is None:
            subject = self._space.subject(atom)
            cells = self._space.cells[subject]
            known = self._atoms[atom] = (
                self._union(subject, cells.yes[atom]),
                self._everything
                & ~self._union(subject, cells.yes[atom])
                & ~self._union(subject, cells.unknown[atom]),
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

    def __init__(self, rows: Sequence[int], window: tuple[int, int]) -> None:
        self._low, high = window
        self._mask = (1 << (high - self._low)) - 1
        # Texts of digits turn over in C; bit by bit this would be the slowest part of all.
        width = high - self._low
        digits = [format(row >> self._low & self._mask, f"0{width}b") for row in reversed(rows)]
        self._columns = ["".join(column) for column in zip(*digits, strict=True)][::-1]
        self._known: dict[int, int] = {}

    def holding_with(self, row: int, among: int) -> int:
        """The rules that hold in every sample in which this one does, as far as looked at."""
        row = row >> self._low & self._mask
        for _ in range(_LOOKS):
            if not row or not among:
                break
            lowest = row & -row
            row ^= lowest
            at = lowest.bit_length() - 1
            if at not in self._known:
                self._known[at] = int(self._columns[at], 2)
            among &= self._known[at]
        return among
