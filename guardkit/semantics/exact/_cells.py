"""What one subject of a condition could answer, cut into the cells that conditions can tell apart.

A subject is what an atom looks at: a check, a field, a window, a sequence. Its cells are disjoint
and leave nothing out, and inside a cell every atom of the policy says the same. A cell may say
more than the world allows, never less, so "in every cell" holds for every answer there is.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from guardkit.types import Truth

from .._policy import (
    Asked,
    Atom,
    Check,
    Compared,
    ComparedAtRate,
    FieldTest,
    Labelled,
    Plain,
    SequenceSeen,
    WindowCount,
)
from ._diagrams import TooLarge
from ._fields import ORDERED, Answers, absent_answers, answers_to, memberships, readings
from ._line import Line

Subject = tuple[str, ...]
"""A kind and a name: `check`, `window`, `sequence`; or `context`, `call` and a path."""

State = Literal["value", "fails", "absent", "unreadable"]

_MOST_CELLS = 4096
_RISING = frozenset({"fpr"})
"""Measures whose threshold falls as the rate grows: who reaches the one at 1 % reaches 5 %."""


def subject_of(atom: Atom) -> Subject:
    """What an atom looks at."""
    match atom:
        case FieldTest(root, path, type=type):
            # `call.to.domain` is a reading of `call.to`.
            reads = type == "domain" and len(path) > 1 and path[-1] == "domain"
            return (root, *(path[:-1] if reads else path))
        case WindowCount(window):
            return ("window", window)
        case SequenceSeen(sequence):
            return ("sequence", sequence)
        case Asked(check) | Compared(check) | ComparedAtRate(check) | Labelled(check):
            return ("check", check)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. `value` is one answer that lies in it, None where no single one is known.

    `reached` lists, for checks compared at a rate, which rates' thresholds the score reaches.
    """

    state: State
    value: Plain | None = None
    reached: tuple[tuple[str, float, bool], ...] = ()

    @property
    def is_definite(self) -> bool:
        """Whether this is an answer: a field that is not there is one, a failed check is none."""
        return self.state in ("value", "absent")


FAILS = Cell("fails")


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of one subject, and in which of them each atom says yes or knows no answer."""

    cells: tuple[Cell, ...]
    yes: Mapping[Atom, Collection[int]] = field(repr=False)
    unknown: Mapping[Atom, Collection[int]] = field(repr=False)
    absent: int | None = None
    """The cell in which a field that is not there lies."""

    def no(self, atom: Atom) -> list[int]:
        """The cells in which an atom says no."""
        yes, unknown = self.yes[atom], self.unknown[atom]
        return [at for at in range(len(self.cells)) if at not in yes and at not in unknown]

    @property
    def definite(self) -> tuple[int, ...]:
        return tuple(at for at, cell in enumerate(self.cells) if cell.is_definite)

    def quiet_first(self) -> tuple[int, ...]:
        """The cells that make the fewest atoms say yes first, failures last."""
        loud = [0] * len(self.cells)
        for cells in self.yes.values():
            for at in cells:
                loud[at] += 1
        order = range(len(self.cells))
        plain = [(not c.is_definite, isinstance(c.value, tuple)) for c in self.cells]
        return tuple(sorted(order, key=lambda at: (*plain[at], loud[at])))

    def find(self, said: Mapping[Atom, Truth]) -> int | None:
        """The first cell in which atoms say this, going through those of the rarest yes."""
        sure = [self.yes[atom] for atom, truth in said.items() if truth is Truth.YES]
        among = min(sure, key=len) if sure else range(len(self.cells))
        for cell in among:
            if all(self.truth(atom, cell) is truth for atom, truth in said.items()):
                return cell
        return None

    def truth(self, atom: Atom, cell: int) -> Truth:
        """What an atom says in a cell."""
        if cell in self.yes[atom]:
            return Truth.YES
        return Truth.UNKNOWN if cell in self.unknown[atom] else Truth.NO

    def said(self, cell: int) -> dict[Atom, Truth]:
        """What every atom says in a cell."""
        return {atom: self.truth(atom, cell) for atom in self.yes}


def cells_of(
    subject: Subject, atoms: Collection[Atom], check: Check | None = None, *, wide: bool = True
) -> Cells:
    """Cut a subject into the cells its atoms tell apart.

    Args:
        wide: Read a field that is compared as two types in every combination of ways. Right for
            "in every case"; an example needs one value that is both.
    """
    match subject[0]:
        case "check":
            return _joined(list(_facets(atoms, check)), [FAILS])
        case "window":
            return _joined([_count_facet(atoms)], [])
        case "sequence":
            return _joined([_answer_facet(atoms)], [FAILS])
        case _:
            tests = [atom for atom in atoms if isinstance(atom, FieldTest)]
            return _field_cells(tests, wide)


# --- checks, windows and sequences: facets of one answer, all definite, then the failure


@dataclass(frozen=True, slots=True)
class _Facet:
    """One side of an answer: its cells, and in which of them each of its atoms says yes."""

    cells: tuple[Cell, ...]
    yes: Mapping[Atom, Collection[int]]


def _facets(atoms: Collection[Atom], check: Check | None) -> Iterator[_Facet]:
    asked = [atom for atom in atoms if isinstance(atom, Asked)]
    compared = [atom for atom in atoms if isinstance(atom, Compared)]
    labelled = [atom for atom in atoms if isinstance(atom, Labelled)]
    rated = [atom for atom in atoms if isinstance(atom, ComparedAtRate)]
    if asked:
        yield _answer_facet(asked)
    if compared:
        is_score = check is not None and check.answers == "score"
        line = Line(0.0, 1.0) if is_score else Line()
        yield _line_facet(line, [(atom, atom.op, atom.bound) for atom in compared])
    if labelled:
        yield _label_facet(labelled, check.labels if check else ())
    for measure in dict.fromkeys(atom.measure for atom in rated):
        yield from _rate_facets(measure, [atom for atom in rated if atom.measure == measure])


def _answer_facet(atoms: Iterable[Atom]) -> _Facet:
    return _Facet((Cell("value", False), Cell("value", True)), dict.fromkeys(atoms, (1,)))


def _count_facet(atoms: Iterable[Atom]) -> _Facet:
    counts = [atom for atom in atoms if isinstance(atom, WindowCount)]
    return _line_facet(
        Line(0.0, is_integral=True), [(atom, atom.op, float(atom.bound)) for atom in counts]
    )


def _line_facet(line: Line, tests: Sequence[tuple[Atom, str, float]]) -> _Facet:
    for _, op, bound in tests:
        line.cut(op, bound)
    line.settle()
    cells = tuple(Cell("value", line.inside(at)) for at in range(line.size))
    return _Facet(cells, {atom: line.where(op, bound) for atom, op, bound in tests})


def _label_facet(atoms: Sequence[Labelled], labels: tuple[str, ...]) -> _Facet:
    named = list(dict.fromkeys(label for atom in atoms for label in atom.labels))
    rest = [label for label in labels if label not in named]
    if rest or not labels:
        named.append(rest[0] if rest else _fresh("other", named))
    # Labels that no atom tells apart share a cell.
    alike = {tuple(label in atom.labels for atom in atoms): label for label in reversed(named)}
    return _Facet(
        tuple(Cell("value", label) for label in alike.values()),
        {
            atom: {at for at, said in enumerate(alike) if said[place]}
            for place, atom in enumerate(atoms)
        },
    )


def _rate_facets(measure: str, atoms: Sequence[ComparedAtRate]) -> Iterator[_Facet]:
    rates = sorted({atom.rate for atom in atoms})
    if measure in _RISING:
        yield _rate_facet(measure, rates, atoms)
        return
    for rate in rates:  # nothing is known about the order of their thresholds
        yield _rate_facet(measure, [rate], [atom for atom in atoms if atom.rate == rate])


def _rate_facet(measure: str, rates: Sequence[float], atoms: Sequence[ComparedAtRate]) -> _Facet:
    """Rates from the highest threshold to the lowest: cell n reaches the last n of them."""
    count = len(rates)
    cells = []
    for reached in range(count + 1):
        marks = tuple((measure, rate, at >= count - reached) for at, rate in enumerate(rates))
        value = 0.0 if reached == 0 else 1.0 if reached == count else None
        cells.append(Cell("value", value, marks))
    return _Facet(
        tuple(cells),
        {atom: range(count - rates.index(atom.rate), count + 1) for atom in atoms},
    )


def _joined(facets: Sequence[_Facet], failures: Sequence[Cell]) -> Cells:
    """All combinations of the facets, and after them the failures."""
    if len(facets) == 1:
        (facet,) = facets
        cells, yes = facet.cells, dict(facet.yes)
    else:
        _check_room(facets)
        cells, yes = _product(facets)
    failed = range(len(cells), len(cells) + len(failures))
    return Cells((*cells, *failures), yes, dict.fromkeys(yes, failed))


def _product(facets: Sequence[_Facet]) -> tuple[tuple[Cell, ...], dict[Atom, Collection[int]]]:
    rows = list(itertools.product(*(range(len(facet.cells)) for facet in facets)))
    yes: dict[Atom, Collection[int]] = {}
    for place, facet in enumerate(facets):
        for atom, found in facet.yes.items():
            wanted = set(found)
            yes[atom] = {at for at, row in enumerate(rows) if row[place] in wanted}
    cells = []
    for row in rows:
        parts = [facet.cells[at] for facet, at in zip(facets, row, strict=True)]
        marks = tuple(mark for part in parts for mark in part.reached)
        exact = [part for part in parts if not part.reached]
        cells.append(replace(exact[0] if exact else _agreed(parts), reached=marks))
    return tuple(cells), yes


def _agreed(parts: Sequence[Cell]) -> Cell:
    values = {part.value for part in parts}
    return Cell("value", values.pop() if len(values) == 1 else None)


def _check_room(facets: Sequence[_Facet]) -> None:
    size = 1
    for facet in facets:
        size *= len(facet.cells)
    if size > _MOST_CELLS:
        raise TooLarge(f"one check is looked at in more than {_MOST_CELLS} ways")


def _fresh(word: str, taken: Collection[str]) -> str:
    return next(
        name
        for name in (word if n == 0 else f"{word}{n}" for n in itertools.count())
        if name not in taken
    )


# --- fields: example values that show every combination of answers


def _field_cells(tests: Sequence[FieldTest], wide: bool) -> Cells:
    found: dict[Answers, Cell] = {}
    # Values come before lists and failures, so that a cell shows its plainest example.
    for cell, answers in _field_answers(tests, wide):
        if answers not in found or (cell.is_definite and not found[answers].is_definite):
            found[answers] = cell
        if len(found) > _MOST_CELLS:
            raise TooLarge(f"a field is looked at in more than {_MOST_CELLS} ways")
    yes: dict[Atom, set[int]] = {test: set() for test in tests}
    unknown: dict[Atom, set[int]] = {test: set() for test in tests}
    for at, answers in enumerate(found):
        for cells, bits in ((yes, answers.yes), (unknown, answers.unknown)):
            for place in _bits(bits):
                cells[tests[place]].add(at)
    absent = list(found).index(absent_answers(tests))
    return Cells(tuple(found.values()), yes, unknown, absent)


def _field_answers(tests: Sequence[FieldTest], wide: bool) -> Iterator[tuple[Cell, Answers]]:
    types = list(dict.fromkeys(test.type for test in tests))
    if len(types) == 1:
        yield from _of_one_type(tests)
    else:
        yield from _of_types(tests, types, wide)
    yield Cell("absent"), absent_answers(tests)
    unreadable = Cell("unreadable", _unreadable(types[0]))
    yield unreadable, Answers(0, (1 << len(tests)) - 1)


def _of_types(
    tests: Sequence[FieldTest], types: Sequence[str], wide: bool
) -> Iterator[tuple[Cell, Answers]]:
    """One field read as several types."""
    groups = [[at for at, test in enumerate(tests) if test.type == type] for type in types]
    by_type = [list(_of_one_type([tests[at] for at in group])) for group in groups]
    if not wide:
        for value in (cell.value for found in by_type for cell, _ in found):
            if value is not None:
                yield Cell("value", value), answers_to(tests, value)
        return
    # How one value reads as two types is the runtime's business: allow every combination.
    unreadable = [(Cell("unreadable"), Answers(0, (1 << len(group)) - 1)) for group in groups]
    choices = [[*found, none] for found, none in zip(by_type, unreadable, strict=True)]
    for row in itertools.product(*choices):
        yes = unknown = 0
        for group, (_, answers) in zip(groups, row, strict=True):
            for place, at in enumerate(group):
                yes |= (answers.yes >> place & 1) << at
                unknown |= (answers.unknown >> place & 1) << at
        yield row[0][0], Answers(yes, unknown)


def _of_one_type(tests: Sequence[FieldTest]) -> Iterator[tuple[Cell, Answers]]:
    """Values, then lists of them: of a list `in` means all, `not in` any; it has no order."""
    ordered = sum(1 << at for at, test in enumerate(tests) if test.op in ORDERED)
    flipped = sum(1 << at for at, test in enumerate(tests) if test.op in ("!=", "not in"))
    singles: list[tuple[Plain, int]] = []
    if tests[0].type in ("text", "domain"):
        for text, inside in memberships(tests):
            singles.append((text, inside))
            yield Cell("value", text), Answers(inside ^ flipped, 0)
    else:
        for value in readings(tests):
            answers = answers_to(tests, value)
            # Sums in two currencies are neither equal nor different, in a list as alone.
            if not answers.unknown & ~ordered:
                singles.append((value, (answers.yes ^ flipped) & ~ordered))
            yield Cell("value", value), answers
    alone: list[tuple[tuple[Plain, ...], int]] = [((value,), inside) for value, inside in singles]
    lists = list(_lists(singles))
    for several, inside in (*alone, *lists) if ordered else lists:
        state: State = "unreadable" if ordered else "value"
        yield Cell(state, several), Answers(inside ^ flipped, ordered)
    for several, inside in (*alone, *lists):
        unsure = Answers(~inside & flipped, inside | ordered)
        yield Cell("unreadable", (*several, _unreadable(tests[0].type))), unsure


def _unreadable(type: str) -> Plain:
    return 0.0 if type == "text" else "no such thing"


def _lists(
    singles: Sequence[tuple[Plain, int]],
) -> Iterator[tuple[tuple[Plain, ...], int]]:
    """Lists of values that are inside other combinations of sets than any single value."""
    known: dict[int, tuple[Plain, ...]] = {inside: (value,) for value, inside in reversed(singles)}
    todo = list(known)
    meeting: dict[int, list[int]] = {}
    for inside in todo:
        for bit in _bits(inside):
            meeting.setdefault(bit, []).append(inside)
    if len(known) > 1 and 0 not in known:
        known[0] = (singles[0][0], singles[-1][0])
    while todo:
        inside = todo.pop()
        for other in {other for bit in _bits(inside) for other in meeting.get(bit, ())}:
            if inside & other not in known:
                known[inside & other] = (*known[inside], *known[other])
                todo.append(inside & other)
            if len(known) > _MOST_CELLS:
                raise TooLarge(f"a list is looked at in more than {_MOST_CELLS} ways")
    for inside, several in known.items():
        if len(several) > 1:
            yield several, inside


def _bits(number: int) -> Iterator[int]:
    while number:
        lowest = number & -number
        number ^= lowest
        yield lowest.bit_length() - 1
